// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import IOMMUFD
internal import Machine
internal import Memory
internal import Seams
internal import UAPI

// What becomes of each call that passes by.

extension Supervisor {
  typealias Notification = Listener.Notification
  typealias Answer = Listener.Answer

  func answer(_ call: Notification) -> Answer {
    let a = call.arguments
    switch call.call {
    case .open: return open(call, AT_FDCWD, a.0, flags: call.int(a.1))
    case .creat: return open(call, AT_FDCWD, a.0, flags: O_CREAT | O_WRONLY | O_TRUNC)
    case .openat: return open(call, call.int(a.0), a.1, flags: call.int(a.2))
    case .openat2:
      var flags: UInt64 = 0
      guard iofd_vm_read(call.thread, a.2, &flags, 8) == 8 else { return .goOn }
      return open(call, call.int(a.0), a.1, flags: Int32(truncatingIfNeeded: flags))
    case .access: return look(call, AT_FDCWD, a.0) { .result(0) }
    case .faccessat: return look(call, call.int(a.0), a.1) { .result(0) }
    case .stat, .lstat: return look(call, AT_FDCWD, a.0) { self.fillStatus(call, a.1) }
    case .newfstatat: return look(call, call.int(a.0), a.1) { self.fillStatus(call, a.2) }
    case .statx: return look(call, call.int(a.0), a.1) { self.fillExtendedStatus(call, a.4) }
    case .ioctl: return ioctl(call, call.int(a.0), UInt32(truncatingIfNeeded: a.1), a.2)
    case .mmap: return mmap(call)
    case .read: return move(call, [(a.1, a.2)], offset: nil, writing: false)
    case .write: return move(call, [(a.1, a.2)], offset: nil, writing: true)
    case .pread: return move(call, [(a.1, a.2)], offset: Int64(bitPattern: a.3), writing: false)
    case .pwrite: return move(call, [(a.1, a.2)], offset: Int64(bitPattern: a.3), writing: true)
    case .readv: return move(call, pieces(call), offset: nil, writing: false)
    case .writev: return move(call, pieces(call), offset: nil, writing: true)
    // An offset of -1 in the second forms means the file's own position.
    case .preadv: return move(call, pieces(call), offset: offset(a.3), writing: false)
    case .pwritev: return move(call, pieces(call), offset: offset(a.3), writing: true)
    case .dup: return duplicate(call, closesOnExec: false)
    case .fcntl:
      let command = call.int(a.1)
      guard command == F_DUPFD || command == F_DUPFD_CLOEXEC else { return .goOn }
      return duplicate(call, closesOnExec: command == F_DUPFD_CLOEXEC)
    case .dup2, .dup3, .other: return .goOn
    }
  }

  private func offset(_ raw: UInt64) -> Int64? {
    let offset = Int64(bitPattern: raw)
    return offset == -1 ? nil : offset
  }

  /// The calling thread, or nil when it is gone or may not be looked at.
  func task(_ call: Notification) -> RealTask? {
    guard let process = processes.process(ofThread: call.thread), listener.isWaiting(call.id) else {
      return nil
    }
    let world = RealDescriptors.World(
      sockets: sockets, events: events, frames: frames, objects: processes.objects)
    let descriptors = RealDescriptors(
      listener, request: call.id, thread: call.thread, process: process.number, world)
    return RealTask(thread: call.thread, process: process, descriptors: descriptors)
  }

  /// Gives up a reference to an open file, which may be the last one when the program has closed it meanwhile. A
  /// request that runs alone is not disturbed by that, nor is a look at the invariants.
  func release(_ file: OpenFile) {
    gate.lockShared()
    defer { gate.unlockShared() }
    file.releaseFile()
  }

  /// What a program gets that may not be looked at: its memory cannot be read.
  func refuse(_ call: Notification) -> Answer {
    if listener.isWaiting(call.id) {
      complain("process \(call.thread): its memory cannot be looked at, so its request is refused")
    }
    return .failure(.EPERM)
  }

  // MARK: Names

  /// A path in the program's memory; nil when there is none.
  private func path(_ call: Notification, _ directory: Int32, _ address: UInt64) -> ProgramPath {
    guard let text = string(call.thread, address) else { return .other }
    return ProgramPath(
      text,
      from: {
        readLink(directory == AT_FDCWD ? "/proc/\(call.thread)/cwd" : "/proc/\(call.thread)/fd/\(directory)")
          .map { self.injection.original($0) }
      }, thread: call.thread, process: { RealProcesses.leader(call.thread) })
  }

  private func string(_ thread: Int32, _ address: UInt64) -> String? {
    var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
    var done = 0
    while done < bytes.count {
      // To the end of a page: what follows may be missing.
      let place = address &+ UInt64(done)
      let count = min(bytes.count - done, Int(Page.size - place & Page.mask))
      let got = bytes.withUnsafeMutableBytes {
        iofd_vm_read(thread, place, $0.baseAddress.map { $0 + done }, count)
      }
      guard got > 0 else { return nil }
      if let end = bytes[done..<done + got].firstIndex(of: 0) {
        return String(decoding: bytes[..<end], as: UTF8.self)
      }
      done += got
    }
    return nil
  }

  /// `faccessat`, `stat`: the device nodes are there, whatever the system has.
  private func look(_ call: Notification, _ directory: Int32, _ address: UInt64, _ found: () -> Answer)
    -> Answer
  {
    guard case .device(let name) = path(call, directory, address) else { return .goOn }
    return Glibc.access(name, F_OK) == 0 ? .goOn : found()
  }

  /// A character device of the misc driver, whose minor is chosen at run time.
  private func fillStatus(_ call: Notification, _ address: UInt64) -> Answer {
    var status = stat()
    status.st_mode = S_IFCHR | 0o600
    status.st_nlink = 1
    status.st_rdev = 10 << 8 | 126
    status.st_blksize = 4096
    let size = MemoryLayout<stat>.size
    return iofd_vm_write(call.thread, address, &status, size) == size ? .result(0) : .failure(.EFAULT)
  }

  private func fillExtendedStatus(_ call: Notification, _ address: UInt64) -> Answer {
    var words = [UInt32](repeating: 0, count: 64)
    words[0] = 0x7FF  // STATX_BASIC_STATS
    words[1] = 4096
    words[4] = 1
    words[7] = S_IFCHR | 0o600
    words[32] = 10
    words[33] = 126
    return iofd_vm_write(call.thread, address, &words, 256) == 256 ? .result(0) : .failure(.EFAULT)
  }

  // MARK: open

  private func open(_ call: Notification, _ directory: Int32, _ address: UInt64, flags: Int32) -> Answer {
    switch path(call, directory, address) {
    case .device(let name):
      guard let task = task(call) else { return refuse(call) }
      guard flags & (O_CREAT | O_EXCL) != O_CREAT | O_EXCL else { return .failure(.EEXIST) }
      guard flags & O_DIRECTORY == 0 else { return .failure(.ENOTDIR) }
      let file = machine.kernel.open(vfio: name == "/dev/vfio/vfio")
      return install(file, call, task, flags) { .open(path: name) }
    case .failNth(let thread):
      guard access("/proc/\(thread)", F_OK) == 0, let task = task(call) else { return .goOn }
      return install(FailNthFile(injection, thread: thread), call, task, flags, kind: nil)
    case .status(let number):
      guard let process = processes.known(number), let text = readSmallFile("/proc/\(number)/status") else {
        return .goOn
      }
      return give(ProcessStatus.patched(text, process.memory.counters), call, flags)
    case .faultInjection(let path):
      do throws(Errno) {
        let file = try injection.open(path, flags)
        return .result(
          Int64(try listener.add(file, to: call.id, at: nil, closesOnExec: flags & O_CLOEXEC != 0)))
      } catch { return .failure(error) }
    case .other: return .goOn
    }
  }

  private func install(
    _ file: OpenFile, _ call: Notification, _ task: RealTask, _ flags: Int32, kind: (() -> AnsweredCall.Kind)?
  ) -> Answer {
    do throws(Errno) {
      let fd = try task.descriptors.install(file, closesOnExec: flags & O_CLOEXEC != 0)
      if let kind { tell(call, task, -1, fileNumber(file), kind(), .success(Int64(fd))) }
      return .result(Int64(fd))
    } catch {
      release(file)
      if let kind { tell(call, task, -1, 0, kind(), .failure(error)) }
      return .failure(error)
    }
  }

  private func install(
    _ file: OpenFile, _ call: Notification, _ task: RealTask, _ flags: Int32, _ kind: () -> AnsweredCall.Kind
  ) -> Answer {
    withoutActuallyEscaping(kind) { install(file, call, task, flags, kind: $0) }
  }

  /// Gives the program a file with these bytes.
  private func give(_ bytes: [UInt8], _ call: Notification, _ flags: Int32) -> Answer {
    let number = iofd_memfd("status", 0)
    guard number >= 0 else { return .goOn }
    let file = Descriptor(number)
    guard write(file.number, bytes, bytes.count) == bytes.count, lseek(file.number, 0, SEEK_SET) == 0 else {
      return .goOn
    }
    do throws(Errno) {
      return .result(
        Int64(try listener.add(file, to: call.id, at: nil, closesOnExec: flags & O_CLOEXEC != 0)))
    } catch { return .failure(error) }
  }

  // MARK: ioctl

  private func ioctl(_ call: Notification, _ fd: Int32, _ request: UInt32, _ argument: UInt64) -> Answer {
    guard let file = sockets.file(of: call.thread, fd) else { return .goOn }
    defer { release(file) }
    guard let task = task(call) else { return refuse(call) }
    let nth = injection.isArmed ? injection.count(of: call.thread) : 0
    let isAlone = nth > 0 || watchers.check || journal.isOn
    if isAlone { gate.lockExclusive() } else { gate.lockShared() }
    defer { if isAlone { gate.unlockExclusive() } else { gate.unlockShared() } }

    let isWatched = watchers.observer != nil
    let sent = isWatched ? structBytes(task, request, argument) : []
    let result: Result<Int32, Errno>
    do throws(Errno) {
      result = .success(
        try failing(nth, call.thread) { () throws(Errno) -> Int32 in
          try file.ioctl(request, argument, by: task)
        })
    } catch { result = .failure(error) }
    let memory = journal.take()
    if isWatched {
      let received = structBytes(task, request, argument, count: sent.count)
      _ = journal.take()
      tell(
        call, task, fd, fileNumber(file),
        .ioctl(request: request, argument: argument, sent: sent, received: received),
        result.map { Int64($0) }, memory, isInjected: nth > 0 && injection.count(of: call.thread) == 0)
    }
    if watchers.check {
      let violations = machine.violations()
      if !violations.isEmpty { watchers.observer?.broken(violations) }
    }
    sockets.signalEvents(holder: call.thread)
    let answer: Answer =
      switch result {
      case .success(let value): .result(Int64(value))
      case .failure(let errno): .failure(errno)
      }
    return closing(task.descriptors.leftovers, call, answer)
  }

  /// Runs a request with the thread's failure armed, and notes how far it counted.
  private func failing(_ nth: UInt64, _ thread: Int32, _ body: () throws(Errno) -> Int32) throws(Errno)
    -> Int32
  {
    guard nth > 0 else { return try body() }
    let failures = machine.kernel.failures
    failures.count(only: injection.points)
    failures.arm(nth: nth)
    defer {
      injection.setCount(failures.remaining, of: thread)
      failures.disarm()
    }
    return try body()
  }

  /// Closes descriptors that a failed request left in the program, before the program goes on.
  private func closing(_ leftovers: [Int32], _ call: Notification, _ answer: Answer) -> Answer {
    guard !leftovers.isEmpty else { return answer }
    let calls = leftovers.map { (number: __NR_close, arguments: [UInt64(UInt32(bitPattern: $0))]) }
    let done = Injection(call).run(
      calls, answer: { listener.send(answer, to: call.id) }, finish: { _ in nil })
    return done ? .answered : answer
  }

  /// The struct of a request as it lies in the program's memory now.
  private func structBytes(_ task: RealTask, _ request: UInt32, _ argument: UInt64, count: Int? = nil)
    -> [UInt8]
  {
    var count = count
    if count == nil {
      var head: [UInt8] = [0, 0, 0, 0]
      guard iofd_vm_read(task.thread, argument, &head, 4) == 4 else { return [] }
      count = RequestStruct(request, head: head)?.count
    }
    guard let count, count > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: count)
    let got = iofd_vm_read(task.thread, argument, &bytes, count)
    return Array(bytes.prefix(max(0, got)))
  }

  // MARK: read, write

  /// The buffers of a vectored call; empty for what cannot be read.
  private func pieces(_ call: Notification) -> [(UInt64, UInt64)] {
    let count = Int(clamping: call.arguments.2)
    guard (1...1024).contains(count) else { return [] }
    var words = [UInt64](repeating: 0, count: count * 2)
    guard iofd_vm_read(call.thread, call.arguments.1, &words, count * 16) == count * 16 else { return [] }
    return (0..<count).map { (words[$0 * 2], words[$0 * 2 + 1]) }
  }

  private func move(_ call: Notification, _ pieces: [(UInt64, UInt64)], offset: Int64?, writing: Bool)
    -> Answer
  {
    let fd = call.int(call.arguments.0)
    guard let file = sockets.file(of: call.thread, fd) else { return .goOn }
    defer { release(file) }
    guard let task = task(call) else { return refuse(call) }
    guard !pieces.isEmpty else { return .failure(.EFAULT) }
    if watchers.check || journal.isOn { gate.lockExclusive() } else { gate.lockShared() }
    defer { if watchers.check || journal.isOn { gate.unlockExclusive() } else { gate.unlockShared() } }
    var done = 0
    var failure: Errno?
    for (address, count) in pieces {
      // MAX_RW_COUNT: the kernel moves no more at a time.
      let count = Int(min(count, 0x7FFF_F000))
      do throws(Errno) {
        let moved = try moveOne(file, task, address, count, offset.map { $0 + Int64(done) }, writing)
        done += moved
        if moved < count { break }
      } catch {
        failure = error
        break
      }
    }
    let result: Result<Int64, Errno> =
      if let failure, done == 0 { .failure(failure) } else { .success(Int64(done)) }
    if !(file is FailNthFile), let first = pieces.first {
      let memory = journal.take()
      let count = Int(min(first.1, 0x7FFF_F000))
      tell(
        call, task, fd, fileNumber(file),
        writing ? .write(address: first.0, count: count) : .read(address: first.0, count: count), result,
        memory)
    }
    sockets.signalEvents(holder: call.thread)
    switch result {
    case .success(let count): return .result(count)
    case .failure(let errno): return .failure(errno)
    }
  }

  private func moveOne(
    _ file: OpenFile, _ task: RealTask, _ address: UInt64, _ count: Int, _ offset: Int64?, _ writing: Bool
  ) throws(Errno) -> Int {
    if let file = file as? FailNthFile, let offset, !writing {
      return try file.read(address, count, at: offset, by: task)
    }
    // `iommufd_fault_fops_read` and its like know no position but 0.
    if !(file is FailNthFile), let offset, offset != 0 { throw .ESPIPE("the file has no positions") }
    return writing ? try file.write(address, count, by: task) : try file.read(address, count, by: task)
  }

  /// A duplicate of an event descriptor goes where the filter sees it, too.
  private func duplicate(_ call: Notification, closesOnExec: Bool) -> Answer {
    let fd = call.int(call.arguments.0)
    guard let file = sockets.file(of: call.thread, fd) else { return .goOn }
    release(file)
    guard let process = RealProcesses.leader(call.thread), let theirs = Descriptor(of: process, fd) else {
      return .goOn
    }
    guard let number = events.free(in: call.thread) else { return .failure(.EMFILE) }
    do throws(Errno) {
      return .result(Int64(try listener.add(theirs, to: call.id, at: number, closesOnExec: closesOnExec)))
    } catch { return .failure(error) }
  }

  // MARK: mmap

  private func mmap(_ call: Notification) -> Answer {
    let a = call.arguments
    let (length, protection, flags, offset) = (a.1, call.int(a.2), call.int(a.3), a.5)
    guard let file = sockets.file(of: call.thread, call.int(a.4)) else { return .goOn }
    defer { release(file) }
    guard let task = task(call), let backing = machine.memory.backing else { return refuse(call) }
    gate.lockShared()
    defer { gate.unlockShared() }
    var mode: MapMode = []
    if protection & PROT_READ != 0 { mode.insert(.read) }
    if protection & PROT_WRITE != 0 { mode.insert(.write) }
    if protection & PROT_EXEC != 0 { mode.insert(.execute) }
    if flags & 3 == MAP_SHARED || flags & 3 == 3 { mode.insert(.shared) }
    let kind = AnsweredCall.Kind.mmap(length: length, offset: offset, mode)
    do throws(Errno) {
      guard length > 0 else { throw .EINVAL("a mapping has a length") }
      let window = try file.mmap(length: length, offset: offset, mode: mode, by: task)
      guard let first = window.frames.first,
        window.frames.indices.allSatisfy({ window.frames[$0].raw == first.raw + UInt32($0) })
      else {
        window.unmapped()
        throw .ENODEV("the window's pages are no neighbours")
      }
      let memory = Descriptor(dup(backing))
      let temporary: Int32
      do throws(Errno) {
        temporary = try listener.add(memory, to: call.id, at: nil, closesOnExec: true)
      } catch {
        window.unmapped()
        throw error
      }
      let fd = UInt64(UInt32(bitPattern: temporary))
      let calls: [Injection.Call] = [
        (__NR_mmap, [a.0, a.1, a.2, a.3, fd, first.address.raw]), (__NR_close, [fd]),
      ]
      var mapped: Int64 = -Int64(Glibc.ENOMEM)
      let done = Injection(call).run(calls, answer: { listener.send(.result(0), to: call.id) }) { results in
        mapped = results[0]
        let isMapped = mapped > 0 || mapped < -4095
        tell(
          call, task, call.int(a.4), fileNumber(file), kind,
          isMapped ? .success(mapped) : .failure(Errno(code: Int32(clamping: -mapped))))
        return mapped
      }
      guard done, mapped > 0 || mapped < -4095 else {
        window.unmapped()
        if !done, listener.isWaiting(call.id) {
          complain("process \(task.process.number): somebody else traces it, so it can map no window")
        }
        return done ? .answered : .failure(.EPERM)
      }
      windows.add(
        window, of: file, at: first.address.raw, address: UInt64(bitPattern: mapped), length: length,
        process: task.process.number)
      return .answered
    } catch {
      tell(call, task, call.int(a.4), fileNumber(file), kind, .failure(error))
      return .failure(error)
    }
  }

  // MARK: Observing

  private func fileNumber(_ file: OpenFile) -> UInt64 { sockets.number(of: file) }

  private func tell(
    _ call: Notification, _ task: RealTask, _ fd: Int32, _ file: UInt64, _ kind: AnsweredCall.Kind,
    _ result: Result<Int64, Errno>, _ memory: [MemoryEvent] = [], isInjected: Bool = false
  ) {
    guard let observer = watchers.observer else { return }
    observer.call(
      AnsweredCall(
        process: task.process.number, thread: call.thread, descriptor: fd, file: file, kind: kind,
        result: result,
        isInjected: isInjected, memory: memory, capabilities: task.capabilities,
        memlockLimit: task.memlockLimit),
      in: self)
  }
}

extension Supervisor: ObservedProgram {
  public func file(ofThread thread: Int32, _ descriptor: Int32) -> UInt64? {
    guard let file = sockets.file(of: thread, descriptor) else { return nil }
    defer { file.releaseFile() }
    return fileNumber(file)
  }

  public func realFile(
    ofThread thread: Int32, _ descriptor: Int32
  ) -> (FileIdentity, UInt64, isMemory: Bool, isHuge: Bool)? {
    guard let process = RealProcesses.leader(thread), let file = Descriptor(of: process, descriptor),
      let identity = file.identity
    else { return nil }
    return (
      identity, file.size, isMemory: iofd_is_memory_file(file.number) != 0,
      isHuge: iofd_is_huge_file(file.number) != 0
    )
  }

  public func size(of object: FileIdentity) -> UInt64? { processes.objects.size(of: object) }

  public func areas(of process: Int32, _ first: UInt64, _ last: UInt64) -> [MappedArea] {
    processes.known(process)?.memory.areas(first, last) ?? MappedArea.areas(of: process, meeting: first, last)
  }

  public func isAlive(_ process: Int32) -> Bool { processes.known(process) != nil }

  public func parent(of process: Int32) -> Int32? { ProcessStatus(process)?.parent }
}

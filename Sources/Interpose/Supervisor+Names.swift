// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import IOMMUFD
internal import Machine
internal import Memory
internal import Seams
internal import UAPI
internal import VFIO

// Calls that name a file: the device nodes, and what of /proc and debugfs speaks of the model.

extension Supervisor {
  /// A path in the program's memory; nil when there is none.
  func path(_ call: Notification, _ directory: Int32, _ address: UInt64) -> ProgramPath {
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
  func look(_ call: Notification, _ directory: Int32, _ address: UInt64, _ found: (DeviceNumber) -> Answer)
    -> Answer
  {
    guard case .device(let name) = path(call, directory, address), machine.hasNode(name) else {
      return .goOn
    }
    return Glibc.access(name, F_OK) == 0 ? .goOn : found(DeviceNumber(name))
  }

  /// The number of a character device whose driver gets it at run time: the last of the misc driver's minors for
  /// `/dev/iommu` and `/dev/vfio/vfio`, and for VFIO devices a major number of their own.
  struct DeviceNumber {
    let major: UInt32
    let minor: UInt32

    init(_ name: String) {
      let index = VFIODevice.index(of: name)
      major = index == nil ? 10 : 511
      minor = index.map { UInt32($0) } ?? 126
    }

    /// As `st_rdev` has it: `new_encode_dev`.
    var packed: UInt { UInt(minor & ~0xFF) << 12 | UInt(major) << 8 | UInt(minor & 0xFF) }
  }

  func fillStatus(_ call: Notification, _ address: UInt64, _ number: DeviceNumber) -> Answer {
    var status = stat()
    status.st_mode = S_IFCHR | 0o600
    status.st_nlink = 1
    status.st_rdev = number.packed
    status.st_blksize = 4096
    let size = MemoryLayout<stat>.size
    return iofd_vm_write(call.thread, address, &status, size) == size ? .result(0) : .failure(.EFAULT)
  }

  func fillExtendedStatus(_ call: Notification, _ address: UInt64, _ number: DeviceNumber) -> Answer {
    var words = [UInt32](repeating: 0, count: 64)
    words[0] = 0x7FF  // STATX_BASIC_STATS
    words[1] = 4096
    words[4] = 1
    words[7] = S_IFCHR | 0o600
    words[32] = number.major
    words[33] = number.minor
    return iofd_vm_write(call.thread, address, &words, 256) == 256 ? .result(0) : .failure(.EFAULT)
  }

  // MARK: open

  func open(_ call: Notification, _ directory: Int32, _ address: UInt64, flags: Int32) -> Answer {
    switch path(call, directory, address) {
    case .device(let name):
      guard machine.hasNode(name) else { return .goOn }
      guard let task = task(call) else { return refuse(call) }
      guard flags & (O_CREAT | O_EXCL) != O_CREAT | O_EXCL else { return .failure(.EEXIST) }
      guard flags & O_DIRECTORY == 0 else { return .failure(.ENOTDIR) }
      let file: OpenFile
      do throws(Errno) { file = try machine.open(name) } catch { return .failure(error) }
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
    // Whoever writes down what happens hears of a descriptor before anybody uses it.
    if journal.isOn { gate.lockExclusive() } else { gate.lockShared() }
    let result: Result<Int64, Errno>
    var number: UInt64 = 0
    do throws(Errno) {
      result = .success(Int64(try task.descriptors.install(file, closesOnExec: flags & O_CLOEXEC != 0)))
      number = fileNumber(file)
    } catch { result = .failure(error) }
    if let kind { tell(call, task, -1, number, kind(), result) }
    if journal.isOn { gate.unlockExclusive() } else { gate.unlockShared() }
    switch result {
    case .success(let fd): return .result(fd)
    case .failure(let errno):
      release(file)
      return .failure(errno)
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
}

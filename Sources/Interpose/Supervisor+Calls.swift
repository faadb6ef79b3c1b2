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
    case .access: return look(call, AT_FDCWD, a.0) { _ in .result(0) }
    case .faccessat: return look(call, call.int(a.0), a.1) { _ in .result(0) }
    case .stat, .lstat: return look(call, AT_FDCWD, a.0) { self.fillStatus(call, a.1, $0) }
    case .newfstatat: return look(call, call.int(a.0), a.1) { self.fillStatus(call, a.2, $0) }
    case .statx: return look(call, call.int(a.0), a.1) { self.fillExtendedStatus(call, a.4, $0) }
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

  func offset(_ raw: UInt64) -> Int64? {
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

  // MARK: Observing

  func fileNumber(_ file: OpenFile) -> UInt64 { sockets.number(of: file) }

  func tell(
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

// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import UAPI

/// The supervisor's end of seccomp's user notifications: seccomp_unotify(2).
final class Listener: Sendable {
  private let descriptor: Descriptor

  init(_ number: Int32) {
    descriptor = Descriptor(number)
    iofd_notify_wake_here(number)
  }

  var number: Int32 { descriptor.number }

  /// A call that a program has made, and waits for.
  struct Notification {
    let id: UInt64
    /// The thread that makes it.
    let thread: Int32
    let call: SystemCallFilter.Call
    let arguments: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    /// Behind the instruction that makes the call.
    let instruction: UInt64

    /// A descriptor, flags, or another int.
    func int(_ value: UInt64) -> Int32 { Int32(truncatingIfNeeded: value) }
  }

  /// Waits for a call. Nil when there was none after all: a signal came, or the caller went.
  func receive() -> Notification? {
    // Kernels may know a longer struct than this was built with, and want it zeroed.
    withUnsafeTemporaryAllocation(byteCount: 512, alignment: 8) { buffer in
      guard let base = buffer.baseAddress else { return nil }
      memset(base, 0, 512)
      let raw = base.assumingMemoryBound(to: seccomp_notif.self)
      guard iofd_notify_receive(number, raw) == 0 else { return nil }
      let notif = raw.pointee
      return Notification(
        id: notif.id, thread: Int32(notif.pid), call: SystemCallFilter.Call(number: notif.data.nr),
        arguments: notif.data.args, instruction: notif.data.instruction_pointer)
    }
  }

  /// Whether the call still waits. If it does, the thread is still the one that made it.
  func isWaiting(_ id: UInt64) -> Bool { iofd_notify_is_valid(number, id) != 0 }

  /// What becomes of a call.
  enum Answer {
    case result(Int64)
    case failure(Errno)
    /// The kernel carries it out, as if nobody had looked.
    case goOn
    /// It has been answered already.
    case answered
  }

  /// Answers a call. Nothing happens when it does not wait any more.
  func send(_ answer: Answer, to id: UInt64) {
    var response = seccomp_notif_resp()
    response.id = id
    switch answer {
    case .result(let value): response.val = value
    case .failure(let errno): response.error = -errno.code
    case .goOn: response.flags = UInt32(SECCOMP_USER_NOTIF_FLAG_CONTINUE)
    case .answered: return
    }
    _ = iofd_notify_send(number, &response)
  }

  /// Gives the program a copy of a descriptor; returns its number there.
  ///
  /// - Throws: EMFILE where the program may have no more, or what else the kernel says; EBADF when the call does
  ///   not wait any more.
  func add(_ file: Descriptor, to id: UInt64, at number: Int32?, closesOnExec: Bool) throws(Errno) -> Int32 {
    var request = seccomp_notif_addfd()
    request.id = id
    request.srcfd = UInt32(bitPattern: file.number)
    request.newfd_flags = closesOnExec ? UInt32(bitPattern: O_CLOEXEC) : 0
    if let number {
      request.newfd = UInt32(bitPattern: number)
      request.flags |= UInt32(SECCOMP_ADDFD_FLAG_SETFD)
    }
    let result = iofd_notify_add(self.number, &request)
    guard result >= 0 else {
      let code = Glibc.errno
      // A number that is wanted, and beyond RLIMIT_NOFILE.
      if code == Glibc.EBADF, number != nil {
        throw .EMFILE("the program may have no descriptor of this number")
      }
      throw Errno(code: code == Glibc.ENOENT ? Glibc.EBADF : code)("the program takes no descriptor")
    }
    return result
  }
}

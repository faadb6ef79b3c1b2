// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Seams
internal import UAPI

// Two things can only be done by the program itself: map memory into its own address space, and close a
// descriptor. For those the thread is stopped when the answer to its call is there and before it goes on, and
// made to carry out the calls at its own syscall instruction; then its registers are put back. That is
// ptrace(2), for some microseconds and in rare requests only.

/// System calls that a thread of a program makes because the supervisor wants them.
struct Injection {
  /// A number and six arguments.
  typealias Call = (number: Int32, arguments: [UInt64])

  let thread: Int32
  /// Where a syscall instruction is: before where the thread goes on.
  let instruction: UInt64

  /// Everybody who traces holds it, and whoever waits for any child: a stopped thread is a child, too.
  static let tracing = Lock(.frontEnd)

  /// How the last thread ended that did so while it was traced. Whoever traces learns of it first, and only if the
  /// tracer is not the parent, too, does the parent learn of it as well. Guarded by `tracing`.
  nonisolated(unsafe) private static var lastEnd: (thread: Int32, status: Int32)?

  /// The end of a child of the supervisor that its tracer has seen instead of whoever waits for it; for those who
  /// hold `tracing`.
  static func end(of child: Int32) -> Int32? { lastEnd?.thread == child ? lastEnd?.status : nil }

  init(_ notification: Listener.Notification) {
    thread = notification.thread
    instruction = notification.instruction &- 2
  }

  /// Stops the thread as `answer` makes it leave its call, carries out `calls`, and gives it the result that
  /// `finish` makes of theirs.
  ///
  /// - Returns: false when the thread cannot be traced, because somebody else does or it is gone; then `answer`
  ///   has not been called.
  func run(
    _ calls: [Call], answer: () -> Void, finish: ([Int64]) -> Int64?
  ) -> Bool {
    Self.tracing.withLock {
      guard iofd_trace_seize(thread) == 0 else { return false }
      var signal: Int32 = 0
      defer { letGo(signal) }
      guard iofd_trace_interrupt(thread) == 0 else { return false }
      answer()
      var registers = iofd_registers()
      guard waitForStop(), iofd_registers_get(thread, &registers) == 0 else { return true }
      var results: [Int64] = []
      for call in calls {
        let words = [UInt64(UInt32(bitPattern: call.number))] + call.arguments
        let padded = words + [UInt64](repeating: 0, count: max(0, 7 - words.count))
        var result: Int64 = 0
        var end: Int32 = -1
        guard iofd_remote_call(thread, instruction, &registers, padded, &result, &signal, &end) == 0 else {
          if end >= 0 { Self.lastEnd = (thread, end) }
          return true
        }
        results.append(result)
      }
      if let result = finish(results) { iofd_registers_set_result(&registers, result) }
      _ = iofd_registers_set(thread, &registers)
      return true
    }
  }

  /// The thread goes on, with a signal that came meanwhile. One that was killed cannot; its end has to be taken
  /// notice of, or whoever else waits for it would never hear.
  private func letGo(_ signal: Int32) {
    while iofd_trace_detach(thread, signal) != 0 {
      var status: Int32 = 0
      guard iofd_wait(thread, &status) == thread else { return }
      if status & 0xFF != 0x7F {
        Self.lastEnd = (thread, status)
        return
      }
    }
  }

  /// Waits until the thread has stopped for us; a signal on the way is delivered.
  private func waitForStop() -> Bool {
    while true {
      var status: Int32 = 0
      guard iofd_wait(thread, &status) == thread else { return false }
      guard status & 0xFF == 0x7F else {
        Self.lastEnd = (thread, status)
        return false
      }
      // PTRACE_EVENT_STOP in the third byte.
      if status >> 16 == 128 { return true }
      let signal = status >> 16 == 0 ? (status >> 8) & 0xFF : 0
      _ = iofd_trace_continue(thread, signal)
    }
  }
}

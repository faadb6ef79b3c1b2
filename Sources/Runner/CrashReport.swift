// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// The last words of a process that trapped: which scripts it was running, and exit status 77.
///
/// A trap is always a bug of this program. The handler only uses what a handler may: `write` and `_exit`.
public enum CrashReport {
  private static let slots = 64
  /// Paths of running scripts, by slot; the handler reads them whatever state the process is in.
  private nonisolated(unsafe) static let running: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> = {
    let table = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: slots)
    table.initialize(repeating: nil, count: slots)
    return table
  }()

  /// Takes over the signals of traps. A stack that is full has no room for a handler: it gets one of its own.
  public static func install() {
    _ = running
    var stack = stack_t()
    stack.ss_size = 64 << 10
    stack.ss_sp = malloc(stack.ss_size)
    sigaltstack(&stack, nil)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { CrashReport.handle($0) }
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_ONSTACK
    for signal in trapSignals { sigaction(signal, &action, nil) }
  }

  /// Where a trap leaves its signal and its place in the program, for whoever finds the process dead.
  private nonisolated(unsafe) static var note: UnsafeMutablePointer<UInt64>?
  private nonisolated(unsafe) static var programStart: UInt64 = 0

  /// From now on a trap writes its signal there, and behind it the address of the instruction from the program's start
  /// on, as `addr2line` wants it.
  public static func leaveNote(in note: UnsafeMutablePointer<UInt64>) {
    do throws(FileFailure) {
      let first = try HostFile.read("/proc/self/maps", limit: 1 << 20).prefix { $0 != UInt8(ascii: "-") }
      programStart = UInt64(String(decoding: first, as: UTF8.self), radix: 16) ?? 0
    } catch { programStart = 0 }
    self.note = note
    var action = sigaction()
    action.__sigaction_handler.sa_sigaction = { signal, _, context in
      if let note = CrashReport.note {
        #if arch(x86_64)
          // REG_RIP.
          let registers = context?.assumingMemoryBound(to: ucontext_t.self).pointee.uc_mcontext.gregs
          note[1] = UInt64(bitPattern: Int64(registers?.16 ?? 0)) &- CrashReport.programStart
        #endif
        note[0] = UInt64(UInt32(bitPattern: signal))
      }
      _exit(ExitStatus.trap.rawValue)
    }
    action.sa_flags = Int32(bitPattern: UInt32(SA_RESETHAND)) | SA_ONSTACK | SA_SIGINFO
    for signal in trapSignals { sigaction(signal, &action, nil) }
  }

  private static let trapSignals = [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT]

  static func enter(_ script: Int, _ path: String) {
    let slot = script % slots
    free(running[slot])
    running[slot] = strdup(path)
  }

  static func leave(_ script: Int) {
    let slot = script % slots
    free(running[slot])
    running[slot] = nil
  }

  private static func handle(_ signal: Int32) {
    say("iofd: internal error, this is a bug; it was running:")
    for slot in 0..<slots {
      guard let path = running[slot] else { continue }
      say(" ")
      _ = write(2, path, strlen(path))
    }
    say("\n")
    _exit(ExitStatus.trap.rawValue)
  }

  private static func say(_ text: StaticString) { _ = write(2, text.utf8Start, text.utf8CodeUnitCount) }
}

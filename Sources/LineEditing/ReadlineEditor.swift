// SPDX-License-Identifier: GPL-3.0-or-later
internal import CReadline
internal import Glibc

/// Lines from a terminal over GNU readline: editing, history, completion.
///
/// Readline is used through its callback interface, so that this type does the waiting: a byte on
/// `interrupts` (written by the process's SIGINT handler) ends the line at once, and no signal handler
/// ever runs inside readline. Readline's state is global, so there is one editor.
public final class ReadlineEditor: LineEditor {
  /// What readline's hooks, which know no context, work on. Only touched while `readLine` runs.
  private struct State {
    var completer: Completer?
    var matches: [String] = []
    var line: String?
    var isFinished = false
  }
  private nonisolated(unsafe) static var state = State()

  /// A descriptor that becomes readable on Ctrl-C; -1 for none.
  private let interrupts: Int32

  public init(interrupts: Int32 = -1, completer: Completer? = nil) {
    self.interrupts = interrupts
    iofd_readline_setup()
    Self.state.completer = completer
    iofd_readline_set_completion({ text, start, _ in ReadlineEditor.matches(text, start) }, Self.breaks)
  }

  /// Between words. Readline keeps the pointer.
  private nonisolated(unsafe) static let breaks = strdup(" \t\n=,[](){}")

  public func addHistory(_ entry: String) { add_history(entry) }

  public func readLine(prompt: String) -> LineInput {
    Self.state.line = nil
    Self.state.isFinished = false
    rl_callback_handler_install(prompt) { line in
      ReadlineEditor.state.isFinished = true
      if let line {
        ReadlineEditor.state.line = String(cString: line)
        free(line)
      }
      rl_callback_handler_remove()
    }
    while !Self.state.isFinished {
      var waits = [
        pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
        pollfd(fd: interrupts, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&waits, 2, -1) < 0 && errno != EINTR { break }
      if waits[1].revents != 0 {
        drain()
        iofd_readline_abandon()
        return .interrupted
      }
      // An interrupted wait is a changed window size, which readline looks at as it reads.
      if waits[0].revents != 0 { rl_callback_read_char() }
    }
    return Self.state.line.map { .line($0) } ?? .end
  }

  private func drain() {
    var byte: UInt8 = 0
    while read(interrupts, &byte, 1) == 1 {}
  }

  /// Every word that could stand here, handed to readline one by one.
  private static func matches(_ text: UnsafePointer<CChar>?, _ start: Int32)
    -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
  {
    let line = iofd_readline_line().map { String(cString: $0) } ?? ""
    let word = text.map { String(cString: $0) } ?? ""
    state.matches = Array((state.completer?(line, Int(start), word) ?? []).reversed())
    iofd_readline_completion_is_final(state.matches.last?.hasSuffix("=") == true ? 0 : 0x20)
    return rl_completion_matches(text) { _, _ in
      ReadlineEditor.state.matches.popLast().flatMap { strdup($0) }
    }
  }
}

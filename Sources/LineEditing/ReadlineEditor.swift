// SPDX-License-Identifier: GPL-3.0-or-later
internal import CReadline
internal import Glibc

/// Lines from a terminal over GNU readline: editing, history, completion, hints.
///
/// Readline is used through its callback interface, so that this type does the waiting: a byte on
/// `interrupts` (written by the process's SIGINT handler) ends the line at once, and no signal handler
/// ever runs inside readline. Readline's state is global, so there is one editor.
public final class ReadlineEditor: LineEditor {
  /// What readline's hooks, which know no context, work on. Only touched while `readLine` runs.
  private struct State {
    weak var assistant: (any LineAssistant)?
    var words: [CompletionWord] = []
    /// Words that are still to be handed over, the next one last.
    var pending: [CompletionWord] = []
    var line: String?
    var isFinished = false
    var promptWidth = 0
    var showsHints = false
    /// A hint is on the screen, behind the line.
    var isHinting = false
  }
  private nonisolated(unsafe) static var state = State()

  /// A descriptor that becomes readable on Ctrl-C; -1 for none.
  private let interrupts: Int32
  private let assistant: (any LineAssistant)?

  /// Most words that are listed with their summaries, and at all.
  private static let (mostDescribed, mostListed) = (40, 200)

  /// - Parameter showsHints: the terminal can dim text and erase to the end of a line.
  public init(interrupts: Int32 = -1, assistant: (any LineAssistant)? = nil, showsHints: Bool = false) {
    self.interrupts = interrupts
    self.assistant = assistant
    Self.state.assistant = assistant
    Self.state.showsHints = showsHints && assistant != nil
    iofd_readline_setup()
    iofd_readline_set_completion(
      { text, start, end in ReadlineEditor.matches(text, start, end) }, Self.breaks,
      { matches, count, _ in ReadlineEditor.list(matches, count) })
    iofd_readline_set_display({ ReadlineEditor.redisplay() }, { ReadlineEditor.nextKey($0) })
  }

  /// Between words. Readline keeps the pointer.
  private nonisolated(unsafe) static let breaks = strdup(" \t\n=,[](){}|;<>\"!?")

  public func addHistory(_ entry: String) { add_history(entry) }

  public func readLine(prompt: String) -> LineInput {
    Self.state.line = nil
    Self.state.isFinished = false
    Self.state.promptWidth = prompt.unicodeScalars.count
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
      if poll(&waits, 2, -1) < 0 {
        guard errno == EINTR else { break }
        // A window of another size; Ctrl-C is seen below, by its byte.
        rl_check_signals()
        continue
      }
      if waits[1].revents != 0 {
        drain()
        Self.eraseHint()
        iofd_readline_abandon()
        return .interrupted
      }
      if waits[0].revents != 0 { rl_callback_read_char() }
    }
    return Self.state.line.map { .line($0) } ?? .end
  }

  private func drain() {
    var byte: UInt8 = 0
    while read(interrupts, &byte, 1) == 1 {}
  }

  // MARK: Completion

  /// Every word that could stand here, handed to readline one by one.
  private static func matches(_ text: UnsafePointer<CChar>?, _ start: Int32, _ end: Int32)
    -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
  {
    let line = iofd_readline_line().map { String(cString: $0) } ?? ""
    let before = String(decoding: line.utf8.prefix(Int(end)), as: UTF8.self)
    guard let (first, words) = state.assistant?.completions(before) else { return nil }
    // A word of ours can begin in front of readline's: a path with a space in it.
    let skipped = max(0, Int(start) - first)
    state.words = words.map {
      CompletionWord(
        String(decoding: $0.text.utf8.dropFirst(skipped), as: UTF8.self), summary: $0.summary,
        isComplete: $0.isComplete)
    }
    state.pending = state.words.reversed()
    iofd_readline_completion_is_final(state.words.count == 1 && !state.words[0].isComplete ? 0 : 0x20)
    return rl_completion_matches(text) { _, _ in
      ReadlineEditor.state.pending.popLast().flatMap { strdup($0.text) }
    }
  }

  /// Lists the words below the line: few of them with their summaries, many in columns.
  private static func list(_ matches: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?, _ count: Int32) {
    eraseHint()
    var text = "\n"
    let columns = screenWidth
    let widest = state.words.map { $0.text.unicodeScalars.count }.max() ?? 0
    if state.words.count <= mostDescribed {
      for word in state.words {
        let space = String(repeating: " ", count: widest - word.text.unicodeScalars.count + 2)
        text +=
          String((word.text + (word.summary.isEmpty ? "" : space + word.summary)).prefix(columns - 1)) + "\n"
      }
    } else {
      let each = widest + 2
      let perLine = max(1, columns / each)
      for (index, word) in state.words.prefix(mostListed).enumerated() {
        text += word.text
        let isLast = (index + 1) % perLine == 0
        text += isLast ? "\n" : String(repeating: " ", count: each - word.text.unicodeScalars.count)
      }
      if !text.hasSuffix("\n") { text += "\n" }
      if state.words.count > mostListed { text += "... and \(state.words.count - mostListed) more\n" }
    }
    iofd_readline_write(text)
    rl_forced_update_display()
  }

  private static var screenWidth: Int {
    var (rows, columns): (Int32, Int32) = (0, 0)
    rl_get_screen_size(&rows, &columns)
    return columns > 0 ? Int(columns) : 80
  }

  // MARK: Hints

  /// Draws the line, and behind it what may follow, dimmed, with the cursor back where it was.
  private static func redisplay() {
    rl_redisplay()
    guard state.showsHints, iofd_readline_is_editing() != 0, iofd_readline_is_at_end() != 0,
      let line = iofd_readline_line().map({ String(cString: $0) }), !line.isEmpty,
      line.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F })
    else { return }
    let room = screenWidth - (state.promptWidth + line.utf8.count) % screenWidth - 1
    let hint = (state.assistant?.hint(line) ?? "").prefix(max(0, room))
    guard !hint.isEmpty else { return }
    iofd_readline_write("\u{1B}[2m\(hint)\u{1B}[0m\u{1B}[K\u{1B}[\(hint.unicodeScalars.count)D")
    state.isHinting = true
  }

  /// Whatever the next key does, the hint is gone before.
  private static func nextKey(_ stream: UnsafeMutablePointer<FILE>?) -> Int32 {
    let key = rl_getc(stream)
    eraseHint()
    return key
  }

  private static func eraseHint() {
    guard state.isHinting else { return }
    state.isHinting = false
    iofd_readline_write("\u{1B}[K")
  }
}

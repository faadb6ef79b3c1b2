// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Interpreter
internal import Language
internal import Lessons
internal import LineEditing
internal import Runner
internal import UAPI

/// `iofd` as a conversation: a prompt, and each statement's answer.
///
/// It knows nothing of terminals: lines come from a `LineEditor`, answers go to a `ByteOutput`. So a pipe talks to the
/// same thing as a person, and gets the same answers.
final class Conversation {
  /// How it begins and how it looks.
  struct Style {
    var usesColour = false
    /// A person types: mistakes are no reason to end badly, and leaving with statements that are not saved is asked
    /// about.
    var isPersonal = true
    /// What the command line said that made the machine, for the head of a saved script.
    var origin = "iofd"
  }

  let editor: any LineEditor
  let output: ByteOutput
  let renderer: DiagnosticRenderer
  /// The session; in a lesson that of the lesson.
  var journal: Journal
  /// The lesson that is being taken.
  var course: LessonCourse?
  /// The session from before the lesson.
  var suspended: Journal?
  let commands = PromptCommand.all
  private let rigs: Rigs
  private let style: Style
  private let cancellation: Cancellation
  /// Earlier lines of the statement that is being typed.
  private(set) var pending = ""
  /// What was typed and did something, or tried to.
  private(set) var typed: [String] = []
  /// Where the typed statements are kept for the next time.
  var history: HistoryFile?
  /// The file that `save` would have written over.
  var spared: String?
  private var hasWarned = false
  private var hasFailed = false
  private var isOver = false
  private var status = ExitStatus.passed

  /// - Throws: what opening a real `/dev/iommu` throws.
  init(
    rigs: Rigs, defines: [String: String], editor: any LineEditor, output: ByteOutput, style: Style = Style()
  ) throws(Errno) {
    let rig = try rigs.make()
    self.rigs = rigs
    self.editor = editor
    self.output = output
    self.style = style
    renderer = DiagnosticRenderer(usesColour: style.usesColour)
    cancellation = Cancellation()
    Interrupts.forward(to: cancellation)
    var options = RunOptions()
    options.defines = defines
    options.cancellation = cancellation
    journal = Journal(rig: rig, loader: DiskLoader(), options: options) { try rigs.make() }
  }

  /// Until the person leaves, or the input ends.
  func run() -> ExitStatus {
    while !isOver, output.failure == nil {
      output.flush()
      switch statement() {
      case .end:
        if course != nil {
          if style.isPersonal { output.write("\n") }
          leaveLesson()
        } else if mayLeave() {
          return status
        }
      case .interrupted: Interrupts.clear()
      case .line(let text): answer(text)
      }
    }
    return status
  }

  /// Carries out what was typed: a command of the prompt, or statements.
  func answer(_ text: String) {
    guard text.utf8.contains(where: { $0 > 0x20 }) else { return }
    hasFailed = false
    defer { hasWarned = false }
    if answerInLesson(text) { return }
    if let (command, rest) = command(text) {
      // What came back by it would be judged by nobody.
      if course != nil, command.action == .redo || command.action == .load {
        return complain(
          "'\(command.name)' is not for lessons", help: "'quit lesson' goes back to your session")
      }
      // The list of what was typed is of statements, and of what the prompt did to them.
      if ![.quit, .exit, .history].contains(command.action) { typed.append(text) }
      perform(command, rest)
      followInLesson()
    } else if let expanded = expanded(text) {
      typed.append(expanded)
      carryOut(expanded)
    }
  }

  /// Nothing is left unsaved without a word.
  private func mayLeave() -> Bool {
    guard style.isPersonal, journal.isUnsaved, !hasWarned else { return true }
    hasWarned = true
    let count = journal.count
    output.write(
      "\(count) statement\(count == 1 ? " is" : "s are") not saved: 'save FILE' writes \(count == 1 ? "it" : "them") down, "
        + "Ctrl-D leaves\n")
    return false
  }

  func leave() { isOver = true }

  // MARK: Reading

  /// A statement, which may be several lines: until its blocks and brackets close.
  private func statement() -> LineInput {
    pending = ""
    defer { pending = "" }
    while true {
      switch editor.readLine(prompt: pending.isEmpty ? prompt : continuation) {
      case .interrupted: return .interrupted
      case .end:
        guard !pending.isEmpty else { return .end }
        // A person takes the block back; of a file that ends, the parser says what is missing.
        if style.isPersonal {
          output.write("\n")
          return .interrupted
        }
        return .line(pending)
      case .line(let line):
        pending += pending.isEmpty ? line : "\n" + line
        guard isComplete(pending) else { continue }
        while pending.last == " " { pending.removeLast() }
        remember(pending)
        return .line(pending)
      }
    }
  }

  private func isComplete(_ text: String) -> Bool {
    if let (command, _) = command(text), command.action != .whatIf { return true }
    return Parser.isComplete(SourceFile(name: "<input>", text: text))
  }

  /// What begins with a space is nobody's business.
  private func remember(_ text: String) {
    guard text.utf8.contains(where: { $0 > 0x20 }), text.first != " " else { return }
    editor.addHistory(text)
    history?.append(text)
  }

  /// `iofd 7.2/vtd ctx a*!> `: kernel and backend; the file in use, where there are several; threads that stand
  /// somewhere; `*` for what is not saved; `!` after something failed.
  private var prompt: String {
    let session = journal.session
    if let course {
      let (number, count) = course.progress
      return "lesson \(course.lesson.number) (\(number)/\(count))\(hasFailed ? "!" : "")> "
    }
    var text = "iofd \(session.environment.kernel)/\(rigs.backend.name)"
    if let context = session.contextName { text += " \(context)" }
    for thread in session.standingThreads { text += " \(thread)" }
    if journal.isUnsaved { text += "*" }
    if hasFailed { text += "!" }
    return text + "> "
  }

  /// As wide as the prompt, with a dot for what is still open.
  private var continuation: String {
    String(repeating: ".", count: max(3, prompt.utf8.count - 1)) + " "
  }

  // MARK: Statements

  /// The command of the prompt that a line is.
  private func command(_ text: String) -> (PromptCommand, rest: String)? {
    guard !text.contains("\n") || text.contains("{") else { return nil }
    let procedures = journal.session.procedures
    return PromptCommand.split(text, commands, isTaken: { name in procedures.contains { $0.name == name } })
      .flatMap { command, rest in command.operand == .none && !rest.isEmpty ? nil : (command, rest) }
  }

  /// The statement with unique prefixes written out; nil when it is a prefix of several things, after saying so, or a
  /// prefix of a command of the prompt, after doing that.
  private func expanded(_ text: String) -> String? {
    let procedures = Set(journal.session.procedures.map(\.name))
    let outcome = Abbreviation.expand(text, procedures: procedures)
    let first = String(
      text.drop { $0 == " " }.prefix { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
    let rest = text.drop { $0 == " " }.dropFirst(first.count).drop { $0 == " " }
    let tools = PromptCommand.beginning(with: first, commands)
    // A name that is bound, a procedure and a whole verb are no prefixes.
    if !first.isEmpty, !tools.isEmpty, rest.first != "=", rest.first != ",", !procedures.contains(first) {
      let verbs = Set(VerbTable.all.map { $0.words[0] }.filter { $0.hasPrefix(first) })
      let isWhole = verbs.contains(first) || Keywords.Statement(rawValue: first) != nil
      if !isWhole, verbs.isEmpty, tools.count == 1 {
        perform(tools[0], String(rest))
        return nil
      }
      var isTold = false
      if case .expanded = outcome { isTold = true }
      if !isWhole, !isTold {
        tell(first, begins: tools.map(\.name) + verbs.sorted())
        return nil
      }
    }
    switch outcome {
    case .unchanged: return text
    case .expanded(let whole):
      output.write("  \(whole)\n")
      return whole
    case .ambiguous(let word, let candidates):
      tell(word, begins: candidates)
      return nil
    }
  }

  private func tell(_ word: String, begins candidates: [String]) {
    complain(
      "'\(word)' begins \(candidates.prefix(8).joined(separator: ", "))\(candidates.count > 8 ? ", ..." : "")"
    )
  }

  /// Something that was typed cannot be done.
  func complain(_ message: String, help: String? = nil) {
    output.write("\(message)\n")
    if let help { output.write("  help: \(help)\n") }
    note(.usage)
  }

  /// A pipe is told how it went by the exit status, the worst of everything.
  private func note(_ what: ExitStatus) {
    hasFailed = true
    if !style.isPersonal { status = max(status, what) }
  }

  func carryOut(_ text: String) {
    let procedures = Set(journal.session.procedures.map(\.name))
    let position = journal.position
    let reply = journal.run(text)
    tell(reply)
    if let course { judge(course, from: position) }
    if let name = reply.diagnostics.first.flatMap({ likeness(of: $0, text) }) {
      output.write("  help: did you mean '\(name)', a command of this prompt?\n")
    }
    for procedure in journal.session.procedures
    where !procedures.contains(procedure.name) && commands.contains(where: { $0.name == procedure.name }) {
      output.write("'\(procedure.name)' is the procedure now; the prompt's own is '.\(procedure.name)'\n")
    }
  }

  /// Says what came of a statement.
  func tell(_ reply: Session.Reply) {
    output.write(renderer.render(reply.diagnostics))
    output.write(reply.text)
    if let steps = reply.cancelledStep {
      output.write(
        "interrupted after \(steps) statement\(steps == 1 ? "" : "s"); 'undo' takes back what it did\n")
    }
    Interrupts.clear()
    if !reply.isGood {
      note(
        reply.outcome == nil && reply.diagnostics.contains { $0.code.code.first != "X" } ? .invalid : .failed)
    }
    if reply.cancelledStep != nil { note(.interrupted) }
    if reply.isRefused { hasFailed = true }
  }

  /// The command of the prompt that an unknown verb is like.
  private func likeness(of diagnostic: Diagnostic, _ text: String) -> String? {
    guard diagnostic.code.code == "R0001" else { return nil }
    let first = String(text.prefix { $0 != " " && $0 != "\n" })
    let found = Suggest.closest(to: first, in: commands.map(\.name))
    return found.count == 1 ? found[0] : nil
  }

  /// A lesson's machine is always the same, whatever this session's is.
  func makeCourse(_ lesson: Lesson) throws -> LessonCourse {
    let rigs = Rigs()
    var options = RunOptions()
    options.cancellation = cancellation
    let journal = Journal(rig: try rigs.make(), loader: DiskLoader(), options: options) { try rigs.make() }
    return try LessonCourse(lesson, journal: journal) { try rigs.make() }
  }

  /// Comment lines for the head of a saved script.
  var scriptHeading: [String] {
    ["A session of iofd, with what it answered. It was begun with: \(style.origin)"]
  }
}

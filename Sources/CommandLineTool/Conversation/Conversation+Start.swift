// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Glibc
internal import Interpreter
internal import LineEditing
internal import Runner
internal import UAPI

// From a command line to a conversation: which editor, which style.

extension Conversation {
  static let statements = OptionRow(
    "-c", value: .required("STATEMENT"), help: "carry this out, print the answer and leave; repeat for more")
  static let file = OptionRow("-f", value: .required("FILE"), help: "carry out a script's statements first")
  static let interactive = OptionRow("-i", help: "a conversation, whatever standard input is")

  static let options = [
    SharedOptions.kernel, SharedOptions.backend, SharedOptions.target, SharedOptions.define, statements, file,
    interactive,
  ]

  /// Whether a command line without a subcommand means a conversation: a person types, or it is asked for.
  static func isMeant(_ words: [String]) -> Bool {
    isatty(0) == 1 || words.contains { word in ["-i", "-c", "-f"].contains { word.hasPrefix($0) } }
  }

  /// Talks to whoever is on standard input.
  static func run(_ arguments: Arguments) throws(UsageError) -> ExitStatus {
    guard arguments.operands.isEmpty else {
      throw UsageError(message: "'\(arguments.operands[0])' is no option", help: "iofd run PATH...")
    }
    let output = ByteOutput.standardOutput()
    let given = arguments.all("-c")
    let isPersonal = isatty(0) == 1 && given.isEmpty
    let completer = PromptAssistant()
    let editor: any LineEditor
    if !given.isEmpty {
      editor = GivenLines(given)
    } else if isPersonal && Terminal.canEdit(output) {
      editor = ReadlineEditor(
        interrupts: Interrupts.descriptor, assistant: completer, showsHints: Terminal.canErase)
    } else {
      // Prompts go where the person looks: not into a file with the answers.
      let prompts = output.isTerminal ? output : ByteOutput.standardError()
      editor = PlainEditor(
        prompts: isPersonal
          ? {
            prompts.write($0)
            prompts.flush()
          } : nil)
    }
    let rigs = try SharedOptions.rigs(arguments)
    let style = Style(
      usesColour: Terminal.usesColour(output), isPersonal: isPersonal, origin: origin(arguments))
    let defines = try SharedOptions.defines(arguments)
    let conversation: Conversation
    do throws(Errno) {
      conversation = try Conversation(
        rigs: rigs, defines: defines, editor: editor, output: output, style: style)
    } catch {
      Terminal.complain("cannot open /dev/iommu: \(error.name)", help: SharedOptions.help(for: error))
      return .nothingRan
    }
    completer.conversation = conversation
    if editor is ReadlineEditor {
      conversation.history = HistoryFile.standard
      for entry in conversation.history?.load() ?? [] { editor.addHistory(entry) }
      output.write("iofd \(CommandLineTool.version). 'help' lists the commands, Ctrl-D leaves.\n")
    }
    for path in arguments.all("-f") { conversation.load(path) }
    return Terminal.finish(output, conversation.run())
  }

  /// The command line that makes such a machine.
  private static func origin(_ arguments: Arguments) -> String {
    var text = "iofd"
    for name in ["--kernel", "--backend", "--target"] {
      if let value = arguments.last(name) { text += " \(name) \(value)" }
    }
    for define in arguments.all("-D") { text += " -D \(define)" }
    return text
  }
}

/// Lines from the command line.
private final class GivenLines: LineEditor {
  private var lines: [String]

  init(_ lines: [String]) { self.lines = lines.reversed() }

  func readLine(prompt: String) -> LineInput { lines.popLast().map { .line($0) } ?? .end }
  func addHistory(_ entry: String) {}
}

/// Completion and hints for the line at the prompt, with the lines above it.
final class PromptAssistant: LineAssistant {
  weak var conversation: Conversation?

  private func assistant(_ conversation: Conversation) -> Assistant {
    Assistant(
      LiveSurroundings(conversation.journal, files: HostPaths.goingOn),
      commands: conversation.pending.isEmpty ? conversation.commands : [])
  }

  func completions(_ line: String) -> (start: Int, words: [CompletionWord]) {
    guard let conversation else { return (line.utf8.count, []) }
    let above = conversation.pending.isEmpty ? "" : conversation.pending + "\n"
    let found = assistant(conversation).completions(above + line)
    let words = found.candidates.map {
      CompletionWord($0.text, summary: $0.summary, isComplete: $0.isComplete)
    }
    return (max(0, found.start - above.utf8.count), words)
  }

  func hint(_ line: String) -> String {
    guard let conversation else { return "" }
    let above = conversation.pending.isEmpty ? "" : conversation.pending + "\n"
    return assistant(conversation).hint(above + line)
  }
}

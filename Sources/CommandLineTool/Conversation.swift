// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import LineEditing
internal import Runner
internal import UAPI

/// `iofd` on a terminal: a prompt, and each statement's answer.
///
/// It knows nothing of terminals: lines come from a `LineEditor`, answers go to a `ByteOutput`.
struct Conversation {
  static let options = [
    SharedOptions.kernel, SharedOptions.backend, SharedOptions.target, SharedOptions.define,
  ]

  private let editor: any LineEditor
  private let output: ByteOutput
  private let renderer: DiagnosticRenderer
  private let session: Session
  private let prompt: String

  /// Talks to the person at the terminal.
  static func run(_ arguments: Arguments) throws(UsageError) -> ExitStatus {
    guard arguments.operands.isEmpty else {
      throw UsageError(message: "'\(arguments.operands[0])' is no option", help: "iofd run PATH...")
    }
    let output = ByteOutput.standardOutput()
    let completion = Completion()
    let editor = ReadlineEditor(interrupts: Interrupts.descriptor) { completion.words($0, $1, $2) }
    let rigs = try SharedOptions.rigs(arguments)
    let defines = try SharedOptions.defines(arguments)
    let conversation: Conversation
    do throws(Errno) {
      conversation = try Conversation(
        rigs: rigs, defines: defines, editor: editor, output: output, usesColour: Terminal.usesColour(output))
    } catch {
      Terminal.complain("cannot open /dev/iommu: \(error.name)", help: SharedOptions.help(for: error))
      return .nothingRan
    }
    completion.names = { conversation.session.names }
    output.write("iofd \(CommandLineTool.version). 'help' lists the commands, Ctrl-D leaves.\n")
    conversation.run()
    return Terminal.finish(output, .passed)
  }

  /// - Throws: what opening a real `/dev/iommu` throws.
  init(rigs: Rigs, defines: [String: String], editor: any LineEditor, output: ByteOutput, usesColour: Bool)
    throws(Errno)
  {
    let rig = try rigs.make()
    self.editor = editor
    self.output = output
    renderer = DiagnosticRenderer(usesColour: usesColour)
    let cancellation = Cancellation()
    Interrupts.forward(to: cancellation)
    var options = RunOptions()
    options.defines = defines
    options.cancellation = cancellation
    session = Session(rig: rig, loader: DiskLoader(), options: options) { try rigs.make() }
    prompt = "iofd \(rigs.kernel.rawValue)/\(rigs.backend.name)> "
  }

  /// Until the person leaves.
  func run() {
    while output.failure == nil {
      output.flush()
      switch statement() {
      case .end: return
      case .interrupted: Interrupts.clear()
      case .line(let text):
        let words = text.split(whereSeparator: { $0 == " " || $0 == "\t" }).map { String($0) }
        switch words.first {
        case nil: continue
        case "quit", "exit": if words.count == 1 { return }
        case "help":
          help(words.dropFirst().joined(separator: " "))
          continue
        default: break
        }
        carryOut(text)
      }
    }
  }

  /// A statement, which may be several lines: until its blocks and brackets close.
  private func statement() -> LineInput {
    var text = ""
    while true {
      let depth = text.isEmpty ? 0 : Parser.openDepth(SourceFile(name: "<input>", text: text))
      let next = depth == 0 ? prompt : String(repeating: ".", count: prompt.utf8.count - 1) + " "
      switch editor.readLine(prompt: next) {
      case .interrupted: return .interrupted
      case .end: return text.isEmpty ? .end : finished(text)
      case .line(let line):
        text += text.isEmpty ? line : "\n" + line
        if Parser.isComplete(SourceFile(name: "<input>", text: text)) { return finished(text) }
      }
    }
  }

  private func finished(_ text: String) -> LineInput {
    if text.utf8.contains(where: { $0 > 0x20 }) { editor.addHistory(text) }
    return .line(text)
  }

  private func carryOut(_ text: String) {
    let reply = session.run(text)
    output.write(renderer.render(reply.diagnostics))
    output.write(reply.text)
    if Interrupts.isRaised {
      output.write("interrupted\n")
      Interrupts.clear()
    }
  }

  private func help(_ topic: String) {
    if topic.isEmpty {
      for verb in VerbTable.all { output.write("  \(verb.synopsis)\n") }
      output.write("'help VERB' tells more; also 'help EEXIST', 'help IOAS_MAP'. 'quit' leaves.\n")
    } else if let page = Explain.page(topic) {
      output.write(page)
    } else {
      output.write("there is no page about '\(topic)'\n")
      if let suggestion = Explain.suggestion(for: topic) { output.write("  help: \(suggestion)\n") }
    }
  }
}

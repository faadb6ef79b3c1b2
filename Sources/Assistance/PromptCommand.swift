// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language

/// A command of the prompt: it is about the session, so no script has it.
///
/// None has the name of a verb or of a statement (a test holds that). Where a session defines a procedure or a binding
/// of the name, the language comes first, and a dot in front means the prompt's: `.save`.
public struct PromptCommand: Sendable {
  /// What stands behind the name.
  public enum Operand: Sendable {
    case none
    /// A page of the help.
    case topic
    /// A word to look for.
    case word
    /// How many.
    case count
    /// A new name.
    case newName
    case checkpoint
    case file
    /// A statement, or the beginning of one.
    case statement
  }
  public enum Action: String, CaseIterable, Sendable {
    case help, apropos, undo, redo, checkpoint, rollback, save, load
    case whatIf = "what-if"
    case why, history, lesson, complete, quit, exit
  }
  public let action: Action
  public let operand: Operand
  /// The operand must be there.
  public let isOperandRequired: Bool
  public let summary: String
  /// More about it, in sentences.
  public let details: String
  /// A session in which it is used; every line of it is carried out by a test.
  public let example: [String]

  public var name: String { action.rawValue }

  public var synopsis: String {
    let word =
      switch operand {
      case .none: ""
      case .topic: "TOPIC"
      case .word: "WORD"
      case .count: "N"
      case .newName, .checkpoint: "NAME"
      case .file: "FILE"
      case .statement: "STATEMENT"
      }
    return word.isEmpty ? name : isOperandRequired ? "\(name) \(word)" : "\(name) [\(word)]"
  }

  /// The page of the help.
  public var page: String {
    "\(synopsis)\n\n\(Explain.wrapped(summary))\n" + (details.isEmpty ? "" : Explain.wrapped(details) + "\n")
      + "\nExample\n" + example.map { "    \($0)\n" }.joined()
  }

  /// The command that a line is, and what stands behind its name; nil for a statement of the language.
  ///
  /// - Parameter isTaken: whether the language has something by this name now, which only a dot gets past.
  public static func split(
    _ line: String, _ commands: [PromptCommand], isTaken: (String) -> Bool = { _ in false }
  ) -> (PromptCommand, rest: String)? {
    let trimmed = line.drop { $0 == " " || $0 == "\t" }
    let hasDot = trimmed.first == "."
    let body = hasDot ? trimmed.dropFirst() : trimmed
    let word = body.prefix { $0 != " " && $0 != "\t" && $0 != "\n" }
    guard let command = commands.first(where: { $0.name == word }) else { return nil }
    let behind = body[word.endIndex...]
    let rest = behind.drop { $0 == " " || $0 == "\t" }
    if !hasDot {
      // `save = 4K` binds a name.
      if rest.first == "=" && !rest.hasPrefix("==") || rest.first == "," { return nil }
      if isTaken(String(word)) { return nil }
    }
    return (command, String(rest))
  }

  /// Those whose name begins like this, for unique prefixes.
  public static func beginning(with prefix: String, _ commands: [PromptCommand]) -> [PromptCommand] {
    commands.filter { $0.name.hasPrefix(prefix) }
  }

  /// In the order of the help.
  public static let all: [PromptCommand] = [
    PromptCommand(
      action: .help, operand: .topic, isOperandRequired: false,
      summary: "Lists what there is, or explains it: a command, an errno, a request, a diagnostic, a topic.",
      details: "", example: ["help", "help map", "help EADDRINUSE", "help IOAS_MAP", "help ranges"]),
    PromptCommand(
      action: .apropos, operand: .word, isOperandRequired: true,
      summary: "Lists the pages of the help that have a word in their name or summary.", details: "",
      example: ["apropos dirty", "apropos reserved"]),
    PromptCommand(
      action: .undo, operand: .count, isOperandRequired: false,
      summary: "Takes back the last statement that did something, or the last N of them.",
      details:
        "Everything is as it was before: objects, memory, tables, caches, names. On a real kernel nothing can be "
        + "taken back.",
      example: ["vm = ioas create", "destroy $vm", "undo", "expect $vm", "redo"]),
    PromptCommand(
      action: .redo, operand: .none, isOperandRequired: false,
      summary: "Does again what the last 'undo' or 'rollback' took back.", details: "",
      example: ["vm = ioas create", "undo", "redo", "expect $vm"]),
    PromptCommand(
      action: .checkpoint, operand: .newName, isOperandRequired: false,
      summary: "Gives the state a name to come back to; without one, lists the names.", details: "",
      example: [
        "vm = ioas create", "checkpoint made", "destroy $vm", "checkpoint", "rollback made", "expect $vm",
      ]),
    PromptCommand(
      action: .rollback, operand: .checkpoint, isOperandRequired: true,
      summary: "Goes back to a checkpoint. 'redo' comes forward again.", details: "",
      example: [
        "vm = ioas create", "checkpoint made", "buf = mem alloc 4K", "map $vm $buf iova=0x1000",
        "rollback made",
        "expect $vm.areas.count = 0",
      ]),
    PromptCommand(
      action: .whatIf, operand: .statement, isOperandRequired: true,
      summary: "Shows what a statement would answer and change, and does nothing.", details: "",
      example: [
        "vm = ioas create", "buf = mem alloc 4K", "what-if map $vm $buf iova=0x1000",
        "expect $vm.areas.count = 0",
      ]),
    PromptCommand(
      action: .why, operand: .none, isOperandRequired: false,
      summary: "Tells why the last request that was refused was refused.",
      details:
        "The check, the values that it compared, the request field by field, the function of Linux that it came to, "
        + "the place of the check in the model, and the state that it met.",
      example: [
        "vm = ioas create", "buf = mem alloc 4K", "map $vm $buf iova=0x1000", "map $vm $buf iova=0x1000",
        "why",
      ]),
    PromptCommand(
      action: .save, operand: .file, isOperandRequired: true,
      summary: "Writes the session down as a script that passes: each statement with what it answered.",
      details: "The script is run before it is written. 'iofd run FILE' passes.",
      example: ["vm = ioas create", "destroy id:99", "save session.iofd"]),
    PromptCommand(
      action: .load, operand: .file, isOperandRequired: true,
      summary: "Carries out the statements of a script in this session, one after the other.", details: "",
      example: ["vm = ioas create", "save session.iofd", "undo", "load session.iofd", "expect $vm"]),
    PromptCommand(
      action: .history, operand: .count, isOperandRequired: false,
      summary: "Lists what was typed in this session, or the last N of it.",
      details: "Ctrl-R looks for something in earlier sessions too.",
      example: ["vm = ioas create", "history", "history 1"]),
    PromptCommand(
      action: .lesson, operand: .count, isOperandRequired: false,
      summary: "Lists the lessons, or begins the N-th: it explains, waits, and looks at what was typed.",
      details:
        "A lesson has a machine of its own, and this session comes back after it. What is typed may be written in any "
        + "way and with any names: what it does counts. In a lesson 'hint' helps, 'show me' types it, 'skip' and 'back' "
        + "go on and back, 'quit lesson' or Ctrl-D leaves.",
      example: ["lesson", "lesson 1", "vm = ioas create", "hint", "show me", "quit lesson"]),
    PromptCommand(
      action: .complete, operand: .statement, isOperandRequired: true,
      summary: "Lists what the Tab key would offer behind a text; for editors and tests.", details: "",
      example: ["complete ioas ", "complete map $"]),
    PromptCommand(
      action: .quit, operand: .none, isOperandRequired: false, summary: "Leaves. So does Ctrl-D.",
      details: "",
      example: ["quit"]),
    PromptCommand(
      action: .exit, operand: .none, isOperandRequired: false, summary: "Leaves, as 'quit' does.",
      details: "",
      example: ["exit"]),
  ]
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import Runner

/// `iofd`: finds the subcommand and runs it.
public enum CommandLineTool {
  public static let version = "0.1"
  /// The day of the version.
  static let versionDate = "2026-11-26"

  /// Runs a command line (without the program's own name) and returns the exit status.
  public static func main(_ words: [String]) -> Int32 {
    Interrupts.install()
    CrashReport.install()
    do throws(UsageError) {
      return try dispatch(words)
    } catch {
      Terminal.complain(error.message, help: error.help ?? "iofd --help")
      return ExitStatus.usage.rawValue
    }
  }

  private static func dispatch(_ words: [String]) throws(UsageError) -> Int32 {
    guard let first = words.first else { return try start([]) }
    if let command = Subcommand.named(first) {
      // What follows a program's name is the program's.
      let own =
        command.takesProgram ? Array(words.dropFirst().prefix { $0.hasPrefix("-") && $0 != "--" }) : words
      if own.contains("--help") || own.contains("-h") { return say(command.help) }
      return try command.run(
        Arguments(words.dropFirst(), command.options, endsAtOperand: command.takesProgram))
    }
    switch first {
    case "--help", "-h", "help":
      return say(words.dropFirst().first.flatMap { Subcommand.named($0)?.help } ?? overview)
    case "--version": return say("iofd \(version)\n")
    case _ where first.hasPrefix("-") && first != "-": return try start(words)
    default:
      throw UsageError(
        message: "there is no command '\(first)'",
        help: Suggest.help(for: first, in: Subcommand.all.map { $0.name })
          ?? (first.hasSuffix(".iofd") ? "iofd run \(first)" : nil))
    }
  }

  /// Without a subcommand: a conversation where a person types or `-i` asks for one, a script on standard input
  /// otherwise.
  private static func start(_ words: [String]) throws(UsageError) -> Int32 {
    if Conversation.isMeant(words) {
      return try Conversation.run(Arguments(words, Conversation.options)).rawValue
    }
    return try Subcommand.run.run(Arguments(words + [ScriptTree.standardInput], Subcommand.run.options))
  }

  private static func say(_ text: String) -> Int32 {
    let output = ByteOutput.standardOutput()
    output.write(text)
    return Terminal.finish(output, .passed).rawValue
  }

  private static var overview: String {
    var text = """
      iofd \(version): a scriptable model of Linux iommufd

      usage: iofd [OPTION...]         talk to a model; with a pipe, run the script that comes through it
             iofd -c STATEMENT        one statement's answer; -f FILE begins with a script, -i talks through a pipe
             iofd COMMAND [...]
             iofd COMMAND --help


      """
    for command in Subcommand.all {
      let head = "\(command.name) \(command.operands)"
      text += "  \(head)" + String(repeating: " ", count: max(1, 26 - head.count)) + "\(command.summary)\n"
    }
    let statuses = ExitStatus.allCases.map { "\($0.rawValue) \($0.word)" }.joined(separator: ", ")
    return text + "\n" + Explain.wrapped("Exit status: \(statuses); the greatest of several.") + "\n"
  }
}

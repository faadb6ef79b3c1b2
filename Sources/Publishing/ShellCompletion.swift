// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter
internal import Language
internal import UAPI
internal import Views

/// Completion for shells: subcommands, options, and their values as far as tables know them.
///
/// What stands behind an option or a command is told from the word that its help uses: `FILE`, `6.12|7.2`.
public enum ShellCompletion {
  /// The shells.
  public enum Shell: String, CaseIterable, Sendable { case bash, zsh, fish }

  public static func text(_ shell: Shell, _ tool: ToolDescription) -> String {
    switch shell {
    case .bash: bash(tool)
    case .zsh: zsh(tool)
    case .fish: fish(tool)
    }
  }

  /// What can stand in a place.
  enum Place: Equatable {
    case words([String])
    case files, directories
    /// `vtd:mode=legacy`
    case backend
    case mistake, topic, program
    /// `junit=FILE`: one of these, then a file.
    case report([String])
    /// Something that nobody knows beforehand.
    case free

    init(_ word: String) {
      let plain = word.prefix { $0 != "." && $0 != "[" }
      switch word {
      case _ where word.hasPrefix("KIND["): self = .backend
      case _ where word.hasSuffix("=FILE"):
        self = .report(word.dropLast(5).split(separator: "|").map(String.init))
      case _ where word.contains("PROGRAM"): self = .program
      case _ where word.contains("CORPUS"): self = .files
      case "BUG": self = .mistake
      case "TOPIC": self = .topic
      case "VIEW": self = .words(View.all.map(\.name))
      case "DIR", "[DIR]": self = .directories
      case _ where word.contains("|") && !word.contains(where: \.isUppercase):
        self = .words(word.split(separator: "|").map(String.init))
      case _ where ["FILE", "PATH", "LOG", "RUN", "PLACE", "SCRIPT", "TARGET"].contains(plain): self = .files
      default: self = .free
      }
    }
  }

  static func place(_ option: ToolDescription.Option) -> Place? {
    switch option.value {
    case .none: nil
    case .required(let word), .optional(let word): Place(word)
    }
  }

  /// What `iofd explain` has a page for, as single words.
  static let topics: [String] = {
    let verbs = VerbTable.all.map { $0.words[0] }
    let errnos = Errno.allNames.filter { Errno(name: $0)?.meaning != nil }
    let requests = CommandTable.all.map(\.name)
    let statements = StatementPage.all.map(\.word) + Explain.injections.keys
    let codes = Explain.codes.codes.map(\.code)
    return Set(verbs + errnos + requests + statements + Function.allCases.map(\.rawValue) + codes).sorted()
  }()

  /// `mode=legacy`, `mode=scalable`, `x2apic`, `mgaw=`
  static func options(of kind: IOMMUDescription) -> [String] {
    kind.options.flatMap { option -> [String] in
      if let words = option.words { return words.map { "\(option.name)=\($0)" } }
      return [option.isFlag ? option.name : option.name + "="]
    }
  }

  /// The first line of a summary, without its full stop.
  static func brief(_ summary: String) -> String {
    let line = summary.split(separator: "\n").first.map(String.init) ?? ""
    return line.hasSuffix(".") ? String(line.dropLast()) : line
  }

  /// In single quotes, for any shell but fish.
  static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: #"'\''"#) + "'" }
}

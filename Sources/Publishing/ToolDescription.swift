// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

/// The command line and the machine as data: what completion, the manual page and the page of what is modelled are made of.
///
/// The tool fills it in from its own tables, which this module does not see.
public struct ToolDescription: Sendable {
  /// An option of a command.
  public struct Option: Sendable {
    public enum Value: Sendable {
      case none
      case required(String)
      /// `--trace`, `--trace=FILE`
      case optional(String)
    }
    /// `--jobs`, `-j`
    public let names: [String]
    public let value: Value
    public let summary: String

    public init(names: [String], value: Value, summary: String) {
      self.names = names
      self.value = value
      self.summary = summary
    }
  }

  /// A subcommand.
  public struct Command: Sendable {
    public let name: String
    /// `PATH...`
    public let operands: String
    public let summary: String
    public let options: [Option]
    /// The operands are another program's command line.
    public let takesProgram: Bool

    public init(name: String, operands: String, summary: String, options: [Option], takesProgram: Bool) {
      self.name = name
      self.operands = operands
      self.summary = summary
      self.options = options
      self.takesProgram = takesProgram
    }
  }

  public let version: String
  /// The day of the version, `2026-11-26`.
  public let date: String
  /// In the order of the help.
  public let commands: [Command]
  /// Options without a command, where a conversation begins.
  public let conversation: [Option]
  /// What an exit status means.
  public let exitStatuses: [(number: Int32, meaning: String)]
  /// What the environment says to the tool.
  public let variables: [(name: String, meaning: String)]
  public let iommus: [IOMMUDescription]
  /// Mistakes that a driver can be told to make.
  public let mistakes: [(name: String, summary: String)]

  public init(
    version: String, date: String, commands: [Command], conversation: [Option],
    exitStatuses: [(number: Int32, meaning: String)], variables: [(name: String, meaning: String)],
    iommus: [IOMMUDescription], mistakes: [(name: String, summary: String)]
  ) {
    self.version = version
    self.date = date
    self.commands = commands
    self.conversation = conversation
    self.exitStatuses = exitStatuses
    self.variables = variables
    self.iommus = iommus
    self.mistakes = mistakes
  }
}

extension ToolDescription.Option {
  /// `-j, --jobs N`
  var synopsis: String {
    let shown = names.sorted { $0.utf8.count < $1.utf8.count }.joined(separator: ", ")
    switch value {
    case .none: return shown
    case .required(let word): return "\(shown) \(word)"
    case .optional(let word): return "\(shown)[=\(word)]"
    }
  }
}

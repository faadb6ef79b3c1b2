// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import UAPI

// `help` and `apropos`. Most pages are made from the tables that the language runs on; only the topics are prose.

/// The pages of the help, found by name and by what is in them.
public enum Help {
  /// A page that can be asked for.
  public struct Topic: Sendable, Equatable {
    public let name: String
    /// A line about it.
    public let summary: String
  }

  /// The page about a topic; nil when there is none.
  public static func page(_ topic: String, _ commands: [PromptCommand]) -> String? {
    let name = topic.split(separator: " ").joined(separator: " ")
    if let command = commands.first(where: { $0.name == name || "." + $0.name == name }) {
      return command.page
    }
    if let topic = HelpTopic.all.first(where: { $0.name == name }) { return topic.page }
    return Explain.page(name)
  }

  /// What may be meant by a name without a page.
  public static func suggestion(for topic: String, _ commands: [PromptCommand]) -> String? {
    Suggest.help(for: topic, in: commands.map(\.name) + HelpTopic.all.map(\.name))
      ?? Explain.suggestion(for: topic)
  }

  /// What `help` alone prints: every command under its heading, the topics, the prompt's own commands.
  public static func overview(_ commands: [PromptCommand]) -> String {
    var text = ""
    for group in VerbTable.groups {
      text += "\(group.title)\n" + indented(group.verbs.map(\.name))
    }
    text += "Statements\n" + indented(StatementPage.all.map(\.word))
    text += "Topics\n" + indented(HelpTopic.all.map(\.name))
    if !commands.isEmpty { text += "At this prompt\n" + indented(commands.map(\.name)) }
    return text + "'help map' explains one, 'help EEXIST' an errno; 'apropos dirty' finds a word.\n"
  }

  /// Names in lines of at most 80 columns; those of two words stay together.
  private static func indented(_ names: [String]) -> String {
    var lines: [String] = []
    for name in names {
      if let last = lines.last, last.utf8.count + name.utf8.count < 76 {
        lines[lines.count - 1] = last + ", " + name
      } else {
        lines.append("  " + name)
      }
    }
    return lines.joined(separator: ",\n") + "\n"
  }

  /// The lines of `apropos`: every page with the word in its name or summary; empty when there is none.
  public static func apropos(_ word: String, _ commands: [PromptCommand]) -> String {
    let wanted = word.lowercased()
    let found = topics(commands).filter {
      $0.name.lowercased().contains(wanted) || $0.summary.lowercased().contains(wanted)
    }
    let width = min(26, found.map(\.name.utf8.count).max() ?? 0)
    return found.map { topic in
      let space = String(repeating: " ", count: max(1, width - topic.name.utf8.count + 2))
      return "\(topic.name)\(space)\(topic.summary)\n"
    }.joined()
  }

  /// Every page that has a name.
  public static func topics(_ commands: [PromptCommand]) -> [Topic] {
    commands.map { Topic(name: $0.name, summary: $0.summary) }
      + HelpTopic.all.map { Topic(name: $0.name, summary: $0.title) } + tables
  }

  /// Those that come from tables.
  private static let tables: [Topic] =
    VerbTable.all.map { Topic(name: $0.name, summary: $0.summary) }
    + StatementPage.all.map { Topic(name: $0.word, summary: $0.summary) }
    + Explain.injections.map { Topic(name: $0.key, summary: $0.value) }.sorted { $0.name < $1.name }
    + Function.allCases.map { Topic(name: $0.rawValue, summary: $0.summary) }
    + CommandTable.all.map { Topic(name: $0.name, summary: $0.summary) }
    + CommandTable.selftestOps.map { Topic(name: $0.name, summary: $0.summary) }
    + Errno.allNames.compactMap { name in Errno(name: name)?.meaning.map { Topic(name: name, summary: $0) } }
    + Explain.codes.codes.map { Topic(name: $0.code, summary: $0.title) }
}

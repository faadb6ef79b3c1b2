// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language

// What may be typed next. Everything comes from the tables that the language itself uses (verbs, statements, names of
// values, errnos) and from what is alive, so a verb that is added is completed, hinted and helped with at once.
//
// Nothing here knows a terminal or an editor: text before the cursor goes in, words come out. Where there is no machine
// (an editor's server), `Surroundings` answer with less.

/// Completion and hints for a place.
public struct Assistant {
  let surroundings: any Surroundings
  /// Commands of the prompt; none in a script.
  let commands: [PromptCommand]

  public init(_ surroundings: any Surroundings, commands: [PromptCommand] = []) {
    self.surroundings = surroundings
    self.commands = commands
  }

  /// Where the statement begins that is being typed at the end of a text, in UTF-8 bytes: what is in front of it is what
  /// `DraftSurroundings` read.
  public static func statementStart(_ text: String) -> Int { CursorStatement(text).start }

  /// The words that may stand at the cursor.
  ///
  /// - Parameter text: everything before the cursor, from the beginning of the script or of what is typed.
  public func completions(_ text: String) -> Completions {
    // A word that is still being typed is no command yet.
    if let (command, rest) = PromptCommand.split(text, commands), !rest.isEmpty || text.last == " " {
      return completions(of: command, rest, in: text)
    }
    let cursor = CursorStatement(text)
    return finish(candidates(cursor), cursor)
  }

  /// Those that go on from the word, once each.
  func finish(_ all: [Candidate], _ cursor: CursorStatement) -> Completions {
    Completions(
      start: cursor.wordStart, word: cursor.word, candidates: Self.matching(cursor.word, all))
  }

  static func matching(_ word: String, _ all: [Candidate]) -> [Candidate] {
    var seen: Set<String> = []
    let lower = word.lowercased()
    return all.filter { candidate in
      guard
        candidate.text.hasPrefix(word)
          || (candidate.kind.ignoresCase && candidate.text.lowercased().hasPrefix(lower))
      else { return false }
      return seen.insert(candidate.text).inserted
    }
  }

  // MARK: Places

  func candidates(_ cursor: CursorStatement) -> [Candidate] {
    switch cursor.place {
    case .nowhere: return []
    case .text:
      guard cursor.units.first?.text == "include" || cursor.lead.contains("file(") else { return [] }
      return paths(cursor.word)
    case .condition: return conditions(cursor)
    case .record: return record(cursor)
    case .expectation: return expectation(cursor)
    case .statement: return statement(cursor)
    }
  }

  func paths(_ word: String) -> [Candidate] {
    surroundings.files(word).map { Candidate($0, .file, isComplete: !$0.hasSuffix("/")) }
  }

  // MARK: Statements

  private func statement(_ cursor: CursorStatement) -> [Candidate] {
    // A member behind a name is the same everywhere.
    if cursor.word.hasPrefix("$"), cursor.word.contains(".") { return members(cursor.word) }
    guard let first = cursor.units.first else {
      return cursor.lead.isEmpty ? beginnings(cursor) : cursor.isBinding ? values(cursor) : []
    }
    if !cursor.isMarked, let keyword = Keywords.Statement(rawValue: first.text) {
      return statement(keyword, cursor)
    }
    if let procedure = surroundings.procedures.first(where: { $0.name == first.text }) {
      return arguments(of: procedure, cursor)
    }
    let words = cursor.units.prefix { $0.isWord }.map(\.text)
    guard let (verb, count) = VerbTable.find(words) else {
      guard words.count == cursor.units.count, cursor.lead.isEmpty else { return values(cursor) }
      return nextWords(after: words, cursor)
    }
    var all: [Candidate] = []
    // `show machine` goes on from `show`.
    if count == cursor.units.count, cursor.lead.isEmpty { all += nextWords(after: words, cursor) }
    return all + operands(of: verb, Array(cursor.units.dropFirst(count)), cursor)
  }

  /// What a statement may begin with.
  private func beginnings(_ cursor: CursorStatement) -> [Candidate] {
    var all = nextWords(after: [], cursor)
    if cursor.isBinding { return all + values(cursor) }
    all += surroundings.procedures.map {
      Candidate($0.name, .procedure, "\($0.name) \($0.parameters.joined(separator: " "))")
    }
    guard !cursor.isMarked else { return all }
    all += Keywords.Statement.allCases.map { keyword in
      Candidate(keyword.rawValue, .statement, StatementPage.named(keyword.rawValue)?.synopsis.first ?? "")
    }
    if cursor.start == 0, cursor.depth == 0 {
      let dot = cursor.word.hasPrefix(".") ? "." : ""
      all += commands.map { Candidate(dot + $0.name, .tool, $0.summary) }
    }
    return all
  }

  /// The words that verbs beginning like this go on with.
  private func nextWords(after words: [String], _ cursor: CursorStatement) -> [Candidate] {
    VerbTable.all.compactMap { verb -> Candidate? in
      guard isAvailable(verb) else { return nil }
      // Names are bound to what a command answers.
      if cursor.isBinding, verb.resultNames.isEmpty { return nil }
      guard verb.words.count > words.count, Array(verb.words.prefix(words.count)) == words else { return nil }
      let word = verb.words[words.count]
      let isWhole = verb.words.count == words.count + 1
      return Candidate(word, .command, isWhole ? verb.summary : family(words + [word]))
    }
  }

  /// `create, destroy`: what a word goes on with, as the summary of a family.
  private func family(_ words: [String]) -> String {
    let verbs = VerbTable.all.filter { Array($0.words.prefix(words.count)) == words }
    guard verbs.count > 1 else { return verbs.first?.summary ?? "" }
    return verbs.compactMap { $0.words.count > words.count ? $0.words[words.count] : nil }.joined(
      separator: ", ")
  }

  /// Whether the kernel has the request behind a verb.
  private func isAvailable(_ verb: Verb) -> Bool {
    verb.since.map { $0 <= surroundings.environment.kernel } ?? true
  }
}

extension Candidate.Kind {
  /// `readable` finds READABLE.
  var ignoresCase: Bool { self == .value || self == .outcome || self == .topic }
}

extension StatementPage {
  static func named(_ word: String) -> StatementPage? { all.first { $0.word == word } }
}

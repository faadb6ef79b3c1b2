// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language

/// What may be typed next: verbs at the beginning, then the verb's options, and names behind a `$`.
final class Completion {
  /// Names that are bound.
  var names: () -> [String] = { [] }

  private static let tool = ["help", "quit"]

  /// Words that continue `word`, which begins at the byte `start` of `line`.
  func words(_ line: String, _ start: Int, _ word: String) -> [String] {
    if word.hasPrefix("$") { return Self.matching(word, names().map { "$" + $0 }) }
    var before = line.utf8.prefix(start).split(separator: UInt8(ascii: " ")).map { String(Substring($0)) }
    // What follows `name =` is a command again.
    if before.count >= 2 && before[1] == "=" { before.removeFirst(2) }
    if before.first == "help" { before.removeFirst() }
    if let (verb, count) = VerbTable.find(before), count <= before.count {
      let options = verb.options.map { $0.isWord && !$0.takesValue ? $0.name : $0.name + "=" }
      let used = Set(before.map { $0.prefix { $0 != "=" } })
      let longer = Self.nextWords(after: before)
      return Self.matching(word, longer + options.filter { !used.contains($0.prefix { $0 != "=" }) })
    }
    let first = before.isEmpty ? Self.tool + Keywords.Statement.allCases.map { $0.rawValue } : []
    return Self.matching(word, Self.nextWords(after: before) + first)
  }

  /// The words that verbs beginning like this go on with.
  private static func nextWords(after words: [String]) -> [String] {
    VerbTable.all.compactMap { verb in
      verb.words.count > words.count && Array(verb.words.prefix(words.count)) == words
        ? verb.words[words.count] : nil
    }
  }

  private static func matching(_ word: String, _ candidates: [String]) -> [String] {
    Array(Set(candidates.filter { $0.hasPrefix(word) })).sorted()
  }
}

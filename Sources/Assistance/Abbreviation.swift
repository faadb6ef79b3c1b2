// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import UAPI

// Unique prefixes, at the prompt only: scripts that have them rot. What is recorded, saved and remembered is the whole
// word.
//
//     ioas c                  ioas create
//     un $vm all              unmap $vm all
//     map $vm $buf io=0x1000  map $vm $buf iova=0x1000

/// Writes the prefixes of a text out.
public enum Abbreviation {
  public enum Outcome: Equatable, Sendable {
    /// Nothing of it is a prefix; also of what cannot be read.
    case unchanged
    case expanded(String)
    /// A word begins several: the word, and which.
    case ambiguous(String, [String])
  }

  /// - Parameter procedures: names of commands that the session defined itself.
  public static func expand(_ text: String, procedures: Set<String> = []) -> Outcome {
    let source = SourceFile(name: "<input>", text: text)
    let (file, problems) = Parser.parse(source)
    guard problems.isEmpty else { return .unchanged }
    var edits: [(span: Span, text: String)] = []
    var ambiguity: Outcome?
    visit(file.statements) { command in
      guard ambiguity == nil, !procedures.contains(command.words[0].text) else { return }
      switch expansion(of: command) {
      case .success(let found): edits += found
      case .failure(let words): ambiguity = .ambiguous(words.word, words.candidates)
      }
    }
    if let ambiguity { return ambiguity }
    guard !edits.isEmpty else { return .unchanged }
    var bytes = source.bytes
    for edit in edits.sorted(by: { $0.span.start > $1.span.start }) {
      bytes.replaceSubrange(Int(edit.span.start)..<Int(edit.span.end), with: edit.text.utf8)
    }
    return .expanded(String(decoding: bytes, as: UTF8.self))
  }

  private struct Ambiguity: Error {
    let word: String
    let candidates: [String]
  }

  private static func expansion(of command: Command) -> Result<[(span: Span, text: String)], Ambiguity> {
    var edits: [(span: Span, text: String)] = []
    let words = command.words.map(\.text)
    let verb: Verb
    let count: Int
    if let found = VerbTable.find(words) {
      (verb, count) = found
    } else {
      let spellings = VerbTable.all.flatMap { verb in ([verb.words] + verb.alternates).map { (verb, $0) } }
      let fitting = spellings.filter { _, spelling in
        spelling.count <= words.count && zip(spelling, words).allSatisfy { $0.hasPrefix($1) }
      }
      // Of verbs that fit, those whose words are written out most: `show` before `show machine`.
      let best = fitting.filter { candidate in
        !fitting.contains { other in exactness(other.1, words) > exactness(candidate.1, words) }
      }
      let longest = best.map(\.1.count).max() ?? 0
      let chosen = best.filter { $0.1.count == longest }
      guard let only = chosen.first else { return .success([]) }
      guard chosen.count == 1 else {
        return .failure(
          Ambiguity(
            word: words.prefix(longest).joined(separator: " "),
            candidates: chosen.map { $0.1.joined(separator: " ") }))
      }
      (verb, count) = (only.0, only.1.count)
      for (word, whole) in zip(command.words, only.1) where word.text != whole {
        edits.append((word.span, whole))
      }
    }
    for operand in command.operands(after: count) {
      guard case .named(let name, _) = operand.kind, !isKnown(name.text, verb) else { continue }
      let options = (verb.options.filter(\.takesValue) + verb.operands).map(\.name).filter {
        $0.hasPrefix(name.text)
      }
      // What nobody knows the resolver tells, with a suggestion.
      if options.count == 1 { edits.append((name.span, options[0])) }
      if options.count > 1 { return .failure(Ambiguity(word: name.text, candidates: options)) }
    }
    return .success(edits)
  }

  /// How many words are written out.
  private static func exactness(_ spelling: [String], _ words: [String]) -> Int {
    zip(spelling, words).count { $0 == $1 }
  }

  private static func isKnown(_ name: String, _ verb: Verb) -> Bool {
    ["size", "on"].contains(name) || verb.takesOptionsOfAKind
      || (verb.options + verb.operands).contains { $0.name == name }
      || (verb.row?.fields ?? []).contains { $0.name == name }
      || (verb.selftestOp?.fields ?? []).contains { $0.name == name } || verb.requestName == nil
  }

  /// Every command of the statements and of the blocks inside them.
  private static func visit(_ statements: [Statement], _ body: (Command) -> Void) {
    statements.forEachNested { statement in
      if case .command(let command) = statement.kind { body(command.command) }
    }
  }
}

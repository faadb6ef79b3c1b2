// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import Synchronization

/// What would have to stand in the clauses of a script, so that what came is what they expect.
///
/// A clause may be reached many times: in a loop, by calls of a procedure, on threads. Then one text has to fit every
/// round.
final class ClauseLog: Sendable {
  /// How much a new text says about the old one.
  typealias Kind = ScriptUpdate.Kind

  /// One outcome or check of a clause, as it has to be for one round.
  struct Part {
    let span: Span
    /// What is written there already, where that is right.
    let text: String
    let kind: Kind
    /// Why no text would do.
    var obstacle: String?
  }

  /// What a clause has to be for one round.
  struct Round {
    /// The answer, for people.
    let said: String
    let parts: [Part]
  }

  /// All rounds of a clause.
  struct Entry {
    let first: Round
    /// The answer of a round that needs another text.
    var other: String?
  }

  let source: SourceFile
  /// Clauses by their first byte.
  let clauses: [UInt32: Expectation]
  private let entries = Mutex<[UInt32: Entry]>([:])

  init(_ file: ScriptFile) {
    source = file.source
    var clauses: [UInt32: Expectation] = [:]
    file.statements.forEachNested { statement in
      if let clause = statement.expectation { clauses[clause.span.start] = clause }
    }
    self.clauses = clauses
  }

  /// Keeps a round of the demand that begins at `start`.
  func note(_ start: UInt32, _ round: Round) {
    entries.withLock { entries in
      guard let known = entries[start] else {
        entries[start] = Entry(first: round)
        return
      }
      let isSame =
        known.first.parts.count == round.parts.count
        && zip(known.first.parts, round.parts).allSatisfy { $0.span == $1.span && $0.text == $1.text }
      if !isSame, known.other == nil { entries[start]?.other = round.said }
    }
  }

  /// What was kept, in the order of the source.
  var sorted: [(start: UInt32, entry: Entry)] {
    entries.withLock { entries in entries.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Interpreter
internal import Language

/// What to do about clauses that do not hold.
public enum UpdateMode: String, CaseIterable, Sendable {
  /// They fail.
  case no
  /// What they would be goes into a file beside the script, `FILE.new`.
  case new
  /// They are written anew.
  case accept
  /// A person is asked about each.
  case review
}

/// A person's answer about a change.
public enum ReviewAnswer: Sendable {
  case yes, no
  /// No more questions; what was said before counts.
  case quit
  /// As if nothing had been asked.
  case interrupt
}

/// What became of a script in update mode.
public struct UpdateOutcome: Sendable {
  public let path: String
  public internal(set) var made: [ScriptUpdate.Change] = []
  /// Changes that were not made, and why.
  public internal(set) var kept: [(change: ScriptUpdate.Change, why: String)] = []
  /// Clauses that do not hold and cannot be written.
  public internal(set) var left: [ScriptUpdate.Left] = []
  /// The file that was written; nil for none.
  public internal(set) var written: String?
  /// Why nothing was written though there were changes.
  public internal(set) var failure: String?

  init(_ path: String) { self.path = path }
}

/// Brings the clauses of a script up to date.
///
/// The file is replaced in one step by one that has been read and run again, or it stays as it was: when the disk is full,
/// when somebody else wrote to it meanwhile, when anything outside of its clauses would change.
struct ScriptUpdater {
  let mode: UpdateMode
  /// Asks about a change: the script's path, the change, its number and how many there are.
  let review: (@Sendable (String, ScriptUpdate.Change, Int, Int) -> ReviewAnswer)?
  /// A change may bring others to light, since more of the script comes to run; seldom, and never for long.
  private static let rounds = 4

  /// - Parameter observe: runs a script and says what would have to change.
  /// - Returns: what the script says now, if it was written, and what to tell about it.
  func update(_ source: SourceFile, path: String, observe: (SourceFile) -> ScriptUpdate) -> (
    SourceFile?, UpdateOutcome
  ) {
    var outcome = UpdateOutcome(path)
    var current = source
    for round in 0..<Self.rounds {
      let update = observe(current)
      switch update.verdict {
      case .invalid where round > 0:
        return (nil, refused(outcome, "with the answers in its clauses it could not be run"))
      case .invalid, .skipped, .timedOut, .interrupted: return (nil, refused(outcome, nil))
      case .passed, .failed, .expectedFailure, .unexpectedPass: break
      }
      // What a person has been asked about once is settled.
      if mode == .review && round > 0 { break }
      outcome.left = update.left
      outcome.kept = []
      guard let chosen = choose(update, &outcome) else { return (nil, refused(outcome, nil)) }
      if chosen.isEmpty { break }
      do throws(ScriptUpdate.Damage) {
        current = try update.applied(chosen)
      } catch { return (nil, refused(outcome, error.why)) }
      outcome.made += chosen
    }
    guard !outcome.made.isEmpty else { return (nil, outcome) }
    let target = mode == .new ? path + ".new" : path
    do throws(FileFailure) {
      guard try HostFile.read(path, limit: Limits.fileBytes) == source.bytes else {
        return (nil, refused(outcome, "somebody else has changed it meanwhile"))
      }
      try HostFile.replace(target, with: current.bytes)
    } catch { return (nil, refused(outcome, error.description)) }
    outcome.written = target
    return (mode == .new ? nil : current, outcome)
  }

  private func refused(_ outcome: UpdateOutcome, _ why: String?) -> UpdateOutcome {
    var outcome = outcome
    outcome.made = []
    outcome.failure = why
    return outcome
  }

  /// The changes to make; nil when a person wants to have been asked nothing.
  private func choose(_ update: ScriptUpdate, _ outcome: inout UpdateOutcome) -> [ScriptUpdate.Change]? {
    var chosen: [ScriptUpdate.Change] = []
    var isOver = false
    for (index, change) in update.changes.enumerated() {
      switch (mode, change.kind) {
      case (.no, _): break
      case (.new, .pattern):
        outcome.kept.append((change, "it would accept less than it does, which --update=accept allows"))
      case (.new, .success), (.accept, .success):
        outcome.kept.append((change, "what had to fail succeeds, which --update=review asks about"))
      case (.new, _), (.accept, _): chosen.append(change)
      case (.review, _):
        let answer =
          isOver ? .no : review?(update.source.name, change, index + 1, update.changes.count) ?? .no
        switch answer {
        case .yes: chosen.append(change)
        case .no, .quit: outcome.kept.append((change, "by request"))
        case .interrupt: return nil
        }
        if case .quit = answer { isOver = true }
      }
    }
    return chosen
  }
}

extension ScriptUpdate.Change {
  /// The lines before and after, with `-` and `+` in front.
  public func difference(indent: String) -> String {
    func lines(_ text: String, _ sign: String) -> String {
      text.utf8.split(separator: 0x0A, omittingEmptySubsequences: false)
        .map { "\(indent)\(sign) \(String(decoding: $0.filter { $0 != 0x0D }, as: UTF8.self))\n" }.joined()
    }
    return lines(before, "-") + lines(after, "+")
  }
}

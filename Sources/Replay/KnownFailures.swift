// SPDX-License-Identifier: GPL-3.0-or-later
internal import Runner

/// A list of failures that are known of, so that a run tells only what is new.
///
///     # an input by its SHA-1, or a finding by its 12 digits
///     da39a3ee5e6b4b0d3255bfef95601890afd80709  until=2027-01-31  reported upstream, no answer yet
///     1f3870be274f  pin counts of a revoked dma-buf
///
/// Every entry has a reason. One whose day is over holds no more, and a listed input that passes is told as well: a list
/// only shrinks when it is looked after.
public struct KnownFailures: Sendable {
  /// What is wrong with a list, and where.
  public struct Malformed: Error, Sendable, CustomStringConvertible {
    public let line: Int
    public let reason: String
    public var description: String { "line \(line): \(reason)" }
  }

  public struct Entry: Sendable, Equatable {
    public let reason: String
    /// The last day on which it holds, `2027-01-31`.
    public let until: String?
  }

  private var inputs: [String: Entry] = [:]
  private var findings: [String: Entry] = [:]
  /// Entries whose day is over.
  public private(set) var stale: [(key: String, entry: Entry)] = []

  public init() {}

  /// Reads a list.
  ///
  /// - Parameter today: `2026-05-06`; days are compared as text.
  public init(_ text: String, today: String) throws(Malformed) {
    var number = 0
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      number += 1
      var words = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }[...]
      guard let first = words.popFirst(), first.first != "#" else { continue }
      let key = String(first)
      let isHexadecimal = key.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
      }
      guard isHexadecimal, key.utf8.count == 40 || key.utf8.count == 12 else {
        throw Malformed(line: number, reason: "'\(key)' is neither an input's 40 digits nor a finding's 12")
      }
      var until: String?
      if let word = words.first, word.hasPrefix("until=") {
        let day = String(word.dropFirst(6))
        guard Self.isDay(day) else {
          throw Malformed(line: number, reason: "'\(day)' is no day like 2027-01-31")
        }
        until = day
        words = words.dropFirst()
      }
      guard !words.isEmpty else { throw Malformed(line: number, reason: "there is no reason") }
      let entry = Entry(reason: words.joined(separator: " "), until: until)
      if let until, until < today {
        stale.append((key, entry))
      } else if key.utf8.count == 40 {
        inputs[key] = entry
      } else {
        findings[key] = entry
      }
    }
  }

  private static func isDay(_ text: String) -> Bool {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    let isShaped =
      parts.map(\.utf8.count) == [4, 2, 2]
      && text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "-") }
    guard isShaped, let month = Int(parts[1]), let day = Int(parts[2]) else { return false }
    return 1...12 ~= month && 1...31 ~= day
  }

  /// The result in the light of the list.
  func judged(_ result: ReplayResult) -> ReplayResult {
    guard !inputs.isEmpty || !findings.isEmpty else { return result }
    var result = result
    if result.outcome.verdict == .passed {
      if let entry = inputs[result.hash] {
        let rule = "it passes, and is listed as a known failure"
        result.outcome.verdict = .unexpectedPass(entry.reason)
        result.outcome.signature = ReplaySignature(.unexpectedPass(""), call: "", rule: rule)
        result.outcome.message = "\(rule): \(entry.reason)"
      }
      return result
    }
    guard !result.outcome.verdict.isGood else { return result }
    if let entry = inputs[result.hash] ?? result.outcome.signature.flatMap({ findings[$0.id] }) {
      result.outcome.verdict = .expectedFailure(entry.reason)
    }
    return result
  }
}

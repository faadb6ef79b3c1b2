// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
public import Runner

/// What makes two findings the same one: the verdict, the call that brought it about, and the rule or expectation that
/// was broken, in words from which all numbers are gone.
///
///     violated IOAS_UNMAP: a page's pin count is the number of mappings that need it
///     failed HWPT_ALLOC: expected EINVAL, got EOPNOTSUPP
///     trapped TEST.MOCK_DOMAIN: SIGILL
///
/// Addresses, IDs and counts differ between two inputs that show the same mistake, and between two sizes of one
/// input that is being shrunk; the words of a rule do not.
public struct ReplaySignature: Hashable, Sendable, CustomStringConvertible {
  /// `RunVerdict.word`
  public let verdict: String
  /// The call during or after which it showed; empty where there was none.
  public let call: String
  /// The rule, without numbers.
  public let rule: String

  public init(_ verdict: RunVerdict, call: String, rule: String) {
    self.init(verdict: verdict.word, call: call, rule: Self.words(of: rule))
  }

  /// As a report has it.
  public init(verdict: String, call: String, rule: String) {
    self.verdict = verdict
    self.call = call
    self.rule = rule
  }

  public var description: String { (call.isEmpty ? verdict : "\(verdict) \(call)") + ": \(rule)" }

  /// The first 12 digits of the description's hash: short enough for a list of known failures.
  public var id: String { String("\(SHA1.of(Array(description.utf8)))".prefix(12)) }

  /// `text` with every number replaced by `N`: what begins with a digit, up to the end of the word.
  static func words(of text: String) -> String {
    var words: [UInt8] = []
    var isInWord = false
    var isInNumber = false
    for byte in text.utf8 {
      let isDigit = UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
      let isLetter = UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || byte == UInt8(ascii: "_")
      if isInNumber && (isDigit || isLetter) { continue }
      isInNumber = isDigit && !isInWord
      isInWord = isDigit || isLetter || byte >= 0x80
      words.append(isInNumber ? UInt8(ascii: "N") : byte)
    }
    return String(decoding: words, as: UTF8.self)
  }
}

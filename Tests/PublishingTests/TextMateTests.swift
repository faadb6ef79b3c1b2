// SPDX-License-Identifier: GPL-3.0-or-later
import Foundation
import Interpreter
import Language
import Testing

@testable import Publishing

/// A TextMate grammar as far as ours goes: patterns of one line with captures, and one level of begin and end.
///
/// `Tests/editors` reads the same grammar with a real implementation; this one is there everywhere.
final class TextMateReader {
  private final class Rule {
    let name: String?
    let expression: NSRegularExpression
    let end: NSRegularExpression?
    let captures: [Int: String]
    let inner: [Rule]

    init(_ rule: [String: Any]) throws {
      name = rule["name"] as? String
      let text = try #require((rule["match"] ?? rule["begin"]) as? String)
      expression = try NSRegularExpression(pattern: text)
      end = try (rule["end"] as? String).map { try NSRegularExpression(pattern: $0) }
      var found: [Int: String] = [:]
      for (key, value) in rule["captures"] as? [String: [String: String]] ?? [:] {
        found[try #require(Int(key))] = value["name"]
      }
      captures = found
      inner = try (rule["patterns"] as? [[String: Any]] ?? []).map { try Rule($0) }
    }
  }

  private let rules: [Rule]

  init(_ text: String) throws {
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let repository = try #require(object["repository"] as? [String: [String: Any]])
    func patterns(_ name: String) throws -> [[String: Any]] {
      try #require(repository[name]?["patterns"] as? [[String: Any]]).flatMap { rule in
        guard let include = rule["include"] as? String else { return [rule] }
        return try patterns(String(include.dropFirst()))
      }
    }
    // A region of several lines, a trace, is left to the real implementation.
    rules = try patterns("code").filter { ($0["begin"] ?? "\"") as? String == "\"" }.map { try Rule($0) }
  }

  /// The innermost scope of every UTF-16 unit of a line; empty where there is none.
  func scopes(_ line: String) -> [String] {
    let text = line as NSString
    var scopes = [String](repeating: "", count: text.length)
    var position = 0
    var next: [NSTextCheckingResult?] = []
    func search(_ rule: Rule, _ from: Int) -> NSTextCheckingResult? {
      rule.expression.firstMatch(
        in: line, options: [.withTransparentBounds, .withoutAnchoringBounds],
        range: NSRange(location: from, length: text.length - from))
    }
    next = rules.map { search($0, 0) }
    while position < text.length {
      var best: (Rule, NSTextCheckingResult)?
      for index in rules.indices {
        if let match = next[index], match.range.location < position || match.range.length == 0 {
          next[index] = search(rules[index], position)
        }
        guard let match = next[index], match.range.length > 0 else { continue }
        if match.range.location < (best?.1.range.location ?? .max) { best = (rules[index], match) }
      }
      guard let (rule, match) = best else { break }
      var range = match.range
      if let end = rule.end {
        let from = NSMaxRange(range)
        var stop = from
        // An escape hides what ends the region.
        while stop < text.length, text.character(at: stop) != 0x22 {
          stop += text.character(at: stop) == 0x5C ? 2 : 1
        }
        stop = min(stop + 1, text.length)
        #expect(end.pattern == "\"|$")
        range = NSRange(location: range.location, length: stop - range.location)
      }
      if let name = rule.name { fill(&scopes, range, name) }
      for (group, name) in rule.captures where match.range(at: group).location != NSNotFound {
        fill(&scopes, match.range(at: group), name)
      }
      position = NSMaxRange(range)
    }
    return scopes
  }

  private func fill(_ scopes: inout [String], _ range: NSRange, _ name: String) {
    for index in range.location..<NSMaxRange(range) { scopes[index] = name }
  }
}

@Suite struct TextMateTests {
  /// What a token must be coloured as.
  private enum Class: Equatable {
    case comment, string, hex, variable, number, version, date, verb, statement, otherWord
  }

  private static func fits(_ scope: String, _ wanted: Class) -> Bool {
    switch wanted {
    case .comment: scope.hasPrefix("comment")
    case .string: scope == "string.quoted.double.iofd"
    case .hex: scope.hasPrefix("string.other.hex")
    case .variable: scope == "variable.other.iofd"
    case .number: scope == "constant.numeric.iofd"
    case .version: scope == "constant.numeric.version.iofd"
    case .date: scope == "constant.other.date.iofd"
    case .verb: scope == "support.function.verb.iofd"
    case .statement: scope == "keyword.control.iofd"
    case .otherWord:
      !["comment", "string", "constant.numeric", "invalid", "support.function.verb", "keyword.control"]
        .contains {
          scope.hasPrefix($0)
        }
    }
  }

  /// Every token and every comment of a script, with what it must be.
  private static func expected(_ source: SourceFile) -> [(span: Span, wanted: Class)] {
    let (list, _) = Lexer.tokenize(source)
    let (file, _) = Parser.parse(source)
    var verbs: Set<UInt32> = []
    file.statements.forEachNested { statement in
      guard case .command(let command) = statement.kind else { return }
      let words = command.command.words
      guard let (_, count) = VerbTable.find(words.map(\.text)) else { return }
      for word in words.prefix(count) { verbs.insert(word.span.start) }
    }
    let statements = Set(Keywords.Statement.allCases.map(\.rawValue))
    let traces = Self.traces(file.statements)
    var found = list.comments.map { (span: $0.span, wanted: Class.comment) }
    var before: TokenKind = .newline
    var beforeText = ""
    var isGuard = false
    for token in list.tokens where !traces.contains(where: { $0.contains(token.offset) }) {
      let text = String(
        decoding: source.bytes[Int(token.offset)..<Int(token.end)], as: UTF8.self)
      let begins =
        [.newline, .semicolon, .leftBrace, .rightBrace].contains(before) || isGuard && before == .rightBracket
      if token.kind == .leftBracket { isGuard = begins }
      if token.kind == .newline { isGuard = false }
      switch token.kind {
      case .string: found.append((token.span, .string))
      case .hex: found.append((token.span, .hex))
      case .variable: found.append((token.span, .variable))
      case .number: found.append((token.span, .number))
      case .version: found.append((token.span, .version))
      case .date: found.append((token.span, .date))
      case .word where verbs.contains(token.offset): found.append((token.span, .verb))
      case .word where begins && (statements.contains(text) || text == "else"),
        .word where text == "if" && beforeText == "else":
        found.append((token.span, .statement))
      case .word: found.append((token.span, .otherWord))
      default: break
      }
      (before, beforeText) = (token.kind, text)
    }
    return found
  }

  /// Where the lines of traces are, whose words are events; they stand at the outermost level of the examples.
  private static func traces(_ statements: [Statement]) -> [Range<UInt32>] {
    statements.compactMap { statement in
      guard case .expectTrace(let trace) = statement.kind else { return nil }
      return statement.span.start + 7..<trace.body.span.end
    }
  }

  @Test func everyTokenOfEveryExample() throws {
    let reader = try TextMateReader(TextMateGrammar.text(Vocabulary()))
    #expect(Scripts.examples.count >= 60)
    var tokens = 0
    var wrong: [String] = []
    for source in Scripts.examples {
      let expected = Self.expected(source).sorted { $0.span.start < $1.span.start }
      var line = 0
      var scopes: [String] = []
      var text = ""
      for (span, wanted) in expected {
        let number = source.line(of: span.start)
        if number != line {
          line = number
          let start = Int(source.lineStarts[line - 1])
          let stop = line < source.lineCount ? Int(source.lineStarts[line]) - 1 : source.bytes.count
          text = String(decoding: source.bytes[start..<stop], as: UTF8.self)
          scopes = reader.scopes(text)
        }
        // Lines with other than ASCII are comments and texts, whose beginning says what they are.
        let column = Int(span.start - source.lineStarts[line - 1])
        let scope = column < scopes.count ? scopes[column] : "nothing"
        tokens += 1
        if !Self.fits(scope, wanted) {
          wrong.append("\(source.name):\(line):\(column + 1): \(scope) is no \(wanted): \(text)")
        }
      }
    }
    #expect(wrong.isEmpty, "\(wrong.joined(separator: "\n"))")
    #expect(tokens > 10_000)
  }

  @Test func whereAStatementBegins() throws {
    let reader = try TextMateReader(TextMateGrammar.text(Vocabulary()))
    func scope(_ line: String, _ word: String) -> String {
      let range = (line as NSString).range(of: word, options: .backwards)
      return reader.scopes(line)[range.location]
    }
    let verb = "support.function.verb.iofd"
    for line in [
      "map $vm $buf", "  map $vm $buf", "x = map $vm", "a, b = map $vm", "! map $vm", "? map $vm",
      "[mock] map $vm",
      "[kernel>=6.15] map $vm", "defer map $vm", "xfail \"why\" map $vm",
      "xfail \"a\" until=2027-01-01 map $vm",
      "test \"a\" { map $vm }", "ioas create; map $vm",
    ] { #expect(scope(line, "map") == verb, "\(line)") }
    for line in ["show map", "x = $map", "walk $nic map", "a -> map=1", "map = 4K", "map-it $vm"] {
      #expect(scope(line, "map") != verb, "\(line)")
    }
    #expect(scope("map $vm -> iova=?where", "where") == "variable.parameter.iofd")
    #expect(scope("map $vm iova=0x1000", "iova") == "entity.other.attribute-name.iofd")
    #expect(scope("map $vm $buf -> EEXIST", "EEXIST") == "constant.language.errno.iofd")
    #expect(scope("map $vm len=4Q", "4Q") == "invalid.illegal.number.iofd")
    #expect(scope("mem write $b \"a\\q\"", "\\q") == "string.quoted.double.iofd")
    #expect(scope("mem write $b random(4K)", "random") == "support.function.builtin.iofd")
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import Language
import Testing

/// Where this project's files are, found from the place of this one.
enum Project {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  static let golden = root.appending(path: "Tests/LanguageTests/Golden")

  static func bytes(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: root.appending(path: path)))
  }

  static func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }
}

/// In grammar and code examples `⏎` is a line end and `\x01` outside quotes is that byte.
func script(_ example: String) -> SourceFile {
  var text = example.replacing("⏎", with: "\n")
  if !text.contains("\"") { text = text.replacing("\\x01", with: "\u{1}") }
  return SourceFile(name: "example.iofd", text: text)
}

func codes(_ source: SourceFile) -> [String] { Parser.parse(source).1.map { $0.code.code } }

func codes(_ text: String) -> [String] { codes(SourceFile(name: "test.iofd", text: text)) }

/// Parses text that must be right.
func parsed(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) -> ScriptFile {
  let (file, diagnostics) = Parser.parse(SourceFile(name: "test.iofd", text: text))
  #expect(
    diagnostics.isEmpty, "\(text): \(DiagnosticRenderer().render(diagnostics))",
    sourceLocation: sourceLocation)
  return file
}

/// The only statement of a text.
func statement(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Statement.Kind {
  let file = parsed(text, sourceLocation: sourceLocation)
  #expect(file.statements.count == 1, sourceLocation: sourceLocation)
  return try #require(file.statements.first, sourceLocation: sourceLocation).kind
}

func command(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> CommandStatement {
  guard case .command(let command) = try statement(text, sourceLocation: sourceLocation) else {
    throw Unexpected(text)
  }
  return command
}

/// The value of `x = ...`.
func parsedValue(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws
  -> Language.Expression
{
  guard case .value(let statement) = try statement("x = " + text, sourceLocation: sourceLocation) else {
    throw Unexpected(text)
  }
  return statement.value
}

struct Unexpected: Error {
  let text: String
  init(_ text: String) { self.text = text }
}

/// The shape of any part of a tree, by reflection: everything but places and the order of symbols. It
/// shares nothing with the printer, so it can judge it.
func structure(_ part: Any) -> String {
  let mirror = Mirror(reflecting: part)
  if mirror.displayStyle == nil || mirror.children.isEmpty { return "\(part)" }
  let parts = mirror.children.compactMap { child -> String? in
    switch child.label {
    case "span", "ordinal", "source", "content": nil
    default: (child.label.map { $0 + ":" } ?? "") + structure(child.value)
    }
  }
  let name = mirror.displayStyle == .optional ? "" : "\(mirror.subjectType)"
  return name + "(" + parts.joined(separator: " ") + ")"
}

/// SplitMix64: the same numbers in every run.
struct Random: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

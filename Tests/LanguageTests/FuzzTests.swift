// SPDX-License-Identifier: GPL-3.0-or-later

import Language
import Testing

/// Random input: it must neither trap nor hang, diagnostics must lie in the file, and whatever parses keeps
/// the formatter's promises. Seeds are fixed, so a failure repeats.
@Suite struct FuzzTests {
  func check(_ bytes: [UInt8]) throws {
    let source = SourceFile(name: "fuzz", bytes: bytes)
    let (_, diagnostics) = Parser.parse(source)
    for diagnostic in diagnostics {
      #expect(diagnostic.span.end <= source.span.end + 1 && diagnostic.span.start <= diagnostic.span.end)
    }
    if diagnostics.isEmpty {
      try formatted(source)
    } else {
      _ = DiagnosticRenderer().render(diagnostics)
      _ = DiagnosticRenderer(format: .json).render(diagnostics)
    }
  }

  @Test func randomBytes() throws {
    var random = Random(seed: 1)
    for _ in 0..<3000 {
      let count = Int.random(in: 0..<200, using: &random)
      try check((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
    }
  }

  @Test func randomSigns() throws {
    var random = Random(seed: 2)
    let alphabet = Array("ab $?!()[]{}\"\\#;,.:=<>+-*/%&|^~019xKE\n\n  ".utf8)
    for _ in 0..<4000 {
      let count = Int.random(in: 0..<60, using: &random)
      try check((0..<count).map { _ in alphabet.randomElement(using: &random) ?? 0 })
    }
  }

  /// Sentences of the grammar with tokens deleted, doubled, exchanged and replaced.
  @Test func mutatedSentences() throws {
    var random = Random(seed: 3)
    let grammar = try Grammar.load()
    var sentences = Sentences(grammar, seed: 4)
    let strange = [
      "(", "}", "{", "]", "->", "=", ",", "\"", "$", "\\\n", "...", "|", "0x", "é", "\0", "else", "as",
    ]
    for _ in 0..<600 {
      let source = SourceFile(name: "fuzz", text: sentences.sentence(of: "file", size: 12))
      var tokens = Lexer.tokenize(source).0.tokens.map { source.text($0.span) }
      for _ in 0..<Int.random(in: 1...4, using: &random) where !tokens.isEmpty {
        let index = Int.random(in: tokens.indices, using: &random)
        let other = Int.random(in: tokens.indices, using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0: tokens.remove(at: index)
        case 1: tokens.insert(tokens[index], at: other)
        case 2: tokens.swapAt(index, other)
        default: tokens[index] = strange.randomElement(using: &random) ?? ""
        }
      }
      let separator = Bool.random(using: &random) ? " " : ""
      try check(Array(tokens.joined(separator: separator).utf8))
    }
  }
}

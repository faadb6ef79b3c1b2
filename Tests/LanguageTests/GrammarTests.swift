// SPDX-License-Identifier: GPL-3.0-or-later

import Language
import Testing

@Suite struct GrammarTests {
  let grammar: Grammar

  init() throws { grammar = try Grammar.load() }

  @Test func everyNameIsDefinedAndUsed() {
    let defined = Set(grammar.productions.map { $0.name }).union(grammar.classes.keys)
    #expect(grammar.names.subtracting(defined) == [])
    #expect(defined.subtracting(grammar.names) == ["file", "reserved"])
    #expect(defined.count == grammar.productions.count + grammar.classes.count)
  }

  @Test func everyProductionHasExamplesThatParse() {
    for production in grammar.productions {
      #expect(!production.examples.isEmpty || !production.refused.isEmpty, "\(production.name)")
      for example in production.examples {
        let (_, diagnostics) = Parser.parse(script(example))
        #expect(diagnostics.isEmpty, "\(production.name): \(DiagnosticRenderer().render(diagnostics))")
      }
    }
  }

  @Test func refusedExamplesGetTheirCode() {
    for production in grammar.productions {
      for (code, text) in production.refused {
        #expect(codes(script(text)).first == code, "\(production.name): \(text)")
      }
    }
  }

  @Test func examplesKeepTheFormattersPromises() throws {
    for production in grammar.productions {
      for example in production.examples { try formatted(script(example)) }
    }
  }

  /// The tables of the parser and the words of the grammar are the same words.
  @Test func everyKeywordIsInTheGrammar() {
    let words = grammar.terminals.filter { $0.allSatisfy { $0.isLetter } }
    #expect(Set(Keywords.all).subtracting(words) == [])
    #expect(words.subtracting(Keywords.all) == [])
    let signs = grammar.terminals.filter { !$0.contains { $0.isLetter || $0.isNumber } }
    let known = Set(Comparison.allCases.map { $0.rawValue } + BinaryOperator.allCases.map { $0.rawValue })
      .union(UnaryOperator.allCases.map { $0.rawValue })
    #expect(known.filter { !$0.contains { $0.isLetter } }.subtracting(signs) == [])
    #expect(
      signs.subtracting(known) == [
        "!", "?", "->", "...", "++", "|", ",", ";", ":", ".", "(", ")", "[", "]", "{", "}",
      ])
  }

  @Test func randomSentencesParse() throws {
    var sentences = Sentences(grammar, seed: 7)
    for round in 0..<1000 {
      let text = sentences.sentence(of: "file", size: 6 + round % 16)
      let source = SourceFile(name: "sentence", text: text)
      let (file, diagnostics) = Parser.parse(source)
      try #require(diagnostics.isEmpty, "\(text)\n\(DiagnosticRenderer().render(diagnostics))")
      if round % 4 == 0 { try formatted(source) }
      // The tree alone, printed without its source, gives the same tree.
      let printed = file.statements.map { Printer.text($0) }.joined(separator: "\n")
      let again = Parser.parse(SourceFile(name: "printed", text: printed)).0
      try #require(structure(again.statements) == structure(file.statements), "\(text)\n---\n\(printed)")
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// What a script has bound up to a place, found without running it. Mistakes in it do not matter.
public struct ScriptOutline {
  /// Names that can be used there, with their kinds as far as the script tells them.
  public let names: [BoundName]
  public let procedures: [(name: String, parameters: [String])]
  public let threads: [String]

  /// - Parameter text: the script up to the place; blocks may be open at its end.
  public init(
    before text: String, name: String = "<draft>", loader: any ScriptLoader, environment: Environment
  ) {
    let (flat, more) = Self.flattened(SourceFile(name: name, text: text))
    let (file, _) = Parser.parse(flat)
    let resolver = Resolver(
      program: Program(source: flat), environment: environment, loader: loader, defines: [:],
      expectsSuccess: true)
    var header = Resolver.Header()
    _ = resolver.resolve(file.statements, header: &header)
    let scope = resolver.scopes[0]
    let bound = scope.names.sorted { $0.value.slot < $1.value.slot }.map {
      BoundName($0.key, kind: $0.value.kind)
    }
    names =
      bound + more.filter { name in !bound.contains { $0.name == name } }.map { BoundName($0, kind: nil) }
    procedures = scope.procedures.values.sorted { $0.name < $1.name }.map {
      ($0.name, $0.parameters.map(\.name))
    }
    threads = scope.threads.keys.sorted()
  }

  /// The script with the heads of its open blocks blanked out, so that what is in them stands in the file itself; and
  /// the names that those heads bind.
  private static func flattened(_ source: SourceFile) -> (SourceFile, names: [String]) {
    let (list, _) = Lexer.tokenize(source)
    var open: [(first: Int, brace: Int)] = []
    var first = 0
    for (index, token) in list.tokens.enumerated() {
      switch token.kind {
      case .newline, .semicolon: first = index + 1
      case .leftBrace:
        open.append((first, index))
        first = index + 1
      case .rightBrace:
        if let last = open.popLast() { first = last.first }
      default: break
      }
    }
    var bytes = source.bytes
    var names: [String] = []
    for block in open {
      let head = list.tokens[block.first...block.brace]
      names += Self.names(boundBy: head, source)
      for token in head {
        for place in Int(token.offset)..<Int(token.end) where bytes[place] != 0x0A { bytes[place] = 0x20 }
      }
    }
    return (SourceFile(name: source.name, bytes: bytes), names)
  }

  /// `for p in ...` and the parameters of `def f(a, b=1)`.
  private static func names(boundBy head: ArraySlice<Token>, _ source: SourceFile) -> [String] {
    let words = head.filter { $0.kind == .word }.map { source.text($0.span) }
    switch words.first {
    case "for": return Array(words.dropFirst().prefix(1))
    case "def":
      var names: [String] = []
      var previous: TokenKind?
      for token in head.dropFirst(2) {
        if token.kind == .word, previous == .leftParen || previous == .comma {
          names.append(source.text(token.span))
        }
        previous = token.kind
      }
      return names
    default: return []
    }
  }
}

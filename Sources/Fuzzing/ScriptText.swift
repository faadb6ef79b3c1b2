// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// A script as its statements, each with those in its blocks behind it: what is left of the text when some are cut out.
struct ScriptText {
  struct Piece {
    let span: Span
    /// The statement in whose block it is.
    let parent: Int?
  }

  private let source: [UInt8]
  private(set) var statements: [Piece] = []

  init(_ bytes: [UInt8], name: String) {
    source = bytes
    let (script, _) = Parser.parse(SourceFile(name: name.isEmpty ? "script" : name, bytes: bytes))
    add(script.statements, in: nil)
  }

  private mutating func add(_ list: [Statement], in parent: Int?) {
    for statement in list {
      let number = statements.count
      statements.append(Piece(span: statement.span, parent: parent))
      for block in Self.blocks(of: statement) { add(block.statements, in: number) }
    }
  }

  /// Blocks whose statements may go one by one; any other statement goes as a whole.
  private static func blocks(of statement: Statement) -> [Block] {
    switch statement.kind {
    case .test(let test): [test.body]
    case .loop(let loop): [loop.body]
    case .definition(let definition): [definition.body]
    case .conditional(let conditional):
      conditional.arms.map(\.body) + (conditional.otherwise.map { [$0] } ?? [])
    case .deferred(let block): [block]
    default: []
    }
  }

  /// The text with these statements; one whose block is gone is gone with it.
  func bytes(keeping kept: [Int]) -> [UInt8] {
    let kept = Set(kept)
    var isCut = [Bool](repeating: false, count: source.count)
    for (number, piece) in statements.enumerated() where !kept.contains(number) {
      for offset in Int(piece.span.start)..<min(source.count, Int(piece.span.end)) { isCut[offset] = true }
    }
    return withoutEmptied(isCut)
  }

  /// Lines of which nothing but blanks is left are gone as well.
  private func withoutEmptied(_ isCut: [Bool]) -> [UInt8] {
    var result: [UInt8] = []
    var start = 0
    while start < source.count {
      let end = source[start...].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? source.count
      let left = (start..<end).filter { !isCut[$0] }
      let isTouched = left.count < end - start
      let isBlank = left.allSatisfy { [0x20, 0x09, 0x0A, 0x0D].contains(source[$0]) }
      if !(isTouched && isBlank) { result += left.map { source[$0] } }
      // A statement of several lines takes the end of its last one along.
      if isTouched, !isBlank, left.last.map({ source[$0] }) != UInt8(ascii: "\n") { result.append(0x0A) }
      start = end
    }
    return result
  }

  /// How many statements are left.
  func count(keeping kept: [Int]) -> Int {
    let kept = Set(kept)
    return kept.count { number in
      var parent = statements[number].parent
      while let above = parent {
        if !kept.contains(above) { return false }
        parent = statements[above].parent
      }
      return true
    }
  }
}

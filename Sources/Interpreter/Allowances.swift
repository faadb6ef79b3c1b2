// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// The comments of a script that silence rules: `# lint: allow L0007, L0008 and why`.
///
/// Behind a statement it is about its line; on a line of its own, about the statement that follows, with all in it. Only
/// warnings and notes can be silenced.
struct Allowances {
  private struct Allowance {
    let comment: Span
    let codes: [String]
    /// What it is about.
    let range: Span
    var unused: Set<String>
  }
  private let source: SourceFile
  private var allowances: [Allowance] = []
  private var malformed: [Span] = []

  init(_ file: ScriptFile) {
    source = file.source
    for comment in Lexer.tokenize(source).0.comments {
      let text = source.text(comment.span).drop { $0 == "#" || $0 == " " || $0 == "\t" }
      guard text.hasPrefix("lint:") else { continue }
      let codes = Self.codes(text.dropFirst(5))
      guard !codes.isEmpty, let range = Self.range(of: comment, file) else {
        malformed.append(comment.span)
        continue
      }
      allowances.append(
        Allowance(comment: comment.span, codes: codes, range: range, unused: Set(codes)))
    }
  }

  /// `allow L0007, L0008 and why`; none for anything else.
  private static func codes(_ text: Substring) -> [String] {
    let words = text.split { $0 == " " || $0 == "\t" || $0 == "," }
    guard words.first == "allow" else { return [] }
    return words.dropFirst().prefix { word in
      word.utf8.count == 5 && word.first.map { $0.isASCII && $0.isUppercase } == true
        && word.utf8.dropFirst().allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
    }.map { String($0) }
  }

  private static func range(of comment: Comment, _ file: ScriptFile) -> Span? {
    let source = file.source
    if comment.isTrailing { return source.lineSpan(source.line(of: comment.span.start)) }
    var next: Statement?
    file.statements.forEachNested { statement in
      guard statement.span.start >= comment.span.end else { return }
      if next.map({ statement.span.start < $0.span.start }) ?? true { next = statement }
    }
    return next.map { source.lineSpan(source.line(of: $0.span.start)).joined($0.span) }
  }

  /// Whether a comment silences it.
  mutating func silence(_ diagnostic: Diagnostic) -> Bool {
    guard diagnostic.severity != .error, diagnostic.source === source else { return false }
    let code = diagnostic.code.code
    guard
      let index = allowances.firstIndex(where: {
        $0.codes.contains(code) && $0.range.start <= diagnostic.span.start
          && diagnostic.span.start <= $0.range.end
      })
    else { return false }
    allowances[index].unused.remove(code)
    return true
  }

  /// About comments that silenced nothing.
  var complaints: [Diagnostic] {
    malformed.map {
      Diagnostic(
        .uselessAllowance, in: source, at: $0, "this says nothing to the lint", help: ["# lint: allow L0007"])
    }
      + allowances.flatMap { allowance in
        allowance.codes.filter { allowance.unused.contains($0) }.map {
          Diagnostic(
            .uselessAllowance, in: source, at: allowance.comment, "nothing here is reported as \($0)")
        }
      }
  }
}

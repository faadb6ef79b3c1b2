// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import JSON
internal import Language

// Changes that mend something. One is only offered if it does: the text is read again with it.

extension LanguageServer {
  /// `textDocument/codeAction`
  func act(_ parameters: JSONValue) throws(ResponseError) -> JSONValue {
    let document = try document(parameters)
    guard let range = parameters["range"].flatMap({ TextRange($0) }) else {
      throw ResponseError(.invalidParams, "the request names no range")
    }
    let kinds = parameters["context"]?["only"]?.texts ?? []
    guard kinds.isEmpty || kinds.contains("quickfix") || kinds.contains("") else { return [] }
    let first = UInt32(clamping: document.positions.offset(of: range.start, encoding))
    let last = UInt32(clamping: document.positions.offset(of: range.end, encoding))
    let index = index(document)
    var actions: [JSONValue] = []
    for diagnostic in document.report where diagnostic.source === document.source {
      guard diagnostic.span.start <= last, first <= diagnostic.span.end else { continue }
      let fixes = diagnostic.suggestedFixes.compactMap { working($0, for: diagnostic, document) }
      for fix in fixes {
        actions.append([
          "title": .text(fix.title), "kind": "quickfix",
          "diagnostics": [json(diagnostic, document, index)], "isPreferred": .bool(fixes.count == 1),
          "edit": ["changes": .object([(document.uri, .list([edit(fix.span, fix.text, document)]))])],
        ])
      }
    }
    return .list(actions)
  }

  /// The fix if it mends the diagnostic and breaks nothing. Words of a command may take the place of as many.
  private func working(_ fix: Diagnostic.Fix, for diagnostic: Diagnostic, _ document: Document)
    -> Diagnostic.Fix?
  {
    var tries = [fix]
    let words = fix.text.split(separator: " ").count
    if words > 1, !document.source.text(fix.span).contains(" ") {
      var longer = fix
      let bytes = document.source.bytes
      for _ in 1..<words {
        var end = Int(longer.span.end)
        while end < bytes.count, bytes[end] == 0x20 { end += 1 }
        while end < bytes.count, ![0x20, 0x09, 0x0A, 0x0D].contains(bytes[end]) { end += 1 }
        longer.span.end = UInt32(clamping: end)
      }
      tries.insert(longer, at: 0)
    }
    return tries.first { mends($0, diagnostic, document) }
  }

  private func mends(_ fix: Diagnostic.Fix, _ diagnostic: Diagnostic, _ document: Document) -> Bool {
    var bytes = document.source.bytes
    guard fix.span.start <= fix.span.end, Int(fix.span.end) <= bytes.count else { return false }
    bytes.replaceSubrange(Int(fix.span.start)..<Int(fix.span.end), with: fix.text.utf8)
    let after = Lint.report(
      ScriptIndex(SourceFile(name: document.name, bytes: bytes), loader: loader, environment: environment))
    func count(_ list: [Diagnostic]) -> Int { list.count { $0.code == diagnostic.code } }
    func errors(_ list: [Diagnostic]) -> Int { list.count { $0.severity == .error } }
    return count(after) < count(document.report) && errors(after) <= errors(document.report)
  }
}

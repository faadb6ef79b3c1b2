// SPDX-License-Identifier: GPL-3.0-or-later

/// Collects diagnostics up to the limit; one more says that the rest is left out.
struct DiagnosticSink {
  let source: SourceFile
  private(set) var diagnostics: [Diagnostic] = []
  /// The limit is reached: nothing more will be kept, so there is no use in reading on.
  private(set) var isFull = false

  init(_ source: SourceFile) { self.source = source }

  mutating func report(
    _ code: DiagnosticCode, _ span: Span, _ message: String, notes: [Diagnostic.Note] = [],
    help: [String] = []
  ) {
    guard !isFull else { return }
    if diagnostics.count >= Limits.diagnostics {
      isFull = true
      diagnostics.append(
        Diagnostic(
          .tooManyDiagnostics, in: source, at: span,
          "more than \(Limits.diagnostics) problems; the rest of the script is not reported"))
      return
    }
    diagnostics.append(Diagnostic(code, in: source, at: span, message, notes: notes, help: help))
  }

  /// Everything reported, in the order of the places; what was left out comes last.
  var sorted: [Diagnostic] {
    let count = isFull ? diagnostics.count - 1 : diagnostics.count
    let order = diagnostics[..<count].enumerated().sorted {
      ($0.element.span.start, $0.offset) < ($1.element.span.start, $1.offset)
    }
    return order.map { $0.element } + diagnostics[count...]
  }
}

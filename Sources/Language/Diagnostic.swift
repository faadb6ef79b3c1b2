// SPDX-License-Identifier: GPL-3.0-or-later

/// How bad it is.
public enum Severity: String, CaseIterable, Sendable {
  case error, warning, note
}

/// One thing to tell the author of a script: a stable code, a place, one sentence, and what helps.
public struct Diagnostic: Sendable {
  /// A sentence that points somewhere else, or nowhere.
  public struct Note: Sendable {
    public var text: String
    public var source: SourceFile?
    public var span: Span?

    public init(_ text: String) {
      self.text = text
      source = nil
      span = nil
    }

    public init(_ text: String, in source: SourceFile, at span: Span) {
      self.text = text
      self.source = source
      self.span = span
    }
  }

  /// A labelled line under the source line: `- expected EEXIST`, `request  IOAS_MAP size=40`.
  public struct Detail: Sendable {
    public var label: String
    public var text: String

    public init(_ label: String, _ text: String) {
      self.label = label
      self.text = text
    }
  }

  /// A change of the text that mends it.
  public struct Fix: Sendable, Equatable {
    /// `write 'map'`
    public var title: String
    /// What is replaced, in the source of the diagnostic; empty to insert.
    public var span: Span
    public var text: String

    public init(_ title: String, at span: Span, _ text: String) {
      self.title = title
      self.span = span
      self.text = text
    }
  }

  public var code: DiagnosticCode
  public var severity: Severity
  public var source: SourceFile
  public var span: Span
  /// Further ranges to underline, when they lie on the same line as `span`.
  public var highlights: [Span]
  /// One sentence, without a full stop.
  public var message: String
  public var notes: [Note]
  public var details: [Detail]
  /// What to do, each a line; best a text that can be pasted.
  public var help: [String]
  /// Changes of which any one mends it; `suggestedFixes` has those that the help offers, too.
  public var fixes: [Fix]

  public init(
    _ code: DiagnosticCode, in source: SourceFile, at span: Span, _ message: String,
    severity: Severity? = nil,
    highlights: [Span] = [], notes: [Note] = [], details: [Detail] = [], help: [String] = [],
    fixes: [Fix] = []
  ) {
    self.code = code
    self.severity = severity ?? code.severity
    self.source = source
    self.span = span
    self.highlights = highlights
    self.message = message
    self.notes = notes
    self.details = details
    self.help = help
    self.fixes = fixes
  }

  /// The fixes, and every word of a `did you mean 'map'?` in place of what is marked.
  public var suggestedFixes: [Fix] {
    fixes
      + help.flatMap { Suggest.replacements(in: $0) }.map { Fix("write '\($0)'", at: span, $0) }
  }
}

/// A kind of diagnostic: the stable code and the page `iofd explain CODE` shows.
///
/// Each module that reports declares its own as static constants and lists them in one array: `P....` is
/// this module's; resolvers and interpreters have letters of their own.
public struct DiagnosticCode: Sendable, Hashable {
  /// A letter and four digits: `P0108`.
  public var code: String
  public var severity: Severity
  /// A few words, the page's heading.
  public var title: String
  /// The page: why it is refused and what to write instead.
  public var explanation: String
  /// A script that gets this diagnostic; `⏎` stands for a line end. Tests run it.
  public var example: String

  public init(
    _ code: String, _ title: String, severity: Severity = .error, explanation: String, example: String
  ) {
    self.code = code
    self.severity = severity
    self.title = title
    self.explanation = explanation
    self.example = example
  }
}

/// All codes a tool knows, for `iofd explain` and for tests.
public struct DiagnosticRegistry: Sendable {
  /// In the order of their codes.
  public let codes: [DiagnosticCode]

  public init(_ groups: [DiagnosticCode]...) {
    codes = groups.flatMap { $0 }.sorted { $0.code < $1.code }
  }

  /// The code of that name, in upper or lower case.
  public func find(_ code: String) -> DiagnosticCode? {
    let wanted = code.uppercased()
    return codes.first { $0.code == wanted }
  }
}

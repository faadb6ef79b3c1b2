// SPDX-License-Identifier: GPL-3.0-or-later

/// Turns diagnostics into text for people, editors and continuous integration.
public struct DiagnosticRenderer: Sendable {
  public enum Format: String, CaseIterable, Sendable {
    /// With source line, underline, notes and help.
    case text
    /// One line each.
    case short
    /// One JSON object a line.
    case json
    /// GitHub's annotation commands.
    case github
  }

  public var format: Format
  /// Escape sequences for colour; only the text and short formats have any.
  public var usesColour: Bool
  /// Widest excerpt of a source line, in cells.
  private static let excerptWidth = 160

  public init(format: Format = .text, usesColour: Bool = false) {
    self.format = format
    self.usesColour = usesColour
  }

  /// All of them, each ending in a line end.
  public func render(_ diagnostics: [Diagnostic]) -> String {
    diagnostics.map { render($0) }.joined()
  }

  public func render(_ diagnostic: Diagnostic) -> String {
    switch format {
    case .text: headline(diagnostic) + body(diagnostic)
    case .short: headline(diagnostic)
    case .json: json(diagnostic)
    case .github: github(diagnostic)
    }
  }

  // MARK: Text

  private func paint(_ text: String, _ colour: String) -> String {
    usesColour ? "\u{1B}[\(colour)m\(text)\u{1B}[0m" : text
  }

  private func colour(of severity: Severity) -> String {
    switch severity {
    case .error: "1;31"
    case .warning: "1;33"
    case .note: "1;36"
    }
  }

  private func headline(_ diagnostic: Diagnostic) -> String {
    let place = diagnostic.source.position(of: diagnostic.span.start)
    let label = "\(diagnostic.severity.rawValue)[\(diagnostic.code.code)]"
    return paint("\(diagnostic.source.name):\(place.line):\(place.column):", "1") + " "
      + paint(label, colour(of: diagnostic.severity)) + ": " + Self.visible(diagnostic.message) + "\n"
  }

  private func body(_ diagnostic: Diagnostic) -> String {
    var result = excerpt(diagnostic)
    let width = diagnostic.details.map { $0.label.count }.filter { $0 > 1 }.max() ?? 0
    for detail in diagnostic.details {
      let padding =
        detail.label.count > 1 ? String(repeating: " ", count: width - detail.label.count + 1) : ""
      result += "  \(detail.label)\(padding) \(Self.visible(detail.text))\n"
    }
    for note in diagnostic.notes {
      var place = ""
      if let source = note.source, let span = note.span {
        let position = source.position(of: span.start)
        place = "\(source.name):\(position.line):\(position.column): "
      }
      result += "  " + paint("note", "1;36") + ": \(place)\(Self.visible(note.text))\n"
    }
    for help in diagnostic.help { result += "  " + paint("help", "1;32") + ": \(Self.visible(help))\n" }
    return result
  }

  /// The source line and the underline below it. Of a very long line only the surroundings are shown.
  private func excerpt(_ diagnostic: Diagnostic) -> String {
    let source = diagnostic.source
    let line = source.line(of: diagnostic.span.start)
    let span = source.lineSpan(line)
    if span.isEmpty && diagnostic.span.start >= source.span.end && source.span.isEmpty { return "" }
    var cells: [Character] = []
    var marks: [Character] = []
    let first = max(span.start, diagnostic.span.start > 80 ? diagnostic.span.start - 80 : 0)
    let isCut = first > span.start
    var index = Int(first)
    while index < Int(span.end) && cells.count < Self.excerptWidth {
      let step = UTF8Reader.step(source.bytes, at: index, end: Int(span.end))
      let mark = mark(UInt32(index), diagnostic)
      let width = DisplayWidth.advance(cells.count, over: step.scalar ?? 0x3F) - cells.count
      switch step.scalar {
      case 0x09:
        cells += Array(repeating: " ", count: width)
      case .some(let scalar) where scalar >= 0x20 && scalar != 0x7F:
        let character = UnicodeScalar(scalar).map { Character($0) } ?? "?"
        // A wide character fills two cells with one character, a combining one fills none.
        cells += width == 0 ? [] : [character] + Array(repeating: "\0", count: width - 1)
      default: cells.append("?")
      }
      marks += Array(repeating: mark, count: cells.count - marks.count)
      index += step.length
    }
    if diagnostic.span.start >= UInt32(index) || diagnostic.span.isEmpty {
      let column = min(marks.count, Self.column(diagnostic.span.start, first, source))
      while marks.count <= column { marks.append(" ") }
      marks[column] = "^"
    }
    let number = String(line)
    let margin = String(repeating: " ", count: number.count)
    let shown = String(cells.filter { $0 != "\0" })
    var underline = String(marks)
    while underline.last == " " { underline.removeLast() }
    let more = index < Int(span.end) ? "..." : ""
    let before = isCut ? "..." : ""
    let shift = isCut ? "   " : ""
    let codeLine = " \(number) | \(before)\(shown)\(more)"
    return Self.trimmed(codeLine) + "\n"
      + " \(margin) | " + shift + paint(underline, colour(of: diagnostic.severity)) + "\n"
  }

  private static func column(_ offset: UInt32, _ first: UInt32, _ source: SourceFile) -> Int {
    guard offset > first else { return 0 }
    let line = source.line(of: first)
    let end = min(offset, source.lineSpan(line).end)
    return max(0, source.position(of: end).column - source.position(of: first).column)
  }

  private func mark(_ offset: UInt32, _ diagnostic: Diagnostic) -> Character {
    if offset == diagnostic.span.start { return "^" }
    if diagnostic.span.contains(offset) || diagnostic.highlights.contains(where: { $0.contains(offset) }) {
      return "~"
    }
    return " "
  }

  private static func trimmed(_ text: String) -> String {
    var text = text
    while text.last == " " { text.removeLast() }
    return text
  }

  /// Control characters would move a terminal's cursor; they are shown as `?`.
  private static func visible(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) { return text }
    return String(
      String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
  }

  // MARK: JSON

  private func json(_ diagnostic: Diagnostic) -> String {
    let source = diagnostic.source
    var fields = [
      ("severity", Self.quoted(diagnostic.severity.rawValue)), ("code", Self.quoted(diagnostic.code.code)),
    ]
    fields += Self.place(source, diagnostic.span)
    fields.append(("message", Self.quoted(diagnostic.message)))
    let notes = diagnostic.notes.map { note in
      var fields = [("message", Self.quoted(note.text))]
      if let source = note.source, let span = note.span { fields += Self.place(source, span) }
      return Self.object(fields)
    }
    fields.append(("notes", Self.array(notes)))
    fields.append(
      (
        "details",
        Self.array(
          diagnostic.details.map {
            Self.object([("label", Self.quoted($0.label)), ("text", Self.quoted($0.text))])
          })
      ))
    fields.append(("help", Self.array(diagnostic.help.map { Self.quoted($0) })))
    return Self.object(fields) + "\n"
  }

  private static func place(_ source: SourceFile, _ span: Span) -> [(String, String)] {
    let start = source.position(of: span.start)
    let end = source.position(of: span.end)
    return [
      ("file", quoted(source.name)), ("line", String(start.line)), ("column", String(start.column)),
      ("endLine", String(end.line)), ("endColumn", String(end.column)), ("offset", String(span.start)),
      ("length", String(span.end - min(span.start, span.end))),
    ]
  }

  private static func object(_ fields: [(String, String)]) -> String {
    "{" + fields.map { quoted($0.0) + ":" + $0.1 }.joined(separator: ",") + "}"
  }

  private static func array(_ elements: [String]) -> String { "[" + elements.joined(separator: ",") + "]" }

  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      default:
        if scalar.value < 0x20 {
          result += "\\u00" + LiteralText.hexByte(UInt8(scalar.value))
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }

  // MARK: GitHub

  private func github(_ diagnostic: Diagnostic) -> String {
    let start = diagnostic.source.position(of: diagnostic.span.start)
    let end = diagnostic.source.position(of: diagnostic.span.end)
    let kind = diagnostic.severity == .note ? "notice" : diagnostic.severity.rawValue
    let text = ([diagnostic.message] + diagnostic.help).joined(separator: "\n")
    return "::\(kind) file=\(Self.property(diagnostic.source.name)),line=\(start.line),col=\(start.column),"
      + "endLine=\(end.line),endColumn=\(end.column),title=\(diagnostic.code.code)::\(Self.data(text))\n"
  }

  private static func data(_ text: String) -> String {
    escaped(text, [("%", "%25"), ("\r", "%0D"), ("\n", "%0A")])
  }

  private static func property(_ text: String) -> String {
    escaped(data(text), [(":", "%3A"), (",", "%2C")])
  }

  private static func escaped(_ text: String, _ pairs: [(Character, String)]) -> String {
    text.map { character in pairs.first { $0.0 == character }?.1 ?? String(character) }.joined()
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import JSON
internal import Language

/// A script that is open in the editor: its text is the client's, whatever the disk says.
final class Document {
  let uri: String
  /// What diagnostics and includes know it by: the path of its file, or the URI of what is no file.
  let name: String
  private(set) var version: Int?
  private(set) var source: SourceFile
  private(set) var positions: TextPositions
  /// As last read; nil after a change.
  var index: ScriptIndex?
  /// What there is to report, with the index.
  var report: [Diagnostic] = []
  /// Diagnostics are to be sent.
  var isStale = true

  init(uri: String, name: String, version: Int?, text: String) {
    self.uri = uri
    self.name = name
    self.version = version
    positions = TextPositions(Array(text.utf8))
    source = SourceFile(name: name, bytes: positions.bytes)
  }

  /// Its text has changed, or that of a file that it includes.
  func forget() {
    index = nil
    report = []
    isStale = true
  }

  /// `contentChanges`, in their order; each with a range is about what the ones before it left.
  func change(_ changes: [JSONValue], version: Int?, _ encoding: PositionEncoding) {
    for change in changes {
      guard let text = change["text"]?.text else { continue }
      var bytes = positions.bytes
      if let range = change["range"].flatMap({ TextRange($0) }) {
        let start = positions.offset(of: range.start, encoding)
        let end = max(start, positions.offset(of: range.end, encoding))
        bytes.replaceSubrange(start..<end, with: text.utf8)
      } else {
        bytes = Array(text.utf8)
      }
      positions = TextPositions(bytes)
    }
    self.version = version
    source = SourceFile(name: name, bytes: positions.bytes)
    forget()
  }
}

/// A `Range` of the protocol.
struct TextRange: Equatable {
  var start: TextPosition
  var end: TextPosition

  init(_ start: TextPosition, _ end: TextPosition) {
    self.start = start
    self.end = end
  }

  /// Nil for what is no range.
  init?(_ value: JSONValue) {
    guard let start = value["start"].flatMap({ TextPosition($0) }),
      let end = value["end"].flatMap({ TextPosition($0) })
    else { return nil }
    self.init(start, end)
  }

  var json: JSONValue { ["start": start.json, "end": end.json] }
}

extension TextPosition {
  /// Nil for what is no position.
  init?(_ value: JSONValue) {
    guard let line = value["line"]?.number, let character = value["character"]?.number, line >= 0,
      character >= 0
    else { return nil }
    self.init(line: line, character: character)
  }

  var json: JSONValue { ["line": .number(line), "character": .number(character)] }
}

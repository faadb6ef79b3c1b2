// SPDX-License-Identifier: GPL-3.0-or-later

/// A change of a script's text: what stands in a span is replaced.
public struct TextEdit: Hashable, Sendable {
  public var span: Span
  public var text: String

  public init(_ span: Span, _ text: String) {
    self.span = span
    self.text = text
  }

  /// The script's bytes with all edits made. Of edits that overlap the first counts.
  public static func applied(_ edits: [TextEdit], to source: SourceFile) -> [UInt8] {
    var bytes: [UInt8] = []
    var position = 0
    for edit in edits.sorted(by: { ($0.span.start, $0.span.end) < ($1.span.start, $1.span.end) }) {
      guard Int(edit.span.start) >= position, edit.span.end >= edit.span.start,
        Int(edit.span.end) <= source.bytes.count
      else { continue }
      bytes += source.bytes[position..<Int(edit.span.start)]
      bytes += edit.text.utf8
      position = Int(edit.span.end)
    }
    bytes += source.bytes[position...]
    return bytes
  }
}

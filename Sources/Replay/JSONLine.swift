// SPDX-License-Identifier: GPL-3.0-or-later
internal import Runner

/// An object on a line, being written: names are ours and need no escapes, values do.
///
/// Appends bytes and nothing else: a line of a report takes about 1 µs (measured with 300 bytes).
struct JSONLine {
  private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

  init(event: StaticString) { add("event", "\(event)") }

  /// The line with its end.
  consuming func finished() -> [UInt8] {
    bytes.append(UInt8(ascii: "}"))
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  private mutating func name(_ name: StaticString) {
    if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    bytes.append(UInt8(ascii: "\""))
    name.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: "\""))
    bytes.append(UInt8(ascii: ":"))
  }

  mutating func add(_ name: StaticString, _ text: String) {
    self.name(name)
    ReportText.appendQuoted(text, to: &bytes)
  }

  mutating func add(_ name: StaticString, _ number: Int) {
    self.name(name)
    bytes.append(contentsOf: String(number).utf8)
  }

  mutating func add(_ name: StaticString, _ texts: [String]) {
    self.name(name)
    bytes.append(UInt8(ascii: "["))
    for (index, text) in texts.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      ReportText.appendQuoted(text, to: &bytes)
    }
    bytes.append(UInt8(ascii: "]"))
  }

  mutating func add(_ name: StaticString, _ counts: [String: Int]) {
    self.name(name)
    bytes.append(UInt8(ascii: "{"))
    for (index, item) in counts.sorted(by: { $0.key < $1.key }).enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: ",")) }
      ReportText.appendQuoted(item.key, to: &bytes)
      bytes.append(UInt8(ascii: ":"))
      bytes.append(contentsOf: String(item.value).utf8)
    }
    bytes.append(UInt8(ascii: "}"))
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// An input on its way to a worker, through a pipe between two processes of one program:
///
///     length:u32 number:u64 label:u32 name:u32 container:u32 format:u8 hash:20 bytes
///     then the label, the name, the container, the content
///
/// `length` counts what follows it.
enum WorkerFrame {
  private static let headLength = 8 + 4 + 4 + 4 + 1 + 20
  private static let formats = InputFormat.allCases

  static func append(_ input: ReplayInput, number: UInt64, to bytes: inout [UInt8]) {
    let (label, name, container) = (input.label.utf8, input.name.utf8, input.container.utf8)
    append(UInt32(headLength + label.count + name.count + container.count + input.bytes.count), to: &bytes)
    append(number, to: &bytes)
    append(UInt32(label.count), to: &bytes)
    append(UInt32(name.count), to: &bytes)
    append(UInt32(container.count), to: &bytes)
    bytes.append(UInt8(formats.firstIndex(of: input.format) ?? 0))
    let words = input.hash.words
    for word in [words.0, words.1, words.2, words.3, words.4] { append(word, to: &bytes) }
    bytes.append(contentsOf: label)
    bytes.append(contentsOf: name)
    bytes.append(contentsOf: container)
    bytes.append(contentsOf: input.bytes)
  }

  private static func append(_ number: some FixedWidthInteger, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: number.littleEndian) { bytes.append(contentsOf: $0) }
  }

  /// The frame at `position`, which moves behind it; nil where it is not there in full.
  static func next(in bytes: [UInt8], at position: inout Int) -> (number: UInt64, input: ReplayInput)? {
    bytes.withUnsafeBytes { raw -> (number: UInt64, input: ReplayInput)? in
      func load<Number: FixedWidthInteger>(_: Number.Type, at offset: Int) -> Number {
        Number(littleEndian: raw.loadUnaligned(fromByteOffset: offset, as: Number.self))
      }
      guard raw.count - position >= 4 else { return nil }
      let size = Int(load(UInt32.self, at: position))
      guard raw.count - position - 4 >= size else { return nil }
      let head = position + 4
      let number = load(UInt64.self, at: head)
      func length(_ index: Int) -> Int { Int(load(UInt32.self, at: head + 8 + 4 * index)) }
      let format = formats[Int(raw[head + 20])]
      func word(_ index: Int) -> UInt32 { load(UInt32.self, at: head + 21 + 4 * index) }
      let hash = SHA1.Digest(words: (word(0), word(1), word(2), word(3), word(4)))
      let label = head + headLength
      let name = label + length(0)
      let container = name + length(1)
      let content = container + length(2)
      position = head + size
      return (
        number,
        ReplayInput(
          label: String(decoding: raw[label..<name], as: UTF8.self),
          name: String(decoding: raw[name..<container], as: UTF8.self), bytes: Array(raw[content..<position]),
          hash: hash, format: format,
          container: String(decoding: raw[container..<content], as: UTF8.self))
      )
    }
  }
}

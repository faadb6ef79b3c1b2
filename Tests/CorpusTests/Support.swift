// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

/// Bytes from hexadecimal digits; blanks and line ends are left out.
func hex(_ text: String) -> [UInt8] {
  let digits = text.compactMap { $0.hexDigitValue }
  return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Random bytes that are the same for the same seed.
struct Dice {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }

  mutating func below(_ count: Int) -> Int { Int(next() >> 16) % count }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: next() >> 24) }
  }

  /// A few bytes of it changed, dropped or doubled.
  mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for _ in 0...below(4) where !bytes.isEmpty {
      let place = below(bytes.count)
      switch below(4) {
      case 0: bytes[place] ^= 1 << UInt8(below(8))
      case 1: bytes[place] = UInt8(truncatingIfNeeded: next() >> 24)
      case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(4)))
      default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 8)], at: place)
      }
    }
    return bytes
  }
}

/// A directory that goes away with the test.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/iofd-corpus.XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit {
    Self.remove(path.utf8CString.dropLast().map { $0 })
  }

  /// File names need not be text here.
  private static func remove(_ path: [CChar]) {
    if let directory = opendir(path + [0]) {
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
          $0.prefix { $0 != 0 }.map { CChar(bitPattern: $0) }
        }
        guard name != [46], name != [46, 46] else { continue }
        let child = path + [47] + name
        if entry.pointee.d_type == UInt8(DT_DIR) {
          chmod(child + [0], 0o700)
          remove(child)
        } else {
          unlink(child + [0])
        }
      }
      closedir(directory)
    }
    rmdir(path + [0])
  }

  /// Writes a file, with the directories on the way to it.
  func write(_ name: String, _ bytes: [UInt8]) throws { try write(Array(name.utf8), bytes) }

  func write(_ name: String, _ text: String = "") throws { try write(name, Array(text.utf8)) }

  func write(_ name: [UInt8], _ bytes: [UInt8]) throws {
    var target = path.utf8.map { CChar(bitPattern: $0) }
    let parts = name.split(separator: UInt8(ascii: "/"))
    for part in parts.dropLast() {
      target += [47] + part.map { CChar(bitPattern: $0) }
      mkdir(target + [0], 0o755)
    }
    target += [47] + (parts.last ?? []).map { CChar(bitPattern: $0) } + [0]
    let descriptor = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) } == bytes.count)
  }
}

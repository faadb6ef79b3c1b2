// SPDX-License-Identifier: GPL-3.0-or-later

/// A path of the host, as the bytes that the host knows it by: file names of corpora are not always text.
///
/// `description` is for people: what does not print in it, and what is not UTF-8, is `\xHH`.
public struct HostPath: Hashable, Sendable, CustomStringConvertible {
  public let bytes: [UInt8]

  public init(_ text: String) { bytes = Array(text.utf8) }
  public init(bytes: [UInt8]) { self.bytes = bytes }

  /// The file called `name` in this directory.
  public func appending(_ name: ArraySlice<UInt8>) -> HostPath {
    HostPath(bytes: bytes + (bytes.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]) + name)
  }

  /// What stands behind the last slash.
  public var lastName: ArraySlice<UInt8> {
    bytes.split(separator: UInt8(ascii: "/")).last ?? []
  }

  public var description: String { Self.readable(bytes[...]) }

  /// The bytes as text on one line.
  static func readable(_ bytes: ArraySlice<UInt8>) -> String {
    let isText = String(validating: bytes, as: UTF8.self) != nil
    var text: [UInt8] = []
    for byte in bytes {
      if byte >= 0x20 && byte != 0x7F && (byte < 0x80 || isText) {
        text.append(byte)
      } else {
        text += Array((byte < 16 ? "\\x0" : "\\x").utf8) + Array(String(byte, radix: 16).utf8)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

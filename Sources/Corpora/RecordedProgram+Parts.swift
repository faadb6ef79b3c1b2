// SPDX-License-Identifier: GPL-3.0-or-later

extension RecordedProgram {
  /// The lines of each program of a file, from its `prog` line to the next one's, without looking at its steps.
  ///
  /// What stands before the first of them belongs to it.
  public static func parts(_ bytes: [UInt8]) -> [(name: String, bytes: ArraySlice<UInt8>)] {
    var parts: [(name: String, bytes: ArraySlice<UInt8>)] = []
    var name: String?
    var start = 0
    var position = 0
    while position < bytes.count {
      let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      if bytes[position..<end].starts(with: "prog ".utf8) {
        if let name {
          parts.append((name, bytes[start..<position]))
          start = position
        }
        name = String(decoding: bytes[position..<end].dropFirst(5).prefix(longestName), as: UTF8.self)
      }
      position = end + 1
    }
    if let name { parts.append((name, bytes[start...])) }
    return parts
  }

  private static let longestName = 200
}

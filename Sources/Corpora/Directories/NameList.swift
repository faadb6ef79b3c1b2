// SPDX-License-Identifier: GPL-3.0-or-later

/// The names in a directory, one behind the other: a directory of a million inputs named by their hash takes 44 MB.
struct NameList {
  private var bytes: [UInt8] = []
  /// Where the names begin in `bytes`.
  private var starts: [Int] = []

  var count: Int { starts.count }

  subscript(index: Int) -> ArraySlice<UInt8> {
    let start = starts[index]
    // A name ends with a NUL, which no name contains.
    var end = start
    while bytes[end] != 0 { end += 1 }
    return bytes[start..<end]
  }

  mutating func append(_ name: some Sequence<UInt8>) {
    starts.append(bytes.count)
    bytes += name
    bytes.append(0)
  }

  /// In the order of the bytes.
  mutating func sort() {
    bytes.withUnsafeBufferPointer { bytes in
      starts.sort { a, b in
        var (a, b) = (a, b)
        while bytes[a] == bytes[b] && bytes[a] != 0 { (a, b) = (a + 1, b + 1) }
        return bytes[a] < bytes[b]
      }
    }
  }

  func contains(where matches: (ArraySlice<UInt8>) -> Bool) -> Bool {
    starts.indices.contains { matches(self[$0]) }
  }
}

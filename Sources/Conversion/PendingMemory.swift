// SPDX-License-Identifier: GPL-3.0-or-later

/// Bytes that the program's memory has and the script's has not got yet.
///
/// Most of what a program writes serves one request, whose statement says it in words; so nothing is written down
/// before something needs to find it in memory.
struct PendingMemory {
  private static let size = 4096
  /// By page; nil for a byte that is the same on both sides.
  private var pages: [UInt64: [UInt8?]] = [:]

  var isEmpty: Bool { pages.isEmpty }

  mutating func store(_ bytes: [UInt8], at address: UInt64) {
    var index = 0
    while index < bytes.count {
      let place = address &+ UInt64(index)
      let offset = Int(place % UInt64(Self.size))
      let count = min(bytes.count - index, Self.size - offset)
      var page = pages[place - UInt64(offset)] ?? [UInt8?](repeating: nil, count: Self.size)
      for step in 0..<count { page[offset + step] = bytes[index + step] }
      pages[place - UInt64(offset)] = page
      index += count
    }
  }

  /// Takes out what lies in `first...last`: runs of bytes in the order of their addresses.
  mutating func take(_ first: UInt64, _ last: UInt64) -> [(address: UInt64, bytes: [UInt8])] {
    var runs: [(address: UInt64, bytes: [UInt8])] = []
    let begin = first - first % UInt64(Self.size)
    for base in pages.keys.filter({ $0 >= begin && $0 <= last }).sorted() {
      guard var page = pages[base] else { continue }
      let from = Int(max(first, base) - base)
      let through = Int(min(last - base, UInt64(Self.size - 1)))
      for offset in from...through {
        guard let byte = page[offset] else { continue }
        page[offset] = nil
        let place = base + UInt64(offset)
        if let run = runs.last, run.address + UInt64(run.bytes.count) == place {
          runs[runs.count - 1].bytes.append(byte)
        } else {
          runs.append((place, [byte]))
        }
      }
      pages[base] = page.contains { $0 != nil } ? page : nil
    }
    return runs
  }
}

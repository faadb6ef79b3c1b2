// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

// A worker makes and drops a machine for every input: thousands of small objects each time. The C library keeps seven
// free ones of a size at hand for a thread (`tcache_count`, mallopt's manual), and sorts the others into lists that it
// searches and merges. With more at hand nearly every object is a reused one: a tenth of a worker's time.

/// What a worker's environment is.
enum WorkerEnvironment {
  private static let name = "GLIBC_TUNABLES"
  private static let tunable = "glibc.malloc.tcache_count"

  /// This process's environment, and in it how many free objects of a size are kept at hand, unless somebody has said
  /// that already. `NAME=VALUE` each.
  static func words() -> [String] {
    var words: [String] = []
    var at = environ
    while let word = at.pointee {
      words.append(String(cString: word))
      at += 1
    }
    let place = words.firstIndex { $0.hasPrefix("\(name)=") }
    let others = place.map { String(words.remove(at: $0).dropFirst(name.utf8.count + 1)) } ?? ""
    let tunables = others.split(separator: ":").map(String.init)
    let isSet = tunables.contains { $0.hasPrefix("\(tunable)=") }
    words.append("\(name)=" + (tunables + (isSet ? [] : ["\(tunable)=1000"])).joined(separator: ":"))
    return words
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// Finds what somebody probably meant.
public enum Suggest {
  /// The candidates nearest to a word, at an edit distance (insert, delete, replace, swap neighbours) of
  /// at most two and less than the word is long. All of the smallest distance, in their given order; nothing when
  /// more than three tie, since a long list of guesses helps nobody.
  public static func closest(to word: String, in candidates: some Sequence<String>) -> [String] {
    let wanted = Array(word.lowercased().utf8)
    guard wanted.count <= 64 else { return [] }
    var best = min(2, max(0, wanted.count - 1))
    var found: [String] = []
    for candidate in candidates where candidate != word {
      let bytes = Array(candidate.lowercased().utf8)
      guard abs(bytes.count - wanted.count) <= best, bytes.count <= 64 else { continue }
      let distance = distance(wanted, bytes)
      guard distance <= best else { continue }
      if distance < best {
        best = distance
        found = []
      }
      if !found.contains(candidate) { found.append(candidate) }
    }
    return found.count <= 3 ? found : []
  }

  /// `did you mean 'map'?`, `did you mean 'map' or 'mapfd'?`; nil when nothing is near.
  public static func help(for word: String, in candidates: some Sequence<String>) -> String? {
    let found = closest(to: word, in: candidates).map { "'\($0)'" }
    guard let last = found.last else { return nil }
    if found.count == 1 { return "did you mean \(last)?" }
    return "did you mean \(found.dropLast().joined(separator: ", ")) or \(last)?"
  }

  /// The words that a line of `help(for:in:)` offers; empty for any other line.
  public static func replacements(in help: String) -> [String] {
    guard help.hasPrefix("did you mean '"), help.hasSuffix("'?") else { return [] }
    return help.split(separator: "'", omittingEmptySubsequences: false).enumerated().compactMap {
      $0.offset % 2 == 1 ? String($0.element) : nil
    }
  }

  /// Edit distance with swaps of neighbours (optimal string alignment).
  static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
      var row = [i + 1]
      row.reserveCapacity(b.count + 1)
      for j in 0..<b.count {
        var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
        if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
        row.append(cost)
      }
      before = last
      last = row
    }
    return last[b.count]
  }
}

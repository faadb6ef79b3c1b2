// SPDX-License-Identifier: GPL-3.0-or-later

/// Makes a list as short as it can be while something about it still holds.
///
/// First it drops pieces, from half of the list down to single elements, as long as that succeeds (Zeller and Hildebrandt's
/// `ddmin`); then elements are replaced by simpler ones. Both are repeated until nothing changes or the trials are
/// used up. No list is tried twice.
struct Shrinker<Element: Hashable> {
  /// Trials that may still be made.
  private(set) var budget: Int
  private var tried: Set<[Element]> = []
  private let holds: ([Element]) -> Bool
  /// Simpler forms of an element, the simplest first.
  private let simpler: (Element) -> [Element]

  init(
    budget: Int, simpler: @escaping (Element) -> [Element] = { _ in [] }, holds: @escaping ([Element]) -> Bool
  ) {
    self.budget = budget
    self.simpler = simpler
    self.holds = holds
  }

  /// - Precondition: it holds for `list`.
  mutating func shrink(_ list: [Element]) -> [Element] {
    var best = list
    while budget > 0 {
      let shorter = dropPieces(best)
      let simpler = simplify(shorter)
      if simpler == best { break }
      best = simpler
    }
    return best
  }

  private mutating func dropPieces(_ list: [Element]) -> [Element] {
    var best = list
    var size = max(1, best.count / 2)
    while !best.isEmpty && budget > 0 {
      var isShorter = false
      // From the end: what comes later is more often of no consequence.
      var end = best.count
      while end > 0 && budget > 0 {
        let start = max(0, end - size)
        let candidate = Array(best[..<start] + best[end...])
        if attempt(candidate) {
          best = candidate
          isShorter = true
        }
        end = min(start, best.count)
      }
      if size == 1 && !isShorter { break }
      if !isShorter { size = max(1, size / 2) }
      size = min(size, max(1, best.count))
    }
    return best
  }

  private mutating func simplify(_ list: [Element]) -> [Element] {
    var best = list
    for index in best.indices {
      var isSimpler = true
      while isSimpler && budget > 0 {
        isSimpler = false
        for element in simpler(best[index]) where budget > 0 {
          var candidate = best
          candidate[index] = element
          guard attempt(candidate) else { continue }
          best = candidate
          isSimpler = true
          break
        }
      }
    }
    return best
  }

  private mutating func attempt(_ candidate: [Element]) -> Bool {
    guard tried.insert(candidate).inserted else { return false }
    budget -= 1
    return holds(candidate)
  }
}

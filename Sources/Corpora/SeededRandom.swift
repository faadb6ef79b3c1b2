// SPDX-License-Identifier: GPL-3.0-or-later

/// Random numbers that are the same for the same seed, on every machine and with every compiler.
///
/// Source: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
public struct SeededRandom: Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// 0..<count; the bias of a remainder is of no interest here.
  public mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

  /// Whether something that happens `percent` times in a hundred happens now.
  public mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

  /// - Precondition: there is one.
  public mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

  /// One of `choices` by weight.
  public mutating func pick<Element>(weighted choices: [(Element, Int)]) -> Element {
    var rest = below(choices.reduce(0) { $0 + $1.1 })
    for (choice, weight) in choices {
      if rest < weight { return choice }
      rest -= weight
    }
    return choices[choices.count - 1].0
  }
}

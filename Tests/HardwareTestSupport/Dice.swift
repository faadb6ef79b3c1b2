// SPDX-License-Identifier: GPL-3.0-or-later
private import Glibc

/// A small deterministic generator: SplitMix64. The same seed gives the same numbers on every machine.
public struct Dice: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  public mutating func below(_ n: Int) -> Int { n <= 1 ? 0 : Int(next() % UInt64(n)) }
  public mutating func below(_ n: UInt64) -> UInt64 { n <= 1 ? 0 : next() % n }
  public mutating func one<T>(of values: [T]) -> T { values[below(values.count)] }
  /// True once in `n` times.
  public mutating func one(in n: Int) -> Bool { below(n) == 0 }
  /// True in `percent` of 100 times.
  public mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
}

/// A number in the environment, which makes a test longer or shorter.
public func environment(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

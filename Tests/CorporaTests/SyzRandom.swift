// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora

/// Random programs: every form of the tree, whatever its sense.
struct SyzRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// Source: SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &self) }

  private mutating func number() -> UInt64 {
    [0, 1, 8, .max, 0x7F00_0000_1000, 1 << 63, next() & 0xFFFF, next()][below(8)]
  }

  private mutating func name() -> String { ["r0", "r1", "r2", "r15", "rx_y$z"][below(5)] }

  private mutating func bytes() -> [UInt8] {
    (0..<below(10)).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  mutating func argument(_ depth: Int) -> SyzArgument {
    SyzArgument(value(depth), binding: below(6) == 0 ? name() : nil)
  }

  private mutating func arguments(_ depth: Int) -> [SyzArgument] {
    (0..<below(4)).map { _ in argument(depth) }
  }

  private mutating func value(_ depth: Int) -> SyzValue {
    switch below(depth > 0 ? 14 : 7) {
    case 0, 1: return .integer(number())
    case 2: return .result(SyzVariable(name(), divisor: below(2) == 0 ? 0 : number(), addend: number()))
    case 3:
      let size = below(3) == 0 ? number() : nil
      return .data(SyzData(bytes(), [.text, .hexadecimal, .compressed][below(3)], size: size))
    case 4: return .data(SyzData(bytes(), size: below(3) == 0 ? number() : nil))
    case 5: return .absent
    case 6: return .automatic
    case 7, 8, 9:
      let place = [
        SyzPlace.automatic, .address(number()), .range(number(), length: number()),
      ][below(3)]
      guard below(4) > 0 else { return .pointer(place, nil, isAny: false) }
      return .pointer(place, argument(depth - 1), isAny: below(3) == 0)
    case 10, 11: return .structure(arguments(depth - 1))
    case 12: return .array(arguments(depth - 1))
    default:
      let name = ["ANYBLOB", "ANYRES32", "void", "f0"][below(4)]
      return .option(name, below(3) == 0 ? nil : argument(depth - 1))
    }
  }

  private mutating func comment() -> String { ["", "EINVAL", "a # b", "requires: x"][below(4)] }

  /// - Parameter names: what the calls are called.
  mutating func program(_ names: [String]) -> SyzProgram {
    var program = SyzProgram()
    for index in 0..<below(6) {
      while below(5) == 0 { program.comments.append(SyzProgram.Comment(before: index, comment())) }
      let properties = SyzCall.Properties(
        failNth: below(5) == 0 ? number() : 0, isAsynchronous: below(5) == 0,
        rerun: below(5) == 0 ? number() : 0)
      program.calls.append(
        SyzCall(
          names[below(names.count)], arguments(5), binding: below(3) == 0 ? name() : nil,
          properties: properties, comment: below(4) == 0 ? comment() : nil))
    }
    while below(5) == 0 {
      program.comments.append(SyzProgram.Comment(before: program.calls.count, comment()))
    }
    return program
  }
}

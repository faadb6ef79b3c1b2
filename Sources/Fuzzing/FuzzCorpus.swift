// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// The programs that are worth changing, and what each of them is worth.
///
/// A feature belongs to the smallest program that reaches it. A program that no feature belongs to any more is
/// retired. Which program is changed next is a matter of chance with weights: many features that few inputs reach, few
/// records, and few turns so far make it likely.
struct FuzzCorpus {
  struct Seed {
    let program: ByteProgram
    let bytes: [UInt8]
    /// Features that belong to it.
    fileprivate(set) var owned = 0
    fileprivate(set) var turns = 0
  }

  private struct Owner {
    var seed: Int32
    var size: Int32
    /// How many inputs reached it.
    var reached: UInt32
  }

  private(set) var seeds: [Seed] = []
  private var owners: [UInt32: Owner] = [:]
  /// Running sums of the weights, and how often they were used.
  private var sums: [Int] = []
  private var uses = 0
  /// Features that `Coverage` calls answers.
  private(set) var answers = 0

  var features: Int { owners.count }
  /// Programs that are not retired.
  var living: Int { seeds.count { $0.owned > 0 } }

  /// Counts what an input reached.
  ///
  /// - Returns: the features that no input had reached.
  mutating func reach(_ features: [UInt32]) -> [UInt32] {
    var fresh: [UInt32] = []
    for feature in features {
      guard let place = owners.index(forKey: feature) else {
        fresh.append(feature)
        continue
      }
      owners.values[place].reached &+= 1
    }
    return fresh
  }

  /// Whether some of the features belong to a larger program, so many that the smaller one is worth having.
  func improves(_ features: [UInt32], size: Int) -> Bool {
    var better = 0
    for feature in features {
      if let owner = owners[feature], Int(owner.size) > size + size / 4 { better += 1 }
    }
    return better >= Self.improvement
  }

  private static let improvement = 8

  /// Takes a program in that reaches these features.
  ///
  /// - Returns: the seeds that are retired now.
  mutating func add(_ program: ByteProgram, _ features: [UInt32]) -> [Seed] {
    let number = Int32(seeds.count)
    let size = Int32(program.records.count)
    var seed = Seed(program: program, bytes: program.bytes)
    var retired: [Seed] = []
    for feature in features {
      if let owner = owners[feature] {
        guard owner.size > size else { continue }
        let old = Int(owner.seed)
        seeds[old].owned -= 1
        if seeds[old].owned == 0 { retired.append(seeds[old]) }
        owners[feature] = Owner(seed: number, size: size, reached: owner.reached &+ 1)
      } else {
        owners[feature] = Owner(seed: number, size: size, reached: 1)
        if Coverage.Tier(feature) == .answer { answers += 1 }
      }
      seed.owned += 1
    }
    seeds.append(seed)
    sums = []
    return retired
  }

  // MARK: Choosing

  private static let mostUses = 512

  /// A program to change, by weight.
  mutating func pick(_ random: inout SeededRandom) -> Seed? {
    guard !seeds.isEmpty else { return nil }
    if sums.count != seeds.count || uses >= Self.mostUses { weigh() }
    uses += 1
    guard let total = sums.last, total > 0 else { return seeds[random.below(seeds.count)] }
    let wanted = random.below(total)
    var (low, high) = (0, sums.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > wanted { high = middle } else { low = middle + 1 }
    }
    seeds[low].turns += 1
    return seeds[low]
  }

  /// Any program: where pieces are taken from.
  func other(_ random: inout SeededRandom) -> Seed? { seeds.isEmpty ? nil : seeds[random.below(seeds.count)] }

  /// In whole numbers: sums of fractions would depend on their order, which a dictionary does not keep.
  private mutating func weigh() {
    var rare = [Int](repeating: 0, count: seeds.count)
    for (feature, owner) in owners {
      rare[Int(owner.seed)] +=
        Self.worth(feature) / (1 + UInt32.bitWidth - owner.reached.leadingZeroBitCount)
    }
    var total = 0
    sums = seeds.indices.map { index in
      let seed = seeds[index]
      if seed.owned > 0 {
        let turns = 1 + Int.bitWidth - (seed.turns / 16).leadingZeroBitCount
        total += 1 + (64 + rare[index]) * 16 / (8 + seed.program.records.count) / turns
      }
      return total
    }
    uses = 0
  }

  private static func worth(_ feature: UInt32) -> Int {
    switch Coverage.Tier(feature) {
    case .answer: 2048
    case .detail: 1024
    case .pair, .state: 512
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import CWalk
internal import UAPI

// Translations by the hardware halves, through what the machine calls, beside a bare walk in C of as many levels.

extension BenchRow {
  static let hardwareRows: [BenchRow] = kinds.flatMap { kind in
    let ways: [(BenchScene.Way, String, Budget?)] = [
      (.walk, "walk of 4 levels", .atMost(25)), (.cached, "cached translation", .atMost(8)),
      (.nested, "nested walk", .atMost(150)), (.nestedWalk, "nested walk, no table cached", nil),
    ]
    return ways.filter { kind.nests || !$0.0.isNested }.map { way, name, budget in
      BenchRow(name: "\(kind.name): \(name)", unit: .nanoseconds, budget: budget) { effort in
        measure(effort, kind, way)
      }
    }
  }

  private struct Kind: Sendable {
    let name: String
    var nests = true
    let make: @Sendable (BenchScene.Way) throws(Errno) -> BenchScene
  }

  private static let kinds = [
    Kind(name: "VT-d") { way throws(Errno) in try .vtd(way) },
    Kind(name: "AMD-Vi") { way throws(Errno) in try .amd(way) },
    Kind(name: "SMMUv3") { way throws(Errno) in try .smmu(way) },
    Kind(name: "RISC-V") { way throws(Errno) in try .riscv(way) },
    Kind(name: "s390", nests: false) { way throws(Errno) in try .s390(way) },
  ]

  private static func measure(_ effort: BenchEffort, _ kind: Kind, _ way: BenchScene.Way) -> Outcome {
    do throws(Errno) {
      let scene = try kind.make(way)
      guard let time = scene.nanoseconds(effort, rounds: way.isNested ? 500_000 : 2_000_000) else {
        return Outcome(value: nil, comparison: "a translation is wrong")
      }
      return Outcome(
        value: time,
        comparison: way == .walk ? "in C \(BenchTable.text(plainWalk(effort), .nanoseconds))" : "")
    } catch { return Outcome(error) }
  }

  /// The same accesses, walked in C from the root.
  private static func plainWalk(_ effort: BenchEffort) -> Double {
    let table = iofd_cwalk_new(8)
    defer { iofd_cwalk_free(table) }
    for page in 0..<BenchScene.pages {
      iofd_cwalk_map(table, BenchScene.base + page << 12, (page &* 7 % BenchScene.pages + 8192) << 12, 1)
    }
    var sum: UInt64 = 0
    let time = effort.nanoseconds(rounds: 2_000_000) { rounds in
      var page: UInt64 = 1
      for _ in 0..<rounds {
        page = (page &* 5 &+ 1) & (BenchScene.pages - 1)
        sum &+= iofd_cwalk_translate(table, BenchScene.base + page << 12 + 8, 0)
      }
    }
    return sum == 0 ? .nan : time
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Machine
internal import Runner
internal import UAPI

// Requests through the waist, as a program makes them.

extension BenchRow {
  static let waistRows = [
    BenchRow(name: "map+unmap pair, one page, no page table", unit: .nanoseconds, budget: .atMost(1000)) {
      pair($0, hasTable: false)
    },
    BenchRow(name: "map+unmap pair, one page, one mock page table", unit: .nanoseconds, budget: .atMost(1000))
    {
      pair($0, hasTable: true)
    },
    BenchRow(name: "two threads, disjoint ranges of one IOAS", unit: .times, budget: .atLeast(1.8)) {
      twoThreads($0, spaces: 1)
    },
    BenchRow(name: "two threads, an IOAS each", unit: .times, budget: .atLeast(1.8)) {
      twoThreads($0, spaces: 2)
    },
  ]

  private static func pair(_ effort: BenchEffort, hasTable: Bool) -> Outcome {
    do throws(Errno) {
      let client = try BenchClient()
      let ioas = try client.createIOAS()
      if hasTable { try client.attachMockDevice(to: ioas) }
      let memory = try client.allocate(4096)
      let iova: UInt64 = 0x1000_0000
      let map = try client.mapRequest(ioas, memory, 4096, iova: iova)
      let unmap = try client.unmapRequest(ioas, 4096, iova: iova)
      let time = try effort.nanoseconds(rounds: 200_000) { rounds throws(Errno) in
        try pairs(client, map, unmap, rounds)
      }
      return Outcome(value: time, comparison: hasTable ? "" : "host mmap+munmap, a page: \(hostPair(effort))")
    } catch { return Outcome(error) }
  }

  private static func pairs(_ client: BenchClient, _ map: UInt64, _ unmap: UInt64, _ rounds: Int)
    throws(Errno)
  {
    for _ in 0..<rounds {
      try client.call(BenchClient.Request.map, map)
      try client.call(BenchClient.Request.unmap, unmap)
    }
  }

  /// What the host's kernel takes for a mapping of its own.
  private static func hostPair(_ effort: BenchEffort) -> String {
    let time = effort.nanoseconds(rounds: 50_000) { rounds in
      for _ in 0..<rounds {
        let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        if let page, page != MAP_FAILED { munmap(page, 4096) }
      }
    }
    return BenchTable.text(time, .nanoseconds)
  }

  /// How much more two threads do together than one alone.
  private static func twoThreads(_ effort: BenchEffort, spaces: Int) -> Outcome {
    guard Workers.cores >= 2 else { return Outcome(value: nil, comparison: "one core only") }
    do throws(Errno) {
      let client = try BenchClient()
      var ioas = try client.createIOAS()
      try client.attachMockDevice(to: ioas)
      var requests: [(map: UInt64, unmap: UInt64)] = []
      for thread in 0..<2 as Range<UInt64> {
        if thread == 1, spaces == 2 {
          ioas = try client.createIOAS()
          try client.attachMockDevice(to: ioas)
        }
        let memory = try client.allocate(4096)
        let iova = 0x1000_0000 + thread << 28
        requests.append(
          (
            try client.mapRequest(ioas, memory, 4096, iova: iova),
            try client.unmapRequest(ioas, 4096, iova: iova)
          ))
      }
      let rounds = effort.rounds(200_000)
      let both = requests
      for one in both { try pairs(client, one.map, one.unmap, 1) }
      let ratio = try effort.median { () throws(Errno) in
        let alone = try BenchClock.nanoseconds { () throws(Errno) in
          try pairs(client, both[0].map, both[0].unmap, rounds)
        }
        let turns = Turns(2)
        let together = BenchClock.nanoseconds {
          Workers.run(2) {
            // Both have been made before, and did not fail.
            if let turn = turns.take() { _ = try? pairs(client, both[turn].map, both[turn].unmap, rounds) }
          }
        }
        return 2 * Double(alone) / Double(together)
      }
      return Outcome(value: ratio, comparison: "\(Workers.cores) cores")
    } catch { return Outcome(error) }
  }
}

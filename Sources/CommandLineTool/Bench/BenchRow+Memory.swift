// SPDX-License-Identifier: GPL-3.0-or-later
internal import Machine
internal import Runner
internal import UAPI

// How much the model remembers of a mapping.

extension BenchRow {
  static let memoryRows = [
    BenchRow(name: "memory of the model, a mapped 4 KiB page", unit: .bytes, budget: .atMost(20)) { _ in
      do throws(Errno) {
        let length: UInt64 = 1 << 30
        // No two frames are neighbours, so nothing can be kept as a run.
        let client = try BenchClient(frameStride: 2)
        let ioas = try client.createIOAS()
        try client.attachMockDevice(to: ioas)
        let memory = try client.allocate(length)
        // The pages, their process's page table and their frames' counts exist before anything is mapped.
        for page in 0..<(length >> 12) { try client.target.memory.store(page, at: memory + page << 12) }
        let map = try client.mapRequest(ioas, memory, length, iova: 0x1000_0000)
        let before = Watch.residentBytes()
        try client.call(BenchClient.Request.map, map)
        let after = Watch.residentBytes()
        return Outcome(
          value: Double(after - before) / Double(length >> 12),
          comparison: "1 GiB in scattered frames, one page table")
      } catch { return Outcome(error) }
    }
  ]
}

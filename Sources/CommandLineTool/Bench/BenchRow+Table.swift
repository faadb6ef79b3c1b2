// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// The page table of the mock driver, below everything.

extension BenchRow {
  static let tableRows = [
    BenchRow(name: "mock table: map or unmap one page", unit: .nanoseconds, budget: .atMost(60)) {
      one($0)
    },
    BenchRow(name: "mock table: map 1 GiB, a page of it", unit: .nanoseconds, budget: .atMost(1.5)) {
      bulk($0)
    },
    BenchRow(name: "mock table: translation, warm", unit: .nanoseconds, budget: .atMost(25)) {
      translation($0)
    },
  ]

  /// The table of a device as the driver makes it, and memory for it.
  private static func domain() throws(Errno) -> any PagingDomain {
    let driver = MockDriver(.standard, memory: PhysicalMemory(), failures: FailurePoints())
    let device = try driver.createDevice(flags: 0, on: IOMMUInstance(name: "bench", driver: driver))
    return try driver.allocatePaging(for: device)
  }

  /// What is computed is used, so that nobody leaves it out.
  private nonisolated(unsafe) static var blackHole: UInt64 = 0

  private static let base: UInt64 = 0x1000_0000
  private static let readWrite: Protection = [.read, .write]

  private static func one(_ effort: BenchEffort) -> Outcome {
    do throws(Errno) {
      let table = try domain()
      // A neighbour keeps the inner nodes, so that only the entry itself is made and removed.
      try table.map(IOVA(base), to: PhysAddr(0x10000), length: 4096, protection: readWrite)
      let both = try effort.nanoseconds(rounds: 1_000_000) { rounds throws(Errno) in
        for round in 0..<rounds {
          let iova = IOVA(base + 4096 + UInt64(round & 0xFF) << 12)
          try table.map(iova, to: PhysAddr(0x20000), length: 4096, protection: readWrite)
          table.unmap(iova, length: 4096)
        }
      }
      return Outcome(value: both / 2, comparison: "Linux, published: 53-88 ns")
    } catch { return Outcome(error) }
  }

  private static func bulk(_ effort: BenchEffort) -> Outcome {
    do throws(Errno) {
      let table = try domain()
      let length: UInt64 = 1 << 30
      let time = try effort.median { () throws(Errno) in
        let time = try BenchClock.nanoseconds { () throws(Errno) in
          try table.map(IOVA(base), to: PhysAddr(0x10000), length: length, protection: readWrite)
        }
        table.unmap(IOVA(base), length: length)
        return Double(time)
      }
      return Outcome(value: time / Double(length >> 12), comparison: "Linux, published: 1.5 ns")
    } catch { return Outcome(error) }
  }

  private static func translation(_ effort: BenchEffort) -> Outcome {
    do throws(Errno) {
      let table = try domain()
      let pages: UInt64 = 1024
      for page in 0..<pages {
        try table.map(
          IOVA(base + page << 12), to: PhysAddr(0x10000 + (page &* 7 % pages) << 12), length: 4096,
          protection: readWrite)
      }
      let time = effort.nanoseconds(rounds: 2_000_000) { rounds in
        var sum: UInt64 = 0
        var page: UInt64 = 1
        for _ in 0..<rounds {
          page = (page &* 5 &+ 1) & (pages - 1)
          sum &+= table.translate(IOVA(base + page << 12 + 8))?.raw ?? 0
        }
        blackHole = sum
      }
      return Outcome(value: time)
    } catch { return Outcome(error) }
  }
}

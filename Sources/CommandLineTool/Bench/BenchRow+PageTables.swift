// SPDX-License-Identifier: GPL-3.0-or-later
internal import CWalk
internal import Memory
internal import PageTables
internal import UAPI

// The page tables of real IOMMUs, as drivers call them, beside a table of the same work in plain C.

extension BenchRow {
  static let pageTableRows: [BenchRow] = BenchTableFormat.all.flatMap { format in
    [
      BenchRow(name: "\(format.name): map or unmap a page", unit: .nanoseconds, budget: .atMost(60)) {
        measure($0, format, pages: 1)
      },
      BenchRow(name: "\(format.name): 256 pages at once, a page", unit: .nanoseconds, budget: .atMost(1.5)) {
        measure($0, format, pages: 256)
      },
    ]
  }

  private static let base: UInt64 = 0x1_4000_0000

  /// The slower of map and unmap, a page; in calls of so many pages, of which a run makes many and undoes them.
  private static func measure(_ effort: BenchEffort, _ format: BenchTableFormat, pages: UInt64) -> Outcome {
    do throws(Errno) {
      let memory = PhysicalMemory(size: 1 << 28)
      let table = try format.make(memory)
      // One page of each 256 KiB stays, so that tables stay, and only entries are made and removed.
      let calls: UInt64 = pages == 1 ? 256 : 64
      let stride = pages == 1 ? 2 : pages + 1
      for call in 0..<calls {
        let keeper = base + (call * stride + pages) << 12
        try map(table, keeper, 0x100_0000, 1)
      }
      let rounds = effort.rounds(64)
      let times = try time(effort, rounds, calls * pages) { () throws(Errno) in
        for call in 0..<calls {
          let iova = base + (call * stride) << 12
          try map(table, iova, 0x200_1000 + iova & 0xFF_FFFF, pages)
        }
      } undo: {
        for call in 0..<calls {
          let iova = base + (call * stride) << 12
          if unmap(table, iova, pages) != pages << 12 { return false }
        }
        return true
      }
      guard let times else { return Outcome(value: nil, comparison: "a table lost pages") }
      let c = plain(effort, pages: pages, calls: calls, stride: stride, rounds: rounds)
      return Outcome(
        value: max(times.work, times.undo),
        comparison:
          "map \(text(times.work)), unmap \(text(times.undo)); in C \(text(c.work)), \(text(c.undo))")
    } catch { return Outcome(error) }
  }

  /// As a driver does it: with a gather of its own for each call.
  private static func map(_ table: any PageTable, _ iova: UInt64, _ physical: UInt64, _ pages: UInt64)
    throws(Errno)
  {
    var gather = TableGather()
    defer { gather.release() }
    try table.map(
      IOVA(iova), to: PhysAddr(physical), length: pages << 12, [.read, .write, .cache], gather: &gather)
  }

  private static func unmap(_ table: any PageTable, _ iova: UInt64, _ pages: UInt64) -> UInt64 {
    var gather = TableGather()
    defer { gather.release() }
    return table.unmap(IOVA(iova), length: pages << 12, gather: &gather)
  }

  private static func text(_ value: Double) -> String { BenchTable.text(value, .nanoseconds) }

  /// Medians of the time that work and its undoing take, of `items` items each; nil when undoing failed.
  private static func time<Failure: Error>(
    _ effort: BenchEffort, _ rounds: Int, _ items: UInt64, work: () throws(Failure) -> Void,
    undo: () -> Bool
  ) throws(Failure) -> (work: Double, undo: Double)? {
    var undone: [Double] = []
    var isWhole = true
    let work = try effort.median { () throws(Failure) -> Double in
      var (forth, back): (UInt64, UInt64) = (0, 0)
      for _ in 0..<rounds {
        forth &+= try BenchClock.nanoseconds(work)
        back &+= BenchClock.nanoseconds { if !undo() { isWhole = false } }
      }
      undone.append(Double(back) / Double(items) / Double(rounds))
      return Double(forth) / Double(items) / Double(rounds)
    }
    undone.sort()
    return isWhole ? (work, undone[undone.count / 2]) : nil
  }

  private static func plain(_ effort: BenchEffort, pages: UInt64, calls: UInt64, stride: UInt64, rounds: Int)
    -> (work: Double, undo: Double)
  {
    let table = iofd_cwalk_new(256)
    defer { iofd_cwalk_free(table) }
    for call in 0..<calls { iofd_cwalk_map(table, base + (call * stride + pages) << 12, 0x100_0000, 1) }
    let times = time(effort, rounds, calls * pages) {
      for call in 0..<calls {
        let iova = base + (call * stride) << 12
        iofd_cwalk_map(table, iova, 0x200_1000 + iova & 0xFF_FFFF, Int(pages))
      }
    } undo: {
      var unmapped = 0
      for call in 0..<calls { unmapped += iofd_cwalk_unmap(table, base + (call * stride) << 12, Int(pages)) }
      return unmapped == Int(calls * pages)
    }
    return times ?? (.nan, .nan)
  }
}

/// A format of page tables, as Linux uses it.
struct BenchTableFormat: Sendable {
  let name: String
  let make: @Sendable (PhysicalMemory) throws(Errno) -> any PageTable

  private init(_ name: String, _ make: @escaping @Sendable (PhysicalMemory) throws(Errno) -> any PageTable) {
    self.name = name
    self.make = make
  }

  static let all = [
    BenchTableFormat("VT-d second stage") { memory throws(Errno) in
      try VTdSecondStageTable(memory, .init(levels: 4))
    },
    BenchTableFormat("x86-64 first stage") { memory throws(Errno) in
      try X86FirstStageTable(memory, .init(levels: 4))
    },
    BenchTableFormat("AMD v1") { memory throws(Errno) in try AMDV1Table(memory, .init(levels: 4)) },
    BenchTableFormat("Arm stage 1, 4K") { memory throws(Errno) in
      try ArmStage1Table4K(memory, ArmGeometry(granuleLg2: 12, stage: .one, inputLg2: 48, outputLg2: 48))
    },
    BenchTableFormat("Arm stage 2, 4K") { memory throws(Errno) in
      try ArmStage2Table4K(memory, ArmGeometry(granuleLg2: 12, stage: .two, inputLg2: 48, outputLg2: 48))
    },
    BenchTableFormat("RISC-V Sv48") { memory throws(Errno) in try RISCVTable(memory, .init(.sv48)) },
    BenchTableFormat("s390, region-third") { memory throws(Errno) in
      try ZPCITable(memory, .init(.regionThird))
    },
  ]
}

// SPDX-License-Identifier: GPL-3.0-or-later
import IOMMU
import Memory
import Seams
import Synchronization
import Testing
import UAPI

@testable import Drivers

/// The slow obvious version: 2 KiB pieces in a dictionary, and the leaves that a map call made.
private struct PlainTable {
  var pieces: [UInt64: UInt64] = [:]

  mutating func map(_ iova: UInt64, _ physical: UInt64, _ length: UInt64) -> Bool {
    let offsets = stride(from: UInt64(0), to: length, by: 2048)
    guard offsets.allSatisfy({ pieces[iova + $0] == nil }) else { return false }
    for offset in offsets { pieces[iova + offset] = physical + offset }
    return true
  }

  mutating func unmap(_ iova: UInt64, _ length: UInt64) {
    for offset in stride(from: UInt64(0), to: length, by: 2048) { pieces[iova + offset] = nil }
  }

  func translate(_ iova: UInt64) -> UInt64? { pieces[iova & ~2047].map { $0 | iova & 2047 } }
}

@Suite("Tables of the mock IOMMU")
struct MockTableTests {
  static let aperture = Span64(0, (1 << 38) - 1)

  /// Makes one of the two formats.
  enum Format: CaseIterable, Sendable {
    case amd, amdHuge, flat, flatHuge

    func make(_ failures: FailurePoints = FailurePoints()) -> any MockTable {
      switch self {
      case .amd:
        AMDMockTable(failures, aperture: aperture, pageSizes: (1 << 37) - (1 << 11))
      case .amdHuge: AMDMockTable(failures, aperture: aperture, pageSizes: 1 << 20 | 4096)
      case .flat: FlatMockTable(failures, aperture: aperture, pageSizes: 2048)
      case .flatHuge: FlatMockTable(failures, aperture: aperture, pageSizes: 1 << 20 | 2048)
      }
    }

    var smallest: UInt64 { self == .amdHuge ? 4096 : 2048 }
  }

  @Test(arguments: Format.allCases)
  func randomMapsAndUnmapsTranslateAsAPlainDictionary(_ format: Format) throws {
    var random = SplitMix(seed: 7)
    for _ in 0..<20 {
      let table = format.make()
      var plain = PlainTable()
      var live: [(iova: UInt64, length: UInt64)] = []
      for _ in 0..<60 {
        if live.isEmpty || random.next() % 3 != 0 {
          let unit = format.smallest
          let length = unit * (1 + random.next() % (random.next() % 4 == 0 ? 3000 : 12))
          // Now and then where the sizes can grow large, and across the ends of tables.
          let iova = (random.next() % 64) << 20 + (random.next() % 2) * unit * (random.next() % 600)
          let physical = random.next() % 3 == 0 ? iova : (random.next() % 4096) * unit
          let fits = plain.map(iova, physical, length)
          do throws(Errno) {
            try table.map(iova, to: physical, length: length, protection: [.read, .write])
            #expect(fits)
            live.append((iova, length))
          } catch {
            #expect(error == .EADDRINUSE && !fits)
          }
        } else {
          let index = Int(random.next() % UInt64(live.count))
          let gone = live.remove(at: index)
          #expect(table.unmap(gone.iova, length: gone.length) == gone.length)
          plain.unmap(gone.iova, gone.length)
        }
      }
      #expect(same(table, plain))
      for range in live {
        #expect(table.unmap(range.iova, length: range.length) == range.length)
      }
      #expect(same(table, PlainTable()))
    }
  }

  /// Leaves and single translations say what the dictionary says, and nothing more.
  private func same(_ table: any MockTable, _ plain: PlainTable) -> Bool {
    var bytes: UInt64 = 0
    var last: UInt64?
    var ascending = true
    var right = true
    table.forEachLeaf(in: .everything) { leaf in
      bytes += 1 << UInt64(leaf.sizeLg2)
      if let last, leaf.iova.raw <= last { ascending = false }
      last = leaf.iova.raw
      for offset in stride(from: UInt64(0), to: 1 << UInt64(leaf.sizeLg2), by: 2048)
      where plain.pieces[leaf.iova.raw + offset] != leaf.physical.raw + offset { right = false }
    }
    let probes = plain.pieces.keys.prefix(200).flatMap { [$0, $0 + 1, $0 + 2047, $0 &- 1, $0 + 2048] }
    return bytes == UInt64(plain.pieces.count) * 2048 && ascending && right
      && probes.allSatisfy { table.translate($0) == plain.translate($0) }
  }

  @Test func leavesAreTheLargestThatFit() throws {
    let table = Format.amd.make()
    // 8 KiB at an address that only 4 KiB divides, then up to the 1 MiB boundary, then 2 MiB.
    try table.map(0x3F_F000, to: 0x7F_F000, length: 0x1000 + 0x40_0000, protection: .read)
    #expect(sizes(table) == [12, 22])
    let odd = Format.amd.make()
    try odd.map(0x800, to: 0x800, length: 0x3800, protection: .read)
    #expect(sizes(odd) == [11, 12, 13])
    let skewed = Format.amd.make()
    try skewed.map(0x10_0000, to: 0x800, length: 0x1000, protection: .read)
    #expect(sizes(skewed) == [11, 11])
    let huge = Format.amdHuge.make()
    try huge.map(0x10_0000, to: 0x20_0000, length: 0x20_1000, protection: .read)
    #expect(sizes(huge) == [20, 20, 12])
    // The IOMMU core's choice for 6.12: no large leaf where none fits after the next boundary.
    let flat = Format.flatHuge.make()
    try flat.map(0x10_0800, to: 0x800, length: 0x2F_F800, protection: .read)
    #expect(sizes(flat).count { $0 == 20 } == 2)
    #expect(sizes(flat).count { $0 == 11 } == 511)
  }

  private func sizes(_ table: any MockTable) -> [Int] {
    var result: [Int] = []
    table.forEachLeaf(in: .everything) { result.append($0.sizeLg2) }
    return result
  }

  @Test func refusals() throws {
    let amd = Format.amd.make()
    #expect(throws: Errno.EINVAL) { try amd.map(0, to: 0, length: 4096, protection: []) }
    #expect(throws: Errno.ERANGE) { try amd.map(0, to: 1 << 51, length: 4096, protection: .read) }
    #expect(throws: Errno.EINVAL) { try amd.map(0, to: 0, length: 4096 + 512, protection: .read) }
    #expect(throws: Errno.ENXIO) { try amd.map(512, to: 0, length: 4096, protection: .read) }
    #expect(throws: Errno.ERANGE) { try amd.map(1 << 38, to: 0, length: 4096, protection: .read) }
    #expect(throws: Errno.EOVERFLOW) {
      try amd.map(.max - 2047, to: 0, length: 4096, protection: .read)
    }
    let flat = Format.flat.make()
    #expect(throws: Errno.EINVAL) { try flat.map(512, to: 0, length: 4096, protection: .read) }
    #expect(throws: Errno.EINVAL) { try flat.map(.max - 2047, to: 0, length: 4096, protection: .read) }
    // A mapping without permissions is 7.2's to refuse.
    try flat.map(0, to: 0, length: 2048, protection: [])
    for table in [amd, flat] {
      #expect(table.unmap(.max - 4095, length: 8192) == 0)
      #expect(table.translate(.max) == nil)
      table.forEachLeaf(in: Span64(1 << 40, .max)) { _ in Issue.record("there is no leaf up there") }
    }
  }

  @Test func aFailedMapLeavesNothing() throws {
    for format in Format.allCases {
      for n in 1...6 {
        let failures = FailurePoints()
        let table = format.make(failures)
        try table.map(0x40_0000, to: 0, length: 4096, protection: .read)
        failures.arm(nth: UInt64(n))
        #expect(throws: Errno.self) {
          // Over three tables and then into what is mapped.
          try table.map(0x10_0000, to: 0x1000, length: 0x40_0000, protection: .read)
        }
        failures.disarm()
        #expect(sizes(table).reduce(0) { $0 + 1 << $1 } == 4096)
      }
    }
  }

  @Test func anUnmapEndsAtTheFirstHoleAndNeverSplits() throws {
    let table = Format.amd.make()
    try table.map(0, to: 0, length: 0x4000, protection: .read)
    try table.map(0x8000, to: 0, length: 0x1000, protection: .read)
    #expect(table.unmap(0x2000, length: 0x1000) == 0)
    #expect(table.unmap(0, length: 0x1000) == 0x4000)
    #expect(table.unmap(0, length: 0x9000) == 0)
    #expect(table.translate(0x8000) == 0)
  }

  // MARK: Threads

  @Test func disjointRangesOnThreads() async throws {
    let table = Format.amd.make()
    // Neighbouring 16 KiB pieces of the same tables.
    await withTaskGroup(of: Void.self) { group in
      for worker in 0..<4 as Range<UInt64> {
        group.addTask {
          for round in 0..<2000 as Range<UInt64> {
            let iova = (round % 50) << 16 | worker << 14
            do throws(Errno) {
              try table.map(iova, to: round << 14, length: 0x4000, protection: .read)
            } catch { Issue.record("map: \(error)") }
            #expect(table.translate(iova + 5) == round << 14 + 5)
            #expect(table.unmap(iova, length: 0x4000) == 0x4000)
          }
        }
      }
      group.addTask {
        // A reader that looks at tables as they come and go sees leaves or nothing.
        for _ in 0..<200 { table.forEachLeaf(in: Span64(0, 0xFF_FFFF)) { _ in } }
      }
    }
    #expect(sizes(table).isEmpty)
  }

  @Test func memoryIsBounded() throws {
    let table = AMDMockTable(FailurePoints(), aperture: Self.aperture, pageSizes: (1 << 37) - (1 << 11))
    let pages: UInt64 = 1 << 14
    for page in 0..<pages {
      try table.map(page << 12, to: (page ^ 1) << 12, length: 4096, protection: .read)
    }
    #expect(UInt64(table.tableCount) * 4096 <= 16 * pages + 3 * 4096)
    for page in 0..<pages { _ = table.unmap(page << 12, length: 4096) }
    // The whole range is one leaf now, and takes the empty tables out.
    try table.map(0, to: 0, length: pages << 12, protection: .read)
    #expect(table.tableCount == 2)
  }
}

/// A small generator with a seed.
struct SplitMix {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
    return z ^ z >> 31
  }
}

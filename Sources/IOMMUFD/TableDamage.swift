// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import IOMMU
internal import Memory
internal import Seams

// The page tables of real IOMMUs are bytes of simulated memory, and anybody who can write there can overwrite them: a
// script, a device whose translation is stale, a fuzzer. Meanwhile iommufd keeps no list of the frames that it has
// pinned: it reads them back out of a domain's table. What it does with a table that has been overwritten is decided
// here, once:
//
//     the table answers                        iommufd goes on with               and says
//     another page than it was given           that page                          nothing: the kernel cannot know
//     nothing, or an address without memory    frame 0, which is never anybody's  which HWPT, which IOVA
//     fewer bytes unmapped than were mapped    what it would do anyway            which HWPT, which range
//
// So as in the kernel, whose `iommu_iova_to_phys` answers 0 where nothing is: a page that the table has lost stays
// pinned for ever, one that it has found is unpinned for somebody else, and a domain that is filled from a table maps
// what that table says. The number of pages that a mapping has pinned and charged does not come from a table and stays
// right. A pin that is taken back once too often is not taken back, and counted: see `PhysicalMemory.unpin`. References
// to frames never come from a table, so no frame that a process or a page table uses is freed by a wrong one.
//
// The kernel says of the last row that it cannot be: `WARN_ON` in `iommu_unmap_nofail`, `pages.c`. It would touch a
// `struct page` that does not exist for an address without memory.

/// What iommufd has found wrong in the page tables that it filled, since the machine began.
public final class TableDamage: @unchecked Sendable {
  /// Findings of one kind that are kept as text; the others are counted.
  private static let shown = 8

  private let lock = Lock(.tableDamage)
  // Guarded by `lock`.
  private var texts: [String] = []
  private var count: UInt64 = 0
  private var hwpts: [ObjectIdentifier: UInt32] = [:]

  /// Tells which HWPT a domain belongs to, from before it is filled on.
  func enter(_ domain: any PagingDomain, of hwpt: UInt32) {
    lock.withLock { hwpts[ObjectIdentifier(domain)] = hwpt }
  }

  /// The HWPT of a domain is gone, and the domain is empty.
  func leave(_ domain: any PagingDomain) {
    lock.withLock { hwpts[ObjectIdentifier(domain)] = nil }
  }

  /// A page that iommufd stored at `iova` cannot be read back; `found` is where the table says that it is.
  @inline(never)
  func noteLost(_ iova: IOVA, in domain: any PagingDomain, found: PhysAddr?) {
    note(domain) { table in
      let rest =
        found.map { "leads to \(hex($0.raw)), where no page can be, from" } ?? "has no translation for"
      return "\(table) \(rest) IOVA \(hex(iova.raw)), where iommufd stored one"
    }
  }

  /// Only `done` of the bytes that iommufd stored in a range have been unmapped.
  @inline(never)
  func noteKept(_ range: Span64, in domain: any PagingDomain, unmapped done: UInt64) {
    note(domain) { table in
      "\(table) gave back \(hex(done)) bytes of the \(hex(range.count)) that iommufd stored at IOVA \(hex(range.first))"
    }
  }

  private func note(_ domain: any PagingDomain, _ text: (_ table: String) -> String) {
    lock.withLock {
      count += 1
      guard texts.count < Self.shown else { return }
      let hwpt = hwpts[ObjectIdentifier(domain)].map { " of HWPT \($0)" } ?? ""
      texts.append(text("the page table\(hwpt)"))
    }
  }

  /// The rule that was broken, if it was.
  public var violations: [Violation] {
    lock.withLock {
      guard count > 0 else { return [] }
      let rest = count - UInt64(texts.count)
      let evidence = texts.joined(separator: "; ") + (rest > 0 ? "; and \(rest) more" : "")
      return [Violation("a page table keeps what iommufd stored in it", evidence)]
    }
  }
}

private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

extension Pages {
  /// The frame behind an IOVA of a domain that this object filled; frame 0 where the table has lost it.
  /// `batch_from_domain`.
  func frame(at iova: IOVA, in domain: any PagingDomain) -> FrameNumber {
    let physical = domain.translate(iova)
    if let physical, isFrame(physical) { return physical.frame }
    kernel.damage.noteLost(iova, in: domain, found: physical)
    return FrameNumber(0)
  }

  /// The same for whoever only looks; nil where the table has lost it.
  func peek(at iova: IOVA, in domain: any PagingDomain) -> FrameNumber? {
    guard let physical = domain.translate(iova), isFrame(physical) else { return nil }
    return physical.frame
  }

  /// Whether an address lies in a frame that may be somebody's.
  private func isFrame(_ physical: PhysAddr) -> Bool {
    // Frame 0 becomes the largest number.
    (physical.raw >> Page.shift) &- 1 < highestFrame
  }

  /// Removes an area's translations from a domain. `iommu_unmap_nofail`.
  func unmapWhole(_ area: Area, from domain: any PagingDomain) {
    let done = domain.unmap(IOVA(area.iova.first), length: area.length)
    Tracer.tell(MachineEvent(.domainUnmap, .hex(area.iova.first), .hex(done)))
    if done != area.length, !isRevoked { kernel.damage.noteKept(area.iova, in: domain, unmapped: done) }
  }
}

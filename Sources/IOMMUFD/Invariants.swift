// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import IOMMU
internal import Memory
internal import Seams
internal import Synchronization

// What must hold of the IOAS half whenever no call is in flight. The numbers are those of reference
// io-pagetable.md section 7; each is checked from the data that the kernel would have, by the slow obvious
// way. A broken one is a bug of the model.

/// Collects what is broken.
///
/// A table that was overwritten can break a rule at every page: of each rule the first few cases are kept, and the
/// others are counted.
struct Findings {
  private static let shown = 8

  private var kept: [Violation] = []
  private var counts: [String: Int] = [:]

  mutating func require(_ holds: Bool, _ invariant: String, _ evidence: @autoclosure () -> String) {
    if holds { return }
    counts[invariant, default: 0] += 1
    if counts[invariant, default: 0] <= Self.shown { kept.append(Violation(invariant, evidence())) }
  }

  var violations: [Violation] {
    kept
      + counts.filter { $0.value > Self.shown }.sorted { $0.key < $1.key }.map {
        Violation($0.key, "and \($0.value - Self.shown) more")
      }
  }
}

extension ObjectCensus {
  /// Every broken invariant of this file, the device half included.
  public func violations() -> [Violation] {
    var findings = Findings()
    checkObjects(&findings)
    for (ioas, mine) in zip(spaces, areas) { ioas.checkSpace(mine, &findings) }
    // 14, 22...26, 28, 29, 32...34, 39: pins and charges, over all pages objects of the file.
    for source in sources {
      source.pages.lock.withLock { source.pages.check(source.areas, &findings) }
    }
    checkDevices(&findings)
    return findings.violations
  }

  /// 38, 40: the reference ledger and the IDs.
  private func checkObjects(_ findings: inout Findings) {
    var held = [Int](repeating: 0, count: all.count)
    for targets in references { for target in targets { held[target] += 1 } }
    for (place, object) in all.enumerated() {
      let expected = 1 + held[place] + object.externalUsers
      findings.require(
        object.users == expected, "users is 1 plus the holders",
        "\(object.kind.name) \(object.id) has \(object.users) users and \(expected - 1) holders")
      findings.require(object.id >= 1, "IDs begin at 1", "\(object.kind.name) \(object.id)")
    }
  }
}

extension IOAS {
  /// - Parameter areas: those of the space.
  fileprivate func checkSpace(_ areas: [Area], _ findings: inout Findings) {
    let table = pagetable
    table.domainsLock.lockShared()
    table.areasLock.lockShared()
    defer {
      table.areasLock.unlockShared()
      table.domainsLock.unlockShared()
    }
    checkIntervals(table, areas, &findings)
    checkDomains(table, areas, &findings)
    let expected = hwptLock.withLock { hwpts.map { $0.domain } }
    findings.require(
      table.domains.count == expected.count
        && table.domains.allSatisfy { slot in expected.contains { $0 === slot } },
      "the IOAS's domains are those of its HWPTs",
      "IOAS \(id) has \(table.domains.count) domains and \(expected.count) HWPTs")
    for access in table.accesses {
      findings.require(
        access.currentIOAS == nil || access.currentIOAS === self,
        "an access is in the list of the IOAS that it is attached to", "IOAS \(id), access \(access.id)")
    }
  }

  /// 1...8, 10.
  private func checkIntervals(_ table: IOPageTable, _ areas: [Area], _ findings: inout Findings) {
    for (low, high) in zip(areas, areas.dropFirst()) {
      findings.require(
        low.iova.last < high.iova.first, "areas are disjoint and ascending",
        "IOAS \(id): \(hex(low.iova)) and \(hex(high.iova))")
    }
    findings.require(
      areas.count == table.areas.count, "the number of areas is what was inserted", "IOAS \(id)")
    for area in areas {
      findings.require(
        !table.reserved.overlaps(area.iova), "no area meets a reservation", "IOAS \(id): \(hex(area.iova))")
      findings.require(
        area.isPublished, "no area is in flight at rest", "IOAS \(id): \(hex(area.iova))")
      findings.require(
        area.pageOffset < Page.size, "an area's page offset is inside its page",
        "IOAS \(id): \(hex(area.iova))")
      let pages = (area.pageOffset + area.length + Page.mask) >> Page.shift
      findings.require(
        area.index.last < area.pages.pageCount && area.index.count == pages,
        "an area's slice is inside its pages and as long as the area",
        "IOAS \(id): \(hex(area.iova)), pages \(area.index.first)...\(area.index.last)")
      findings.require(
        !area.protection.contains(.write) || area.pages.writable, "a writeable area has writable pages",
        "IOAS \(id): \(hex(area.iova))")
    }
    for (low, high) in zip(table.allowed, table.allowed.dropFirst()) {
      findings.require(
        low.last < high.first, "allowed ranges are disjoint", "IOAS \(id): \(hex(low)), \(hex(high))")
    }
    for range in table.allowed {
      findings.require(
        !table.reserved.overlaps(range), "no allowed range meets a reservation", "IOAS \(id): \(hex(range))")
    }
    findings.require(
      table.alignment == table.requiredAlignment && table.alignment <= Page.size,
      "the alignment is what domains, accesses and options demand",
      "IOAS \(id): \(table.alignment), demanded \(table.requiredAlignment)")
  }

  /// 12, 13, 15...18: every domain translates exactly the areas.
  private func checkDomains(_ table: IOPageTable, _ areas: [Area], _ findings: inout Findings) {
    for area in areas {
      let storage = area.pages.lock.withLock { area.storage }
      findings.require(
        (storage != nil) == !table.domains.isEmpty, "an area has a storage domain while there are domains",
        "IOAS \(id): \(hex(area.iova))")
      findings.require(
        storage.map { s in table.domains.contains { $0 === s } } ?? true,
        "the storage domain is one of the IOAS's", "IOAS \(id): \(hex(area.iova))")
    }
    for (slot, domain) in table.domains.enumerated() {
      checkTranslations(table, areas, domain, slot, &findings)
    }
  }

  /// Areas and leaves both ascend, so one walk along both is enough.
  private func checkTranslations(
    _ table: IOPageTable, _ areas: [Area], _ domain: any PagingDomain, _ slot: Int,
    _ findings: inout Findings
  ) {
    var mapped: UInt64 = 0
    var next = 0
    domain.forEachLeaf(in: .everything) { leaf in
      let span = Span64(leaf.iova.raw, leaf.iova.raw | ((1 << UInt64(leaf.sizeLg2)) &- 1))
      while next < areas.count, areas[next].iova.last < span.first { next += 1 }
      let isInside = next < areas.count && areas[next].iova.contains(span)
      findings.require(
        isInside, "a domain translates nothing outside the areas", "IOAS \(id), domain \(slot): \(hex(span))")
      findings.require(
        !table.largePagesDisabled || leaf.sizeLg2 <= Int(Page.shift),
        "while large pages are off no translation is larger than a page",
        "IOAS \(id), domain \(slot): \(hex(span))")
      guard isInside else { return }
      mapped &+= span.count
      checkTranslation(of: span, leaf, areas[next], domain, slot, &findings)
    }
    let total = areas.reduce(0) { $0 + ($1.pages.isRevoked ? 0 : $1.length) }
    findings.require(
      mapped == total, "every domain translates every area",
      "IOAS \(id), domain \(slot): \(mapped) of \(total) bytes")
  }

  private func checkTranslation(
    of span: Span64, _ leaf: Leaf, _ area: Area, _ domain: any PagingDomain, _ slot: Int,
    _ findings: inout Findings
  ) {
    area.pages.lock.lock()
    defer { area.pages.lock.unlock() }
    // Where the domain itself is the only one that knows the frames, it is asked once for each leaf, by a lookup.
    if area.storage === domain, area.pages.heldFrames.isEmpty, !area.pages.isDMABuf {
      check(span.first, area.pages.peek(at: leaf.iova, in: domain))
      return
    }
    for x in stride(from: span.first, through: span.last, by: Int(Page.size)) {
      check(x, area.pages.expectedFrame(area.startByte(x) >> Page.shift, in: area))
    }

    func check(_ x: UInt64, _ frame: FrameNumber?) {
      guard let frame else { return }
      let expected = frame.address.raw + (area.startByte(x) & Page.mask)
      findings.require(
        leaf.physical.raw &+ (x - span.first) == expected, "every domain translates an area to its pages",
        "IOAS \(id), domain \(slot), IOVA 0x\(String(x, radix: 16))")
    }
  }

  private func hex(_ span: Span64) -> String {
    "0x\(String(span.first, radix: 16))...0x\(String(span.last, radix: 16))"
  }
}

extension Pages {
  /// The frame that an index of an area must translate to, as far as somebody besides the domain in question
  /// knows it: an access, the storage domain, the dma-buf.
  fileprivate func expectedFrame(_ index: UInt64, in area: Area) -> FrameNumber? {
    if let frame = heldFrames[index] { return frame }
    switch source {
    case .dmabuf(let buffer, let firstPage):
      return FrameNumber(buffer.firstFrame.raw + UInt32(firstPage + index))
    case .user, .file:
      return area.storage.flatMap { peek(at: IOVA(area.iova(of: index)), in: $0) }
    }
  }

  /// The lock is held; `areas` are all that use this object.
  fileprivate func check(_ areas: [Area], _ findings: inout Findings) {
    var name: String {
      "pages of \(areas.count) areas, the first at IOVA 0x\(String(areas.first?.iova.first ?? 0, radix: 16))"
    }
    for area in areas {
      let listed = domainUses.firstIndex(of: area.index) { $0 === area } != nil
      findings.require(
        listed == (area.storage != nil), "an area is in the domain tree while it has a storage domain", name)
      findings.require(area.locks <= area.accesses, "locks are a kind of pins", name)
    }
    findings.require(
      domainUses.elements.count == areas.count { $0.storage != nil }, "the domain tree lists each area once",
      name)
    var cover: UInt64 = 0
    if pageCount > 0 {
      for (use, span) in pieces(of: Span64(0, pageCount - 1)) where use != .hole { cover += span.count }
    }
    findings.require(
      pinned == (isDMABuf ? 0 : cover), "a page is pinned once while somebody uses it, and not otherwise",
      "\(name): \(pinned) pinned, \(cover) used")
    findings.require(
      charged == pinned || !ownerMemory.isAlive, "what is pinned is charged",
      "\(name): \(pinned) pinned, \(charged) charged")
    var users = 0
    for element in accessUses.elements {
      findings.require(element.payload.users > 0, "a pinned interval has a user", name)
      users += element.payload.users
    }
    if !heldFrames.isEmpty || !accessUses.isEmpty {
      var held: Set<UInt64> = []
      for element in accessUses.elements {
        for index in element.span.first...element.span.last { held.insert(index) }
      }
      findings.require(
        held == Set(heldFrames.keys), "frames are held exactly for the intervals that accesses pinned", name)
    }
    findings.require(
      users == areas.reduce(0) { $0 + $1.accesses }, "every pin is attributed to an area",
      "\(name): \(users) pins, areas count \(areas.reduce(0) { $0 + $1.accesses })")
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// Filling and unfilling domains: frames come as maximal physically contiguous runs, whatever delivered them,
// and each run becomes one map call per domain. Reference io-pagetable.md sections 3.6 and 3.7.

extension Pages {
  /// Fills every domain of an IOAS with a new area, and charges. `iopt_area_fill_domains`.
  ///
  /// - Throws: what pinning, mapping or charging throws; nothing is left behind.
  func fill(_ area: Area, _ domains: [any PagingDomain], smallPages: Bool) throws(Errno) {
    guard let storage = domains.first else { return }
    lock.lock()
    defer { lock.unlock() }
    try fillLocked(area, domains, smallPages: smallPages)
    area.storage = storage
    domainUses.insert(area.index, area)
  }

  /// Fills one domain that joins the IOAS with an area that others may map already.
  /// `iopt_area_fill_domain`.
  func fill(_ area: Area, joining domain: any PagingDomain, smallPages: Bool) throws(Errno) {
    lock.lock()
    defer { lock.unlock() }
    try fillLocked(area, [domain], smallPages: smallPages)
    if area.storage == nil {
      area.storage = domain
      domainUses.insert(area.index, area)
    }
  }

  private func fillLocked(_ area: Area, _ domains: [any PagingDomain], smallPages: Bool) throws(Errno) {
    if case .dmabuf(let buffer, let firstPage) = source {
      try fillFromBuffer(area, domains, buffer, firstPage, smallPages: smallPages)
      return
    }
    try kernel.failures.pass(.scratch, "the batch of page frames")
    var filler = Filler(area: area, domains: domains, smallPages: smallPages)
    do throws(Errno) {
      try filler.fill(from: self)
      try charge()
    } catch {
      filler.undo(in: self)
      throw error
    }
  }

  /// A dma-buf's frames are one physical range and are not pinned; a revoked one maps nothing.
  private func fillFromBuffer(
    _ area: Area, _ domains: [any PagingDomain], _ buffer: DMABuf, _ firstPage: UInt64, smallPages: Bool
  ) throws(Errno) {
    guard !isRevoked else { return }
    for domain in domains { bufferMappings.append((area, domain)) }
    let frame = FrameNumber(buffer.firstFrame.raw + UInt32(firstPage + area.index.first))
    let run = FrameRun(frame: frame, count: area.index.count)
    for (slot, domain) in domains.enumerated() {
      do throws(Errno) {
        try Filler.map(area, domain, from: area.index.first, run, smallPages: smallPages, mmio: true)
      } catch {
        for filled in domains[..<slot] { filled.unmap(IOVA(area.iova.first), length: area.length) }
        bufferMappings.removeAll { mapping in
          mapping.area === area && domains.contains { $0 === mapping.domain }
        }
        throw error
      }
    }
  }

  /// Takes an area out of every domain and lets go of its pages. Cannot fail. `iopt_area_unfill_domains`.
  func unfill(_ area: Area, _ domains: [any PagingDomain]) {
    lock.lock()
    defer { lock.unlock() }
    guard let storage = area.storage else { return }
    for domain in domains where domain !== storage {
      unmapWhole(area, from: domain)
      forgetBuffer(area, domain)
    }
    unfillStorage(area, storage)
  }

  /// Takes an area out of the last domain of its IOAS. `iopt_area_unfill_domain`.
  func unfill(_ area: Area, last domain: any PagingDomain) {
    lock.lock()
    defer { lock.unlock() }
    guard let storage = area.storage else { return }
    // Whoever takes a domain off hands its areas to another one first, if there is one.
    precondition(storage === domain, "the last domain of an IOAS is not the one that frames are read from")
    unfillStorage(area, storage)
  }

  /// Takes an area out of one domain of several. The pages stay pinned for the others.
  func unmap(_ area: Area, from domain: any PagingDomain) {
    lock.withLock {
      unmapWhole(area, from: domain)
      forgetBuffer(area, domain)
    }
  }

  private func forgetBuffer(_ area: Area, _ domain: any PagingDomain) {
    guard isDMABuf else { return }
    bufferMappings.removeAll { $0.area === area && $0.domain === domain }
  }

  /// Makes another domain the one that frames are read from. `iopt_fill... storage_domain`.
  func moveStorage(_ area: Area, from old: any PagingDomain, to new: any PagingDomain) {
    lock.withLock { if area.storage === old { area.storage = new } }
  }

  private func unfillStorage(_ area: Area, _ storage: any PagingDomain) {
    guard let position = domainUses.firstIndex(of: area.index, where: { $0 === area }) else {
      // Both change together, under the lock, whatever tables hold.
      preconditionFailure("an area with a storage domain that is not in the domain tree")
    }
    domainUses.remove(at: position)
    var unpinned = FrameRuns()
    if !isDMABuf {
      var index = area.index.first
      while true {
        let (use, last) = piece(at: index, through: area.index.last)
        if use == .hole {
          for i in index...last { unpinned.append(frame(at: IOVA(area.iova(of: i)), in: storage)) }
        }
        if last >= area.index.last { break }
        index = last + 1
      }
    }
    unmapWhole(area, from: storage)
    forgetBuffer(area, storage)
    area.storage = nil
    unpinned.forEach { unpin($0) }
    uncharge()
  }
}

/// One fill in progress: what has been mapped so far, and the run that is still growing.
private struct Filler {
  let area: Area
  let domains: [any PagingDomain]
  let smallPages: Bool
  /// Indexes below this one are mapped in every domain.
  var mappedEnd: UInt64
  /// There is room for what one call pins.
  private var hasPageList = false
  /// The frames from `mappedEnd` on that are not mapped yet.
  var pending = FrameRun(frame: FrameNumber(0), count: 0)

  init(area: Area, domains: [any PagingDomain], smallPages: Bool) {
    self.area = area
    self.domains = domains
    self.smallPages = smallPages
    mappedEnd = area.index.first
  }

  mutating func fill(from pages: Pages) throws(Errno) {
    let chunk = pages.pinChunk
    let capacity = Int(min(UInt64(chunk), area.index.count))
    try withUnsafeTemporaryAllocation(of: FrameNumber.self, capacity: capacity) {
      buffer throws(Errno) in
      var index = area.index.first
      while true {
        let (use, last) = pages.piece(at: index, through: area.index.last)
        try take(index, through: last, use, buffer, from: pages)
        if last >= area.index.last { break }
        index = last + 1
      }
      try flush()
    }
  }

  private mutating func take(
    _ first: UInt64, through last: UInt64, _ use: Pages.Use,
    _ buffer: UnsafeMutableBufferPointer<FrameNumber>,
    from pages: Pages
  ) throws(Errno) {
    switch use {
    case .held:
      for index in first...last { try push(pages.heldFrame(index)) }
    case .mapped:
      for index in first...last { try push(pages.frameFromDomain(index)) }
    case .hole:
      if !hasPageList {
        try pages.kernel.failures.pass(.scratch, "the list of pages to pin")
        hasPageList = true
      }
      var index = first
      while index <= last {
        let want = Int(min(UInt64(buffer.count), last - index + 1))
        let piece = UnsafeMutableBufferPointer(rebasing: buffer[..<want])
        let got = try pages.pinFromSource(index, into: piece)
        NamedPoint.pagesPinned.pass()
        for position in 0..<got {
          do throws(Errno) { try push(piece[position]) } catch {
            // What is pinned and was not taken over goes back at once.
            for rest in position..<got { pages.unpin(FrameRun(frame: piece[rest], count: 1)) }
            throw error
          }
        }
        index += UInt64(got)
      }
    }
  }

  /// Takes the next frame; a run that it does not continue is mapped first. When that fails the frame has not
  /// been taken.
  private mutating func push(_ frame: FrameNumber) throws(Errno) {
    if pending.count > 0, pending.continues(with: frame), pending.count < UInt64(UInt32.max) {
      pending.count += 1
      return
    }
    try flush()
    pending = FrameRun(frame: frame, count: 1)
  }

  /// Maps the growing run in every domain, or in none.
  private mutating func flush() throws(Errno) {
    guard pending.count > 0 else { return }
    for slot in domains.indices {
      do throws(Errno) {
        try Self.map(area, domains[slot], from: mappedEnd, pending, smallPages: smallPages)
      } catch {
        let first = area.iova(of: mappedEnd)
        let last = area.iovaLast(of: mappedEnd + pending.count - 1)
        for filled in domains[..<slot] { filled.unmap(IOVA(first), length: last - first + 1) }
        throw error
      }
    }
    mappedEnd += pending.count
    pending.count = 0
  }

  /// One run of an area into one domain: one map call, or one per page while large pages are disabled.
  /// `batch_to_domain`.
  static func map(
    _ area: Area, _ domain: any PagingDomain, from index: UInt64, _ run: FrameRun, smallPages: Bool,
    mmio: Bool = false
  ) throws(Errno) {
    let first = area.iova(of: index)
    let last = area.iovaLast(of: index + run.count - 1)
    let offset = index == area.index.first ? area.pageOffset : 0
    let physical = run.frame.address.raw + offset
    var protection = area.protection
    if mmio {
      protection.remove(.cache)
      protection.insert(.mmio)
    }
    guard smallPages else {
      try domain.map(IOVA(first), to: PhysAddr(physical), length: last - first + 1, protection: protection)
      Tracer.tell(MachineEvent(.domainMap, .hex(first), .hex(physical), .hex(last - first + 1)))
      return
    }
    let length = last - first + 1
    guard (first | physical | length) & Page.mask == 0 else {
      throw .EINVAL("large pages are off and the run is not made of whole pages", first, length)
    }
    var done: UInt64 = 0
    while done < length {
      do throws(Errno) {
        try domain.map(
          IOVA(first + done), to: PhysAddr(physical + done), length: Page.size, protection: protection)
      } catch {
        if done > 0 { domain.unmap(IOVA(first), length: done) }
        throw error
      }
      done += Page.size
    }
    Tracer.tell(MachineEvent(.domainMap, .hex(first), .hex(physical), .hex(length)))
  }

  /// Takes back everything: unmaps, then unpins what nobody else needs.
  func undo(in pages: Pages) {
    var unpinned = FrameRuns()
    if let first = domains.first, mappedEnd > area.index.first {
      let mapped = Span64(area.index.first, mappedEnd - 1)
      for (use, piece) in pages.pieces(of: mapped) where use == .hole {
        for index in piece.first...piece.last {
          unpinned.append(pages.frame(at: IOVA(area.iova(of: index)), in: first))
        }
      }
      let length = area.iovaLast(of: mapped.last) - area.iova.first + 1
      for domain in domains { domain.unmap(IOVA(area.iova.first), length: length) }
    }
    if pending.count > 0 {
      let span = Span64(mappedEnd, mappedEnd + pending.count - 1)
      for (use, piece) in pages.pieces(of: span) where use == .hole {
        for index in piece.first...piece.last {
          unpinned.append(FrameNumber(pending.frame.raw + UInt32(index - mappedEnd)))
        }
      }
    }
    unpinned.forEach { pages.unpin($0) }
  }
}

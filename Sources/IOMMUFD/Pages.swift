// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// One source of physical pages, shared by every area that maps a slice of it: `struct iopt_pages`.
///
/// The promise of the 2022 series lives here: **a page is pinned once, however many domains, IOASes and
/// accesses use it.** Two interval sets say who needs which pages, by index into this object:
///
///     domainUses   index intervals of the areas that some domain maps
///     accessUses   index intervals that in-kernel accesses pinned
///
/// Their union is the *cover*; an index is pinned exactly while it is in the cover. Where an index's frame
/// comes from, first match wins: an access holds it (`heldFrames`); a domain maps it (it is read back from
/// the storage domain of an area there); otherwise it is pinned from the source.
///
/// `lock` guards everything below, which is why the compiler's own exclusivity checks are off there: they cost
/// as much as the work. Teardown never fails: it allocates nothing that could be refused.
/// Source: `drivers/iommu/iommufd/pages.c`; reference io-pagetable.md section 3.
final class Pages: @unchecked Sendable {
  /// Where the pages come from.
  enum Source {
    /// Memory of a process, from a page-aligned address.
    case user(address: UInt64)
    /// A file, from a page-aligned offset, in pages.
    case file(OpenFile, firstPage: UInt64)
    /// A dma-buf, from a page-aligned offset, in pages. Never pinned.
    case dmabuf(DMABuf, firstPage: UInt64)
  }

  struct AccessUse {
    var users: Int
  }

  let kernel: Kernel
  let source: Source
  let pageCount: UInt64
  /// WRITEABLE was given to MAP: pins are for writing.
  let writable: Bool
  /// Who mapped it, and is charged; IOAS_CHANGE_PROCESS moves it.
  @exclusivity(unchecked) var owner: any CallingTask { didSet { ownerMemory = owner.memory } }
  /// The memory of `owner`.
  @exclusivity(unchecked) private(set) var ownerMemory: any AddressSpace
  let accounting: Context.Accounting
  /// The highest frame that there is.
  let highestFrame: UInt64

  let lock = Lock(.pages)
  @exclusivity(unchecked) var domainUses = OverlapSet<Area>()
  @exclusivity(unchecked) var accessUses = OverlapSet<AccessUse>()
  /// Frames of the indexes in `accessUses`, `pinned_pfns`.
  @exclusivity(unchecked) var heldFrames: [UInt64: FrameNumber] = [:]
  /// Pages pinned now.
  @exclusivity(unchecked) var pinned: UInt64 = 0
  /// Pages charged now.
  @exclusivity(unchecked) var charged: UInt64 = 0
  /// A dma-buf was taken away: its areas stay, and map nothing any more.
  @exclusivity(unchecked) var isRevoked = false
  /// Which domains map which areas of a dma-buf, to unmap when it is revoked. `iopt_pages.dmabuf.tracker`.
  var bufferMappings: [(area: Area, domain: any PagingDomain)] = []

  init(
    _ kernel: Kernel, source: Source, pageCount: UInt64, writable: Bool, owner: any CallingTask,
    accounting: Context.Accounting
  ) {
    self.kernel = kernel
    self.source = source
    self.pageCount = pageCount
    self.writable = writable
    self.owner = owner
    ownerMemory = owner.memory
    highestFrame = UInt64(max(1, kernel.memory.frameCount) - 1)
    self.accounting = owner.capabilities.contains(.ipcLock) ? .none : accounting
    switch source {
    case .user: break
    case .file(let file, _): file.retainFile()
    case .dmabuf(let buffer, _): buffer.retainFile()
    }
  }

  deinit {
    switch source {
    case .user: break
    case .file(let file, _): file.releaseFile()
    case .dmabuf(let buffer, _): buffer.releaseFile()
    }
  }

  var isDMABuf: Bool { if case .dmabuf = source { true } else { false } }

  /// The address that automatic placement looks at for byte `startByte`: the user pointer, or the offset in
  /// the file or buffer.
  func placementAddress(_ startByte: UInt64) -> UInt64 {
    switch source {
    case .user(let address): address &+ startByte
    case .file(_, let firstPage), .dmabuf(_, let firstPage): (firstPage << Page.shift) &+ startByte
    }
  }
}

// MARK: The cover

extension Pages {
  /// What is known about an index interval.
  enum Use {
    /// An access holds the frames.
    case held
    /// A domain maps the pages and no access holds them.
    case mapped
    /// Nobody: the pages are not pinned.
    case hole
  }

  /// Cuts `span` into maximal pieces of one use each, ascending. `interval_tree_for_each_double_span`.
  func pieces(of span: Span64) -> [(use: Use, span: Span64)] {
    var result: [(use: Use, span: Span64)] = []
    var position = span.first
    while true {
      let (use, last) = piece(at: position, through: span.last)
      result.append((use, Span64(position, last)))
      if last >= span.last { return result }
      position = last + 1
    }
  }

  /// The use of index `first` and the last index, at most `last`, up to which it is the same.
  func piece(at first: UInt64, through last: UInt64) -> (use: Use, last: UInt64) {
    if domainUses.isEmpty && accessUses.isEmpty { return (.hole, last) }
    let rest = Span64(first, last)
    let held = accessUses.firstRun(in: rest)
    if let held, held.first == first { return (.held, held.last) }
    let limit = held.map { $0.first - 1 } ?? last
    guard let mapped = domainUses.firstRun(in: Span64(first, limit)) else { return (.hole, limit) }
    return mapped.first == first ? (.mapped, mapped.last) : (.hole, mapped.first - 1)
  }

  /// The frame of an index that a domain maps, read back from that domain's table: frame 0 if the table has lost
  /// it, see `TableDamage`.
  func frameFromDomain(_ index: UInt64) -> FrameNumber {
    let (area, storage) = place(of: index)
    return frame(at: IOVA(area.iova(of: index)), in: storage)
  }

  /// The frames of indexes that a domain maps, for whoever only looks; nil for one that the table has lost.
  func forEachMappedFrame(in span: Span64, _ body: (FrameNumber?) -> Void) {
    var index = span.first
    while true {
      let (area, storage) = place(of: index)
      let last = min(span.last, area.index.last)
      for index in index...last { body(peek(at: IOVA(area.iova(of: index)), in: storage)) }
      if last == span.last { return }
      index = last + 1
    }
  }

  /// An area and a domain from which an index that a domain maps can be read back.
  private func place(of index: UInt64) -> (area: Area, storage: any PagingDomain) {
    guard let position = domainUses.firstIndex(in: Span64(index, index)),
      let storage = domainUses[position].storage
    else {
      // Both are iommufd's own, whatever tables hold: an area is in the tree while it has a storage domain, and
      // callers ask only for what the tree covers.
      preconditionFailure("an index that no area with a storage domain covers")
    }
    return (domainUses[position], storage)
  }
}

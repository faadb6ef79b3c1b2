// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
public import UAPI

// mmap, munmap, mprotect and fork.

extension ProcessMemory {
  /// Maps anonymous memory of `length` bytes, rounded up to pages (of 2 MiB where `huge`), zeroed; at
  /// `address`, replacing what is there, or below everything else.
  ///
  /// - Returns: its address; a multiple of 2 MiB for 2 MiB or more, chosen by us.
  /// - Throws: EINVAL for length 0 or a misaligned address, ENOMEM when it does not fit.
  public func allocate(length: UInt64, at address: UInt64?, mode: MapMode, huge: Bool = false) throws(Errno)
    -> UInt64
  {
    let length = try rounded(length, huge: huge)
    var backing = VirtualArea.Backing.anonymous
    if mode.contains(.shared) {
      backing = .file(try MemoryFile(physical, size: length, huge: huge, name: "anonymous"))
    }
    return try insert(length, at: address, mode, backing, offset: 0, huge: huge)
  }

  /// Maps `length` bytes of `file` from `offset`; the mapping holds its own reference on the file. Pages past
  /// the end of the file are EFAULT when touched.
  ///
  /// - Throws: EINVAL for length 0 or a misaligned offset or address, ENOMEM when it does not fit.
  public func mapFile(
    _ file: CachedFile, offset: UInt64 = 0, length: UInt64, at address: UInt64? = nil, mode: MapMode
  ) throws(Errno) -> UInt64 {
    guard offset & ((file.huge ? Page.hugeSize : Page.size) - 1) == 0 else {
      throw .EINVAL("the offset is not a multiple of the page size", offset)
    }
    guard offset <= CachedFile.sizeLimit else { throw .EOVERFLOW("the offset is too large", offset) }
    file.retainFile()
    file.addMapper(self)
    return try insert(length, at: address, mode, .file(file), offset: offset, huge: file.huge)
  }

  /// Maps a driver's pages, as `OpenFile.mmap` gave them: the driver counts this first mapping itself, and
  /// hears of every further one (a fork, a split) and of the end of each.
  ///
  /// The window's `mapped` runs under the address space's lock, so it may do no more than count;
  /// `unmapped` runs without it.
  ///
  /// - Throws: EINVAL, ENOMEM; the window is told that it is unmapped.
  public func mapWindow(_ window: MappedWindow, length: UInt64, at address: UInt64? = nil, mode: MapMode)
    throws(Errno) -> UInt64
  {
    try insert(length, at: address, mode, .window(window), offset: 0, huge: false)
  }

  /// Maps anonymous private memory whose pages are already there: exactly these frames, in this order. The
  /// caller's references, one a frame, become the area's, unless it fails. A frame that others hold too is
  /// copied when it is written, as after a fork.
  ///
  /// - Throws: EINVAL for no frames, shared memory, a frame that nobody holds or that is part of a huge page, a
  ///   misaligned address; ENOMEM when it does not fit.
  public func install(_ frames: [FrameNumber], at address: UInt64? = nil, mode: MapMode) throws(Errno)
    -> UInt64
  {
    guard !mode.contains(.shared) else { throw .EINVAL("frames of a shared mapping are its file's") }
    for frame in frames {
      guard physical.isAllocated(frame), !physical.isCompound(frame) else {
        throw .EINVAL("not a frame that a small page can have", UInt64(frame.raw))
      }
    }
    return try insert(
      UInt64(frames.count) << Page.shift, at: address, mode, .anonymous, offset: 0, huge: false
    ) { area in
      for (index, frame) in frames.enumerated() {
        let isOwn = physical.referenceCount(of: frame) == 1
        let flags = isOwn ? area.entryFlags : area.entryFlags & ~PageEntry.writable
        table.set(area.firstPage + UInt64(index), PageEntry(frame, flags | PageEntry.anonymous))
      }
    }
  }

  private func rounded(_ length: UInt64, huge: Bool) throws(Errno) -> UInt64 {
    let mask = (huge ? Page.hugeSize : Page.size) - 1
    guard length > 0 else { throw .EINVAL("a mapping has a length") }
    guard length <= Self.addressLimit else { throw .ENOMEM("longer than the address space", length) }
    return (length + mask) & ~mask
  }

  /// Adds an area, which takes over the caller's hold on the backing, also when it fails.
  /// `filling` enters pages of the new area before anybody else sees it.
  private func insert(
    _ length: UInt64, at address: UInt64?, _ mode: MapMode, _ backing: VirtualArea.Backing, offset: UInt64,
    huge: Bool, filling: (VirtualArea) -> Void = { _ in }
  ) throws(Errno) -> UInt64 {
    var area = VirtualArea(start: 0, end: 0, mode: mode, backing: backing, offset: offset, huge: huge)
    do throws(Errno) {
      let length = try rounded(length, huge: huge)
      let gone = try lock.withExclusive { () throws(Errno) -> [VirtualArea] in
        guard isAlive else { throw .ENOMEM("the process has exited") }
        guard areas.count < Self.areaLimit else { throw .ENOMEM("too many mappings", UInt64(areas.count)) }
        var gone: [VirtualArea] = []
        if let address {
          guard address & ((huge ? Page.hugeSize : Page.size) - 1) == 0 else {
            throw .EINVAL("the address is not a multiple of the page size", address)
          }
          guard length <= Self.addressLimit, address <= Self.addressLimit - length else {
            throw .ENOMEM("outside of the address space", address, length)
          }
          gone = try remove(address, address + length)
          area.start = address
        } else {
          area.start = try findGap(length)
        }
        area.end = area.start + length
        place(area)
        filling(area)
        return gone
      }
      for area in gone { area.closed() }
      return area.start
    } catch {
      area.closed()
      throw error
    }
  }

  /// Puts an area where nothing is, joining it with its neighbours where they are alike.
  private func place(_ area: VirtualArea) {
    var area = area
    var index = firstArea(endingAfter: area.start)
    if index < areas.count, area.canMerge(areas[index]) {
      area.end = areas[index].end
      areas.remove(at: index)
    }
    if index > 0, areas[index - 1].canMerge(area) {
      index -= 1
      areas[index].end = area.end
    } else {
      areas.insert(area, at: index)
    }
  }

  /// The highest place for `length` bytes; 2 MiB and more are aligned to 2 MiB. Address 0 is never chosen.
  private func findGap(_ length: UInt64) throws(Errno) -> UInt64 {
    let mask = (length >= Page.hugeSize ? Page.hugeSize : Page.size) - 1
    var index = firstArea(endingAfter: solidFrom)
    if index < areas.count { solidFrom = min(solidFrom, areas[index].start) }
    var end = solidFrom
    while true {
      let floor = index > 0 ? areas[index - 1].end : Page.size
      if end >= length, (end - length) & ~mask >= floor { return (end - length) & ~mask }
      guard index > 0 else { throw .ENOMEM("no gap is large enough", length) }
      index -= 1
      if floor == end, end == solidFrom { solidFrom = areas[index].start }
      end = areas[index].start
    }
  }

  // MARK: munmap, mprotect

  /// Unmaps what is mapped in `length` bytes from `address`, in whole pages; pinned frames live on.
  ///
  /// - Throws: EINVAL for a misaligned address, length 0, a range outside of the address space, or a cut
  ///   through a huge page; ENOMEM when it would leave too many mappings.
  public func unmap(_ address: UInt64, length: UInt64) throws(Errno) {
    guard address & Page.mask == 0, length > 0, length <= Self.addressLimit,
      address <= Self.addressLimit - length
    else { throw .EINVAL("not a range of pages", address, length) }
    let end = (address + length + Page.mask) & ~Page.mask
    let gone = try lock.withExclusive { () throws(Errno) -> [VirtualArea] in try remove(address, end) }
    for area in gone { area.closed() }
  }

  /// Takes `[start, end)` out and returns the areas that it was, still to be closed.
  private func remove(_ start: UInt64, _ end: UInt64) throws(Errno) -> [VirtualArea] {
    let range = try isolate(start, end)
    let gone = Array(areas[range])
    areas.removeSubrange(range)
    solidFrom = max(solidFrom, end)
    removeEntries(start >> Page.shift, (end >> Page.shift) - 1)
    return gone
  }

  /// Splits areas so that none crosses `start` or `end`; returns the indexes of those between.
  private func isolate(_ start: UInt64, _ end: UInt64) throws(Errno) -> Range<Int> {
    for place in [start, end] {
      guard let index = areaIndex(place), areas[index].start < place else { continue }
      guard !areas[index].huge || place & (Page.hugeSize - 1) == 0 else {
        throw .EINVAL("the range cuts a huge page", place)
      }
      guard areas.count <= Self.areaLimit else { throw .ENOMEM("too many mappings", UInt64(areas.count)) }
    }
    for place in [start, end] {
      guard let index = areaIndex(place), areas[index].start < place else { continue }
      var upper = areas[index]
      upper.offset += place - upper.start
      upper.start = place
      upper.opened()
      areas[index].end = place
      areas.insert(upper, at: index + 1)
    }
    return firstArea(endingAfter: start)..<firstArea(endingAfter: end)
  }

  /// Changes what may be done with `length` bytes from `address`, in whole pages; `mode`'s sharing is
  /// ignored.
  ///
  /// - Throws: EINVAL as `unmap`; ENOMEM for a hole, after what is below it has changed.
  public func protect(_ address: UInt64, length: UInt64, mode: MapMode) throws(Errno) {
    guard address & Page.mask == 0 else { throw .EINVAL("not a range of pages", address, length) }
    guard length > 0 else { return }
    let (sum, overflow) = address.addingReportingOverflow(length)
    guard !overflow, sum <= .max - Page.mask else { throw .ENOMEM("past the top", address, length) }
    let end = (sum + Page.mask) & ~Page.mask
    try lock.withExclusive { () throws(Errno) in
      var place = address
      for index in try isolate(address, end) {
        guard areas[index].start == place else { break }
        place = areas[index].end
        areas[index].mode = mode.subtracting(.shared).union(areas[index].mode.intersection(.shared))
        restrictEntries(of: areas[index])
      }
      guard place == end else { throw .ENOMEM("nothing is mapped there", place) }
    }
  }

  /// Entries of an area get no more than it allows; a page that may now be written asks first.
  private func restrictEntries(of area: VirtualArea) {
    let flags = area.entryFlags
    table.forEachLeaf(area.firstPage, area.lastPage) { _, leaf, indexes in
      for index in indexes where leaf[index].isPresent {
        leaf[index].set(PageEntry.accessible, flags & PageEntry.accessible != 0)
        if flags & PageEntry.writable == 0 { leaf[index].set(PageEntry.writable, false) }
      }
    }
  }

  // MARK: fork

  /// The memory of a child: shared mappings are the same pages, private ones are the child's own as soon as
  /// either side writes. Private pages that are pinned stay the parent's, and the child gets a copy at once,
  /// so a device goes on seeing the parent's page.
  ///
  /// - Throws: ENOMEM; then no child exists.
  public func fork() throws(Errno) -> ProcessMemory {
    let child = ProcessMemory(physical)
    do throws(Errno) {
      try lock.withExclusive { () throws(Errno) in
        try child.lock.withExclusive { () throws(Errno) in
          guard isAlive else { throw .ENOMEM("the process has exited") }
          child.areas = areas
          for area in areas {
            area.opened()
            if case .file(let file) = area.backing { file.addMapper(child) }
          }
          for area in areas where !area.isShared { try share(area, with: child) }
        }
      }
    } catch {
      child.exit()
      throw error
    }
    return child
  }

  /// Gives `child` the private pages of `area`. The file's own pages come back by themselves.
  private func share(_ area: VirtualArea, with child: ProcessMemory) throws(Errno) {
    try table.forEachLeaf(area.firstPage, area.lastPage) { (first, leaf, indexes) throws(Errno) in
      let pinned = indexes.contains { index in
        leaf[index].has(PageEntry.anonymous) && physical.pinCount(of: leaf[index].frame) > 0
      }
      if area.huge, pinned {
        guard leaf[0].has(PageEntry.anonymous) else { return }
        let head = try physical.allocateHugePage()
        for index in indexes {
          let copy = FrameNumber(head.raw + UInt32(index))
          physical.copyFrame(from: leaf[index].frame, to: copy)
          child.table.set(first + UInt64(index), PageEntry(copy, area.entryFlags | PageEntry.anonymous))
        }
        return
      }
      for index in indexes where leaf[index].has(PageEntry.anonymous) {
        let page = first + UInt64(index)
        let frame = leaf[index].frame
        if pinned, physical.pinCount(of: frame) > 0 {
          let copy = try physical.allocateFrame()
          physical.copyFrame(from: frame, to: copy)
          child.table.set(page, PageEntry(copy, area.entryFlags | PageEntry.anonymous))
        } else {
          physical.retain(frame)
          leaf[index].set(PageEntry.writable, false)
          child.table.set(page, leaf[index])
        }
      }
    }
  }

  /// What is mapped, by address: what a program sees in `/proc/PID/maps`.
  public var mappings: [(first: UInt64, last: UInt64, mode: MapMode, huge: Bool)] {
    lock.withShared { areas.map { ($0.start, $0.end - 1, $0.mode, $0.huge) } }
  }
}

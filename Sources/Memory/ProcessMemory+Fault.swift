// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
public import UAPI

// Page faults, and pins, which are page faults that hold on to what they got.

extension ProcessMemory {
  /// Makes the page at `address` accessible as asked, with the lock held exclusively.
  ///
  /// With `pinning`, a private page becomes this address space's own even if it is only read, so that a
  /// later write by the CPU does not move away from the frame that the device sees.
  /// Source: `handle_mm_fault`, with FAULT_FLAG_UNSHARE when pinning.
  ///
  /// - Throws: EFAULT, ENOMEM.
  @discardableResult
  func fault(_ address: UInt64, writing: Bool, pinning: Bool) throws(Errno) -> PageEntry {
    guard let index = areaIndex(address) else { throw .EFAULT("nothing is mapped there", address) }
    let area = areas[index]
    guard area.permits(writing: writing) else { throw .EFAULT("the mapping forbids it", address) }
    let page = address >> Page.shift
    switch area.backing {
    case .window(let window):
      let place = area.backingPage(page)
      guard place < UInt64(window.frames.count) else {
        throw .EFAULT("the page is past the end of the window", address)
      }
      let entry = PageEntry(window.frames[Int(place)], PageEntry.special | area.entryFlags)
      table.set(page, entry)
      return entry
    case .file(let file) where area.isShared:
      try fill(page, area, from: file, area.entryFlags)
    case .file(let file):
      if !table[page].isPresent {
        try fill(page, area, from: file, area.entryFlags & ~PageEntry.writable)
      }
      if writing || pinning { try own(page, area) }
    case .anonymous:
      if !table[page].isPresent {
        try fill(page, area, area.entryFlags | PageEntry.anonymous)
      } else if writing || pinning {
        try own(page, area)
      }
    }
    return table[page]
  }

  /// Enters the file's frame, or all frames of the file's huge page, with `flags`.
  private func fill(_ page: UInt64, _ area: VirtualArea, from file: CachedFile, _ flags: UInt32)
    throws(Errno)
  {
    let unit = area.unit(of: page)
    let head =
      table[page].isPresent
      ? table[unit.lowerBound].frame
      : try file.frames(atPage: area.backingPage(unit.lowerBound), count: unit.count)
    enter(unit, head, flags)
  }

  /// Enters a new frame, or the frames of a new huge page.
  private func fill(_ page: UInt64, _ area: VirtualArea, _ flags: UInt32) throws(Errno) {
    let head = try area.huge ? physical.allocateHugePage() : physical.allocateFrame()
    enter(area.unit(of: page), head, flags)
  }

  private func enter(_ unit: Range<UInt64>, _ head: FrameNumber, _ flags: UInt32) {
    let leaf = table.makeLeaf(of: unit.lowerBound)
    let first = Int(unit.lowerBound & 511)
    for index in 0..<unit.count {
      leaf[first + index] = PageEntry(FrameNumber(head.raw + UInt32(index)), flags)
    }
  }

  /// Makes a page that is there this address space's own: as it is when nobody else has it, else a copy.
  private func own(_ page: UInt64, _ area: VirtualArea) throws(Errno) {
    let flags = area.entryFlags | PageEntry.anonymous
    let unit = area.unit(of: page)
    let isOwn = unit.allSatisfy { page in
      let entry = table[page]
      return entry.has(PageEntry.anonymous) && physical.referenceCount(of: entry.frame) == 1
    }
    if isOwn {
      for page in unit { table.set(page, PageEntry(table[page].frame, flags)) }
      return
    }
    let head = try area.huge ? physical.allocateHugePage() : physical.allocateFrame()
    for (index, page) in unit.enumerated() {
      let old = table[page].frame
      let copy = FrameNumber(head.raw + UInt32(index))
      physical.copyFrame(from: old, to: copy)
      table.set(page, PageEntry(copy, flags))
      physical.release(old)
    }
  }

  // MARK: Pins

  public func pin(_ address: UInt64, writing: Bool, into frames: UnsafeMutableBufferPointer<FrameNumber>)
    throws(Errno) -> Int
  {
    guard address & Page.mask == 0 else { throw .EINVAL("pins start at a page", address) }
    let present = lock.withShared {
      (try? pinPages(address, writing, frames, from: 0, faulting: false)) ?? 0
    }
    if present == frames.count { return present }
    return try lock.withExclusive { () throws(Errno) -> Int in
      try pinPages(address, writing, frames, from: present, faulting: true)
    }
  }

  /// Pins from page `start` of the request on, until one cannot be had; without `faulting`, until one is not
  /// there. Returns the number pinned, counting those before `start`.
  private func pinPages(
    _ address: UInt64, _ writing: Bool, _ frames: UnsafeMutableBufferPointer<FrameNumber>, from start: Int,
    faulting: Bool
  ) throws(Errno) -> Int {
    var done = start
    while done < frames.count {
      let place = address &+ (UInt64(done) << Page.shift)
      guard place >= address, let index = areaIndex(place), areas[index].permitsPin(writing: writing) else {
        if done > 0 { return done }
        throw .EFAULT("the page cannot be pinned", place)
      }
      let (lastPage, isShared) = (areas[index].lastPage, areas[index].isShared)
      var page = place >> Page.shift
      while done < frames.count, page <= lastPage {
        var entry = table[page]
        if !isPinnable(entry, isShared: isShared, writing) {
          guard faulting else { return done }
          do throws(Errno) {
            entry = try fault(page << Page.shift, writing: writing, pinning: true)
          } catch {
            if done > 0 { return done }
            throw error
          }
        }
        physical.pin(entry.frame)
        frames[done] = entry.frame
        done += 1
        page += 1
      }
    }
    return done
  }

  private func isPinnable(_ entry: PageEntry, isShared: Bool, _ writing: Bool) -> Bool {
    if entry.has(PageEntry.writable) { return true }
    guard !writing, entry.has(PageEntry.accessible) else { return false }
    return isShared
      || (entry.has(PageEntry.anonymous) && physical.referenceCount(of: entry.frame) == 1)
  }

  public func frame(at address: UInt64, writing: Bool) -> FrameNumber? {
    lock.withExclusive { () -> FrameNumber? in
      guard let entry = try? fault(address, writing: writing, pinning: false),
        !entry.has(PageEntry.special)
      else { return nil }
      return entry.frame
    }
  }
}

extension VirtualArea {
  /// What an entry of the area may carry at most.
  var entryFlags: UInt32 {
    (mode.isAccessible ? PageEntry.accessible : 0) | (mode.contains(.write) ? PageEntry.writable : 0)
  }

  /// The pages that come and go with `page`: itself, or the 512 of its huge page.
  func unit(of page: UInt64) -> Range<UInt64> {
    huge ? (page & ~511)..<(page & ~511) + 512 : page..<page + 1
  }
}

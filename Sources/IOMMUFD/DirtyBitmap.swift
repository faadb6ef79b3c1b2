// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import UAPI

/// The caller's dirty bitmap while it is being filled: `struct iova_bitmap`.
///
/// Bit i, least significant first, stands for one granule from the start of the request on. The bitmap is
/// pinned a window at a time, from the byte that is to be set to its end, at most 512 pages; a set that runs
/// past the request goes on as long as the pinned pages last, as the kernel's does. Bits are only ever set.
/// Source: `drivers/iommu/iommufd/iova_bitmap.c`; reference uapi.md section 3.4.
struct DirtyBitmap {
  private let memory: any AddressSpace
  private let physical: PhysicalMemory
  private let iova: UInt64
  private let data: UInt64
  private let granuleLg2: UInt64
  /// Bytes that hold bits of the request.
  private let byteCount: UInt64
  private let lastIOVA: UInt64

  // The window.
  private var frames: [FrameNumber] = []
  private var windowFirst: UInt64 = 0
  private var windowLength: UInt64 = 0
  /// Offset of the window's first byte in its first page.
  private var pageOffset: UInt64 = 0

  /// - Parameters:
  ///   - length: bytes of IOVA, at least 1; `iova + length - 1` does not wrap.
  ///   - pageSize: not 0; its lowest set bit is the granule.
  ///   - data: user address of bit 0, of any alignment.
  init(
    iova: UInt64, length: UInt64, pageSize: UInt64, data: UInt64, memory: any AddressSpace,
    physical: PhysicalMemory
  ) {
    self.memory = memory
    self.physical = physical
    self.iova = iova
    self.data = data
    granuleLg2 = UInt64(pageSize.trailingZeroBitCount)
    byteCount = ((length - 1) >> granuleLg2) / 8 + 1
    lastIOVA = iova + (length - 1)
  }

  /// Marks `length` bytes at `address` as written. What cannot be written is lost in silence.
  /// `iova_bitmap_set`.
  mutating func set(_ address: UInt64, length: UInt64) {
    guard length > 0, address >= iova else { return }
    var first = address
    let last = address.addingReportingOverflow(length - 1).overflow ? .max : address + (length - 1)
    while true {
      let inside =
        !frames.isEmpty && windowLength > 0 && first >= windowFirst
        && last <= windowFirst + (windowLength - 1)
      if !inside, !advance(to: first) { return }
      let base = pageOffset * 8
      var bit = ((first - windowFirst) >> granuleLg2) + base
      let lastBit = ((last - windowFirst) >> granuleLg2) + base
      while bit <= lastBit {
        let page = Int(bit / (Page.size * 8))
        guard page < frames.count else { break }
        let offset = bit % (Page.size * 8)
        let count = min(Page.size * 8 - offset, lastBit - bit + 1)
        setBits(in: frames[page], from: offset, count: count)
        bit += count
      }
      if bit > lastBit { return }
      // The pinned pages ended first: go on with the next window, if the request reaches that far.
      first = last - (((lastBit - bit + 1) << granuleLg2) - 1)
    }
  }

  private func setBits(in frame: FrameNumber, from first: UInt64, count: UInt64) {
    let firstByte = first / 8
    let lastByte = (first + count - 1) / 8
    // A page that its process has given up takes no bits.
    _ = physical.withBytes(
      of: frame, at: Int(firstByte), count: Int(lastByte - firstByte + 1), writing: true
    ) { bytes in
      for index in firstByte...lastByte {
        var mask: UInt8 = 0xFF
        if index == firstByte { mask &= 0xFF << UInt8(first % 8) }
        if index == lastByte { mask &= 0xFF >> UInt8(7 - (first + count - 1) % 8) }
        bytes[Int(index - firstByte)] |= mask
      }
    }
  }

  /// Pins the window that begins with the byte of `address`. False past the end, or when nothing can be pinned.
  private mutating func advance(to address: UInt64) -> Bool {
    let index = ((address - iova) >> granuleLg2) / 8
    guard index < byteCount else { return false }
    unpin()
    let start = data &+ index
    pageOffset = start & Page.mask
    let whole = (byteCount - index + Page.mask) / Page.size
    let want = Int(min(whole + (pageOffset == 0 ? 0 : 1), 512))
    frames = [FrameNumber](unsafeUninitializedCapacity: want) { buffer, initialized in
      buffer.initialize(repeating: FrameNumber(0))
      let pinned: Int
      do throws(Errno) { pinned = try memory.pin(start & ~Page.mask, writing: true, into: buffer) } catch {
        pinned = 0
      }
      initialized = pinned
    }
    guard !frames.isEmpty else { return false }
    windowFirst = iova &+ ((index * 8) << granuleLg2)
    let bytes = UInt64(frames.count) * Page.size - pageOffset
    windowLength = (min(byteCount - index, bytes) * 8) << granuleLg2
    if windowFirst &+ (windowLength &- 1) > lastIOVA { windowLength = lastIOVA - windowFirst + 1 }
    return true
  }

  /// Lets go of the last window.
  mutating func unpin() {
    for frame in frames {
      physical.setDirty(frame)
      physical.unpin(frame)
    }
    frames = []
  }
}

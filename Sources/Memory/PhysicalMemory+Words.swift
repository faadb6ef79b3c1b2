// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

// Whole words of physical memory, as page-table walkers and queues read and write them: little-endian, and
// atomic where they are aligned. Nil, or false, stands for a bus error: no memory is there.

extension PhysicalMemory {
  /// Where an aligned word of `size` bytes lies, or nil outside of memory and in a foreign frame.
  @inlinable
  @inline(__always)
  func place(_ address: PhysAddr, _ size: UInt64) -> UnsafeMutableRawPointer? {
    // Nothing is truncated: there are no more frames than an Int counts. Walks come here for each entry, and a check
    // of each conversion is two of the dozen instructions that it takes.
    let frame = address.raw >> Page.shift
    guard address.raw & (size - 1) == 0, frame < UInt64(truncatingIfNeeded: frameCount),
      !isForeign(Int(truncatingIfNeeded: frame))
    else { return nil }
    return base + Int(truncatingIfNeeded: address.raw)
  }

  /// The word at `address`, a multiple of its size.
  @inlinable
  @inline(__always)
  func load<Word: FixedWidthInteger>(_: Word.Type, _ address: PhysAddr) -> Word? {
    if let place = place(address, UInt64(MemoryLayout<Word>.size)) {
      return Word(littleEndian: place.load(as: Word.self))
    }
    return loadElsewhere(address)
  }

  @usableFromInline
  @inline(never)
  func loadElsewhere<Word: FixedWidthInteger>(_ address: PhysAddr) -> Word? {
    guard address.raw & UInt64(MemoryLayout<Word>.size - 1) == 0 else { return nil }
    var word: Word = 0
    let done = withUnsafeMutableBytes(of: &word) { read(address, into: $0) }
    return done == MemoryLayout<Word>.size ? Word(littleEndian: word) : nil
  }

  @inline(__always)
  private func store<Word: FixedWidthInteger>(_ value: Word, _ address: PhysAddr) -> Bool {
    if let place = place(address, UInt64(MemoryLayout<Word>.size)) {
      place.storeBytes(of: value.littleEndian, as: Word.self)
      noteWrite(address)
      return true
    }
    guard address.raw & UInt64(MemoryLayout<Word>.size - 1) == 0 else { return false }
    return withUnsafeBytes(of: value.littleEndian) { write(address, from: $0) } == MemoryLayout<Word>.size
  }

  /// The 64-bit word at `address`, a multiple of 8.
  @inlinable
  @inline(__always)
  public func load64(at address: PhysAddr) -> UInt64? { load(UInt64.self, address) }

  /// The 32-bit word at `address`, a multiple of 4.
  @inlinable
  public func load32(at address: PhysAddr) -> UInt32? { load(UInt32.self, address) }

  /// Stores a 64-bit word at `address`, a multiple of 8. False where there is no memory.
  public func store64(_ value: UInt64, at address: PhysAddr) -> Bool { store(value, address) }

  /// Stores a 32-bit word at `address`, a multiple of 4. False where there is no memory.
  public func store32(_ value: UInt32, at address: PhysAddr) -> Bool { store(value, address) }

  /// Stores `value` if the word at `address`, a multiple of 8, is `expected`: how hardware sets accessed and
  /// dirty bits. False where the word was another, or there is no memory. In a foreign frame it is not atomic.
  public func exchange64(at address: PhysAddr, from expected: UInt64, to value: UInt64) -> Bool {
    guard let place = place(address, 8) else {
      return load64(at: address) == expected && store64(value, at: address)
    }
    let word = place.assumingMemoryBound(to: Atomic<UInt64>.self)
    noteMark(Int(address.raw >> Page.shift))
    return word.pointee.compareExchange(
      expected: expected.littleEndian, desired: value.littleEndian, ordering: .acquiringAndReleasing
    ).exchanged
  }

  /// Somebody writes at an address in memory. Whoever does not use the functions here says so.
  ///
  /// A frame that is free may be written, as a device with a stale translation would; its next owner gets it
  /// zeroed all the same. A page table that is written by anybody but its owner may lead its owner, who tells nobody,
  /// to write into frames that are free: from then on every frame is looked at before it is handed out.
  public func noteWrite(_ address: PhysAddr) {
    let frame = Int(address.raw >> Page.shift)
    noteMark(frame)
    if flags[frame].load(ordering: .relaxed) & Flag.table != 0 {
      distrustsFreeFrames.store(true, ordering: .relaxed)
    }
  }

  /// The same for hardware that marks an entry of a table as accessed or dirty.
  private func noteMark(_ frame: Int) {
    guard words[frame].load(ordering: .relaxed) == 0 else { return }
    flags[frame].bitwiseOr(Flag.stale, ordering: .relaxed)
    highestStray.max(frame, ordering: .relaxed)
  }
}

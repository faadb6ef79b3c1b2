// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

// Whole words of physical memory, as page-table walkers and queues read and write them: little-endian, and
// atomic where they are aligned. Nil, or false, stands for a bus error: no memory is there.

extension PhysicalMemory {
  /// Where an aligned word of `size` bytes lies, or nil outside of memory.
  @inline(__always)
  private func place(_ address: PhysAddr, _ size: UInt64) -> UnsafeMutableRawPointer? {
    guard address.raw & (size - 1) == 0, address.raw >> Page.shift < UInt64(frameCount) else { return nil }
    return base + Int(address.raw)
  }

  /// The 64-bit word at `address`, a multiple of 8.
  public func load64(at address: PhysAddr) -> UInt64? {
    place(address, 8).map { UInt64(littleEndian: $0.load(as: UInt64.self)) }
  }

  /// The 32-bit word at `address`, a multiple of 4.
  public func load32(at address: PhysAddr) -> UInt32? {
    place(address, 4).map { UInt32(littleEndian: $0.load(as: UInt32.self)) }
  }

  /// Stores a 64-bit word at `address`, a multiple of 8. False where there is no memory.
  public func store64(_ value: UInt64, at address: PhysAddr) -> Bool {
    guard let place = place(address, 8) else { return false }
    place.storeBytes(of: value.littleEndian, as: UInt64.self)
    noteWrite(address)
    return true
  }

  /// Stores a 32-bit word at `address`, a multiple of 4. False where there is no memory.
  public func store32(_ value: UInt32, at address: PhysAddr) -> Bool {
    guard let place = place(address, 4) else { return false }
    place.storeBytes(of: value.littleEndian, as: UInt32.self)
    noteWrite(address)
    return true
  }

  /// Stores `value` if the word at `address`, a multiple of 8, is `expected`: how hardware sets accessed and
  /// dirty bits. False where the word was another, or there is no memory.
  public func exchange64(at address: PhysAddr, from expected: UInt64, to value: UInt64) -> Bool {
    guard let place = place(address, 8) else { return false }
    let word = place.assumingMemoryBound(to: Atomic<UInt64>.self)
    noteWrite(address)
    return word.pointee.compareExchange(
      expected: expected.littleEndian, desired: value.littleEndian, ordering: .acquiringAndReleasing
    ).exchanged
  }

  /// A frame that is free may be written, as a device with a stale translation would; its next owner gets it
  /// zeroed all the same.
  private func noteWrite(_ address: PhysAddr) {
    let frame = Int(address.raw >> Page.shift)
    if words[frame].load(ordering: .relaxed) == 0 { flags[frame].bitwiseOr(Flag.stale, ordering: .relaxed) }
  }
}

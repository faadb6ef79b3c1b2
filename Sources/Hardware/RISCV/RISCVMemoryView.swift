// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

/// How the IOMMU itself reads and writes memory. Nil is an access fault, or poisoned data: `isPoisoned` tells
/// which. An address beyond PAS, one without memory and one that a check refuses are the same to it.
struct RISCVMemoryView {
  let memory: PhysicalMemory
  /// The last physical address: `capabilities.PAS`.
  let lastAddress: UInt64
  let hazards: Hazards

  /// Addresses that do not work.
  final class Hazards {
    /// A PMA or PMP check refuses them to the IOMMU.
    var refused: [Span64] = []
    /// Memory with an uncorrectable error.
    var poisoned: [Span64] = []
    /// There are any. It is read for each word of each walk, by one thread.
    @exclusivity(unchecked) var any = false
  }

  func isRefused(_ address: UInt64) -> Bool {
    hazards.any && hazards.refused.contains { $0.contains(address) }
  }

  func isPoisoned(_ address: UInt64) -> Bool {
    hazards.any && address <= lastAddress && !isRefused(address)
      && hazards.poisoned.contains { $0.contains(address) }
  }

  @inline(never)
  private func isHazard(_ address: UInt64) -> Bool {
    isRefused(address) || hazards.poisoned.contains { $0.contains(address) }
  }

  @inline(__always)
  func load64(_ address: UInt64, bigEndian: Bool) -> UInt64? {
    guard address <= lastAddress, !hazards.any || !isHazard(address),
      let word = memory.load64(at: PhysAddr(address))
    else { return nil }
    return bigEndian ? word.byteSwapped : word
  }

  func load32(_ address: UInt64, bigEndian: Bool) -> UInt32? {
    guard address <= lastAddress, !hazards.any || !isHazard(address),
      let word = memory.load32(at: PhysAddr(address))
    else { return nil }
    return bigEndian ? word.byteSwapped : word
  }

  func store64(_ value: UInt64, _ address: UInt64, bigEndian: Bool) -> Bool {
    guard address <= lastAddress, !isRefused(address) else { return false }
    return memory.store64(bigEndian ? value.byteSwapped : value, at: PhysAddr(address))
  }

  func store32(_ value: UInt32, _ address: UInt64, bigEndian: Bool) -> Bool {
    guard address <= lastAddress, !isRefused(address) else { return false }
    return memory.store32(bigEndian ? value.byteSwapped : value, at: PhysAddr(address))
  }

  /// Sets bits of a PTE that is still what it was: how A and D are updated. False when it has changed.
  func exchange(_ address: UInt64, from old: UInt64, to new: UInt64, wide: Bool, bigEndian: Bool) -> Bool {
    if wide {
      return memory.exchange64(
        at: PhysAddr(address), from: bigEndian ? old.byteSwapped : old, to: bigEndian ? new.byteSwapped : new)
    }
    // A PTE of 4 bytes is half of an atomic word.
    let place = address & ~7
    let shift = (address & 4) * 8
    guard let word = memory.load64(at: PhysAddr(place)) else { return false }
    let before = UInt32(truncatingIfNeeded: old)
    let after = UInt32(truncatingIfNeeded: new)
    guard UInt32(truncatingIfNeeded: word >> shift) == (bigEndian ? before.byteSwapped : before) else {
      return false
    }
    let replaced =
      word & ~(0xFFFF_FFFF << shift) | UInt64(bigEndian ? after.byteSwapped : after) << shift
    return memory.exchange64(at: PhysAddr(place), from: word, to: replaced)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import Seams
internal import UAPI

/// Memory that a driver shares with its SMMU: zeroed, contiguous, aligned to its size. `dmam_alloc_coherent`.
final class SMMUv3Buffer: @unchecked Sendable {
  let base: UInt64
  private let memory: PhysicalMemory
  private let frames: Range<UInt32>

  /// - Throws: ENOMEM.
  init(_ bytes: Int, _ memory: PhysicalMemory, _ failures: FailurePoints, _ point: FailurePoint = .allocation)
    throws(Errno)
  {
    try failures.pass(point, "memory that the SMMU reads")
    let count = max(1, (bytes + Int(Page.mask)) >> Int(Page.shift))
    let aligned = count.nonzeroBitCount == 1 ? count : 1 << (Int.bitWidth - count.leadingZeroBitCount)
    let first = try memory.allocateContiguous(count, alignment: aligned)
    self.memory = memory
    frames = first.raw..<first.raw + UInt32(count)
    base = first.address.raw
  }

  deinit { for frame in frames { memory.release(FrameNumber(frame)) } }

  func load(_ offset: UInt64) -> UInt64 { memory.load64(at: PhysAddr(base &+ offset)) ?? 0 }
  func store(_ value: UInt64, _ offset: UInt64) { _ = memory.store64(value, at: PhysAddr(base &+ offset)) }
}

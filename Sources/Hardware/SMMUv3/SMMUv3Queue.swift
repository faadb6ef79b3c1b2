// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// A circular queue in memory. IHI 0070, 3.5.1: an index register has the index in its low bits and the
  /// wrap bit above; equal is empty, equal but for the wrap bit is full.
  struct Queue: Sendable {
    var base: UInt64 = 0
    var prod: UInt32 = 0
    var cons: UInt32 = 0
    let maximumLg2: UInt32
    let bytesLg2: Int

    init(maximumLg2: UInt32, bytesLg2: Int) {
      self.maximumLg2 = maximumLg2
      self.bytesLg2 = bytesLg2
    }

    /// Entries, base-2 logarithm; more than the hardware can do counts as the most it can.
    var sizeLg2: UInt32 { min(UInt32(base[SMMU.Queue.log2Size]), maximumLg2) }
    private var wrapMask: UInt32 { (2 << sizeLg2) &- 1 }
    private var indexMask: UInt32 { (1 << sizeLg2) &- 1 }

    var isEmpty: Bool { (prod ^ cons) & wrapMask == 0 }
    var isFull: Bool { (prod ^ cons) & wrapMask == 1 << sizeLg2 }
    /// Entries between CONS and PROD; more than the size when software wrote nonsense.
    var count: Int { Int((prod &- cons) & wrapMask) }

    func address(_ index: UInt32) -> UInt64 {
      let size = UInt64(sizeLg2) + UInt64(bytesLg2)
      // The base is aligned to the size of the queue.
      let aligned = base & SMMU.Queue.baseMask & ~((1 << size) &- 1)
      return aligned | UInt64(index & indexMask) << UInt64(bytesLg2)
    }

    mutating func advanceProd() { prod = (prod & ~wrapMask) | ((prod &+ 1) & wrapMask) }
    mutating func advanceCons() { cons = (cons & ~wrapMask) | ((cons &+ 1) & wrapMask) }

    /// Overflow that software has not acknowledged.
    var overflowed: Bool { (prod ^ cons) & SMMU.Queue.overflow != 0 }
    mutating func overflow() { if !overflowed { prod ^= SMMU.Queue.overflow } }
  }

  /// One of the IRQ_CFG0 to IRQ_CFG2 triples.
  struct MessageRegisters: Sendable {
    var address: UInt64 = 0
    var data: UInt32 = 0
    var attributes: UInt32 = 0
  }
}

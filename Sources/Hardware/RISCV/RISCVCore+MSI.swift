// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// MSI page tables, section 3.3.3. A write to a guest's virtual interrupt file goes to a real one, or is kept in memory
// with a notice to the hypervisor.

extension RISCVIOMMU.Core {
  enum MSITranslation {
    case basic(UInt64)
    case mrif(UInt64, InterruptMessage)
  }

  /// What an MSI PTE allows: R, W and U, never X; A and D count as set.
  static let interruptFileBits = PTEBits.bare & ~PTEBits.x

  /// Step 3: the address matches the pattern wherever the mask has a 0.
  func isInterruptFile(_ gpa: UInt64, _ context: DeviceContext) -> Bool {
    (gpa >> RISCV.pageShift ^ context.msiPattern) & ~context.msiMask & ((1 << 52) - 1) == 0
  }

  /// Whether any page of the aligned range around an address is a virtual interrupt file's.
  func holdsInterruptFile(_ gpa: UInt64, sizeLg2: UInt8, _ context: DeviceContext) -> Bool {
    guard sizeLg2 < 64 else { return true }
    let inside = (UInt64(1) << (UInt64(max(sizeLg2, 12)) - RISCV.pageShift)) &- 1
    return (gpa >> RISCV.pageShift ^ context.msiPattern) & ~context.msiMask & ~inside & ((1 << 52) - 1) == 0
  }

  func translateMSI<Trace: RISCVWalkTrace>(
    _ gpa: UInt64, _ context: DeviceContext, _ intent: Intent, _ trace: inout Trace
  ) throws(RISCVFault) -> MSITranslation {
    typealias Entry = RISCV.MSIPTE
    // 5, 6. The interrupt file number: the bits under the mask, packed.
    let number = Self.extract(gpa >> RISCV.pageShift, context.msiMask)
    let place = context.msiTable | number << Entry.sizeLg2
    // 7, 8. Load the PTE.
    let bigEndian = registers.bigEndian
    guard let word0 = view.load64(place, bigEndian: bigEndian),
      let word1 = view.load64(place &+ 8, bigEndian: bigEndian)
    else {
      trace.note("MSI PTE", at: place, [])
      let corrupted = view.isPoisoned(place) || view.isPoisoned(place &+ 8)
      throw RISCVFault(corrupted ? RISCV.Cause.msiPTCorrupted : RISCV.Cause.msiPTELoadFault)
    }
    trace.note("MSI PTE", at: place, [word0, word1])
    // 9, 10. Valid, and ours to interpret.
    guard word0 & Entry.v != 0 else { throw RISCVFault(RISCV.Cause.msiPTENotValid) }
    let misconfigured = RISCVFault(RISCV.Cause.msiPTEMisconfigured)
    guard word0 & Entry.c == 0 || !configuration.faultsOnCustomMSIPTE else { throw misconfigured }
    let ppn = word0 >> RISCV.ppnShift & RISCV.ppnMask
    let found: MSITranslation
    switch word0 >> Entry.mShift & Entry.mMask {
    case Entry.basic:
      // 13. Basic translate mode.
      guard word0 & Entry.basicReserved == 0, word1 == 0 else { throw misconfigured }
      found = .basic(ppn << RISCV.pageShift | gpa & 0xFFF)
    case Entry.mrif:
      // 14. MRIF mode.
      guard has(RISCV.Capability.msiMRIF), word0 & Entry.mrifReserved == 0, word1 & Entry.noticeReserved == 0
      else { throw misconfigured }
      let identifier = (word1 >> Entry.n10Shift & 1) << 10 | word1 & Entry.nidMask
      found = .mrif(
        (word0 & Entry.mrifAddressMask) << Entry.mrifAddressShift,
        InterruptMessage(
          address: (word1 >> RISCV.ppnShift & RISCV.ppnMask) << RISCV.pageShift, data: UInt32(identifier)))
    default: throw misconfigured
    }
    // 15. Nobody executes an interrupt file.
    guard intent.needs & PTEBits.x == 0 else { throw RISCVFault(RISCV.Cause.instructionAccessFault) }
    return found
  }

  /// `extract(x, y)`: the bits of `x` where `y` has ones, packed at the low end.
  static func extract(_ x: UInt64, _ y: UInt64) -> UInt64 {
    var mask = y
    var result: UInt64 = 0
    var position: UInt64 = 0
    while mask != 0 {
      result |= (x >> UInt64(mask.trailingZeroBitCount) & 1) << position
      mask &= mask &- 1
      position += 1
    }
    return result
  }
}

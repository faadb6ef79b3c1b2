// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// The device directory, section 3.1: `riscv_iommu_get_dc`, `riscv_iommu_iodir_update`.
//
//     valid before    V=0 ─▶ forget context, forget address space, fence
//     then            fsc, ta ─▶ V ─▶ forget context, forget address space, fence
//
// What is forgotten is the address space that the context names; all of them where it names none.

extension RISCVInstance {
  /// Offsets of a device context's words.
  enum ContextWord {
    static let tc: UInt64 = 0
    static let iohgatp: UInt64 = 8
    static let ta: UInt64 = 16
    static let fsc: UInt64 = 24
  }

  /// Where the context of a device is, with the tables on the way to it; nil when the directory does not reach so far
  /// or there is no memory.
  public func contextAddress(of device: UInt32) -> UInt64? {
    typealias Pointer = RISCV.DirectoryPointer
    typealias Entry = RISCV.DirectoryEntry
    let extended = has(RISCV.Capability.msiFlat)
    let leafBits: UInt32 = extended ? 6 : 7
    guard directoryMode >= Pointer.oneLevel, directoryMode <= Pointer.threeLevels else { return nil }
    var level = UInt32(directoryMode - Pointer.oneLevel)
    let bits = min(leafBits + 9 * level, UInt32(RISCV.deviceIDBits))
    guard device >> bits == 0 else { return nil }
    var table = directoryRoot
    while level > 0 {
      let place = table &+ UInt64(device >> (leafBits + 9 * (level - 1)) & 0x1FF) &* 8
      guard let next = nextTable(at: place) else { return nil }
      table = next
      level -= 1
    }
    let size = extended ? Entry.extendedContextSize : Entry.baseContextSize
    return table &+ UInt64(device & ((1 << leafBits) - 1)) &* size
  }

  /// Attempts to link a table before the entry counts as no memory at all.
  private static let linkAttempts = 64

  /// The table that an entry leads to; it is made when there is none. Another thread may make it first.
  private func nextTable(at place: UInt64) -> UInt64? {
    typealias Entry = RISCV.DirectoryEntry
    for _ in 0..<Self.linkAttempts {
      let entry = load(place)
      if entry & Entry.v != 0 {
        return (entry >> RISCV.ppnShift & RISCV.ppnMask) << RISCV.pageShift
      }
      let table: UInt64
      do throws(Errno) { table = try allocate(bytes: Int(Page.size), missing: .ENODEV) } catch { return nil }
      let new = Self.pageField(table) | Entry.v
      if site.memory.exchange64(at: PhysAddr(place), from: entry, to: new) { return table }
      free(table)
    }
    return nil
  }

  /// Gives a device another context.
  ///
  /// - Parameters:
  ///   - fsc: the first stage, 0 for none.
  ///   - pscid: its number, where it has one.
  ///   - valid: DMA works at all.
  func setContext(of device: UInt32, fsc: UInt64, pscid: UInt32?, valid: Bool) {
    guard let context = contextAddress(of: device) else { return }
    let v = RISCV.TranslationControl.v
    var tc = load(context &+ ContextWord.tc)
    if tc & v != 0 {
      tc &= ~v
      store(tc, context &+ ContextWord.tc)
      forgetContext(of: device, at: context)
      synchronize()
    }
    if valid { tc |= v }
    if valid, bugs.has(.tornContext) {
      store(tc, context &+ ContextWord.tc)
      send(.forgetContext(of: device))
      synchronize()
    }
    store(fsc, context &+ ContextWord.fsc)
    store(UInt64(pscid ?? 0) << RISCV.TranslationAttributes.pscidShift, context &+ ContextWord.ta)
    store(tc, context &+ ContextWord.tc)
    forgetContext(of: device, at: context)
    synchronize()
  }

  /// The commands after a change of a context. `riscv_iommu_iodir_iotinval`, without the second stage and the process
  /// directory that the driver never sets up.
  private func forgetContext(of device: UInt32, at context: UInt64) {
    if !bugs.has(.skipContextFlush) { send(.forgetContext(of: device)) }
    guard !bugs.has(.reuseTag) else { return }
    let fsc = load(context &+ ContextWord.fsc)
    let ta = load(context &+ ContextWord.ta)
    let names = fsc >> RISCV.TablePointer.modeShift != RISCV.TablePointer.bare
    send(
      .forget(
        pscid: names
          ? UInt32(truncatingIfNeeded: ta >> RISCV.TranslationAttributes.pscidShift & RISCV.pscidMask) : nil))
  }
}

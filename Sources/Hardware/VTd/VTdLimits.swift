// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// What follows from the capability registers once and for all, in the form that walks want it.
struct VTdLimits: Sendable {
  let cap: UInt64
  let ecap: UInt64
  let quirks: VTdQuirks

  /// Bits of an address that memory can have, above the page offset.
  let addressMask: UInt64
  /// Bits 63:HAW, which are reserved in pointers.
  let pointerReserved: UInt64
  /// Bits 51:HAW, which are reserved in paging entries.
  let entryReserved: UInt64
  /// Levels at which a second-stage leaf may be, as bits.
  let secondStageLeaves: UInt64
  /// Bits that are reserved in every second-stage leaf.
  let secondStageLeafReserved: UInt64
  let secondStageTableReserved: UInt64
  let secondStagePresent: UInt64
  /// Levels at which a first-stage leaf may be, as bits.
  let firstStageLeaves: UInt64
  let guestAddressWidth: UInt64
  let hostAddressWidth: UInt64
  let domainMask: UInt64

  init(_ configuration: VTdConfiguration) {
    cap = configuration.cap
    ecap = configuration.ecap
    quirks = configuration.quirks
    hostAddressWidth = min(max(configuration.hostAddressWidth, 32), 52)
    pointerReserved = UInt64.max << hostAddressWidth
    entryReserved = pointerReserved & (1 << 52 - 1)
    addressMask = ~pointerReserved & ~0xFFF
    guestAddressWidth = VTd.Cap.mgaw.of(cap) + 1
    domainMask = 1 << (4 + 2 * min(VTd.Cap.nd.of(cap), 6)) - 1

    let sizes = VTd.Cap.sslps.of(cap)
    secondStageLeaves = 1 << 1 | (sizes & 1) << 2 | (sizes >> 1 & 1) << 3
    var leaf = entryReserved
    if VTd.ECap.sc.of(ecap) == 0 { leaf |= VTd.SecondStageEntry.snp }
    if VTd.ECap.dt.of(ecap) == 0 { leaf |= VTd.SecondStageEntry.tm }
    secondStageLeafReserved = leaf
    secondStageTableReserved =
      entryReserved | (quirks.snoopReservedInTables ? VTd.SecondStageEntry.snp : 0)
    secondStagePresent =
      VTd.SecondStageEntry.r | VTd.SecondStageEntry.w
      | (quirks.executeMakesPresent ? VTd.SecondStageEntry.x : 0)
    firstStageLeaves = 1 << 1 | 1 << 2 | VTd.Cap.fs1gp.of(cap) << 3
  }

  func has(_ capability: VTd.Field) -> Bool { capability.of(ecap) != 0 }

  /// Whether the unit walks second-stage tables of this AW: VT-d section 11.4.2, SAGAW.
  func supports(addressWidth aw: UInt64) -> Bool {
    (1...3).contains(aw) && VTd.Cap.sagaw.of(cap) >> aw & 1 != 0
  }

  /// The last address that `width` bits can name.
  static func last(width: UInt64) -> UInt64 { width >= 64 ? .max : 1 << width - 1 }
}

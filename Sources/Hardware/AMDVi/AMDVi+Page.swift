// SPDX-License-Identifier: GPL-3.0-or-later

// What the caches hold, and under which tags. AMD IOMMU Specification, publication 48882, section 2.2.8:
//
//     device table entries   DevID                       INVALIDATE_DEVTAB_ENTRY
//     host translations      DomainID, address           INVALIDATE_IOMMU_PAGES, GN=0
//     guest translations     DomainID, PASID, address    INVALIDATE_IOMMU_PAGES, GN=1, or GN=0 over everything;
//                                                        nested ones: any GN=0 of the domain
//     pointers to tables     as the translations         the same, with PDE=1
//     GCR3 entries           DevID, PASID                INVALIDATE_IOMMU_PAGES over everything;
//                                                        INVALIDATE_DEVTAB_ENTRY
//     interrupt entries      DevID, index                INVALIDATE_INTERRUPT_TABLE
//
// Devices that share a DomainID share translations, whatever their roots are. Permissions of the device table
// entry are not in them.

extension AMDVi {
  /// A translation of a page.
  struct Page: BitwiseCopyable, Sendable {
    // The lower four are those of `Translation.Flags`.
    static let readable = UInt16(Translation.Flags.readable.rawValue)
    static let writable = UInt16(Translation.Flags.writable.rawValue)
    static let executable = UInt16(Translation.Flags.executable.rawValue)
    static let global = UInt16(Translation.Flags.global.rawValue)
    static let user: UInt16 = 16
    /// The first write must set the leaf's dirty bit.
    static let dirtyPending: UInt16 = 32
    /// Not present: cached with NpCache only.
    static let absent: UInt16 = 64

    /// Physical address of the page.
    var base: UInt64
    var sizeLg2: UInt8
    /// Size of the page in the table of its own stage: what an invalidation of any part of it covers.
    var reachLg2: UInt8
    var flags: UInt16

    @inline(__always)
    func address(_ a: UInt64) -> UInt64 { base | (a & ((1 &<< UInt64(sizeLg2)) &- 1)) }

    /// What a device is told of flags.
    @inline(__always)
    static func answer(_ flags: UInt16) -> Translation.Flags {
      Translation.Flags(rawValue: UInt8(truncatingIfNeeded: flags & 15))
    }
  }

  /// Tags of translations. Bit 63 is always set, so that 0 is none.
  enum Tag {
    static let used: UInt64 = 1 << 63
    static let guestBit: UInt64 = 1 << 36
    static let nestedBit: UInt64 = 1 << 37
    static let pasidShift: UInt64 = 16
    /// For pointers to tables: the level of the table.
    static let levelShift: UInt64 = 40

    static func host(domain: UInt64) -> UInt64 { used | domain }
    static func guest(domain: UInt64, nested: Bool) -> UInt64 {
      used | guestBit | (nested ? nestedBit : 0) | domain
    }
    static func domain(_ tag: UInt64) -> UInt64 { tag & 0xFFFF }
    static func pasid(_ tag: UInt64) -> UInt64 { tag >> pasidShift & 0xF_FFFF }
    static func level(_ tag: UInt64) -> UInt64 { tag >> levelShift & 7 }
    static func isGuest(_ tag: UInt64) -> Bool { tag & guestBit != 0 }
    static func isNested(_ tag: UInt64) -> Bool { tag & nestedBit != 0 }
  }

  /// A cached pointer to a table: its address, and in the low bits what the levels above permit, as flags of
  /// `Page`. A guest's is guest-physical if nested.
  struct TablePointer: BitwiseCopyable, Sendable {
    var word: UInt64
    init(table: UInt64, flags: UInt64) { word = table | flags }
    var table: UInt64 { word & ~0xFFF }
    var flags: UInt64 { word & 0xFFF }
  }

  /// A cached interrupt remapping table entry.
  struct InterruptEntry: BitwiseCopyable, Sendable {
    var low: UInt64
    var high: UInt64
  }

  /// Size of what one entry of a table of `level` covers, as a base-2 logarithm; of the whole table one level
  /// up.
  @inline(__always)
  static func shift(_ level: Int) -> UInt64 { 12 &+ 9 &* UInt64(truncatingIfNeeded: level &- 1) }

  /// Under which address the cache of pointers has the table of `level` that covers `a`.
  @inline(__always)
  static func region(_ a: UInt64, _ level: Int) -> UInt64 { (a &>> shift(level + 1)) &<< 12 }

  /// The first address that the table covers, from that.
  static func regionStart(_ region: UInt64, level: Int) -> UInt64 { (region >> 12) << shift(level + 1) }
}

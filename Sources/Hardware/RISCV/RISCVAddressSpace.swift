// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What a device or process context comes down to once it is decoded: the two stages a transaction goes through, and
// the identifiers that tag what is cached of them.

/// GSCID and PSCID, each with whether it is there: section 3.8, the identifiers that tag cache entries.
public struct RISCVAddressSpaceTag: Hashable, BitwiseCopyable, Sendable {
  /// GV 63, GSCID 47:32, PSCV 31, PSCID 19:0.
  public var raw: UInt64

  init(gscid: UInt64?, pscid: UInt64?) {
    raw = 0
    if let gscid { raw |= 1 << 63 | (gscid & RISCV.gscidMask) << 32 }
    if let pscid { raw |= 1 << 31 | pscid & RISCV.pscidMask }
  }

  /// The second stage is on.
  public var hasGSCID: Bool { raw >> 63 != 0 }
  public var gscid: UInt64 { raw >> 32 & RISCV.gscidMask }
  /// The first stage is on.
  public var hasPSCID: Bool { raw & 1 << 31 != 0 }
  public var pscid: UInt64 { raw & RISCV.pscidMask }
}

extension RISCVIOMMU.Core {
  /// A stage of translation. Zero levels: Bare.
  struct Stage: Hashable, BitwiseCopyable, Sendable {
    var root: UInt64 = 0
    var levels: UInt8 = 0
    /// PTEs have 4 bytes, and an index 10 bits instead of 9.
    var narrow = false

    var isBare: Bool { levels == 0 }
    var indexBits: UInt64 { narrow ? 10 : 9 }
    var pteSizeLg2: UInt64 { narrow ? 2 : 3 }

    /// Decodes `iosatp` or `iohgatp` and their like, whose mode was found supported.
    init(_ pointer: UInt64, narrow: Bool) {
      let mode = pointer >> RISCV.TablePointer.modeShift
      guard mode != RISCV.TablePointer.bare else { return }
      root = (pointer & RISCV.ppnMask) << RISCV.pageShift
      levels = narrow ? 2 : UInt8(truncatingIfNeeded: mode &- 5)
      self.narrow = narrow
    }

    init() {}
  }

  /// Both stages, and how they are to be walked.
  struct AddressSpace: Hashable, BitwiseCopyable, Sendable {
    var first = Stage()
    var second = Stage()
    var tag = RISCVAddressSpaceTag(gscid: nil, pscid: nil)
    /// SADE and GADE: hardware updates A and D.
    var updatesFirst = false
    var updatesSecond = false
    /// SBE, and fctl.BE.
    var firstBigEndian = false
    var secondBigEndian = false
    var sxl = false
    /// There is an MSI page table.
    var hasMSI = false

    /// What a walk needs of a space where the first stage is all there is, in tables of the usual form; nil for
    /// others. A copy of the whole space is read back from memory that has just been written in other pieces, and waits
    /// for it: 8 ns.
    @inline(__always)
    var plain: PlainSpace? {
      guard second.levels == 0, !hasMSI, first.levels != 0, !first.narrow, !firstBigEndian, !sxl else {
        return nil
      }
      return PlainSpace(root: first.root, levels: UInt64(first.levels), tag: tag)
    }

    /// The first stage Bare: what Translated requests with T2GPA and others without a process see.
    var secondOnly: AddressSpace {
      var space = self
      space.first = Stage()
      space.tag.raw &= ~0xFFFF_FFFF
      return space
    }
  }

  struct PlainSpace: BitwiseCopyable {
    var root: UInt64
    var levels: UInt64
    var tag: RISCVAddressSpaceTag
  }

  /// What a transaction asks of the pages on its way.
  struct Intent: BitwiseCopyable {
    /// PTE bits R, W and X that must be set; none for a translation request, which is told what it may do.
    var needs: UInt8
    /// It writes, or a translation request wants to: D must be set where W is.
    var stores: Bool
    var execute: Bool
    var supervisor = false
    var sum = false

    /// Causes by original access type: section 3.3 and the Privileged Architecture.
    var accessFault: UInt32 { pick(1, 5, 7) }
    var pageFault: UInt32 { pick(12, 13, 15) }
    var guestPageFault: UInt32 { pick(20, 21, 23) }

    private func pick(_ executing: UInt32, _ reading: UInt32, _ writing: UInt32) -> UInt32 {
      execute ? executing : needs & PTEBits.w != 0 ? writing : reading
    }

    @inline(__always)
    init(_ transaction: Transaction) {
      execute = transaction.execute && !transaction.writes
      if case .translationRequest(let noWrite) = transaction.kind {
        needs = 0
        stores = !noWrite
        execute = transaction.execute
      } else {
        needs =
          execute
          ? PTEBits.x : (transaction.reads ? PTEBits.r : 0) | (transaction.writes ? PTEBits.w : 0)
        stores = transaction.writes
      }
    }
  }

  /// The low byte of a PTE.
  enum PTEBits {
    static let r = UInt8(RISCV.PTE.r)
    static let w = UInt8(RISCV.PTE.w)
    static let x = UInt8(RISCV.PTE.x)
    static let u = UInt8(RISCV.PTE.u)
    static let g = UInt8(RISCV.PTE.g)
    static let a = UInt8(RISCV.PTE.a)
    static let d = UInt8(RISCV.PTE.d)
    /// What a Bare stage allows.
    static let bare = r | w | x | u | a | d | UInt8(RISCV.PTE.v)

    /// R, W, X and G as a device is told of them: R is bit 1 and readable bit 0, G is bit 5 and global bit 3.
    @inline(__always)
    static func answer(_ bits: UInt8) -> Translation.Flags {
      Translation.Flags(rawValue: bits >> 1 & 7 | bits >> 2 & 8)
    }
  }

  /// A page that one stage maps to.
  struct Leaf: BitwiseCopyable {
    var address: UInt64
    var sizeLg2: UInt8
    /// The low byte of the PTE; G also from the PTEs above it.
    var bits: UInt8
    var pbmt: UInt8 = 0
  }
}

/// Why the process to translate an IOVA stops: the record's CAUSE and `iotval2`.
struct RISCVFault: Error, BitwiseCopyable {
  var cause: UInt32
  var iotval2: UInt64
  init(_ cause: UInt32, iotval2: UInt64 = 0) {
    self.cause = cause
    self.iotval2 = iotval2
  }
}

/// How a stage fails, before the caller gives it the cause that fits what it was doing.
enum RISCVStageFailure: Error { case page, access, poison }

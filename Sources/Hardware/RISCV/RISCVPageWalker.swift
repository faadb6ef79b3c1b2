// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// The two stages: the Privileged Architecture's "Virtual Address Translation Process" and "Two-Stage Address
// Translation", for Sv32, Sv39, Sv48, Sv57 and their x4 forms, with Svnapot and Svpbmt. Every access of the first
// stage goes through the second.
//
// The pointers to tables of the last level are cached with the same tags as translations. They are what IOTINVAL
// with an address leaves alone, unless it has NL: software that frees a table after that reads freed memory.

extension RISCVIOMMU.Core {
  /// A pointer to a table of the last level.
  struct CachedTable: BitwiseCopyable, Sendable {
    /// Of the first stage: a GPA where the second is on.
    var table: UInt64
    /// G of a PTE above it.
    var global: Bool
  }

  /// What a walk of both stages remembers, and how many walks there were.
  struct TableCache {
    var first: TranslationCache<RISCVAddressSpaceTag, CachedTable>
    var second: TranslationCache<RISCVAddressSpaceTag, CachedTable>
    /// Walks since the performance monitor looked.
    var firstStageWalks = 0
    var secondStageWalks = 0
  }
}

/// Walks page tables: the part of the IOMMU that must be quick, so it is small and has no state of its own.
struct RISCVPageWalker {
  typealias Core = RISCVIOMMU.Core
  typealias Stage = Core.Stage
  typealias AddressSpace = Core.AddressSpace
  typealias Intent = Core.Intent
  typealias Leaf = Core.Leaf
  typealias PTEBits = Core.PTEBits

  let view: RISCVMemoryView
  /// PTE bits that must be 0 with the capabilities there are.
  let reservedPTEBits: UInt64
  let strictNAPOT: Bool
  let reportsImplicitOffset: Bool
  let cachesTables: Bool

  enum PTEKind { case invalid, pointer, leaf }

  /// A PTE as both stages see it, before permissions: steps 3 to 6 of the process. A PTE of 4 bytes has 0 in the
  /// upper half, so the checks there hold.
  @inline(__always)
  func kind(_ pte: UInt64, level: Int, indexBits: UInt64) -> PTEKind {
    typealias Bit = RISCV.PTE
    // Step 3: not valid, xwr = 010 or 110, or reserved bits and encodings.
    guard pte & Bit.v != 0, pte & (Bit.r | Bit.w) != Bit.w, pte & reservedPTEBits == 0,
      pte & Bit.pbmt != Bit.pbmt
    else { return .invalid }
    // Step 4: a pointer has none of D, A, U, PBMT, N, and leads somewhere.
    if pte & (Bit.r | Bit.x) == 0 {
      return level == 0 || pte & (Bit.d | Bit.a | Bit.u | Bit.pbmt | Bit.n) != 0 ? .invalid : .pointer
    }
    let ppn = pte >> RISCV.ppnShift
    if level > 0 {
      // Svnapot knows only the last level; a superpage is aligned.
      let low = (UInt64(1) << (indexBits &* UInt64(level))) &- 1
      return pte & Bit.n != 0 || ppn & low != 0 ? .invalid : .leaf
    }
    guard pte & Bit.n != 0, strictNAPOT else { return .leaf }
    return ppn & Bit.napotMask == Bit.napotPattern ? .leaf : .invalid
  }

  /// Step 8: the page that a leaf PTE maps, and the address in it.
  @inline(__always)
  func leaf(_ pte: UInt64, _ address: UInt64, level: Int, indexBits: UInt64) -> Leaf {
    typealias Bit = RISCV.PTE
    let ppn = pte >> RISCV.ppnShift & RISCV.ppnMask
    var sizeLg2 = RISCV.pageShift &+ indexBits &* UInt64(level)
    if pte & Bit.n != 0, ppn & Bit.napotMask == Bit.napotPattern { sizeLg2 = Bit.napotLg2 }
    let offset = (UInt64(1) << sizeLg2) &- 1
    return Leaf(
      address: ppn << RISCV.pageShift & ~offset | address & offset,
      sizeLg2: UInt8(truncatingIfNeeded: sizeLg2), bits: UInt8(truncatingIfNeeded: pte),
      pbmt: UInt8(truncatingIfNeeded: pte >> Bit.pbmtShift & 3))
  }

  @inline(__always)
  private func loadPTE(_ address: UInt64, _ stage: Stage, bigEndian: Bool) throws(RISCVStageFailure) -> UInt64
  {
    let loaded =
      !stage.narrow
      ? view.load64(address, bigEndian: bigEndian)
      : view.load32(address, bigEndian: bigEndian).map { UInt64($0) }
    guard let loaded else { throw view.isPoisoned(address) ? .poison : .access }
    return loaded
  }

  /// A guest physical address becomes a supervisor physical one.
  ///
  /// - Parameters:
  ///   - needs: bits R, W, X that the access needs.
  ///   - stores: D must be set where W is.
  func secondStage<Trace: RISCVWalkTrace>(
    _ gpa: UInt64, _ space: AddressSpace, needs: UInt8, stores: Bool, _ tables: inout Core.TableCache,
    _ trace: inout Trace
  ) throws(RISCVStageFailure) -> Leaf {
    let stage = space.second
    guard !stage.isBare else { return Leaf(address: gpa, sizeLg2: 64, bits: PTEBits.bare) }
    let bits = stage.indexBits
    let top = Int(stage.levels) - 1
    // The root has four times the entries: two bits more. Beyond them there is nothing.
    let width = RISCV.pageShift &+ bits &* UInt64(stage.levels) &+ 2
    guard gpa >> width == 0, !space.sxl || gpa >> 34 == 0 else { throw .page }
    if Trace.isLive { tables.secondStageWalks &+= 1 }
    let asks = Trace.asksCaches && cachesTables && !stage.narrow
    let remembers = asks && Trace.isLive
    let key = (gpa >> 21) << 12
    // The tag of this stage is the GSCID alone.
    let tag = RISCVAddressSpaceTag(gscid: space.tag.gscid, pscid: nil)
    for _ in 0..<4 {
      var level = top
      var table = stage.root
      if asks, let cached = tables.second.find(key, tag, salt: tag.raw) {
        trace.usedCache()
        table = cached.table
        level = 0
      }
      var index = gpa >> (RISCV.pageShift &+ bits &* UInt64(level))
      if level != top { index &= 0x1FF }
      var changed = false
      while !changed {
        let address = table &+ index << stage.pteSizeLg2
        let pte: UInt64
        do throws(RISCVStageFailure) {
          pte = try loadPTE(address, stage, bigEndian: space.secondBigEndian)
        } catch {
          trace.note("second stage level \(level)", at: address, [])
          throw error
        }
        trace.note("second stage level \(level)", at: address, [pte])
        switch kind(pte, level: level, indexBits: bits) {
        case .invalid: throw .page
        case .pointer:
          level -= 1
          table = (pte >> RISCV.ppnShift & RISCV.ppnMask) << RISCV.pageShift
          index = gpa >> (RISCV.pageShift &+ bits &* UInt64(level)) & ((1 << bits) &- 1)
          if remembers, level == 0 {
            tables.second.insert(Core.CachedTable(table: table, global: false), for: key, tag, salt: tag.raw)
          }
        case .leaf:
          // Every access counts as one of a user, whatever the transaction is.
          let low = UInt8(truncatingIfNeeded: pte)
          guard low & PTEBits.u != 0, needs & ~low == 0 else { throw .page }
          let dirties = stores && low & PTEBits.w != 0
          if low & PTEBits.a == 0 || dirties && low & PTEBits.d == 0 {
            guard space.updatesSecond else { throw .page }
            let new = pte | RISCV.PTE.a | (dirties ? RISCV.PTE.d : 0)
            if Trace.isLive {
              guard
                view.exchange(
                  address, from: pte, to: new, wide: !stage.narrow, bigEndian: space.secondBigEndian)
              else {
                changed = true
                continue
              }
            }
            return leaf(new, gpa, level: level, indexBits: bits)
          }
          return leaf(pte, gpa, level: level, indexBits: bits)
        }
      }
    }
    // A PTE that changes under each of our attempts.
    throw .access
  }

  /// An access of the first stage to its own tables, at a guest physical address.
  @inline(__always)
  private func implicit<Trace: RISCVWalkTrace>(
    _ gpa: UInt64, _ space: AddressSpace, _ intent: Intent, writes: Bool, _ tables: inout Core.TableCache,
    _ trace: inout Trace
  ) throws(RISCVFault) -> UInt64 {
    guard !space.second.isBare else { return gpa }
    do throws(RISCVStageFailure) {
      return try secondStage(
        gpa, space, needs: writes ? PTEBits.r | PTEBits.w : PTEBits.r, stores: writes, &tables, &trace
      ).address
    } catch {
      throw fault(error, intent, implicit: gpa, writes: writes)
    }
  }

  /// The cause of a stage's failure, by the transaction's own access type.
  func fault(_ failure: RISCVStageFailure, _ intent: Intent, implicit gpa: UInt64, writes: Bool) -> RISCVFault
  {
    switch failure {
    case .access: return RISCVFault(intent.accessFault)
    case .poison: return RISCVFault(RISCV.Cause.ptCorrupted)
    case .page:
      let place = reportsImplicitOffset ? gpa & ~3 : gpa & ~0xFFF
      return RISCVFault(
        intent.guestPageFault,
        iotval2: place | RISCV.Record.implicit | (writes ? RISCV.Record.implicitWrite : 0))
    }
  }

  /// U, SUM and the permissions of a first-stage leaf, step 5.
  @inline(__always)
  static func permits(_ bits: UInt8, _ intent: Intent) -> Bool {
    guard intent.needs & ~bits == 0 else { return false }
    let isUser = bits & PTEBits.u != 0
    return intent.supervisor ? !isUser || intent.sum && !intent.execute : isUser
  }

  /// The walk of a first stage alone that meets nothing but pointers and then a leaf that it may use as it is, with
  /// no table to be remembered. Nil leaves it to `firstStage`, whose loop has more to keep than there are registers
  /// (with it a walk took 44 ns, with this 36, and 23 without the copy that `AddressSpace.plain` avoids).
  @inline(__always)
  func plainFirstStage(
    _ iova: UInt64, _ space: Core.PlainSpace, _ intent: Intent, _ tables: borrowing Core.TableCache
  ) -> Leaf? {
    typealias Bit = RISCV.PTE
    guard !view.hazards.any else { return nil }
    var level = space.levels
    var shift = 3 &+ 9 &* level
    let upper = Int64(bitPattern: iova) &>> Int64(bitPattern: shift &+ 8)
    guard upper == 0 || upper == -1 else { return nil }
    var table = space.root
    var above: UInt64 = 0
    if cachesTables {
      guard let cached = tables.first.find((iova >> 21) << 12, space.tag, salt: space.tag.raw) else {
        return nil
      }
      table = cached.table
      above = cached.global ? Bit.g : 0
      level = 1
      shift = 12
    }
    let memory = view.memory
    let last = view.lastAddress
    // What tells a pointer from everything else: steps 3 and 4 in one comparison.
    let judged =
      Bit.v | Bit.r | Bit.w | Bit.x | Bit.d | Bit.a | Bit.u | Bit.pbmt | Bit.n | reservedPTEBits
    var pte: UInt64
    while true {
      let place = table &+ (iova &>> shift & 511) &<< 3
      guard place <= last, let word = memory.load64(at: PhysAddr(place)) else { return nil }
      pte = word
      level &-= 1
      guard word & judged == Bit.v, level > 0 else { break }
      above |= word
      table = (word &>> RISCV.ppnShift & RISCV.ppnMask) &<< RISCV.pageShift
      shift &-= 9
    }
    guard kind(pte, level: Int(truncatingIfNeeded: level), indexBits: 9) == .leaf else { return nil }
    let low = UInt8(truncatingIfNeeded: pte)
    guard Self.permits(low, intent), low & PTEBits.a != 0,
      !intent.stores || low & (PTEBits.w | PTEBits.d) != PTEBits.w
    else { return nil }
    var leaf = leaf(pte, iova, level: Int(truncatingIfNeeded: level), indexBits: 9)
    leaf.bits |= UInt8(truncatingIfNeeded: above) & PTEBits.g
    return leaf
  }

  /// An IOVA becomes a guest physical address.
  func firstStage<Trace: RISCVWalkTrace>(
    _ iova: UInt64, _ space: AddressSpace, _ intent: Intent, _ tables: inout Core.TableCache,
    _ trace: inout Trace
  ) throws(RISCVFault) -> Leaf {
    let stage = space.first
    guard !stage.isBare else { return Leaf(address: iova, sizeLg2: 64, bits: PTEBits.bare) }
    let bits = stage.indexBits
    let top = Int(stage.levels) - 1
    let width = RISCV.pageShift &+ bits &* UInt64(stage.levels)
    // The upper bits repeat the sign; with SXL they are 0.
    if space.sxl {
      guard iova >> 32 == 0 else { throw RISCVFault(intent.pageFault) }
    } else {
      let upper = Int64(bitPattern: iova) >> (width &- 1)
      guard upper == 0 || upper == -1 else { throw RISCVFault(intent.pageFault) }
    }
    if Trace.isLive { tables.firstStageWalks &+= 1 }
    let asks = Trace.asksCaches && cachesTables && !stage.narrow
    let remembers = asks && Trace.isLive
    let key = (iova >> 21) << 12
    for _ in 0..<4 {
      var level = top
      var table = stage.root
      var global: UInt8 = 0
      if asks, let cached = tables.first.find(key, space.tag, salt: space.tag.raw) {
        trace.usedCache()
        table = cached.table
        level = 0
        global = cached.global ? PTEBits.g : 0
      }
      var changed = false
      while !changed {
        // Step 2: load the PTE.
        let index = iova >> (RISCV.pageShift &+ bits &* UInt64(level)) & ((1 << bits) &- 1)
        let gpa = table &+ index << stage.pteSizeLg2
        let address = try implicit(gpa, space, intent, writes: false, &tables, &trace)
        let pte: UInt64
        do throws(RISCVStageFailure) {
          pte = try loadPTE(address, stage, bigEndian: space.firstBigEndian)
        } catch {
          trace.note("first stage level \(level)", at: address, [])
          throw fault(error, intent, implicit: gpa, writes: false)
        }
        trace.note("first stage level \(level)", at: address, [pte])
        switch kind(pte, level: level, indexBits: bits) {
        case .invalid: throw RISCVFault(intent.pageFault)
        case .pointer:
          level -= 1
          table = (pte >> RISCV.ppnShift & RISCV.ppnMask) << RISCV.pageShift
          global |= UInt8(truncatingIfNeeded: pte) & PTEBits.g
          if remembers, level == 0 {
            tables.first.insert(
              Core.CachedTable(table: table, global: global != 0), for: key, space.tag, salt: space.tag.raw)
          }
        case .leaf:
          let low = UInt8(truncatingIfNeeded: pte)
          guard Self.permits(low, intent) else { throw RISCVFault(intent.pageFault) }
          // Step 7: A, and D for a store.
          let dirties = intent.stores && low & PTEBits.w != 0
          var found = pte
          if low & PTEBits.a == 0 || dirties && low & PTEBits.d == 0 {
            guard space.updatesFirst else { throw RISCVFault(intent.pageFault) }
            let target = try implicit(gpa, space, intent, writes: true, &tables, &trace)
            found |= RISCV.PTE.a | (dirties ? RISCV.PTE.d : 0)
            if Trace.isLive,
              !view.exchange(
                target, from: pte, to: found, wide: !stage.narrow, bigEndian: space.firstBigEndian)
            {
              changed = true
              continue
            }
          }
          var leaf = leaf(found, iova, level: level, indexBits: bits)
          leaf.bits |= global
          return leaf
        }
      }
    }
    throw RISCVFault(intent.accessFault)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import PageTables

// Which invalidations a change of tables becomes.
//
//     leaf of a new size, or after a gap ──> what was gathered is flushed first (`iommu_iotlb_gather_add_page`)
//     table unlinked ──────────────────────> flushed at once (`io_pgtable_tlb_flush_walk`)
//     end of the call ─────────────────────> what was gathered is flushed (`arm_smmu_iotlb_sync`)
//
//     flush:  TLBI of the ID, SYNC ─> with a nesting parent NH_ALL of its VMID, SYNC ─> ATC_INV for each device, SYNC
//
// Source: `__arm_smmu_domain_inv_range`; reference backends-arm-riscv-s390.md A5.4.

extension SMMUv3Domain {
  /// Flushes pieces, given in the order of the work, as the kernel's two paths do.
  func invalidate(_ pieces: [TableGather.Piece]) {
    let granule = UInt64(1) << UInt64(geometry.granuleLg2)
    var gathered: SMMUv3Range?
    for piece in pieces {
      guard !piece.isTable else {
        let leafOnly = unit.bugs.has(.leafOnlyFlush)
        invalidate(
          SMMUv3Range(
            first: piece.first, last: piece.last, leafLg2: geometry.granuleLg2, isLeaf: leafOnly))
        continue
      }
      let next = SMMUv3Range(first: piece.first, last: piece.last, leafLg2: piece.sizeLg2, isLeaf: true)
      guard let before = gathered else {
        gathered = next
        continue
      }
      if before.leafLg2 == next.leafLg2, next.first <= before.last &+ 1, before.first <= next.last &+ 1 {
        gathered = SMMUv3Range(
          first: min(before.first, next.first), last: max(before.last, next.last), leafLg2: next.leafLg2,
          isLeaf: true)
      } else {
        invalidate(before)
        gathered = next
      }
    }
    if let gathered {
      guard unit.bugs.has(.shortFlush) else { return invalidate(gathered) }
      invalidate(
        SMMUv3Range(
          first: gathered.first, last: gathered.first | (granule - 1), leafLg2: gathered.leafLg2, isLeaf: true
        ))
    }
  }

  /// Everybody who holds translations of a range forgets them.
  func invalidate(_ range: SMMUv3Range) {
    withHolders { holders in
      var batch: [SMMUv3Command] = []
      var previous: SMMUv3Holder.Kind?
      for (holder, _) in holders.all {
        let startsAnew =
          (holder.kind == .vmidStage1 && previous != .vmidStage1)
          || (holder.isDevice && previous != .device && previous != .deviceWhole)
        if startsAnew {
          unit.invalidate(batch)
          batch = []
        }
        previous = holder.kind
        batch += commands(for: holder, range)
      }
      unit.invalidate(batch)
    }
  }

  private func commands(for holder: SMMUv3Holder, _ range: SMMUv3Range) -> [SMMUv3Command] {
    switch holder.kind {
    case .asid, .vmid:
      guard !unit.bugs.has(.skipUnmapFlush) else { return [] }
      let id = unit.bugs.has(.wrongDomainFlush) ? holder.id ^ 0x80 : holder.id
      if isTooLong(range) { return [wholeFlush(id)] }
      return SMMUv3Command.ranges(
        template(id), range, granuleLg2: geometry.granuleLg2, hasRanges: unit.features.ranges)
    case .vmidStage1:
      // S12_VMALL has taken stage 1 along.
      guard !unit.bugs.has(.skipUnmapFlush), !isTooLong(range) else { return [] }
      var command = SMMUv3Command(SMMU.Command.tlbiNHAll)
      command[SMMU.Command.vmid] = UInt64(holder.id)
      return [command]
    case .device:
      guard !unit.bugs.has(.skipDeviceFlush) else { return [] }
      return [.forgetInDevice(holder.id, ssid: holder.ssid, (range.first, range.last))]
    case .deviceWhole:
      guard !unit.bugs.has(.skipDeviceFlush) else { return [] }
      return [.forgetInDevice(holder.id, ssid: 0, nil)]
    }
  }

  /// Without range commands 7.2 flushes all of the ID where a table's worth of leaves went.
  private func isTooLong(_ range: SMMUv3Range) -> Bool {
    guard !unit.features.ranges, !unit.features.isOld else { return false }
    return range.length >> UInt64(2 * range.leafLg2 - 3) > 0
  }

  /// The command that names this domain's translations by address.
  private func template(_ id: UInt32) -> SMMUv3Command {
    var command: SMMUv3Command
    switch stage {
    case .one:
      command = SMMUv3Command(
        unit.features.hostWorld ? SMMU.Command.tlbiEL2VA : SMMU.Command.tlbiNHVA)
      command[SMMU.Command.asid] = UInt64(id)
    case .two:
      command = SMMUv3Command(SMMU.Command.tlbiS2IPA)
      command[SMMU.Command.vmid] = UInt64(id)
    }
    return command
  }

  /// The command for all of this domain's translations.
  var wholeFlush: SMMUv3Command { wholeFlush(id) }

  private func wholeFlush(_ id: UInt32) -> SMMUv3Command {
    var command: SMMUv3Command
    switch stage {
    case .one:
      command = SMMUv3Command(
        unit.features.hostWorld ? SMMU.Command.tlbiEL2ASID : SMMU.Command.tlbiNHASID)
      command[SMMU.Command.asid] = UInt64(id)
    case .two:
      command = SMMUv3Command(SMMU.Command.tlbiS12VMAll)
      command[SMMU.Command.vmid] = UInt64(id)
    }
    return command
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  // MARK: Configuration caches

  /// CFGI commands. IHI 0070, 4.3: a stream's STE takes the CDs that were reached through it along; no TLB
  /// entry goes.
  func forgetConfiguration(_ command: CommandWords) {
    let source = command.source
    switch command.opcode {
    case SMMU.Command.configInvalidateSTE:
      streams[source] = nil
      forgetContexts { $0 == source }
      if !command.leaf { streamTables[source >> splitBits] = nil }
    case SMMU.Command.configInvalidateSTERange:
      let bits = UInt32(command[SMMU.Command.range]) + 1
      let first = bits >= 32 ? 0 : source >> bits
      let inRange = { (other: UInt32) in bits >= 32 || other >> bits == first }
      streams = streams.filter { !inRange($0.key) }
      let split = splitBits
      streamTables = streamTables.filter { table in
        // Level 1 descriptors with a stream of the range.
        let low = table.key << split
        return !(inRange(low) || (bits < split && first >> (split - bits) == table.key))
      }
      forgetContexts(inRange)
    case SMMU.Command.configInvalidateCD:
      let substream = UInt64(command[SMMU.Command.ssid])
      let stream = UInt64(source) << 32
      contextDescriptors[stream | substream] = nil
      if !command.leaf {
        // Of either leaf size.
        contextTables[stream | substream >> 6] = nil
        contextTables[stream | substream >> 10] = nil
      }
    default: forgetContexts { $0 == source }
    }
    contexts.removeAll()
  }

  private func forgetContexts(_ condition: (UInt32) -> Bool) {
    contextDescriptors = contextDescriptors.filter { !condition(UInt32(truncatingIfNeeded: $0.key >> 32)) }
    contextTables = contextTables.filter { !condition(UInt32(truncatingIfNeeded: $0.key >> 32)) }
  }

  // MARK: TLB

  /// What a TLBI command names. IHI 0070, 4.4.
  struct TLBSelection {
    /// A bit for each `World`.
    var worlds: UInt64
    var vmid: UInt64?
    /// Bits of the VMID that do not matter, CR0.VMW.
    var wildcard: UInt64 = 0
    var asid: UInt64?
    /// Global entries stay, whatever their ASID.
    var sparesGlobals = false
    var first: UInt64 = 0
    var last = UInt64.max
    var everywhere = true
    var leafOnly = false
    /// Leaves of this level only, with tables of this granule.
    var level: UInt64 = 0
    var granuleLg2: UInt64 = 0

    @inline(__always)
    func names(_ tag: UInt64) -> Bool {
      guard worlds >> Tag.world(tag) & 1 != 0 else { return false }
      if let vmid, (Tag.vmid(tag) ^ vmid) & ~wildcard != 0 { return false }
      guard let asid else { return true }
      return Tag.isGlobal(tag) ? !sparesGlobals : Tag.asid(tag) == asid
    }

    @inline(__always)
    func meets(_ address: UInt64, _ sizeLg2: UInt64) -> Bool {
      if everywhere { return true }
      let mask: UInt64 = (1 << sizeLg2) &- 1
      return address & ~mask <= last && first <= address | mask
    }
  }

  func invalidateTLB(_ command: CommandWords) {
    if configuration.overInvalidates {
      tlb.pointee.removeAll()
      walkEntries.pointee.removeAll()
      holdsGlobals = false
      return
    }
    let selection = selection(command)
    tlb.pointee.remove { address, tag, entry in
      guard selection.names(tag), selection.meets(address, entry.reachLg2) else { return false }
      return selection.level == 0
        || (entry.level == selection.level && entry.granuleLg2 == selection.granuleLg2)
    }
    // A command for leaves may leave pointers to tables alone.
    guard !selection.leafOnly else { return }
    walkEntries.pointee.remove { address, tag, pointer in
      selection.names(tag) && selection.meets(address, UInt64(pointer.coverageLg2))
    }
  }

  private func selection(_ command: CommandWords) -> TLBSelection {
    typealias C = SMMU.Command
    let el1: UInt64 = 1 << World.el1.rawValue
    let stage2: UInt64 = 1 << World.stage2.rawValue
    let e2h = cr2 & SMMU.CR2.e2h != 0
    let el2: UInt64 = 1 << (e2h ? World.el2Host.rawValue : World.el2.rawValue)
    let vmid = command[C.vmid] & capabilities.vmidMask
    let asid = command[C.asid] & capabilities.asidMask
    var selection: TLBSelection
    switch command.opcode {
    case C.tlbiNHAll: selection = TLBSelection(worlds: el1, vmid: vmid)
    case C.tlbiNHASID:
      selection = TLBSelection(worlds: el1, vmid: vmid, asid: asid, sparesGlobals: true)
    case C.tlbiNHVA:
      selection = TLBSelection(worlds: el1, vmid: vmid, asid: asid)
      confine(&selection, command)
    case C.tlbiNHVAA:
      selection = TLBSelection(worlds: el1, vmid: vmid)
      confine(&selection, command)
    case C.tlbiEL2All: selection = TLBSelection(worlds: el2)
    case C.tlbiEL2ASID: selection = TLBSelection(worlds: el2, asid: e2h ? asid : nil, sparesGlobals: true)
    case C.tlbiEL2VA:
      // EL2 without E2H has no ASIDs.
      selection = TLBSelection(worlds: el2, asid: e2h ? asid : nil)
      confine(&selection, command)
    case C.tlbiEL2VAA:
      selection = TLBSelection(worlds: el2)
      confine(&selection, command)
    case C.tlbiS12VMAll: selection = TLBSelection(worlds: el1 | stage2, vmid: vmid)
    case C.tlbiS2IPA:
      selection = TLBSelection(worlds: stage2, vmid: vmid)
      confine(&selection, command)
    default: selection = TLBSelection(worlds: el1 | stage2)
    }
    let wildcard = UInt64(cr0[SMMU.CR0.vmidWildcard])
    selection.wildcard = (1 << wildcard) - 1
    return selection
  }

  /// The addresses that a command names. IHI 0070, 4.4.1.1: one, or with RIL (NUM+1) x 2^SCALE granules.
  private func confine(_ selection: inout TLBSelection, _ command: CommandWords) {
    typealias C = SMMU.Command
    selection.everywhere = false
    selection.leafOnly = command.leaf
    let mask = command.opcode == C.tlbiS2IPA ? C.ipaMask : C.addressMask
    var length: UInt64 = 1 << 12
    var first = command.word1 & mask
    let granule = command[C.tg]
    if capabilities.has3(SMMU.IDR3.ril), granule != 0 {
      let granuleLg2 = 10 + 2 * granule
      first &= ~((1 << granuleLg2) - 1)
      length = (command[C.num] + 1) << (command[C.scale] + granuleLg2)
      if configuration.honorsTTL {
        selection.level = command[C.ttl]
        selection.granuleLg2 = granuleLg2
      }
    }
    let (last, overflow) = first.addingReportingOverflow(length - 1)
    selection.first = first
    selection.last = overflow ? .max : last
  }
}

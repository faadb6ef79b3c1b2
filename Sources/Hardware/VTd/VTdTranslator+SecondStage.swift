// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

/// How one run through the tables goes.
struct VTdPass {
  /// Accessed and dirty bits are set as they are met; otherwise the run only finds out whether any are missing.
  var updates: Bool
  /// The walk may begin in a paging-structure cache.
  var usesTables: Bool
  /// A bit was missing.
  var missesUpdate = false
}

extension VTdTranslator {
  /// Tag of a paging-structure cache line: the stream's tag, and the level whose entry it stands for.
  @inline(__always)
  static func pagingTag(_ tag: UInt64, _ level: Int) -> UInt64 { tag | UInt64(level) << 48 }

  /// The address that a line of the paging-structure caches is found by.
  @inline(__always)
  static func prefix(_ address: UInt64, _ level: Int) -> UInt64 { (address >> shift(level)) << 12 }

  @inline(__always)
  static func shift(_ level: Int) -> UInt64 { 12 + 9 * UInt64(truncatingIfNeeded: level - 1) }

  /// The second-stage walk: VT-d sections 3.7 and 9.8.
  @inline(__always)
  mutating func secondStage<Observer: VTdObserver>(
    _ stream: VTdStream, _ address: UInt64, _ need: VTdNeed, _ pass: inout VTdPass, _ observer: inout Observer
  ) throws(VTdSecondStageFault) -> VTdLeaf {
    typealias Entry = VTd.SecondStageEntry
    // 1: the address.
    guard address <= stream.limit else { throw .beyondWidth }
    var table = stream.secondStageRoot
    guard table & limits.pointerReserved == 0 else { throw .topAccess }
    var level = Int(stream.secondStageLevels)
    var permissions = Entry.r | Entry.w
    let tag = stream.secondStageTag
    if pass.usesTables {
      for start in 2...max(level, 2) {
        guard let line = tables.find(Self.prefix(address, start), Self.pagingTag(tag, start)) else {
          continue
        }
        // What the cache denies is looked up again.
        if need.contains(.read), line.permissions & Entry.r == 0 { break }
        if need.contains(.write), line.permissions & Entry.w == 0 { break }
        observer.hit()
        table = line.table
        permissions = line.permissions
        level = start - 1
        break
      }
    }
    let tracks = stream.flags.contains(.ssade)
    var remembers = true
    while true {
      // 2: the entry.
      let at = table | (address >> Self.shift(level) & 511) << 3
      observer.saw(.secondStage(level: level), at: at)
      guard let entry = memory.load64(at: PhysAddr(at)) else {
        throw level == Int(stream.secondStageLevels) ? .topAccess : .access
      }
      // 3: R = W = 0.
      guard entry & limits.secondStagePresent != 0 else { throw .notPresent }
      // 4: reserved bits, a page size that does not exist here, a page that is not aligned.
      let isLeaf = level == 1 || entry & Entry.ps != 0
      let below = (1 << Self.shift(level) - 1) & ~0xFFF as UInt64
      if isLeaf {
        guard limits.secondStageLeaves >> UInt64(truncatingIfNeeded: level) & 1 != 0,
          entry & (limits.secondStageLeafReserved | below) == 0
        else { throw .reserved }
      } else {
        guard entry & limits.secondStageTableReserved == 0 else { throw .reserved }
      }
      permissions &= entry
      // 5: the permissions of all levels, where the last is known.
      if isLeaf {
        if need.contains(.write), permissions & Entry.w == 0 { throw .noWrite }
        if need.contains(.read), permissions & Entry.r == 0 { throw .noRead }
      }
      // 6: accessed and dirty bits.
      var dirty = true
      if tracks {
        var wanted = Entry.a
        if isLeaf {
          if need.contains(.dirty), permissions & Entry.w != 0 { wanted |= Entry.d }
          dirty = (entry | wanted) & Entry.d != 0
        }
        if entry & wanted != wanted {
          if !pass.updates { remembers = false }
          try update(at, entry, entry | wanted, stream, &pass)
        }
      }
      if isLeaf {
        let offset = address & (1 << Self.shift(level) - 1)
        var flags: VTdLeaf.Flags = [.user, .execute]
        if permissions & Entry.r != 0 { flags.insert(.read) }
        if permissions & Entry.w != 0 { flags.formUnion([.write, .supervisorWrite]) }
        if entry & Entry.snp != 0 { flags.insert(.snoop) }
        if dirty { flags.insert(.dirty) }
        return VTdLeaf(
          address: entry & limits.addressMask & ~below | offset,
          sizeLg2: UInt8(truncatingIfNeeded: Self.shift(level)), flags: flags)
      }
      table = entry & limits.addressMask
      if !Observer.isReport, remembers {
        tables.insert(
          VTdTablePointer(table: table, permissions: permissions), for: Self.prefix(address, level),
          Self.pagingTag(tag, level))
      }
      level -= 1
    }
  }

  /// Sets accessed and dirty bits of a second-stage entry. VT-d section 3.7.2.
  private func update(
    _ at: UInt64, _ old: UInt64, _ new: UInt64, _ stream: VTdStream, _ pass: inout VTdPass
  ) throws(VTdSecondStageFault) {
    pass.missesUpdate = true
    if limits.quirks.atomicsUnsupported { throw .update }
    if limits.quirks.faultsOnUnsnoopedUpdate, !stream.flags.contains(.pwsnp) { throw .update }
    if pass.updates, !memory.exchange64(at: PhysAddr(at), from: old, to: new) { throw .raced }
  }

  /// The fault reason for a second-stage walk of the request's own address. VT-d section 7.1.3.
  func secondStageFault(_ fault: VTdSecondStageFault, _ stream: VTdStream, _ request: VTdRequest) -> VTdFault
  {
    typealias Reason = VTd.Reason
    let legacy = stream.flags.contains(.legacy)
    let legacyCodes = legacy || limits.quirks.legacySecondStageCodes
    let denied = request.writes ? Reason.noWrite : Reason.noRead
    let joined = limits.quirks.splitsSecondStageFaults ? nil : Reason.secondStageNotPresent
    let code =
      switch fault {
      case .beyondWidth: legacyCodes ? Reason.beyondAddressWidth : Reason.beyondSecondStageWidth
      case .topAccess: legacy ? Reason.pagingEntryAccess : Reason.secondStageTableAccess
      case .access: legacy ? Reason.pagingEntryAccess : Reason.secondStageEntryAccess
      case .notPresent: legacyCodes ? denied : Reason.secondStageNotPresent
      case .reserved: legacyCodes ? Reason.pagingEntryReserved : Reason.secondStageReserved
      case .noWrite: legacyCodes ? Reason.noWrite : joined ?? Reason.scalableNoWrite
      case .noRead: legacyCodes ? Reason.noRead : joined ?? Reason.scalableNoRead
      case .update: Reason.secondStageUpdate
      case .raced: VTdFault.raced.code
      }
    return VTdFault(code, fpd: stream.fpd, missingPage: fault == .notPresent)
  }
}

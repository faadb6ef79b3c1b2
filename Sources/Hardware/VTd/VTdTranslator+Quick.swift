// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// The short way for the most frequent kind of request: untranslated, without privileges, of a requester and
// PASID that were seen before. It gives what the long way would give, or nothing, and then the long way is taken.

/// What the short way needs of a stream.
struct VTdQuickStream: BitwiseCopyable, Sendable {
  var tag: UInt64
  /// No first stage, or one without NXE.
  var ignoresXD: Bool
  /// For `plainSecondStage`: whether it may try, and what it needs.
  var hasSecondStageOnly: Bool
  var levels: UInt8
  /// SSADE.
  var tracks: Bool
  var root: UInt64
  var limit: UInt64

  init(_ stream: VTdStream, _ limits: VTdLimits) {
    tag = stream.tag
    ignoresXD = !stream.usesFirstStage || !stream.flags.contains(.nxe)
    hasSecondStageOnly =
      stream.translation == .secondStage && stream.secondStageRoot & limits.pointerReserved == 0
    levels = stream.secondStageLevels
    tracks = stream.flags.contains(.ssade)
    root = stream.secondStageRoot
    limit = stream.limit
  }
}

extension VTdTranslator {
  /// A translation out of the IOTLB, or of a walk that meets no obstacle: no fault, no bit to be set.
  ///
  /// It is `mutating` so that it works on the unit's own value: the optimizer copies a value, and counts a
  /// reference for each of its caches, for a call that only reads (230 ns instead of 10).
  @inline(__always)
  mutating func quick(_ transaction: Transaction) -> VTdLeaf? {
    guard isOpen, case .untranslated = transaction.kind, !transaction.execute, !transaction.privileged,
      !isVTdInterruptRange(transaction.address)
    else { return nil }
    var pasid = VTdRequest.noPASID
    if let given = transaction.pasid { pasid = given & 0xF_FFFF }
    let sid = UInt16(truncatingIfNeeded: transaction.source)
    guard let stream = quickStreams.find(UInt64(sid) << 12, Self.streamTag(sid, pasid), salt: UInt64(pasid))
    else { return nil }
    guard var leaf = iotlb.find(transaction.address, stream.tag) else {
      return quickWalk(transaction, sid, pasid)
    }
    let need: VTdLeaf.Flags =
      switch transaction.access {
      case .read: [.read, .user]
      case .write: [.write, .dirty, .user]
      case .atomic: [.read, .write, .dirty, .user]
      }
    guard leaf.flags.isSuperset(of: need) else { return nil }
    if stream.ignoresXD { leaf.flags.insert(.execute) }
    leaf.flags.insert(.fromCache)
    leaf.address |= transaction.address & 0xFFF
    return leaf
  }

  @inline(never)
  private mutating func quickWalk(_ transaction: Transaction, _ sid: UInt16, _ pasid: UInt32) -> VTdLeaf? {
    guard let quick = quickStreams.find(UInt64(sid) << 12, Self.streamTag(sid, pasid), salt: UInt64(pasid))
    else { return nil }
    let found =
      plainSecondStage(quick, transaction.address, transaction.access) ?? fullWalk(transaction, sid, pasid)
    guard var leaf = found else { return nil }
    var entry = leaf
    entry.address &= ~0xFFF
    iotlb.insert(entry, for: transaction.address, quick.tag)
    if quick.ignoresXD { leaf.flags.insert(.execute) }
    return leaf
  }

  @inline(never)
  private mutating func fullWalk(_ transaction: Transaction, _ sid: UInt16, _ pasid: UInt32) -> VTdLeaf? {
    guard let stream = cachedStream(sid, pasid), stream.translation != .passThrough else { return nil }
    let request = VTdRequest(plain: transaction, sid, pasid)
    var pass = VTdPass(updates: false, usesTables: tables.enabled)
    var observer = VTdNoReport()
    guard let leaf = try? walkOnce(stream, request, request.need, &pass, &observer), !pass.missesUpdate
    else { return nil }
    return leaf
  }

  /// The second-stage walk where there is nothing to it: no fault, no bit to be set, no table to be remembered. Nil
  /// leaves it to `secondStage`, whose loop has more to keep than there are registers.
  /// VT-d sections 3.7 and 9.8.
  @inline(__always)
  private func plainSecondStage(
    _ stream: VTdQuickStream, _ address: UInt64, _ access: Transaction.Access
  ) -> VTdLeaf? {
    typealias Entry = VTd.SecondStageEntry
    guard stream.hasSecondStageOnly, address <= stream.limit else { return nil }
    let need: UInt64 =
      switch access {
      case .read: Entry.r
      case .write: Entry.w
      case .atomic: Entry.r | Entry.w
      }
    var table = stream.root
    var shift = 3 &+ 9 &* UInt64(stream.levels)
    var permissions = Entry.r | Entry.w
    if tables.enabled {
      guard let line = tables.find(Self.prefix(address, 2), Self.pagingTag(stream.tag, 2)) else { return nil }
      table = line.table
      permissions = line.permissions
      shift = 12
    }
    let memory = memory
    let mask = limits.addressMask
    // An entry for a table that is present, allows what is asked, and was accessed before: one comparison.
    let set = need | (stream.tracks ? Entry.a : 0)
    let judged = set | Entry.ps | limits.secondStageTableReserved
    var entry: UInt64
    while true {
      guard let word = memory.load64(at: PhysAddr(table | (address &>> shift & 511) &<< 3)) else {
        return nil
      }
      entry = word
      permissions &= word
      guard word & judged == set, shift > 12 else { break }
      table = word & mask
      shift &-= 9
    }
    guard entry & set == set, permissions & need == need else { return nil }
    let offset: UInt64 = (1 &<< shift) &- 1
    let below = offset & ~0xFFF
    guard entry & (limits.secondStageLeafReserved | below) == 0 else { return nil }
    if shift > 12 {
      guard entry & Entry.ps != 0, limits.secondStageLeaves &>> ((shift &- 3) / 9) & 1 != 0 else {
        return nil
      }
    }
    var flags: VTdLeaf.Flags = [.user, .execute]
    if permissions & Entry.r != 0 { flags.insert(.read) }
    if permissions & Entry.w != 0 { flags.formUnion([.write, .supervisorWrite]) }
    if entry & Entry.snp != 0 { flags.insert(.snoop) }
    if !stream.tracks || entry & Entry.d != 0 {
      flags.insert(.dirty)
    } else if access != .read {
      return nil
    }
    let found = entry & mask & ~below | address & offset
    guard !isVTdInterruptRange(found) else { return nil }
    return VTdLeaf(address: found, sizeLg2: UInt8(truncatingIfNeeded: shift), flags: flags)
  }
}

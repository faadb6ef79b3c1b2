// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension VTdTranslator {
  /// How often an entry may change under a walk that sets its bits, before the walk gives up.
  private static var updateAttempts: Int { 8 }

  /// Walks the tables of a stream for a request, and sets accessed and dirty bits if the walk succeeds.
  ///
  /// A request that is denied sets nothing (unless a quirk says so): the first run only finds out whether bits
  /// are missing, and a second one, rare once the bits are there, sets them.
  mutating func walk<Observer: VTdObserver>(
    _ stream: VTdStream, _ request: VTdRequest, _ observer: inout Observer
  ) throws(VTdFault) -> VTdLeaf {
    var need = request.need
    var pass = VTdPass(
      updates: limits.quirks.setsAccessedOnFault && !Observer.isReport,
      usesTables: tables.enabled && Observer.looksIntoCaches)
    var attempts = 0
    while true {
      do throws(VTdFault) {
        pass.missesUpdate = false
        let leaf = try walkOnce(stream, request, need, &pass, &observer)
        if !pass.missesUpdate || pass.updates || Observer.isReport { return leaf }
        // Permission to write may have been asked for and not be there: then nothing gets dirty.
        if !Self.mayWrite(leaf.flags, need, stream) { need.remove(.dirty) }
        pass.updates = true
      } catch {
        if error == .needsTables, pass.usesTables {
          pass.usesTables = false
        } else if error.code == VTdFault.raced.code {
          attempts += 1
          if attempts == Self.updateAttempts {
            let code =
              stream.usesFirstStage ? VTd.Reason.firstStageUpdate : VTd.Reason.secondStageUpdate
            throw VTdFault(code, fpd: stream.fpd)
          }
        } else {
          throw error
        }
      }
    }
  }

  @inline(__always)
  mutating func walkOnce<Observer: VTdObserver>(
    _ stream: VTdStream, _ request: VTdRequest, _ need: VTdNeed, _ pass: inout VTdPass,
    _ observer: inout Observer
  ) throws(VTdFault) -> VTdLeaf {
    let leaf: VTdLeaf
    switch stream.translation {
    case .passThrough: return try passThrough(stream, request)
    case .secondStage:
      do throws(VTdSecondStageFault) {
        leaf = try secondStage(stream, request.address, need, &pass, &observer)
      } catch {
        throw secondStageFault(error, stream, request)
      }
    case .firstStage: leaf = try firstStage(stream, request, need, nested: false, &pass, &observer)
    case .nested: leaf = try firstStage(stream, request, need, nested: true, &pass, &observer)
    }
    // Last: no translation leads to the interrupt range. VT-d section 3.14.
    if isVTdInterruptRange(leaf.address) { throw interruptRange(stream) }
    return leaf
  }

  /// VT-d sections 3.4.2 and 3.9.
  private func passThrough(_ stream: VTdStream, _ request: VTdRequest) throws(VTdFault) -> VTdLeaf {
    guard request.address <= stream.limit else {
      let legacy = stream.flags.contains(.legacy)
      throw VTdFault(
        legacy ? VTd.Reason.beyondAddressWidth : VTd.Reason.beyondPassThroughWidth, fpd: stream.fpd)
    }
    if isVTdInterruptRange(request.address) { throw interruptRange(stream) }
    return VTdLeaf(
      address: request.address, sizeLg2: 12,
      flags: [.read, .write, .supervisorWrite, .user, .execute, .dirty, .passThrough])
  }

  /// The first-stage walk, VT-d sections 3.6 and 9.7; nested, each of its tables and its page are addresses
  /// of the second stage, section 3.8.
  @inline(__always)
  private mutating func firstStage<Observer: VTdObserver>(
    _ stream: VTdStream, _ request: VTdRequest, _ need: VTdNeed, nested: Bool, _ pass: inout VTdPass,
    _ observer: inout Observer
  ) throws(VTdFault) -> VTdLeaf {
    typealias Entry = VTd.FirstStageEntry
    typealias Reason = VTd.Reason
    let address = request.address
    let top = Int(stream.firstStageLevels)
    // 1: canonical, all bits above the last that is translated equal it.
    let sign = Int64(bitPattern: address) >> (top == 5 ? 56 : 47)
    guard sign == 0 || sign == -1 else { throw VTdFault(Reason.notCanonical, fpd: stream.fpd) }
    var table = stream.firstStageRoot
    guard nested || table & limits.pointerReserved == 0 else {
      throw VTdFault(Reason.firstStageTableAccess, fpd: stream.fpd)
    }
    let reservedHigh = nested ? 0 : limits.entryReserved
    let addressMask = nested ? (1 << 52 - 1) & ~0xFFF : limits.addressMask
    let walked = top == 5 ? address & (1 << 57 - 1) : address & (1 << 48 - 1)
    var level = top
    var permissions = Entry.rw | Entry.us | Entry.xd
    var tableIsHost = !nested
    let tag = stream.tag
    if pass.usesTables {
      for start in 2...top {
        guard let line = tables.find(Self.prefix(address, start), Self.pagingTag(tag, start)) else {
          continue
        }
        // What the cache denies is looked up again.
        guard firstStageDenial(line.permissions, need, stream, leaf: false) == 0 else { break }
        observer.hit()
        table = line.table
        permissions = line.permissions
        tableIsHost = true
        level = start - 1
        break
      }
    }
    let begin = level
    let supervisor = need.contains(.supervisor)
    var remembers = true
    var global = false
    while true {
      // Nested, the table's address is looked up first. A table that came from a cache was, some time ago.
      let guestAddress = table
      var tableWritable = true
      if nested, !(tableIsHost && level == begin) {
        let leaf = try guestTable(stream, table, top: level == top, [.read], &pass, &observer)
        table = leaf.address
        tableWritable = leaf.flags.contains(.write)
      }
      if !Observer.isReport, remembers, level < begin {
        tables.insert(
          VTdTablePointer(table: table, permissions: permissions), for: Self.prefix(address, level + 1),
          Self.pagingTag(tag, level + 1))
      }
      // 2: the entry.
      let at = table | (walked >> Self.shift(level) & 511) << 3
      observer.saw(.firstStage(level: level), at: at)
      guard let entry = memory.load64(at: PhysAddr(at)) else {
        throw VTdFault(
          level == top ? Reason.firstStageTableAccess : Reason.firstStageEntryAccess, fpd: stream.fpd)
      }
      // 3: present.
      guard entry & Entry.p != 0 else { throw VTdFault(Reason.firstStageNotPresent, fpd: stream.fpd) }
      // 4: reserved bits. Bit 12 of a large page selects the memory type.
      let isLeaf = level == 1 || entry & Entry.ps != 0
      let below = (1 << Self.shift(level) - 1) & ~0x1FFF as UInt64
      let misaligned = isLeaf && level > 1 ? below : 0
      let exists = !isLeaf || limits.firstStageLeaves >> UInt64(truncatingIfNeeded: level) & 1 != 0
      guard exists, entry & (reservedHigh | misaligned) == 0 else {
        throw VTdFault(Reason.firstStageReserved, fpd: stream.fpd)
      }
      // 5 to 7: permissions, level by level. The XD bit is kept inverted, so that all of them are ANDed.
      permissions &= entry ^ Entry.xd
      let denial = firstStageDenial(permissions, need, stream, leaf: isLeaf)
      guard denial == 0 else { throw VTdFault(denial, fpd: stream.fpd) }
      // 8: accessed and dirty bits.
      var wanted = Entry.a
      if stream.flags.contains(.eafe) { wanted |= Entry.ea }
      if isLeaf, need.contains(.dirty),
        permissions & Entry.rw != 0 || supervisor && !stream.flags.contains(.wpe)
      {
        wanted |= Entry.d
      }
      if entry & wanted != wanted {
        if !pass.updates { remembers = false }
        if nested, tableIsHost, level == begin { throw .needsTables }
        try update(
          at, entry, entry | wanted, stream, nested ? (guestAddress, tableWritable, level == top) : nil,
          &pass,
          &observer)
      }
      guard isLeaf else {
        table = entry & addressMask
        level -= 1
        continue
      }
      // 9: the page.
      if level == 1 || entry & Entry.ps != 0 { global = entry & Entry.g != 0 }
      let size = Self.shift(level)
      let page = entry & addressMask & ~(1 << size - 1) | address & (1 << size - 1)
      var flags: VTdLeaf.Flags = [.read, .supervisorWrite]
      if permissions & Entry.rw != 0 { flags.insert(.write) }
      if permissions & Entry.us != 0 { flags.insert(.user) }
      if permissions & Entry.xd != 0 { flags.insert(.execute) }
      if (entry | wanted) & Entry.d != 0 { flags.insert(.dirty) }
      if global { flags.insert(.global) }
      if stream.flags.contains(.pgsnp) { flags.insert(.snoop) }
      var leaf = VTdLeaf(address: page, sizeLg2: UInt8(truncatingIfNeeded: size), flags: flags)
      if nested { try throughSecondStage(&leaf, stream, request, need, &pass, &observer) }
      return leaf
    }
  }

  /// The permission that a first-stage walk denies, as a fault reason; 0 for none.
  @inline(__always)
  private func firstStageDenial(
    _ permissions: UInt64, _ need: VTdNeed, _ stream: VTdStream, leaf: Bool
  ) -> UInt8 {
    typealias Entry = VTd.FirstStageEntry
    let supervisor = need.contains(.supervisor)
    if !supervisor, permissions & Entry.us == 0 { return VTd.Reason.supervisorPage }
    if need.contains(.write), permissions & Entry.rw == 0, !supervisor || stream.flags.contains(.wpe) {
      return VTd.Reason.scalableNoWrite
    }
    guard need.contains(.execute) else { return 0 }
    if stream.flags.contains(.nxe), permissions & Entry.xd == 0 { return VTd.Reason.noExecute }
    // A page is a user's if all levels say so.
    let smep = leaf && supervisor && stream.flags.contains(.smep)
    return smep && permissions & Entry.us != 0 ? VTd.Reason.noExecute : 0
  }

  /// A nested walk looks a first-stage table up. VT-d section 3.8, and 7.1.3 for the reasons.
  private mutating func guestTable<Observer: VTdObserver>(
    _ stream: VTdStream, _ table: UInt64, top: Bool, _ need: VTdNeed, _ pass: inout VTdPass,
    _ observer: inout Observer
  ) throws(VTdFault) -> VTdLeaf {
    typealias Reason = VTd.Reason
    do throws(VTdSecondStageFault) {
      return try secondStage(stream, table, need, &pass, &observer)
    } catch {
      let code =
        switch error {
        case .beyondWidth: Reason.nestedTableBeyondWidth
        case .topAccess: Reason.secondStageTableAccess
        case .access: Reason.secondStageEntryAccess
        case .notPresent, .noRead: top ? Reason.nestedTopTableNotReadable : Reason.nestedTableNotReadable
        case .noWrite: Reason.nestedTableNotWritable
        case .reserved: Reason.secondStageReserved
        case .update: Reason.secondStageUpdate
        case .raced: VTdFault.raced.code
        }
      throw VTdFault(code, fpd: stream.fpd)
    }
  }

  /// The page that a nested walk's first stage found, through the second: the request's own access.
  private mutating func throughSecondStage<Observer: VTdObserver>(
    _ leaf: inout VTdLeaf, _ stream: VTdStream, _ request: VTdRequest, _ need: VTdNeed,
    _ pass: inout VTdPass, _ observer: inout Observer
  ) throws(VTdFault) {
    var need = need
    if !Self.mayWrite(leaf.flags, need, stream) { need.remove(.dirty) }
    let host: VTdLeaf
    do throws(VTdSecondStageFault) {
      host = try secondStage(stream, leaf.address, need, &pass, &observer)
    } catch {
      throw secondStageFault(error, stream, request)
    }
    leaf.address = host.address
    leaf.sizeLg2 = min(leaf.sizeLg2, host.sizeLg2)
    let both: VTdLeaf.Flags = [.read, .write, .supervisorWrite, .dirty]
    leaf.flags.subtract(both.subtracting(host.flags))
    if host.flags.contains(.snoop) { leaf.flags.insert(.snoop) }
  }

  /// Sets accessed and dirty bits of a first-stage entry; nested, that is a write to the table's page.
  ///
  /// - Parameter table: guest-physical address of the table that holds the entry, whether the second stage lets
  ///   it be written, and whether it is the top one.
  private mutating func update<Observer: VTdObserver>(
    _ at: UInt64, _ old: UInt64, _ new: UInt64, _ stream: VTdStream,
    _ table: (address: UInt64, writable: Bool, top: Bool)?, _ pass: inout VTdPass, _ observer: inout Observer
  ) throws(VTdFault) {
    pass.missesUpdate = true
    if limits.quirks.faultsOnUnsnoopedUpdate, !stream.flags.contains(.pwsnp) {
      throw VTdFault(VTd.Reason.firstStageUpdateUnsnooped, fpd: stream.fpd)
    }
    if limits.quirks.atomicsUnsupported { throw VTdFault(VTd.Reason.firstStageUpdate, fpd: stream.fpd) }
    if let table, !table.writable, !limits.quirks.errata772415 {
      throw VTdFault(VTd.Reason.nestedTableNotWritable, fpd: stream.fpd)
    }
    guard pass.updates else { return }
    if let table {
      if table.writable {
        _ = try guestTable(stream, table.address, top: table.top, [.read, .write, .dirty], &pass, &observer)
      } else {
        updatesOfReadOnlyPages &+= 1
      }
    }
    guard memory.exchange64(at: PhysAddr(at), from: old, to: new) else { throw .raced }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// Guest page tables, version 2, and the GCR3 table that selects them by PASID. AMD IOMMU Specification,
// publication 48882, section 2.2.6. The tables are those of the processor's long mode.
//
// With host tables too (Mode 1 to 6) a translation is nested: every address below is guest-physical, and
// goes through the host table of the device before anything is read there: the CR3, the tables, the page,
// and with GCR3TRPMode the GCR3 table itself. Whatever fails there is the host's fault, at the guest-physical
// address.

extension AMDVi {
  /// Where a guest walk stopped.
  enum GuestStop {
    /// The guest's tables: flags of the event without those of the request.
    case guest(UInt32)
    case host(Stage, address: UInt64, write: Bool)
    /// An entry that could not be read, at this system-physical address.
    case busError(UInt64)
  }
}

extension AMDVi.Unit {
  /// Steps 20 to 23: a request with a PASID, or one without that counts as PASID 0.
  mutating func guest<O: AMDViObserver>(
    _ t: Transaction, _ request: AMDVi.Request, _ device: AMDVi.Device, pasid: UInt32,
    _ observer: inout O
  ) -> AMDVi.Outcome {
    let pasid = UInt64(pasid) & 0xF_FFFF
    let tag = device.guestTag | pasid << AMDVi.Tag.pasidShift
    let asks = asksCaches(O.self)
    if asks, let page = pages.find(request.address, tag, salt: tag) {
      observer.usedCache()
      switch cached(page, request, device) {
      case .translated: return .done(translation(page, true, request, device))
      case .absent: return guestFault(.guest(0), request, device, pasid)
      case .denied where !device.nested:
        return guestFault(.guest(AMDViEvent.present | AMDViEvent.permission), request, device, pasid)
      // Which stage denies it is not in the cache; a dirty bit must be set in a table.
      case .denied, .unmarked: break
      }
    }
    let page: AMDVi.Page
    switch walkGuest(request, device, pasid, tag, asksTables: asks, &observer) {
    case .success(let found): page = found
    case .failure(let stop):
      if O.live, configuration.npCache, fillsCaches, !device.nested, case .guest(0) = stop.reason {
        pages.insert(
          AMDVi.Page(base: 0, sizeLg2: 12, reachLg2: 12, flags: AMDVi.Page.absent), for: request.address,
          tag, salt: tag)
      }
      return guestFault(stop.reason, request, device, pasid)
    }
    if O.live, fillsCaches { pages.insert(page, for: request.address, tag, salt: tag) }
    return .done(translation(page, false, request, device))
  }

  private enum Cached { case translated, absent, denied, unmarked }

  /// What a cached page says.
  private func cached(
    _ page: AMDVi.Page, _ request: AMDVi.Request, _ device: AMDVi.Device
  ) -> Cached {
    if page.flags & AMDVi.Page.absent != 0 { return .absent }
    let have = page.flags & (device.permission | ~3)
    let need = request.need | (request.user ? AMDVi.Page.user : 0)
    guard have & need == need else { return .denied }
    let marks =
      request.writes && have & AMDVi.Page.writable != 0 && have & AMDVi.Page.dirtyPending != 0
    return marks ? .unmarked : .translated
  }

  /// The event of a guest walk that stopped.
  private func guestFault(
    _ stop: AMDVi.GuestStop, _ request: AMDVi.Request, _ device: AMDVi.Device, _ pasid: UInt64
  ) -> AMDVi.Outcome {
    switch stop {
    case .busError(let address):
      return .failed(
        .init(
          code: AMDViEvent.pageTableHardwareError, flags: request.guestFlags, address: address,
          device: device.id, domain: pasid))
    case .host(let stage, let address, let write):
      if stage.status == .busError {
        return hostFault(device, request, stage, address)
      }
      if request.asks { return nothing(request) }
      let flags = stage.flags | (write ? AMDViEvent.write : 0)
      if configuration.nestedFaultsNameGuest {
        return .failed(
          pageFault(
            device, flags: request.guestFlags & ~AMDViEvent.write | flags, address: request.address,
            domain: pasid))
      }
      return .failed(pageFault(device, flags: flags, address: address, domain: device.domain))
    case .guest(let flags):
      if request.asks { return nothing(request) }
      return .failed(
        pageFault(
          device, flags: request.guestFlags | flags, address: request.address, domain: pasid))
    }
  }

  struct Stopped: Error { let reason: AMDVi.GuestStop }
  typealias Found<T> = Result<T, Stopped>

  /// Where a table of the guest lies: through the host if nested. `write` asks to set bits in it.
  @inline(__always)
  private mutating func place<O: AMDViObserver>(
    _ address: UInt64, _ device: AMDVi.Device, write: Bool, _ observer: inout O
  ) -> Found<UInt64> {
    guard device.nested else { return .success(address) }
    let stage = host(
      address, device, need: write ? 3 : AMDVi.Page.readable, permission: 3, dirty: write, &observer)
    guard stage.status == .ok else {
      return .failure(.init(reason: .host(stage, address: address, write: write)))
    }
    return .success(stage.page.address(address))
  }

  // MARK: GCR3

  /// Step 20: the guest's CR3.
  private mutating func cr3<O: AMDViObserver>(
    _ device: AMDVi.Device, _ pasid: UInt64, asks: Bool, _ observer: inout O
  ) -> Found<UInt64> {
    let tag = AMDVi.Tag.used | UInt64(device.id) << 16 | device.domain
    if asks, let word = gcr3.find(pasid << 12, tag, salt: tag) {
      observer.usedCache()
      return .success(word)
    }
    let levels = device.gcr3Levels
    // More than the table, or the IOMMU, has room for.
    if pasid >> UInt64(9 * levels) != 0 || pasid >> UInt64(configuration.pasidBits) != 0 {
      return .failure(.init(reason: .guest(0)))
    }
    let throughHost = device.nested && controls(AMDViControl.gcr3TRPMode)
    var table = device.gcr3Root
    for level in (1...levels).reversed() {
      var entry = table &+ (pasid >> UInt64(9 * (level - 1)) & 0x1FF) << 3
      if throughHost {
        switch place(entry, device, write: false, &observer) {
        case .success(let address): entry = address
        case .failure(let stop): return .failure(stop)
        }
      }
      let word = memory.load64(at: PhysAddr(entry))
      observer.gcr3(level: level, entry, word)
      guard let word else { return .failure(.init(reason: .busError(entry))) }
      guard word & AMDViGCR3.valid != 0 else { return .failure(.init(reason: .guest(0))) }
      table = word & AMDViGCR3.addressMask
    }
    if O.live, fillsCaches { gcr3.insert(table, for: pasid << 12, tag, salt: tag) }
    return .success(table)
  }

  // MARK: The walk

  /// Steps 20 to 23.
  private mutating func walkGuest<O: AMDViObserver>(
    _ request: AMDVi.Request, _ device: AMDVi.Device, _ pasid: UInt64, _ tag: UInt64, asksTables: Bool,
    _ observer: inout O
  ) -> Found<AMDVi.Page> {
    let a = request.address
    let root: UInt64
    switch cr3(device, pasid, asks: asksTables, &observer) {
    case .success(let found): root = found
    case .failure(let stop): return .failure(stop)
    }
    // 21. An address is sign-extended, but for PASID 0, which has no upper half.
    let levels = device.guestLevels
    let width = AMDVi.shift(levels + 1)
    if pasid == 0 {
      if a >> width != 0 { return .failure(.init(reason: .guest(0))) }
    } else {
      let extended = Int64(bitPattern: a << (64 - width)) >> (64 - width)
      if UInt64(bitPattern: extended) != a { return .failure(.init(reason: .guest(0))) }
    }

    let everything = AMDVi.Page.writable | AMDVi.Page.executable | AMDVi.Page.user
    var (startLevel, start, startFlags) = (levels, root, everything)
    if asksTables, tables.count > 0 {
      var level = 1
      while level <= 3 {
        defer { level += 1 }
        let tag = tag | UInt64(truncatingIfNeeded: level) &<< AMDVi.Tag.levelShift
        if let pointer = tables.find(AMDVi.region(a, level), tag, salt: tag) {
          observer.usedCache()
          (startLevel, start, startFlags) = (
            level, pointer.table, UInt16(truncatingIfNeeded: pointer.flags)
          )
          break
        }
      }
    }

    let nx = configuration.has(AMDViFeature.nx)
    // Above the physical address width, if this is the last stage; bit 63 where NX does not exist.
    let reserved =
      (device.nested
        ? 0 : AMDViGuestPTE.addressMask & (~0 << UInt64(clamping: configuration.physicalAddressBits)))
      | (nx ? 0 : AMDViGuestPTE.noExecute)
    var marking = false
    /// A walk that does not mark remembers that it could not have.
    var refusal: Stopped?
    var patience = Self.patience
    again: while true {
      var (level, table, allowed) = (startLevel, start, startFlags)
      var missing = false
      while true {
        let shift = AMDVi.shift(level)
        let address = table &+ (a &>> shift & 0x1FF) &<< 3
        let entry: UInt64
        switch place(address, device, write: false, &observer) {
        case .success(let found): entry = found
        case .failure(let stop): return .failure(stop)
        }
        guard let word = memory.load64(at: PhysAddr(entry)) else {
          observer.guest(level: level, entry, nil)
          return .failure(.init(reason: .busError(entry)))
        }
        observer.guest(level: level, entry, word)
        // 22. Present, reserved bits, user, write, execute.
        if word & AMDViGuestPTE.present == 0 { return .failure(.init(reason: .guest(0))) }
        let isLeaf = level == 1 || word & AMDViGuestPTE.pageSize != 0
        let inPage: UInt64 = isLeaf && level > 1 ? ((1 &<< shift) &- 1) & ~0x1FFF : 0
        if word & (reserved | inPage) != 0 || isLeaf && level > 3 {
          return .failure(.init(reason: .guest(AMDViEvent.present | AMDViEvent.reserved)))
        }
        if word & AMDViGuestPTE.write == 0 { allowed &= ~AMDVi.Page.writable }
        if word & AMDViGuestPTE.user == 0 { allowed &= ~AMDVi.Page.user }
        if word & AMDViGuestPTE.noExecute != 0 { allowed &= ~AMDVi.Page.executable }
        let have = (allowed | AMDVi.Page.readable) & (device.permission | ~3)
        let need = request.need | (request.user ? AMDVi.Page.user : 0)
        if have & need != need {
          return .failure(.init(reason: .guest(AMDViEvent.present | AMDViEvent.permission)))
        }
        // Accessed, and dirty in the leaf of a write.
        let marksDirty = isLeaf && request.writes && have & AMDVi.Page.writable != 0
        let bits =
          marksGuest ? AMDViGuestPTE.accessed | (marksDirty ? AMDViGuestPTE.dirty : 0) : 0
        if bits & ~word != 0 {
          let now = marking || configuration.accessedOnFault && !isLeaf
          if !O.live {
            var silent = AMDVi.Silent()
            if case .failure(let stop) = place(address, device, write: true, &silent) {
              if now { return .failure(stop) }
              refusal = refusal ?? stop
            }
          } else if now {
            // 23. The host must let the guest's table be written.
            if case .failure(let stop) = place(address, device, write: true, &observer) {
              return .failure(stop)
            }
            if !memory.exchange64(at: PhysAddr(entry), from: word, to: word | bits), patience > 0 {
              patience -= 1
              continue again
            }
          } else {
            missing = true
          }
        }
        if !isLeaf {
          table = word & AMDViGuestPTE.addressMask
          level -= 1
          if O.live, level <= 3, fillsTables {
            let tag = tag | UInt64(truncatingIfNeeded: level) &<< AMDVi.Tag.levelShift
            tables.insert(
              .init(table: table, flags: UInt64(allowed)), for: AMDVi.region(a, level), tag,
              salt: tag)
          }
          continue
        }

        var page = AMDVi.Page(
          base: (word & AMDViGuestPTE.addressMask) & (~0 &<< shift), sizeLg2: UInt8(shift),
          reachLg2: UInt8(shift), flags: allowed | AMDVi.Page.readable)
        if word & AMDViGuestPTE.global != 0 { page.flags |= AMDVi.Page.global }
        if marksGuest, (word | bits) & AMDViGuestPTE.dirty == 0 { page.flags |= AMDVi.Page.dirtyPending }
        if device.nested {
          let final = page.address(a)
          let writes = request.writes && have & AMDVi.Page.writable != 0
          let stage = host(
            final, device, need: request.need & 3, permission: 3, dirty: writes, &observer)
          guard stage.status == .ok else {
            let write = request.flags & AMDViEvent.write != 0
            return .failure(.init(reason: .host(stage, address: final, write: write)))
          }
          page.flags &= stage.page.flags | ~3
          page.flags |= stage.page.flags & AMDVi.Page.dirtyPending
          page.sizeLg2 = min(page.sizeLg2, stage.page.sizeLg2)
          page.base = stage.page.address(final) & (~0 << UInt64(page.sizeLg2))
        }
        if missing, !marking {
          marking = true
          continue again
        }
        if let refusal { return .failure(refusal) }
        return .success(page)
      }
    }
  }
}

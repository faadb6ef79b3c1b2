// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// The translation algorithm. AMD IOMMU Specification, publication 48882, sections 2.1.2 (controls), 2.2.2
// (device table), 2.2.3 (host tables), 2.2.6 (guest tables). The steps are numbered as in the reference that
// the tests follow; host and guest walks have files of their own.

extension AMDVi.Unit {
  /// The common cases, without their faults: a page that the caches have, and one in the host table of a cached
  /// device. Nil for everything that needs a closer look, which starts over.
  @inline(__always)
  mutating func quickly(_ t: Transaction) -> Translation? {
    guard quick, case .untranslated = t.kind, let place = devices.place(of: t.source) else { return nil }
    let a = t.address
    var need: UInt16 =
      switch t.access {
      case .read: AMDVi.Page.readable
      case .write: AMDVi.Page.writable
      case .atomic: AMDVi.Page.readable | AMDVi.Page.writable
      }
    var tag = devices[place].plainTag
    if let pasid = t.pasid {
      guard pasid >> 20 == 0, devices[place].guestTag != 0 else { return nil }
      tag = devices[place].guestTag | UInt64(pasid) << AMDVi.Tag.pasidShift
      if !t.privileged { need |= AMDVi.Page.user }
    } else {
      guard tag != 0, !excludes, !AMDVi.isSpecial(a) else { return nil }
      need |= AMDVi.Page.user
    }
    if t.execute { need |= AMDVi.Page.executable }
    let own = devices[place].permission | ~(AMDVi.Page.readable | AMDVi.Page.writable)
    guard let page = pages.find(a, tag, salt: tag) else {
      guard t.pasid == nil, tag == devices[place].hostTag else { return nil }
      return quickWalk(a, place, need: need & 3)
    }
    let have = page.flags & own
    guard have & need == need, have & AMDVi.Page.absent == 0 else { return nil }
    if have & AMDVi.Page.dirtyPending != 0, need & AMDVi.Page.writable != 0 { return nil }
    return Translation(
      address: page.address(a), sizeLg2: page.sizeLg2, flags: AMDVi.Page.answer(have).union(.fromCache))
  }

  @inline(never)
  private mutating func quickWalk(_ a: UInt64, _ place: Int, need: UInt16) -> Translation? {
    let page: AMDVi.Page
    if let found = plainWalk(a, place, need: need) {
      page = found
    } else {
      let device = devices[place]
      var live = AMDVi.Live()
      let stage = walkHost(
        a, device, need: need, permission: device.permission, dirty: need & AMDVi.Page.writable != 0,
        asksTables: true, &live)
      guard stage.status == .ok else { return nil }
      page = stage.page
    }
    let tag = devices[place].hostTag
    pages.insert(page, for: a, tag, salt: tag)
    let have = AMDVi.Page.answer(page.flags & devices[place].permission)
    return Translation(address: page.address(a), sizeLg2: page.sizeLg2, flags: have.union(.executable))
  }

  /// The whole algorithm.
  mutating func resolve<O: AMDViObserver>(_ t: Transaction, _ observer: inout O) -> AMDVi.Outcome {
    // 1. IommuEn=0: everything passes.
    guard enabled else { return pass(t.address) }
    let id = UInt16(truncatingIfNeeded: t.source)
    let request = AMDVi.Request(t, configuration)

    // 3, 4. The device table entry. What the address is (2) depends on it.
    let device: AMDVi.Device
    switch fetch(id, &observer) {
    case .device(let found): device = found
    case .beyond:
      return .failed(
        .init(
          code: AMDViEvent.illegalDeviceTableEntry, flags: request.flags, address: t.address, device: id))
    case .busError(let address):
      return .failed(
        .init(code: AMDViEvent.deviceTableHardwareError, flags: request.flags, address: address, device: id))
    }

    // 2. Interrupts and the address space of HyperTransport.
    if t.pasid == nil, AMDVi.isSpecial(t.address),
      let outcome = special(t, request, device, &observer)
    {
      return outcome
    }
    switch device.kind {
    // 5. V=0.
    case .pass: return pass(t.address)
    // 6. Reserved bits, Mode 7, GLX 3, SNP with Mode 0.
    case .illegal: return .failed(illegal(device, request))
    // 7. TV=0.
    case .blocked: return translationInvalid(device, request)
    case .translate: break
    }
    // 8. The exclusion range.
    if excludes, t.pasid == nil, t.kind != .translated, isExcluded(t.address, device) {
      return pass(t.address)
    }
    // 9, 10. ATS: DTE.I says that the device may.
    if request.asks, !device.translatesForDevice {
      return .failed(invalid(AMDViInvalidRequest.translationRequest, device, t, request))
    }
    if t.kind == .translated {
      guard device.translatesForDevice else {
        return .failed(invalid(AMDViInvalidRequest.pretranslated, device, t, request))
      }
      // Secure ATS holds the device to the permissions of its entry.
      if device.words.1 & AMDViDTE.secureATS != 0, request.need & 3 & ~device.permission != 0 {
        return pageFault(device, request, AMDViEvent.present | AMDViEvent.permission)
      }
      return pass(t.address)
    }
    // 11. A PASID without guest tables.
    if t.pasid != nil, !device.hasGuest {
      return .failed(invalid(AMDViInvalidRequest.pretranslated, device, t, request))
    }

    if t.pasid != nil || device.hasPlainGuest {
      return guest(t, request, device, pasid: t.pasid ?? 0, &observer)
    }
    // 12. Mode 0: identity, as far as IR and IW go.
    guard device.mode != 0 else {
      if request.need & 3 & ~device.permission != 0 {
        return pageFault(device, request, AMDViEvent.present | AMDViEvent.permission)
      }
      return pass(t.address, permission: device.permission)
    }
    // 13 to 19.
    let stage = host(
      t.address, device, need: request.need & 3, permission: device.permission, dirty: request.writes,
      &observer)
    guard stage.status == .ok else { return hostFault(device, request, stage, request.address) }
    return .done(translation(stage.page, stage.fromCache, request, device))
  }

  // MARK: Steps

  enum Fetched {
    case device(AMDVi.Device)
    /// The table has no such entry.
    case beyond
    case busError(UInt64)
  }

  /// Steps 3 and 4. Section 2.2.2: the table may be cut into segments by the upper bits of the DevID.
  mutating func fetch<O: AMDViObserver>(_ id: UInt16, _ observer: inout O) -> Fetched {
    if asksCaches(O.self), let place = devices.place(of: UInt32(id)) {
      observer.usedCache()
      return .device(devices[place])
    }
    let supported = configuration.features >> AMDViFeature.deviceTableSegmentShift & 3
    let segmentsLg2 = min(supported, control >> AMDViControl.deviceTableSegmentShift & 7)
    let segment = segmentsLg2 == 0 ? 0 : UInt64(id) >> (16 - segmentsLg2)
    let index = UInt64(id) & (0xFFFF >> segmentsLg2)
    let register =
      segment == 0
      ? AMDVi.Register.deviceTableBase
      : AMDVi.Register(rawValue: AMDVi.Register.segment1.rawValue + Int(segment) - 1) ?? .deviceTableBase
    let base = registers[register]
    guard index * AMDViDTE.size < ((base & 0x1FF) + 1) << 12 else { return .beyond }
    let address = base & AMDViRegister.baseMask + index * AMDViDTE.size
    guard let w0 = memory.load64(at: PhysAddr(address)), let w1 = memory.load64(at: PhysAddr(address + 8)),
      let w2 = memory.load64(at: PhysAddr(address + 16)), let w3 = memory.load64(at: PhysAddr(address + 24))
    else { return .busError(address) }
    let device = AMDVi.Device(id, (w0, w1, w2, w3), configuration, control: control)
    observer.device(address, device)
    if O.live, fillsCaches { devices.insert(device) }
    return .device(device)
  }

  /// Step 7.
  private func translationInvalid(_ device: AMDVi.Device, _ request: AMDVi.Request) -> AMDVi.Outcome {
    switch configuration.translationInvalid {
    case .abort: .failed(.init(code: 0, address: request.address, device: device.id))
    case .abortWithEvent: pageFault(device, request, 0)
    case .pass: pass(request.address)
    }
  }

  /// Step 8. Section 3.4.2: an exclusion range covers its limit's whole page.
  private func isExcluded(_ address: UInt64, _ device: AMDVi.Device) -> Bool {
    let base = registers[.exclusionBase]
    guard address >= base & AMDViRegister.baseMask, address <= registers[.exclusionLimit] | 0xFFF else {
      return false
    }
    return base & AMDViRegister.exclusionAllow != 0 || device.words.1 & AMDViDTE.exclusion != 0
  }

  func illegal(_ device: AMDVi.Device, _ request: AMDVi.Request) -> AMDVi.Failure {
    .init(
      code: AMDViEvent.illegalDeviceTableEntry, flags: request.flags | AMDViEvent.reserved,
      address: request.address, device: device.id)
  }

  func invalid(
    _ type: UInt32, _ device: AMDVi.Device, _ t: Transaction, _ request: AMDVi.Request
  ) -> AMDVi.Failure {
    .init(
      code: AMDViEvent.invalidDeviceRequest,
      flags: request.flags | type << AMDViEvent.typeShift | (t.pasid == nil ? 0 : AMDViEvent.gn),
      address: request.address, device: device.id, domain: UInt64(t.pasid ?? 0) & 0xF_FFFF)
  }

  // MARK: Answers

  /// The address as it came.
  func pass(_ address: UInt64, permission: UInt16 = 3) -> AMDVi.Outcome {
    .done(
      Translation(
        address: address, sizeLg2: 52, readable: permission & AMDVi.Page.readable != 0,
        writable: permission & AMDVi.Page.writable != 0))
  }

  /// A translation request that finds nothing is answered, with no permission at all, and is no event.
  func nothing(_ request: AMDVi.Request) -> AMDVi.Outcome {
    .done(
      Translation(
        address: request.address, sizeLg2: 12, readable: false, writable: false, executable: false))
  }

  /// IO_PAGE_FAULT of the host stage, or of none.
  func pageFault(_ device: AMDVi.Device, _ request: AMDVi.Request, _ flags: UInt32) -> AMDVi.Outcome {
    if request.asks { return nothing(request) }
    return .failed(
      pageFault(device, flags: request.flags | flags, address: request.address, domain: device.domain))
  }

  func pageFault(
    _ device: AMDVi.Device, flags: UInt32, address: UInt64, domain: UInt64
  ) -> AMDVi.Failure {
    .init(
      code: AMDViEvent.ioPageFault, flags: flags, address: address, device: device.id, domain: domain,
      suppressRepeated: device.words.1 & AMDViDTE.suppressRepeated != 0,
      suppressAll: device.words.1 & AMDViDTE.suppressAll != 0)
  }

  /// The event of a host stage that failed at `address`, an IOVA or a guest-physical address.
  func hostFault(
    _ device: AMDVi.Device, _ request: AMDVi.Request, _ stage: AMDVi.Stage, _ address: UInt64
  ) -> AMDVi.Outcome {
    if stage.status == .busError {
      return .failed(
        .init(
          code: AMDViEvent.pageTableHardwareError, flags: request.flags, address: stage.page.base,
          device: device.id, domain: device.domain))
    }
    if request.asks { return nothing(request) }
    return .failed(
      pageFault(
        device, flags: request.flags | stage.flags, address: address, domain: device.domain))
  }

  /// What a page gives to the request.
  func translation(
    _ page: AMDVi.Page, _ fromCache: Bool, _ request: AMDVi.Request, _ device: AMDVi.Device
  ) -> Translation {
    let have = page.flags & (device.permission | ~(AMDVi.Page.readable | AMDVi.Page.writable))
    let readable = have & AMDVi.Page.readable != 0
    var writable = have & AMDVi.Page.writable != 0
    if request.asks {
      // A device must ask again before it writes what it said it would not.
      if have & AMDVi.Page.dirtyPending != 0, !request.writes { writable = false }
      if !configuration.atsWriteCheck { writable = writable || readable }
    }
    return Translation(
      address: page.address(request.address), sizeLg2: page.sizeLg2, readable: readable, writable: writable,
      executable: have & AMDVi.Page.executable != 0, global: have & AMDVi.Page.global != 0,
      fromCache: fromCache)
  }
}

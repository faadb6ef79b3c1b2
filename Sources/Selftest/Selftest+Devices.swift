// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import UAPI

private typealias L = Layout.Selftest

// The ops on mock devices.

extension Selftest {
  /// MOCK_DOMAIN.
  func mockDomain(_ command: borrowing Command) throws(Errno) -> Int32 { try mockDomain(command, flags: 0) }

  /// MOCK_DOMAIN_FLAGS.
  func mockDomainFlags(_ command: borrowing Command) throws(Errno) -> Int32 {
    try mockDomain(command, flags: command[L.MockDomainFlags.devFlags])
  }

  /// `iommufd_test_mock_domain`.
  private func mockDomain(_ command: borrowing Command, flags: UInt32) throws(Errno) -> Int32 {
    let context = command.context
    // The ID of the test object comes before those of the device and of an automatic HWPT.
    try context.create(SelftestDevice(mock, in: context)) { object throws(Errno) in
      var pageTable = command[L.id]
      try object.start(flags: flags, on: iommu, &pageTable)
      command[L.MockDomain.outHWPTID] = pageTable
      command[L.MockDomain.outStdevID] = object.id
      command[L.MockDomain.outIdevID] = object.bound?.id ?? 0
      try command.respond()
    }
    return 0
  }

  /// MOCK_DOMAIN_REPLACE.
  func mockDomainReplace(_ command: borrowing Command) throws(Errno) -> Int32 {
    try replace(command, pasid: 0, command[L.MockDomainReplace.ptID]) {
      command[L.MockDomainReplace.ptID] = $0
    }
  }

  /// PASID_ATTACH.
  func pasidAttach(_ command: borrowing Command) throws(Errno) -> Int32 {
    let pasid = command[L.PASIDAttach.pasid]
    var pageTable = command[L.PASIDAttach.ptID]
    try withDevice(command) { device, bound throws(Errno) in
      try locked(device) { () throws(Errno) in try bound.attach(pasid: pasid, to: &pageTable) }
      command[L.PASIDAttach.ptID] = pageTable
      do throws(Errno) { try command.respond() } catch {
        device.faultLock.withExclusive { bound.detach(pasid: pasid) }
        throw error
      }
    }
    return 0
  }

  /// PASID_REPLACE.
  func pasidReplace(_ command: borrowing Command) throws(Errno) -> Int32 {
    try replace(command, pasid: command[L.PASIDReplace.pasid], command[L.PASIDReplace.ptID]) {
      command[L.PASIDReplace.ptID] = $0
    }
  }

  private func replace(
    _ command: borrowing Command, pasid: UInt32, _ id: UInt32, _ store: (UInt32) -> Void
  ) throws(Errno) -> Int32 {
    var pageTable = id
    try withDevice(command) { device, bound throws(Errno) in
      try locked(device) { () throws(Errno) in try bound.replace(pasid: pasid, with: &pageTable) }
      store(pageTable)
      try command.respond(stays: true)
    }
    return 0
  }

  /// PASID_DETACH. Nothing attached is fine; PASID 0 is the RID.
  func pasidDetach(_ command: borrowing Command) throws(Errno) -> Int32 {
    let pasid = command[L.PASIDDetach.pasid]
    try withDevice(command) { device, bound in
      device.faultLock.withExclusive { bound.detach(pasid: pasid) }
    }
    return 0
  }

  /// PASID_CHECK_HWPT: what the IOMMU core has at a PASID; HWPT 0 for nothing.
  func pasidCheckHWPT(_ command: borrowing Command) throws(Errno) -> Int32 {
    let id = command[L.PASIDCheckHWPT.hwptID]
    let pasid = command[L.PASIDCheckHWPT.pasid]
    let context = command.context
    try withDevice(command) { device, _ throws(Errno) in
      let attached = device.group?.handle(at: pasid)?.domain
      if id == 0 {
        guard attached == nil else { throw .EINVAL("the PASID is attached", UInt64(pasid)) }
        return
      }
      try context.objects.with(Object.self, id) { any throws(Errno) in
        guard let hwpt = any as? HWPT else { throw .EINVAL("the object is not an HWPT", UInt64(id)) }
        guard attached === hwpt.domain else {
          throw .EINVAL("the PASID is not attached to the HWPT", UInt64(pasid), UInt64(id))
        }
      }
    }
    return 0
  }

  /// The test object that `id` names, and its device. `iommufd_test_get_selftest_obj`.
  private func withDevice(
    _ command: borrowing Command, _ body: (MockDevice, DeviceObject) throws(Errno) -> Void
  ) throws(Errno) {
    try command.context.objects.with(SelftestDevice.self, command[L.id]) { object throws(Errno) in
      guard let device = object.device, let bound = object.bound else {
        throw .ENOENT("the test object has no device")
      }
      try body(device, bound)
    }
  }

  /// With page requests of the device kept out.
  private func locked(_ device: MockDevice, _ body: () throws(Errno) -> Void) throws(Errno) {
    device.faultLock.lockExclusive()
    defer { device.faultLock.unlockExclusive() }
    try body()
  }

  // MARK: What a device does

  /// TRIGGER_IOPF: the device raises one page request, the last of its group. Success says nothing about
  /// whether anybody takes it.
  func triggerIOPF(_ command: borrowing Command) throws(Errno) -> Int32 {
    let pasid = command[L.TriggerIOPF.pasid]
    let request = PageRequest(
      flags: pasid == 0 ? .lastPage : [.lastPage, .pasidValid], pasid: pasid,
      groupID: command[L.TriggerIOPF.grpid], permissions: command[L.TriggerIOPF.perm],
      address: command[L.TriggerIOPF.addr])
    try withMock(command, command[L.TriggerIOPF.devID]) { device in
      device.faultLock.withShared { try? device.report(request) }
    }
    return 0
  }

  /// TRIGGER_VEVENT: the device reports its virtual ID to its vIOMMU.
  func triggerVEvent(_ command: borrowing Command) throws(Errno) -> Int32 {
    try withMock(command, command[L.TriggerVEvent.devID]) { device throws(Errno) in
      try device.reportEvent(type: Self.eventType)
    }
    return 0
  }

  private static var eventType: UInt32 { 0xBEEF_BEEF }

  /// DEV_CHECK_CACHE.
  func checkCache(_ command: borrowing Command) throws(Errno) -> Int32 {
    let index = command[L.CheckCache.id]
    let expected = command[L.CheckCache.cache]
    try withMock(command, command[L.id]) { device throws(Errno) in
      guard let word = device.cacheWord(index) else { throw .EINVAL("no such cache word", UInt64(index)) }
      guard word == expected else {
        throw .EINVAL("the cache word differs", UInt64(index), UInt64(word), UInt64(expected))
      }
    }
    return 0
  }

  private func withMock(
    _ command: borrowing Command, _ id: UInt32, _ body: (MockDevice) throws(Errno) -> Void
  ) throws(Errno) {
    try command.context.objects.with(DeviceObject.self, id) { object throws(Errno) in
      guard let device = object.device as? MockDevice else {
        throw .EINVAL("the device is no mock", UInt64(id))
      }
      try body(device)
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import Memory
internal import Seams
public import UAPI

// Attaching a device, or one PASID of it, to an HWPT or to an IOAS. With an IOAS an *automatic* HWPT is
// found or made: the test of whether one suits the device is to try it, and EINVAL means "try the next".
// Reference devices-hwpt-viommu.md section 2; the steps A1...A6 and R1...R8 are its.

extension DeviceObject {
  /// Attaches the device to a page table, by the ID of an HWPT or of an IOAS. `iommufd_device_attach`.
  ///
  /// - Parameters:
  ///   - pasid: 0 for DMA without a PASID.
  ///   - pageTable: becomes the ID of the HWPT in use.
  /// - Throws: ENOENT; EINVAL when it is no page table or does not suit; EBUSY when this device is attached
  ///   there; EADDRINUSE when its reserved regions are mapped; ENOMEM; what the driver refuses.
  public func attach(pasid: UInt32 = 0, to pageTable: inout UInt32) throws(Errno) {
    try change(pasid, &pageTable, .attach)
    addUser()
  }

  /// Moves the device to another page table, or leaves everything as it is. `iommufd_device_replace`.
  ///
  /// - Throws: ENOENT; EINVAL also when the device is not attached there; as `attach`.
  public func replace(pasid: UInt32 = 0, with pageTable: inout UInt32) throws(Errno) {
    try change(pasid, &pageTable, .replace)
  }

  /// Detaches the device; nothing happens where nothing is attached. `iommufd_device_detach`.
  public func detach(pasid: UInt32 = 0) {
    guard let hwpt = detachHardware(pasid) else { return }
    hwpt.giveBack()
    dropUser()
  }

  /// Detaches every PASID, the highest first.
  func detachAll() {
    let attached = group.lock.withLock { group.attachments.filter { $0.value.contains(self) }.keys.sorted() }
    for pasid in attached.reversed() { detach(pasid: pasid) }
  }

  private enum Change { case attach, replace }

  /// `iommufd_device_change_pt`.
  private func change(_ pasid: UInt32, _ pageTable: inout UInt32, _ change: Change) throws(Errno) {
    let id = pageTable
    let (old, new) = try context.objects.with(Object.self, id) { object throws(Errno) -> (HWPT?, UInt32) in
      switch object {
      case let hwpt as HWPT: (try apply(change, hwpt, pasid), id)
      case let ioas as IOAS: try applyAutomatic(change, ioas, pasid)
      default: throw .EINVAL("the object is not a page table", UInt64(id))
      }
    }
    pageTable = new
    // The last reference on an automatic HWPT destroys it, so this comes after every lock is let go.
    old?.giveBack()
  }

  private func apply(_ change: Change, _ hwpt: HWPT, _ pasid: UInt32) throws(Errno) -> HWPT? {
    switch change {
    case .attach:
      try attachHardware(hwpt, pasid)
      return nil
    case .replace: return try replaceHardware(hwpt, pasid)
    }
  }

  /// `iommufd_device_auto_get_domain`.
  private func applyAutomatic(_ change: Change, _ ioas: IOAS, _ pasid: UInt32) throws(Errno)
    -> (HWPT?, UInt32)
  {
    try ioas.hwptLock.withLock { () throws(Errno) -> (HWPT?, UInt32) in
      for hwpt in ioas.hwpts where hwpt.isAutomatic {
        guard context.objects.hold(hwpt) else { continue }
        defer { hwpt.dropUser() }
        do throws(Errno) {
          return (try apply(change, hwpt, pasid), hwpt.id)
        } catch .EINVAL {
          continue
        }
      }
      let hwpt = try PagingHWPT.make(
        on: ioas, for: self, flags: 0, data: nil, attaching: change == .attach ? pasid : nil)
      var old: HWPT?
      if change == .replace {
        do throws(Errno) { old = try apply(change, hwpt, pasid) } catch {
          hwpt.abort()
          throw error
        }
      }
      hwpt.isAutomatic = true
      context.objects.publish(hwpt)
      return (old, hwpt.id)
    }
  }

  // MARK: Attach

  /// `iommufd_hw_pagetable_attach`.
  func attachHardware(_ hwpt: HWPT, _ pasid: UInt32) throws(Errno) {
    try group.lock.withLock { () throws(Errno) in
      let existing = group.attachments[pasid]
      let failures = context.kernel.failures
      if existing == nil {  // A1
        if context.keepsAttachments { try failures.pass(.allocation, "the attachment's place in the group") }
        try failures.pass(.allocation, "an attachment")
      }
      if context.keepsAttachments { try failures.pass(.allocation, "the device's place in the attachment") }
      if let existing {
        guard !existing.contains(self) else {  // A2
          throw .EBUSY("the device is attached already", UInt64(id), UInt64(pasid))
        }
        guard existing.hwpt === hwpt else {  // A3
          throw .EINVAL("the group is attached to another HWPT", UInt64(existing.hwpt.id), UInt64(hwpt.id))
        }
      }
      let reserving = pasid == 0 ? hwpt.paging : nil
      if let reserving { try reserveRegions(in: reserving, first: existing == nil) }  // A4
      if existing == nil {
        do throws(Errno) { try attachGroup(to: hwpt, pasid) } catch {  // A5
          if let reserving { unreserveRegions(in: reserving) }
          throw error
        }
      }
      let attachment = existing ?? Attachment(hwpt)
      group.attachments[pasid] = attachment
      hwpt.addUser()  // A6
      attachment.add(self)
      Tracer.tell(
        MachineEvent(.attach, .id(id), .id(hwpt.id), pasid == 0 ? .none : .number(UInt64(pasid))))
    }
  }

  /// The hardware part, for the first device of the group. `iommufd_hwpt_attach_device`.
  private func attachGroup(to hwpt: HWPT, _ pasid: UInt32) throws(Errno) {
    try requireCompatible(hwpt, pasid)
    try context.kernel.failures.pass(.allocation, "an attach handle")
    let handle = DeviceHandle(self)
    if hwpt.fault != nil { try enableFaults() }
    do throws(Errno) {
      try context.kernel.failures.pass(.allocation, "the handle's place in the group")
      if pasid == 0 {
        try group.core.attach(hwpt.domain, handle: handle)
      } else {
        try group.core.attach(hwpt.domain, pasid: pasid, of: device, handle: handle)
      }
    } catch {
      if hwpt.fault != nil { disableFaults() }
      throw error
    }
  }

  /// What iommufd itself has against a device on an HWPT. `iommufd_hwpt_compatible_device`,
  /// `iommufd_hwpt_pasid_compat`; reference section 2.5.
  private func requireCompatible(_ hwpt: HWPT, _ pasid: UInt32) throws(Errno) {
    if hwpt.fault != nil, device.capabilities.contains(.virtualFunction),
      device.capabilities.contains(.pageRequests) || !context.faultsFollowDomains
    {
      throw .EINVAL("page requests of a virtual function cannot be handed to user space")
    }
    if pasid == 0 {
      if !hwpt.isForPASIDs, group.attachments.keys.contains(where: { $0 != 0 }) {
        throw .EINVAL("a PASID is attached, and the HWPT was not allocated for PASIDs", UInt64(hwpt.id))
      }
    } else {
      guard hwpt.isForPASIDs else {
        throw .EINVAL("the HWPT was not allocated for PASIDs", UInt64(hwpt.id))
      }
      if let rid = group.attachments[0]?.hwpt, !rid.isForPASIDs {
        throw .EINVAL("the HWPT of the device's RID was not allocated for PASIDs", UInt64(rid.id))
      }
    }
  }

  // MARK: Detach

  /// The last device of the group takes the group off. `iommufd_hw_pagetable_detach`.
  ///
  /// - Returns: the HWPT, with a reference that the caller must give back; nil when nothing is attached.
  func detachHardware(_ pasid: UInt32) -> HWPT? {
    group.lock.withLock {
      guard let attachment = group.attachments[pasid] else { return nil }
      let hwpt = attachment.hwpt
      attachment.remove(self)
      if attachment.devices.isEmpty {
        let handle = group.core.handle(at: pasid)
        if pasid == 0 { group.core.detach() } else { group.core.detach(pasid: pasid) }
        if let handle { hwpt.fault?.answerAll(of: handle) }
        if hwpt.fault != nil { disableFaults() }
        group.attachments[pasid] = nil
      }
      if pasid == 0, let paging = hwpt.paging { unreserveRegions(in: paging) }
      Tracer.tell(
        MachineEvent(.detach, .id(id), .id(hwpt.id), pasid == 0 ? .none : .number(UInt64(pasid))))
      return hwpt
    }
  }

  // MARK: Replace

  /// Moves the whole group. `iommufd_device_do_replace`.
  ///
  /// - Returns: the old HWPT, with a reference that the caller must give back; nil when it is the same.
  private func replaceHardware(_ hwpt: HWPT, _ pasid: UInt32) throws(Errno) -> HWPT? {
    try group.lock.withLock { () throws(Errno) -> HWPT? in
      guard let attachment = group.attachments[pasid] else {  // R1
        throw .EINVAL("nothing is attached at the PASID", UInt64(pasid))
      }
      guard attachment.contains(self) else {  // R2
        throw .EINVAL("the device is not attached", UInt64(id), UInt64(pasid))
      }
      let old = attachment.hwpt
      if old === hwpt { return nil }  // R3
      let reserving = pasid == 0 ? hwpt.paging : nil
      let leavesIOAS = pasid == 0 && old.paging != nil && hwpt.paging?.ioas !== old.paging?.ioas
      if let reserving {  // R4
        do throws(Errno) {
          if reserving.ioas !== old.paging?.ioas {
            for member in attachment.devices { try member.reserveRegions(in: reserving.ioas) }
          }
          try installMSIPages(in: reserving)
        } catch {
          for member in attachment.devices { member.unreserveRegions(in: reserving) }
          throw error
        }
      }
      do throws(Errno) { try replaceGroup(old, with: hwpt, pasid) } catch {
        // Also where old and new share the IOAS, and the old HWPT still needs them (reference Q4).
        if let reserving { for member in attachment.devices { member.unreserveRegions(in: reserving) } }
        throw error
      }
      if leavesIOAS, let paging = old.paging {  // R7
        for member in attachment.devices { member.unreserveRegions(in: paging) }
      }
      attachment.hwpt = hwpt  // R8
      Tracer.tell(
        MachineEvent(
          .replace, .id(id), .id(old.id), .id(hwpt.id), pasid == 0 ? .none : .number(UInt64(pasid))))
      let count = attachment.devices.count
      hwpt.addUsers(count)
      if count > 1 { old.dropUsers(count - 1) }
      return old
    }
  }

  /// R5 and R6. `iommufd_hwpt_replace_device`.
  private func replaceGroup(_ old: HWPT, with hwpt: HWPT, _ pasid: UInt32) throws(Errno) {
    try requireCompatible(hwpt, pasid)
    let before = group.core.handle(at: pasid)
    try context.kernel.failures.pass(.allocation, "an attach handle")
    let handle = DeviceHandle(self)
    let begins = hwpt.fault != nil && old.fault == nil
    if begins { try enableFaults() }
    do throws(Errno) {
      try context.kernel.failures.pass(.allocation, "the handle's place in the group")
      if pasid == 0 {
        try group.core.replace(with: hwpt.domain, handle: handle)
      } else {
        try group.core.replace(with: hwpt.domain, pasid: pasid, of: device, handle: handle)
      }
    } catch {
      if begins { disableFaults() }
      throw error
    }
    if let before { old.fault?.answerAll(of: before) }
    if old.fault != nil, hwpt.fault == nil { disableFaults() }
  }

  // MARK: Page requests

  /// Until 6.15 iommufd turned page requests of a device on; since then the driver does on attach.
  private func enableFaults() throws(Errno) {
    guard !context.faultsFollowDomains else { return }
    if faultUsers == 0 { try device.joinFaultQueue(context.kernel.failures) }
    faultUsers += 1
  }

  private func disableFaults() {
    guard !context.faultsFollowDomains, faultUsers > 0 else { return }
    faultUsers -= 1
    if faultUsers == 0 { device.leaveFaultQueue() }
  }
}

extension Context {
  /// Attachments are kept by PASID and device since iommufd attaches PASIDs.
  var keepsAttachments: Bool { version >= KernelVersion(6, 15) }

  /// Whether attaching a domain with a fault handler is what turns page requests of a device on.
  var faultsFollowDomains: Bool { version >= KernelVersion(6, 16) }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// What must hold of the device half whenever no call is in flight. The numbers are those of reference
// devices-hwpt-viommu.md section 9; those on the ledger of references and on areas are in Invariants.swift.

extension ObjectCensus {
  /// Looks for broken invariants of devices, groups, HWPTs, faults and vIOMMUs.
  func checkDevices(_ findings: inout Findings) {
    checkIDs(&findings)
    checkAcyclic(&findings)
    for group in context.devices.allGroups {
      checkGroup(group, devices.filter { $0.group === group }, &findings)
    }
    for ioas in spaces { checkReservations(ioas, &findings) }
    for hwpt in hwpts { checkHWPT(hwpt, &findings) }
    for queue in faults { checkFaults(queue, &findings) }
    for viommu in viommus { checkVIOMMU(viommu, &findings) }
    checkVDevices(&findings)
    for queue in eventQueues { checkEvents(queue, &findings) }
    checkWindows(&findings)
  }

  /// 5: an ID that is a tombstone is nobody's.
  private func checkIDs(_ findings: inout Findings) {
    let dead = context.objects.tombstones
    guard !dead.isEmpty else { return }
    for object in all {
      findings.require(!dead.contains(object.id), "a tombstone's ID is never used again", "\(object.id)")
    }
  }

  /// 4: so that closing the file can always finish.
  private func checkAcyclic(_ findings: inout Findings) {
    enum State { case unseen, entered, left }
    var states = [State](repeating: .unseen, count: all.count)
    func reachesItself(_ place: Int) -> Bool {
      if states[place] != .unseen { return states[place] == .entered }
      states[place] = .entered
      let loops = references[place].contains { reachesItself($0) }
      states[place] = .left
      return loops
    }
    for place in all.indices {
      findings.require(
        !reachesItself(place), "references form no cycle", "\(all[place].kind.name) \(all[place].id)")
    }
  }

  // MARK: Groups

  private func checkGroup(_ group: DeviceGroup, _ members: [DeviceObject], _ findings: inout Findings) {
    let core = group.core
    var name: String { "group \(core.id)" }
    // 6, 8, 9.
    findings.require(
      group.devices == members.count, "a group counts its bound devices",
      "\(name): counts \(group.devices), bound are \(members.count)")
    findings.require(
      core.owner === context && core.ownerCount == members.count,
      "the group's owner is the file of its devices",
      "\(name): \(core.ownerCount) claims, \(members.count) bound devices")
    for member in members {
      // 10.
      findings.require(
        member.device.isMock || core.hasIsolatedMSI || context.kernel.allowUnsafeInterrupts,
        "a bound device raises only its own interrupts", "DEVICE \(member.id)")
    }
    group.lock.withLock {
      // 7.
      if group.attachments[0] == nil {
        findings.require(core.isBlocked, "an owned group with nothing attached blocks DMA", name)
      }
      // A mock device destroyed with PASIDs attached left them behind (Q14).
      let plugged = core.members
      let leaks = members.contains { member in !plugged.contains { $0 === member.device } }
      findings.require(
        leaks || core.attachedPASIDs == group.attachments.keys.sorted(),
        "iommufd and the IOMMU core attach the same PASIDs",
        "\(name): \(group.attachments.keys.sorted()), core \(core.attachedPASIDs)")
      for (pasid, attachment) in group.attachments {
        var place: String { "\(name), PASID \(pasid), HWPT \(attachment.hwpt.id)" }
        // 11, 12.
        findings.require(!attachment.devices.isEmpty, "an attachment has a device", place)
        findings.require(
          core.handle(at: pasid)?.domain === attachment.hwpt.domain,
          "the IOMMU core has the domain of the attached HWPT", place)
        findings.require(
          attachment.devices.allSatisfy { $0.group === group }, "an attachment's devices are of its group",
          place)
        // 14.
        if pasid != 0 {
          findings.require(attachment.hwpt.isForPASIDs, "a PASID's HWPT is allocated for PASIDs", place)
          findings.require(
            group.attachments[0]?.hwpt.isForPASIDs ?? true,
            "with a PASID attached the RID's HWPT is allocated for PASIDs", place)
        }
      }
    }
  }

  /// 20 and 21: who reserved what. A failed replace within one IOAS takes reservations away that are still
  /// needed, as in the kernel (Q4), so only ranges that nobody needs are an error.
  private func checkReservations(_ ioas: IOAS, _ findings: inout Findings) {
    let table = ioas.pagetable
    let reserved = table.areasLock.withShared { table.reserved.elements }
    let domains = table.domainsLock.withShared { table.domains }
    for element in reserved {
      guard let owner = element.payload.owner else { continue }
      let span = element.span
      var place: String {
        "IOAS \(ioas.id): 0x\(String(span.first, radix: 16))...0x\(String(span.last, radix: 16))"
      }
      if let device = owner as? Device {
        let isHere = devices.contains { $0.device === device && $0.hwpt(at: 0)?.paging?.ioas === ioas }
        let isRegion = device.reservedRegions.contains {
          $0.kind != .directRelaxable && $0.first == span.first && $0.last == span.last
        }
        findings.require(
          isHere && isRegion, "a device reserves its regions where it is attached", "\(place), \(device.name)"
        )
      } else {
        let domain = domains.first { $0 === owner }
        let aperture = domain?.aperture
        findings.require(
          aperture.map { !$0.overlaps(span) } ?? false, "a domain reserves what is outside its aperture",
          place)
      }
    }
    for domain in domains {
      let mine = reserved.count { $0.payload.owner === domain }
      let expected = (domain.aperture.first != 0 ? 1 : 0) + (domain.aperture.last != .max ? 1 : 0)
      findings.require(
        mine == expected, "a domain reserves what is outside its aperture",
        "IOAS \(ioas.id): \(mine) reservations, \(expected) needed")
    }
  }

  // MARK: HWPTs

  private func checkHWPT(_ hwpt: HWPT, _ findings: inout Findings) {
    var name: String { "\(hwpt.kind.name) \(hwpt.id)" }
    findings.require(
      (hwpt.fault != nil) == (hwpt.domain.faultHandler != nil), "a domain hands faults to its HWPT's queue",
      name)
    switch hwpt {
    case let paging as PagingHWPT:
      findings.require(
        paging.ioas.hwptLock.withLock { paging.ioas.hwpts.contains { $0 === paging } },
        "an HWPT is in its IOAS's list", name)
      // 15, 16.
      guard paging.isAutomatic else { return }
      findings.require(
        !paging.isForPASIDs && !paging.isNestParent && paging.fault == nil
          && !(paging.domain is any DirtyTrackingDomain),
        "an automatic HWPT has no flags", name)
      let isAttached = devices.contains { device in
        device.group.lock.withLock {
          device.group.attachments.values.contains { $0.hwpt === hwpt && $0.contains(device) }
        }
      }
      findings.require(isAttached, "an automatic HWPT is attached somewhere", name)
    case let nested as NestedHWPT:
      // 26.
      findings.require(
        nested.parent.isNestParent && !nested.parent.isAutomatic
          && nested.parent.domain.driver === nested.domain.driver,
        "a nested HWPT stands on a nesting parent of the same driver", name)
      findings.require(
        nested.viommu.map { $0.parent === nested.parent } ?? true,
        "an HWPT on a vIOMMU has the vIOMMU's parent", name)
    default: break
    }
  }

  // MARK: Faults

  /// 30...33: every group is in one place, and its attachment is still there.
  private func checkFaults(_ queue: FaultQueue, _ findings: inout Findings) {
    let waiting = queue.queued
    let unanswered = queue.unanswered
    let groups = waiting + unanswered.map(\.group)
    var name: String { "FAULT \(queue.id)" }
    findings.require(
      Set(groups.map(ObjectIdentifier.init)).count == groups.count, "a fault group is in one place only", name
    )
    findings.require(
      unanswered.allSatisfy { $0.cookie >= queue.firstCookie }, "cookies begin at the queue's first", name)
    for group in groups {
      let handles =
        group.device.group.map { core in core.attachedPASIDs.compactMap { core.handle(at: $0) } } ?? []
      findings.require(
        handles.contains { $0 === group.handle }, "a queued fault's attachment is still there",
        "\(name), \(group.device.name)")
      findings.require(
        group.handle.domain?.faultHandler === queue, "a queued fault's HWPT uses this queue", name)
      findings.require(
        group.requests.last?.flags.contains(.lastPage) ?? false, "a fault group ends with its last request",
        name)
    }
  }

  // MARK: vIOMMUs

  private func checkVIOMMU(_ viommu: VIOMMU, _ findings: inout Findings) {
    var name: String { "VIOMMU \(viommu.id)" }
    findings.require(viommu.parent.isNestParent, "a vIOMMU stands on a nesting parent", name)
    for vdevice in viommu.vdevices {
      findings.require(
        vdevice.viommu === viommu && viommu.device(virtualID: vdevice.virtualID) === vdevice.device.device,
        "a virtual ID leads to its device", "\(name), 0x\(String(vdevice.virtualID, radix: 16))")
    }
    // 40.
    let queues = viommu.eventQueuesLock.withShared { viommu.eventQueues }
    findings.require(
      Set(queues.map(\.type)).count == queues.count, "a vIOMMU has one event queue of a type", name)
    let mine = eventQueues.filter { $0.viommu === viommu }
    findings.require(
      Set(mine.map(ObjectIdentifier.init)) == Set(queues.map(ObjectIdentifier.init)),
      "a vIOMMU lists its event queues", name)
  }

  /// 36, 37.
  private func checkVDevices(_ findings: inout Findings) {
    for vdevice in vdevices {
      var name: String { "VDEVICE \(vdevice.id)" }
      let device = vdevice.device
      findings.require(
        device.group.lock.withLock { device.vdevice === vdevice }, "a device has one vDEVICE and knows it",
        name)
      findings.require(
        device.device.instance === vdevice.viommu.instance, "a vDEVICE is behind its vIOMMU's hardware", name)
      findings.require(
        devices.contains { $0 === device }, "a vDEVICE's device is bound", "\(name), DEVICE \(device.id)")
    }
  }

  /// 38.
  private func checkEvents(_ queue: VEventQ, _ findings: inout Findings) {
    let state = queue.state
    var name: String { "VEVENTQ \(queue.id)" }
    findings.require(
      state.events <= Int(queue.depth), "an event queue holds no more than its depth",
      "\(name): \(state.events) of \(queue.depth)")
    findings.require(
      state.sequences.count == state.events + (state.hasMarker ? 1 : 0),
      "only the last record of an event queue stands for lost ones", name)
    let ascending = zip(state.sequences, state.sequences.dropFirst()).allSatisfy {
      ($1 &- $0) & 0x7FFF_FFFF > 0 && ($1 &- $0) & 0x7FFF_FFFF < 0x4000_0000
    }
    findings.require(ascending, "the numbers of queued events ascend", "\(name): \(state.sequences)")
  }

  /// 43.
  private func checkWindows(_ findings: inout Findings) {
    var end = Page.size
    for window in context.devices.allWindows {
      findings.require(
        window.offset >= end, "mmap windows are disjoint and leave page 0 free",
        "offset 0x\(String(window.offset, radix: 16))")
      end = window.offset + window.length
    }
  }
}

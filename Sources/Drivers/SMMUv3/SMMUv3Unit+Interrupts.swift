// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import UAPI

// What the SMMU says by itself. Source: `arm_smmu_evtq_thread`, `arm_smmu_handle_event`, `arm_smmu_gerror_handler`,
// `arm_smmu_priq_thread`; reference backends-arm-riscv-s390.md A5.5.
//
//     event ─┬ a stalled transaction ──> page request of its device ──> RESUME, some day
//            ├ stage 1 of a nested domain ──> event queue of the vIOMMU, with the guest's StreamID
//            └ anything else, and what those do not take ──> the log

extension SMMUv3Unit {
  /// An interrupt of the SMMU.
  func take(_ interrupt: HardwareInterrupt) {
    switch interrupt {
    case .message(let address, let data):
      guard address == features.platform.doorbell else { return }
      switch data {
      case Message.events: handleEvents()
      case Message.globalError: handleGlobalError()
      case Message.requests: handleRequests()
      default: break
      }
    case .wire(let wire):
      switch wire {
      case SMMU.Wire.eventQueue: handleEvents()
      case SMMU.Wire.globalError: handleGlobalError()
      case SMMU.Wire.priQueue: handleRequests()
      case SMMU.Wire.cmdqv: front?.handleErrors()
      default: break
      }
    }
  }

  // MARK: Global errors

  private func handleGlobalError() {
    typealias R = SMMU.Register
    typealias E = SMMU.GlobalError
    let gerror = port.read32(R.gerror)
    let active = (gerror ^ port.read32(R.gerrorN)) & E.all
    guard active != 0 else { return }
    let texts: [(UInt32, String)] = [
      (E.serviceFailureMode, "device has entered Service Failure Mode"),
      (E.msiGlobalErrorAbort, "GERROR MSI write aborted"),
      (E.msiPRIQueueAbort, "PRIQ MSI write aborted"),
      (E.msiEventQueueAbort, "EVTQ MSI write aborted"),
      (E.msiCommandQueueAbort, "CMDQ MSI write aborted"),
      (E.priQueueAbort, "PRIQ write aborted; requests may have been lost"),
      (E.eventQueueAbort, "EVTQ write aborted; events may have been lost"),
    ]
    for (bit, text) in texts where active & bit != 0 { complain(text) }
    if active & E.serviceFailureMode != 0 { port.write32(R.cr0, 0) }
    if active & E.commandQueue != 0 { commands.handleError() }
    let rest = active & ~E.commandQueue
    if rest != 0 { port.write32(R.gerrorN, port.read32(R.gerrorN) ^ rest) }
  }

  // MARK: Events

  private func handleEvents() {
    while true {
      switch events.take() {
      case .empty: return
      case .overflow: complain("EVTQ overflow detected; events were lost")
      case .record(let words): handle(SMMUv3Event(words))
      }
    }
  }

  private func handle(_ event: SMMUv3Event) {
    do throws(Errno) { try dispatch(event) } catch { record(event.fault) }
  }

  /// - Throws: when nobody takes the event.
  private func dispatch(_ event: SMMUv3Event) throws(Errno) {
    guard event.isHandled(old: features.isOld) else { throw .EOPNOTSUPP("an event that goes to the log") }
    let (device, place) = withDevice(event.stream) { ($0, $0?.place) }
    guard let device else { throw .EINVAL("no device has the stream", UInt64(event.stream)) }
    if event.isStalled {
      try device.report(event.request)
    } else if let place, !event.isStage2 {
      try place.viommu.report(event, virtualStream: place.stream)
    } else {
      throw .EOPNOTSUPP("nobody takes the event")
    }
  }

  // MARK: Page requests

  /// Linux wants none: it never turns the page request interface of a device on.
  private func handleRequests() {
    guard let requests else { return }
    while true {
      switch requests.take() {
      case .empty: return
      case .overflow: complain("PRIQ overflow detected; requests were lost")
      case .record(let words):
        complain("unexpected PRI request of stream \(words[0][SMMU.PRIRecord.sid])")
        if words[0][SMMU.PRIRecord.last] != 0 { post([.deny((words[0], words[1]))]) }
      }
    }
  }
}

/// An event record, as the driver reads it: `struct arm_smmu_event`.
struct SMMUv3Event: Sendable {
  let words: [UInt64]

  init(_ words: [UInt64]) { self.words = words }

  private subscript(_ field: SMMU.Field) -> UInt64 { words[field.word][field] }

  var type: UInt8 { UInt8(truncatingIfNeeded: self[SMMU.Event.type]) }
  var stream: UInt32 { UInt32(truncatingIfNeeded: self[SMMU.Event.sid]) }
  var isStalled: Bool { self[SMMU.Event.stall] != 0 }
  var isStage2: Bool { self[SMMU.Event.s2] != 0 }
  private var hasPASID: Bool { self[SMMU.Event.ssv] != 0 }
  private var pasid: UInt32 { UInt32(truncatingIfNeeded: self[SMMU.Event.ssid]) }
  private var isRead: Bool { self[SMMU.Event.rnw] != 0 }

  /// Whether somebody else than the log may want it. 6.12 knows only stalls.
  func isHandled(old: Bool) -> Bool {
    typealias E = SMMU.Event
    switch type {
    case E.translation, E.addressSize, E.access, E.permission: return !old || isStalled
    case E.badSTE, E.streamDisabled, E.badSubstreamID, E.badCD: return !old
    default: return false
    }
  }

  /// A stalled transaction asks for its page.
  var request: PageRequest {
    var permissions: UInt32 = isRead ? 1 : 2
    if self[SMMU.Event.ind] != 0 { permissions |= 4 }
    if self[SMMU.Event.pnu] != 0 { permissions |= 8 }
    return PageRequest(
      flags: hasPASID ? [.lastPage, .pasidValid] : .lastPage, pasid: hasPASID ? pasid : 0,
      groupID: UInt32(truncatingIfNeeded: self[SMMU.Event.stag]), permissions: permissions, address: words[2])
  }

  var fault: FaultRecord {
    let name = SMMU.Event.names.first { $0.code == type }?.name ?? "UNKNOWN"
    // Configuration events have no direction.
    let hasDirection = type >= SMMU.Event.translation || words[1] != 0
    return FaultRecord(
      source: stream, pasid: hasPASID ? pasid : nil, address: words[2], code: UInt32(type), name: name,
      isWrite: hasDirection && !isRead)
  }

  /// The record for a guest, which knows the device by another StreamID.
  func bytes(virtualStream: UInt64) -> [UInt8] {
    var words = words
    words[0][SMMU.Event.sid] = virtualStream
    return words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
  }
}

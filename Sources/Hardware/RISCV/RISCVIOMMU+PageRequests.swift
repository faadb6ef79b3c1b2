// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The page request queue, sections 3.7 and 4.3. What cannot be queued the IOMMU answers itself, if it is the
// last of its group and no stop marker.

extension RISCVIOMMU {
  public func pageRequest(_ request: PageRequest) {
    typealias Bit = RISCV.QueueControl
    core.monitor.tick()
    signalOverflow()
    let context: Core.DeviceContext
    do throws(RISCVFault) {
      switch core.registers.mode {
      case RISCV.DirectoryPointer.off: throw RISCVFault(RISCV.Cause.allInboundDisallowed)
      case RISCV.DirectoryPointer.bare: throw RISCVFault(RISCV.Cause.transactionDisallowed)
      default: break
      }
      var nobody = RISCVLiveWalk()
      let place = try core.locateDevice(request.source, process: request.pasid, &nobody)
      context = core.deviceContexts[place]
    } catch {
      // Without a context DTF and PRPR count as 0.
      report(error, RISCVFaultOrigin(request, dtf: false))
      let invalid = error.cause == RISCV.Cause.transactionDisallowed
      return answer(request, invalid ? .invalidRequest : .failure, withPASID: !invalid)
    }
    let required = context.has(RISCV.TranslationControl.prpr)
    guard context.has(RISCV.TranslationControl.enPRI) else {
      report(
        RISCVFault(RISCV.Cause.transactionDisallowed),
        RISCVFaultOrigin(request, dtf: context.has(RISCV.TranslationControl.dtf)))
      return answer(request, .invalidRequest, withPASID: required)
    }
    guard core.registers.pageRequest.isOn, !core.registers.pageRequest.has(Bit.memoryFault) else {
      return answer(request, .failure, withPASID: true)
    }
    guard !core.registers.pageRequest.has(Bit.overflow) else {
      return answer(request, .success, withPASID: required)
    }
    guard !core.registers.pageRequest.isFull else {
      core.registers.pageRequest.control |= Bit.overflow
      raise(RISCV.Interrupt.pageRequestQueue)
      return answer(request, .success, withPASID: required)
    }
    let (identity, payload) = Self.record(of: request)
    let place = core.registers.pageRequest.address(of: core.registers.pageRequest.tail)
    guard store64(identity, place), store64(payload, place &+ 8) else {
      core.registers.pageRequest.control |= Bit.memoryFault
      raise(RISCV.Interrupt.pageRequestQueue)
      return answer(request, .failure, withPASID: true)
    }
    core.registers.pageRequest.advanceTail()
    raise(RISCV.Interrupt.pageRequestQueue)
  }

  private static func record(of request: PageRequest) -> (identity: UInt64, payload: UInt64) {
    typealias Field = RISCV.Record
    var identity = UInt64(request.source) << Field.didShift
    if let process = request.pasid {
      identity |= UInt64(process & 0xF_FFFF) << Field.pidShift | Field.pv
      if request.privileged { identity |= Field.priv }
      if request.execute { identity |= Field.exec }
    }
    var payload = request.address & ~0xFFF | UInt64(request.group & 0x1FF) << Field.groupShift
    if request.read { payload |= Field.read }
    if request.write { payload |= Field.write }
    if request.last { payload |= Field.last }
    return (identity, payload)
  }

  /// The IOMMU's own Page Request Group Response.
  private func answer(_ request: PageRequest, _ code: PageResponse.Code, withPASID: Bool) {
    let isStopMarker = !request.read && !request.write
    guard request.last, !isStopMarker else { return }
    fabric?.respond(
      PageResponse(
        source: request.source, pasid: withPASID ? request.pasid : nil, group: request.group & 0x1FF,
        code: code))
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Peripheral page requests. AMD IOMMU Specification, publication 48882, section 2.6: they go to the PPR log,
// for software to answer with COMPLETE_PPR_REQUEST. The IOMMU itself answers what it may not log.

extension AMDVi.Unit {
  mutating func pageRequest(_ request: PageRequest) {
    guard enabled, controls(AMDViControl.pprEn) else { return answer(request, .failure, pasid: nil) }
    let id = UInt16(truncatingIfNeeded: request.source)
    let flags = request.write ? AMDViEvent.write : 0
    var live = AMDVi.Live()
    let device: AMDVi.Device
    switch fetch(id, &live) {
    case .device(let found): device = found
    case .beyond:
      _ = report(
        .init(
          code: AMDViEvent.illegalDeviceTableEntry, flags: flags, address: request.address, device: id))
      return answer(request, .failure, pasid: nil)
    case .busError(let address):
      _ = report(
        .init(code: AMDViEvent.deviceTableHardwareError, flags: flags, address: address, device: id))
      return answer(request, .failure, pasid: nil)
    }
    // GPRP: answers of a device that asks with PASIDs have them.
    let pasid = device.words.0 & AMDViDTE.gprp != 0 ? request.pasid.map { $0 & 0xF_FFFF } : nil
    if device.kind == .illegal {
      _ = report(
        .init(
          code: AMDViEvent.illegalDeviceTableEntry, flags: flags | AMDViEvent.reserved,
          address: request.address, device: id))
      return answer(request, .failure, pasid: pasid)
    }
    // The entry must translate and let page requests through; a PASID needs guest tables.
    guard device.kind == .translate, device.words.0 & AMDViDTE.ppr != 0,
      request.pasid == nil || device.hasGuest
    else {
      append(entry(request, type: UInt64(AMDViEvent.invalidPPRRequest)), to: .event)
      return answer(request, .invalidRequest, pasid: pasid)
    }
    if !append(entry(request, type: AMDViPPR.pageRequest), to: .ppr),
      controls(AMDViControl.pprAutoResponseEn)
    {
      // Lost: PprAutoRespSup lets the device try again.
      answer(request, .success, pasid: pasid)
    }
  }

  /// An entry of the PPR log; the event of a request that is not allowed has the same form.
  private func entry(_ request: PageRequest, type: UInt64) -> (UInt64, UInt64) {
    let pasid = UInt64(request.pasid ?? 0) & 0xF_FFFF
    var flags = request.pasid == nil ? 0 : AMDViPPR.gn
    if request.execute { flags |= AMDViPPR.execute }
    if request.read { flags |= AMDViPPR.read }
    if request.write { flags |= AMDViPPR.write }
    if request.pasid != nil, !request.privileged { flags |= AMDViPPR.user }
    let tag = UInt64(request.group & 0x1FF) | (request.last ? AMDViPPR.last : 0)
    let low =
      UInt64(request.source & 0xFFFF) | (pasid & 0xFFFF) << AMDViPPR.pasidShift | tag << AMDViPPR.tagShift
    let high =
      (pasid >> 16) << AMDViPPR.pasidHighShift | flags << AMDViPPR.flagsShift | type << AMDViPPR.typeShift
    return (low | high, request.address & ~0xFFF)
  }

  /// Only the last request of a group is answered.
  private mutating func answer(_ request: PageRequest, _ code: PageResponse.Code, pasid: UInt32?) {
    guard request.last else { return }
    outbox.append(
      .respond(
        PageResponse(source: request.source, pasid: pasid, group: request.group & 0x1FF, code: code)))
  }
}

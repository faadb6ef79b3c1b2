// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import UAPI

// The PPR log, and answers. Source: `drivers/iommu/amd/ppr.c`; publication 48882, section 2.6; reference
// backends-x86.md B4.3.

extension AMDViIOMMU {
  /// Answers to a page request group: PPR_SUCCESS, PPR_INVALID, PPR_FAILURE.
  private enum Status {
    static let success: UInt32 = 0
    static let invalid: UInt32 = 1
    static let failure: UInt32 = 0xF
  }

  func handlePageRequests() {
    guard takesPageRequests else { return }
    drain(.pageRequests, rings.pageRequests) { take(request: $0, $1) }
  }

  /// `iommu_call_iopf_notifier`. What is refused here is answered, the last of its group or not.
  private func take(request low: UInt64, _ address: UInt64) {
    guard low >> AMDViPPR.typeShift == AMDViPPR.pageRequest else {
      return complain("Unknown PPR request received")
    }
    guard let device = device(UInt16(truncatingIfNeeded: low)) else { return }
    let tag = UInt32(truncatingIfNeeded: low >> AMDViPPR.tagShift & 0x3FF)
    let group = tag & AMDViCommand.pprTagMask
    let pasid = UInt32(
      truncatingIfNeeded: (low >> AMDViPPR.pasidShift & 0xFFFF)
        | (low >> AMDViPPR.pasidHighShift & 0xF) << 16)
    let flags = low >> AMDViPPR.flagsShift & 0xFFF
    // Requests without a PASID are nobody's, and PASID 0 is what stands for those.
    guard flags & AMDViPPR.gn != 0, flags & AMDViPPR.reserved == 0, pasid != 0, pasid < device.pasidLimit
    else { return answer(group, of: device, pasid: pasid, status: Status.failure) }
    var permissions: UInt32 = 0
    if flags & AMDViPPR.read != 0 { permissions |= 1 }
    if flags & AMDViPPR.write != 0 { permissions |= 2 }
    if flags & AMDViPPR.execute != 0 { permissions |= 4 }
    if flags & AMDViPPR.user == 0 { permissions |= 8 }
    var kind: PageRequest.Flags = [.needsPASID, .pasidValid]
    if UInt64(tag) & AMDViPPR.last != 0 { kind.insert(.lastPage) }
    // Who cannot be handed a request has answered it.
    try? device.report(
      PageRequest(
        flags: kind, pasid: pasid, groupID: group, permissions: permissions, address: address & ~0xFFF))
  }

  /// `amd_iommu_page_response`.
  func respond(to request: PageRequest, of device: AMDViDevice, with code: PageResponse) {
    let status =
      switch code {
      case .success: Status.success
      case .invalid: Status.invalid
      case .failure: Status.failure
      }
    answer(request.groupID, of: device, pasid: request.pasid, status: status)
  }

  /// `amd_iommu_complete_ppr`. The PASID goes with it where the function wants it back.
  private func answer(_ group: UInt32, of device: AMDViDevice, pasid: UInt32, status: UInt32) {
    let needsPASID = device.function.capabilities.responseNeedsPASID
    queue(
      .response(to: group, of: device.deviceID, pasid: needsPASID ? pasid : nil, status: status))
  }
}

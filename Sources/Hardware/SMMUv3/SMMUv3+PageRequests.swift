// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// PCI page requests. IHI 0070, 3.9.2 and 8.
//
// A request that cannot be queued is answered by the SMMU: after an overflow with success, so that the device
// tries again, otherwise with a failure. Only the last request of a group is answered. While an overflow is
// not acknowledged nothing is queued, so that software never sees the end of a group without its beginning.

extension SMMUv3 {
  public func pageRequest(_ request: PageRequest) {
    guard capabilities.has0(SMMU.IDR0.pri), isEnabled(SMMU.CR0.smmuEnable),
      isEnabled(SMMU.CR0.priQueueEnable), !isActive(SMMU.GlobalError.priQueueAbort), !hasFailed
    else {
      respondAlone(to: request, .failure)
      return
    }
    if requests.overflowed || requests.isFull {
      requests.overflow()
      respondAlone(to: request, .success)
      return
    }
    typealias R = SMMU.PRIRecord
    var word0: UInt64 = 0
    var word1: UInt64 = request.address & R.addressMask
    word0[R.sid] = UInt64(request.source)
    if let pasid = request.pasid {
      word0[R.ssv] = 1
      word0[R.ssid] = UInt64(pasid)
      // Without a PASID there are no such claims.
      word0[R.privileged] = request.privileged ? 1 : 0
      word0[R.execute] = request.execute ? 1 : 0
    }
    word0[R.read] = request.read ? 1 : 0
    word0[R.write] = request.write ? 1 : 0
    word0[R.last] = request.last ? 1 : 0
    word1[R.group] = UInt64(request.group)
    let place = requests.address(requests.prod)
    guard memory.store64(word0, at: PhysAddr(place)), memory.store64(word1, at: PhysAddr(place &+ 8)) else {
      raise(SMMU.GlobalError.priQueueAbort)
      respondAlone(to: request, .failure)
      return
    }
    let wasEmpty = requests.isEmpty
    requests.advanceProd()
    guard irqControl & SMMU.IRQControl.priQueue != 0 else { return }
    let lastOnly = priMessage.attributes & SMMU.IRQControl.lastOnly != 0
    if lastOnly ? request.last : wasEmpty {
      signal(priMessage, wire: SMMU.Wire.priQueue, failure: SMMU.GlobalError.msiPRIQueueAbort)
    }
  }

  /// The SMMU's own answer. STE.PPAR says whether it carries the PASID of the request.
  private func respondAlone(to request: PageRequest, _ code: PageResponse.Code) {
    // A stop marker asks for nothing.
    guard request.last, request.read || request.write else { return }
    var pasid: UInt32?
    if request.pasid != nil, isEnabled(SMMU.CR0.smmuEnable) {
      var nobody = Unobserved()
      if let ste = try? stream(request.source, &nobody), ste.raw.flag(SMMU.STE.ppar) {
        pasid = request.pasid
      }
    }
    fabric?.respond(
      PageResponse(source: request.source, pasid: pasid, group: request.group, code: code))
  }
}

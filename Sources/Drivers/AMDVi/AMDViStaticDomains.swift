// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import UAPI

/// The domain in which no DMA works: TV=0. Source: `blocked_domain_ops`.
final class AMDViBlockedDomain: PASIDDomain, @unchecked Sendable {
  private unowned let amd: AMDViDriver
  var faultHandler: (any PageFaultHandler)?

  init(_ amd: AMDViDriver) { self.amd = amd }

  var driver: any IOMMUDriver { amd }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? AMDViDevice else { throw .EINVAL("not a device behind AMD-Vi") }
    device.block()
  }

  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    (device as? AMDViDevice)?.detach(pasid: pasid)
  }
}

/// The domain in which every address is its own: Mode 0. The default one of functions with PASIDs, which then have a
/// GCR3 table beside it. Source: `identity_domain_ops`.
final class AMDViIdentityDomain: AMDViAttachable, @unchecked Sendable {
  unowned let amd: AMDViDriver
  let id: UInt16
  let members = AMDViMembers()
  var faultHandler: (any PageFaultHandler)?

  init(_ amd: AMDViDriver, id: UInt16) {
    self.amd = amd
    self.id = id
  }

  var driver: any IOMMUDriver { amd }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? AMDViDevice else { throw .EINVAL("not a device behind AMD-Vi") }
    guard !device.unit.platform.snpEnabled else { throw .EINVAL("SNP has no identity translation") }
    try device.attach(to: self)
  }

  func invalidateEverything() {
    for (unit, _) in members.units {
      unit.queue(.pages(.everything, domain: id, tables: true))
    }
    for device in members.devices { device.invalidateCache() }
    for (unit, _) in members.units { unit.wait() }
  }
}

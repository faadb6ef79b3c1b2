// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import UAPI

/// No address space is registered, so no DMA works: `blocking_domain`. A function begins here.
final class ZPCIBlockedDomain: Domain, @unchecked Sendable {
  private unowned let zpci: ZPCIDriver
  var faultHandler: (any PageFaultHandler)?

  init(_ driver: ZPCIDriver) { zpci = driver }

  var driver: any IOMMUDriver { zpci }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? ZPCIDevice else { throw .EINVAL("not a function of s390's PCI") }
    zpci.block(device)
  }
}

/// An address space without tables: `s390_identity_domain`, for functions whose group allows it.
final class ZPCIIdentityDomain: Domain, @unchecked Sendable {
  private unowned let zpci: ZPCIDriver
  var faultHandler: (any PageFaultHandler)?

  init(_ driver: ZPCIDriver) { zpci = driver }

  var driver: any IOMMUDriver { zpci }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? ZPCIDevice else { throw .EINVAL("not a function of s390's PCI") }
    try zpci.move(device, to: self, anchor: 0)
  }
}

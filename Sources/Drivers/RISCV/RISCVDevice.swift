// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU

/// A PCI function behind a RISC-V IOMMU: `struct riscv_iommu_info`. Its device_id is the requester ID with the segment
/// above it, as the firmware of a machine maps it.
///
/// Linux's driver enables none of ATS, PASID and page requests, and tells of no reserved region.
public final class RISCVDevice: PCIDevice, @unchecked Sendable {
  let iommu: RISCVInstance
  public let deviceID: UInt32
  /// The paging domain that it is on; the static ones are not remembered. Guarded by the group.
  var domain: RISCVDomain?

  init(_ function: PCIFunction, behind iommu: RISCVInstance) {
    self.iommu = iommu
    deviceID = function.source
    var capabilities: DeviceCapabilities = []
    if iommu.site.admission != .refuse { capabilities.insert(.cacheCoherency) }
    if iommu.site.admission == .isolated { capabilities.insert(.isolatedMSI) }
    if function.capabilities.isVirtualFunction { capabilities.insert(.virtualFunction) }
    if function.capabilities.pri { capabilities.insert(.pageRequests) }
    super.init(function, behind: iommu, capabilities: capabilities)
  }

  /// To a context without tables.
  func leavePaging(valid: Bool) {
    iommu.setContext(of: deviceID, fsc: 0, pscid: nil, valid: valid)
    domain?.unlink(self)
    domain = nil
  }
}

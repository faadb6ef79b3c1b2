// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import UAPI

/// The domain in which no DMA works: contexts that are not valid, so that hardware reports cause 258.
/// `riscv_iommu_blocking_domain`.
public final class RISCVBlockedDomain: Domain, @unchecked Sendable {
  public unowned let riscv: RISCVDriver
  public var faultHandler: (any PageFaultHandler)?
  public var driver: any IOMMUDriver { riscv }

  init(_ driver: RISCVDriver) { riscv = driver }

  /// `riscv_iommu_attach_blocking_domain`. Nothing in it can fail.
  public func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? RISCVDevice else { throw .EINVAL("not a device of the RISC-V IOMMU") }
    device.leavePaging(valid: false)
  }
}

/// The domain in which an IOVA is a physical address: valid contexts without tables.
/// `riscv_iommu_identity_domain`.
public final class RISCVIdentityDomain: Domain, @unchecked Sendable {
  public unowned let riscv: RISCVDriver
  public var faultHandler: (any PageFaultHandler)?
  public var driver: any IOMMUDriver { riscv }

  init(_ driver: RISCVDriver) { riscv = driver }

  /// `riscv_iommu_attach_identity_domain`.
  public func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? RISCVDevice else { throw .EINVAL("not a device of the RISC-V IOMMU") }
    device.leavePaging(valid: true)
  }
}

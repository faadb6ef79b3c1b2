// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Seams
public import UAPI

/// A guest's device table entry on top of a host table: IOMMU_HWPT_DATA_AMD_GUEST. The guest's GCR3 table and the
/// tables below it are at guest-physical addresses. There is no request to flush what it caches.
/// Source: `drivers/iommu/amd/nested.c`; reference uapi.md section 3.1.4, backends-x86.md B7.1.
public final class AMDViNestedDomain: NestedDomain, @unchecked Sendable {
  static let dataType: UInt32 = 3
  static let dataSize = 32

  /// What of the guest's words goes into the real entry.
  static let guestBits0: UInt64 =
    AMDViDTE.ppr | AMDViDTE.giov | 3 << AMDViDTE.glxShift | 7 << AMDViDTE.gcr3LowShift
  static let guestBits1: UInt64 =
    0xFFFF << AMDViDTE.gcr3MiddleShift | 0x1F_FFFF << AMDViDTE.gcr3HighShift

  private let viommu: AMDViVIOMMU
  let guestEntry: [UInt64]
  let mapping: AMDViVIOMMU.DomainMapping
  public var faultHandler: (any PageFaultHandler)?

  init(_ viommu: AMDViVIOMMU, _ entry: [UInt64]) throws(Errno) {
    self.viommu = viommu
    guestEntry = entry
    mapping = try viommu.mapping(of: UInt16(truncatingIfNeeded: entry[1] & AMDViDTE.domainMask))
  }

  deinit { viommu.release(mapping) }

  var parent: AMDViHostDomain { viommu.parent }
  public var driver: any IOMMUDriver { parent.amd }
  public var parentDomain: (any PagingDomain)? { parent }

  /// `validate_gdte_nested`.
  ///
  /// - Throws: EINVAL for what a guest cannot have or hardware has no meaning for; EOPNOTSUPP for five levels.
  static func check(_ entry: [UInt64], of amd: AMDViDriver) throws(Errno) {
    guard entry[0] & (7 << AMDViDTE.modeShift | AMDViDTE.rootMask) == 0 else {
      throw .EINVAL("a guest's entry has no host table", entry[0])
    }
    let both = AMDViDTE.valid | AMDViDTE.gv
    if entry[0] & both == both {
      let low = entry[0] & 7 << AMDViDTE.gcr3LowShift
      guard low != 0 || entry[1] & guestBits1 != 0 else { throw .EINVAL("the GCR3 table is at 0") }
    }
    let mode = entry[2] >> AMDViDTE.guestPagingModeShift & 3
    guard mode <= 1 else { throw .EINVAL("a guest paging mode that is reserved", mode) }
    guard entry[0] >> AMDViDTE.glxShift & 3 != 3 else { throw .EINVAL("GLX is 3, which is reserved") }
    guard mode == 0 || amd.usesFiveLevels else { throw .EOPNOTSUPP("the host has no tables of five levels") }
  }

  /// `nested_attach_device`.
  public func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? AMDViDevice, device.unit === viommu.unit else {
      throw .EINVAL("the device is behind another IOMMU than the guest's")
    }
    guard !device.usesPASIDs else { throw .EINVAL("the host uses PASIDs of the function") }
    if let before = device.domain, before !== parent { device.detach() }
    device.setNestedEntry(self)
    device.nested = self
  }
}

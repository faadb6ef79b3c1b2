// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Seams
internal import UAPI

/// A guest's first stage on top of a second: `IOMMU_DOMAIN_NESTED`. It has a domain ID of its own, under which the
/// hardware caches what both stages together say.
///
/// Source: `drivers/iommu/intel/nested.c`; reference backends-x86.md A7.9.
final class VTdNestedDomain: InvalidatableDomain, VTdAttachable, @unchecked Sendable {
  let driver: any IOMMUDriver
  var faultHandler: (any PageFaultHandler)?
  let links: VTdLinks
  let parent: VTdSecondStageDomain
  let stage: VTdNestedStage

  init(_ stage: VTdNestedStage, on parent: VTdSecondStageDomain, of driver: VTdDriver) {
    self.driver = driver
    self.parent = parent
    self.stage = stage
    links = VTdLinks(usesPASIDs: true, driver.failures)
  }

  var parentDomain: (any PagingDomain)? { parent }
  var parentLinks: VTdLinks? { parent.links }
  var tagsFirst: Bool { true }
  var legacyRoot: (address: UInt64, addressWidth: UInt64) { (0, 0) }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) { try attachRID(device, from: old) }

  /// Not in 6.12.
  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    guard parent.shape.isModern else { throw .EOPNOTSUPP("a nested domain serves no PASID") }
    try attachPASID(pasid, of: device, from: old)
  }

  func check(_ device: VTdDevice) throws(Errno) { try parent.check(device) }

  func contents(for unit: VTdIOMMU, id: UInt16) throws(Errno) -> VTdPASIDContents {
    try unit.nestedEntry(
      stage, root: parent.root, levels: parent.shape.levels, id: id, snoops: parent.forcesSnooping,
      tracksDirty: parent.tracksDirty)
  }

  var attachments: [(device: VTdDevice, pasid: UInt32)] {
    do throws(Errno) {
      return try links.withLists { devices, pasids throws(Errno) in
        devices.map { ($0, 0) } + pasids.map { ($0.device, $0.pasid) }
      }
    } catch { return [] }
  }

  /// `intel_nested_cache_invalidate_user`: all pages are a range like any other, as large as an address allows.
  func invalidate(_ entries: UserArray, done: inout UInt32) throws(Errno) {
    guard entries.type == VTdABI.invalidateType else {
      throw .EINVAL("entries of another type", UInt64(entries.type))
    }
    while done < entries.count {
      let entry = try entries.copyIn(
        done, type: VTdABI.invalidateType, minimum: VTdABI.invalidateSize, kernelSize: VTdABI.invalidateSize)
      let (address, pages, flags) = (entry.quad(0), entry.quad(8), entry.word(16))
      guard flags & ~VTdABI.leafOnly == 0, entry.word(20) == 0 else {
        throw .EOPNOTSUPP("an unknown flag, or __reserved is not 0", UInt64(flags))
      }
      guard address & 4095 == 0, pages != .max || address == 0 else {
        throw .EINVAL("the address is not one of a page, or all pages begin elsewhere than at 0", address)
      }
      links.tags.flush(
        address, address &+ pages << 12 &- 1, keepsTables: flags & VTdABI.leafOnly != 0, for: .user)
      done += 1
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU

/// An entry of the invalidation queue: the two words that are ever used.
///
/// Source: `qi_desc_*` of `drivers/iommu/intel/iommu.h` and `qi_flush_*` of `dmar.c`; reference backends-x86.md A4.1.
struct VTdDescriptor: BitwiseCopyable, Sendable {
  var first: UInt64
  var second: UInt64

  typealias D = VTd.Descriptor

  /// The whole address space, as a number of address bits above the page offset: `MAX_AGAW_PFN_WIDTH`.
  static let allOrder: UInt64 = 52

  /// Device-selective. `qi_flush_context`.
  static func contextCache(source: UInt16, id: UInt16) -> VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.contextCache) | D.ContextCache.g.with(D.Granularity.selective)
        | D.ContextCache.did.with(UInt64(id)) | D.ContextCache.sid.with(UInt64(source)), second: 0)
  }

  static var allContexts: VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.contextCache) | D.ContextCache.g.with(D.Granularity.global), second: 0)
  }

  /// The drain bits are those of CAP, whatever the granularity. `qi_desc_iotlb`.
  private static func iotlb(_ granularity: UInt64, id: UInt16, cap: UInt64) -> UInt64 {
    D.type.with(D.Kind.iotlb) | D.IOTLB.g.with(granularity) | D.IOTLB.did.with(UInt64(id))
      | D.IOTLB.dw.with(VTd.Cap.dwd.of(cap)) | D.IOTLB.dr.with(VTd.Cap.drd.of(cap))
  }

  static func allTranslations(cap: UInt64) -> VTdDescriptor {
    VTdDescriptor(first: iotlb(D.Granularity.global, id: 0, cap: cap), second: 0)
  }

  static func domain(_ id: UInt16, cap: UInt64) -> VTdDescriptor {
    VTdDescriptor(first: iotlb(D.Granularity.domain, id: id, cap: cap), second: 0)
  }

  static func pages(_ id: UInt16, _ window: VTdWindow, keepsTables: Bool, cap: UInt64) -> VTdDescriptor {
    VTdDescriptor(
      first: iotlb(D.Granularity.selective, id: id, cap: cap),
      second: window.address & D.IOTLB.address.mask | D.IOTLB.ih.with(keepsTables ? 1 : 0)
        | D.IOTLB.am.with(window.order))
  }

  /// Everything of a PASID. `qi_desc_piotlb` with all pages.
  static func pasid(_ id: UInt16, _ pasid: UInt32) -> VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.pasidIOTLB) | D.PASIDIOTLB.g.with(D.PASIDIOTLBGranularity.pasid)
        | D.PASIDIOTLB.did.with(UInt64(id)) | D.PASIDIOTLB.pasid.with(UInt64(pasid)), second: 0)
  }

  static func pasidPages(_ id: UInt16, _ pasid: UInt32, _ window: VTdWindow, keepsTables: Bool)
    -> VTdDescriptor
  {
    VTdDescriptor(
      first: D.type.with(D.Kind.pasidIOTLB) | D.PASIDIOTLB.g.with(D.PASIDIOTLBGranularity.page)
        | D.PASIDIOTLB.did.with(UInt64(id)) | D.PASIDIOTLB.pasid.with(UInt64(pasid)),
      second: window.address & D.PASIDIOTLB.address.mask | D.PASIDIOTLB.ih.with(keepsTables ? 1 : 0)
        | D.PASIDIOTLB.am.with(window.order))
  }

  /// PASID-selective. `pasid_cache_invalidation_with_pasid`.
  static func pasidCache(_ id: UInt16, _ pasid: UInt32) -> VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.pasidCache) | D.PASIDCache.g.with(D.PASIDCacheGranularity.pasid)
        | D.PASIDCache.did.with(UInt64(id)) | D.PASIDCache.pasid.with(UInt64(pasid)), second: 0)
  }

  static var allPASIDEntries: VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.pasidCache) | D.PASIDCache.g.with(D.PASIDCacheGranularity.global), second: 0)
  }

  /// `qi_desc_dev_iotlb`: ones from bit 12 up to below the window's highest bit tell its size.
  static func deviceTLB(_ device: VTdDevice, _ window: VTdWindow) -> VTdDescriptor {
    var second = window.address & D.DeviceTLB.address.mask
    if window.order > 0 {
      second |= ones(below: 11 &+ window.order) & D.DeviceTLB.address.mask | D.DeviceTLB.s.mask
    }
    return VTdDescriptor(
      first: D.type.with(D.Kind.deviceTLB) | D.DeviceTLB.sid.with(UInt64(device.function.requesterID))
        | D.DeviceTLB.pfsidLow.with(device.physicalSource)
        | D.DeviceTLB.pfsidHigh.with(device.physicalSource >> 4), second: second)
  }

  /// `qi_desc_dev_iotlb_pasid`.
  static func pasidDeviceTLB(_ device: VTdDevice, _ pasid: UInt32, _ window: VTdWindow) -> VTdDescriptor {
    var second = window.address & D.PASIDDeviceTLB.address.mask
    if window.order > 0 {
      second |= ones(below: 12 &+ window.order) & D.PASIDDeviceTLB.address.mask
      second &= ~(1 << (11 &+ window.order))
      second |= D.PASIDDeviceTLB.s.mask
    }
    return VTdDescriptor(
      first: D.type.with(D.Kind.pasidDeviceTLB)
        | D.PASIDDeviceTLB.sid.with(UInt64(device.function.requesterID))
        | D.PASIDDeviceTLB.pasid.with(UInt64(pasid))
        | D.PASIDDeviceTLB.pfsidLow.with(device.physicalSource)
        | D.PASIDDeviceTLB.pfsidHigh.with(device.physicalSource >> 4), second: second)
  }

  private static func ones(below bit: UInt64) -> UInt64 { bit >= 64 ? .max : (1 << bit) - 1 }

  /// One entry of the interrupt remapping table, or `1 << order` of them. `qi_flush_iec`.
  static func interruptEntry(_ index: UInt16, order: UInt64) -> VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.interruptEntryCache) | D.InterruptEntryCache.g.with(1)
        | D.InterruptEntryCache.im.with(order) | D.InterruptEntryCache.iidx.with(UInt64(index)), second: 0)
  }

  static var allInterruptEntries: VTdDescriptor {
    VTdDescriptor(first: D.type.with(D.Kind.interruptEntryCache), second: 0)
  }

  /// The end of a submission: hardware writes `status` when everything before is done.
  static func wait(_ status: UInt32, at address: UInt64, drains: Bool) -> VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.wait) | D.Wait.sw.with(1) | D.Wait.pd.with(drains ? 1 : 0)
        | D.Wait.statusData.with(UInt64(status)), second: address & D.Wait.statusAddress.mask)
  }

  /// What comes later waits for what came before. `intel_iommu_drain_pasid_prq`.
  static var fence: VTdDescriptor {
    VTdDescriptor(
      first: D.type.with(D.Kind.wait) | D.Wait.fn.with(1) | D.Wait.statusData.with(UInt64(VTdQueue.done)),
      second: 0)
  }

  /// `intel_iommu_page_response`. 6.12 repeats that the request was the last of its group.
  static func response(
    source: UInt16, pasid: UInt32?, group: UInt32, code: UInt64, last: Bool
  ) -> VTdDescriptor {
    typealias R = D.PageGroupResponse
    return VTdDescriptor(
      first: D.type.with(D.Kind.pageGroupResponse) | R.pasidPresent.with(pasid == nil ? 0 : 1)
        | R.code.with(code) | R.rid.with(UInt64(source)) | R.pasid.with(UInt64(pasid ?? 0)),
      second: R.prgi.with(UInt64(group)) | R.lpig.with(last ? 1 : 0))
  }
}

/// The smallest aligned power-of-two range of pages around two addresses.
///
/// Source: `calculate_psi_aligned_address`; reference backends-x86.md A7.7.
struct VTdWindow: BitwiseCopyable, Sendable {
  var address: UInt64
  /// `1 << order` pages.
  var order: UInt64

  init(_ first: UInt64, _ last: UInt64) {
    let differing = (first ^ last) >> 12
    order = UInt64(64 - differing.leadingZeroBitCount)
    address = first & ~((1 << (12 &+ order)) &- 1)
  }

  private init(address: UInt64, order: UInt64) {
    self.address = address
    self.order = order
  }

  static let everything = VTdWindow(address: 0, order: VTdDescriptor.allOrder)
}

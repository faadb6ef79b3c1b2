// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
public import Memory
public import Seams
public import UAPI

// The driver half for s390's PCI. Each function has an anchor of its own, and Linux an IOMMU for each; here all functions
// of one host share an instance.
//
//     plugged in ── event 0x301 ──> handle known ── probe: CLP ──> enabled, blocked
//     attach     ── MPCIFC: deregister the old address space, register the new one
//     unmap      ── tables change ──> RPCIT of the range, for each function on the domain
//     map        ── tables change ──> RPCIT as well, where a hypervisor mirrors the tables
//     DMA error  ── event ──> function stands still ──> recovery: MPCIFC RESET BLOCK, RESET ERROR
//
// What Linux has not, this has not: PASIDs, nesting, dirty tracking, page requests, hw_info. Flags on HWPT_ALLOC are
// refused for want of an allocator that takes them. Left out, because no request of iommufd leads there: the flush of a
// whole domain (`flush_iotlb_all`) and with it `s390_iommu=strict`, which are for the kernel's own DMA; measurement
// blocks, in which Linux reports its counters.
//
// Linux looks for the region-first and region-second tables in DTSM at the bits of the anchor's designation code
// (`ZPCI_IOTA_DT_RS`), not at those by which QEMU tells of them (`0x80 >> type`). So does this: a group that is to have
// them says 0xFC, QEMU's 0x40 has neither.

/// The driver of s390's PCI. One for each set of operations, `s390_iommu_ops` and `s390_iommu_rtr_ops`.
///
/// Source: `drivers/iommu/s390-iommu.c`; reference backends-arm-riscv-s390.md C5.
public final class ZPCIDriver: PCIDriver, @unchecked Sendable {
  let memory: PhysicalMemory
  let failures: FailurePoints
  public let personality: Personality
  /// Functions may be given their addresses 1:1: `rtr_avail`.
  let isRelaxed: Bool
  private let relaxedTwin: ZPCIDriver?

  private var blocked: ZPCIBlockedDomain!
  private var identity: ZPCIIdentityDomain?

  /// - Parameter memory: where the tables are; its size bounds what functions may address.
  public convenience init(_ personality: Personality, memory: PhysicalMemory, failures: FailurePoints) {
    // Identity came with Linux 6.15.
    let twin =
      personality.version >= KernelVersion(6, 15)
      ? ZPCIDriver(personality, memory, failures, isRelaxed: true, twin: nil) : nil
    self.init(personality, memory, failures, isRelaxed: false, twin: twin)
  }

  private init(
    _ personality: Personality, _ memory: PhysicalMemory, _ failures: FailurePoints, isRelaxed: Bool,
    twin: ZPCIDriver?
  ) {
    self.personality = personality
    self.memory = memory
    self.failures = failures
    self.isRelaxed = isRelaxed
    relaxedTwin = twin
    blocked = ZPCIBlockedDomain(self)
    if isRelaxed { identity = ZPCIIdentityDomain(self) }
  }

  /// The operations for functions that may, or may not, be given their addresses 1:1. `zpci_init_iommu`.
  func operations(relaxed: Bool) -> ZPCIDriver { relaxed ? relaxedTwin ?? self : self }

  /// Region-first and region-second tables came with Linux 6.16.
  var hasLargeTables: Bool { personality.version >= KernelVersion(6, 16) }

  public var name: String { "s390" }
  public var blockedDomain: (any Domain)? { blocked }

  /// A DMA domain, or with `iommu.passthrough=1` the identity, where there is one.
  public func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain {
    if let identity, let host = device.instance as? ZPCIHost, host.settings.passthrough { return identity }
    return try allocatePaging(for: device)
  }

  /// `s390_domain_alloc_paging`. It narrows what the function may address, for good.
  ///
  /// - Throws: ENOMEM.
  public func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    guard let device = device as? ZPCIDevice else { throw .EINVAL("not a function of s390's PCI") }
    try failures.pass(.allocation, "a domain")
    return try ZPCIDomain(regions: device.chooseRegions(), of: self)
  }

  // MARK: Functions

  /// What `zpci_create_device`, `zpci_enable_device` and `s390_iommu_probe_device` do.
  ///
  /// - Throws: ENODEV when the platform has not announced the function, or does not know it; EIO when it cannot be
  ///   enabled; EINVAL when there is nothing that it may address.
  public func probe(_ function: PCIFunction, behind iommu: IOMMUInstance) throws(Errno) -> PCIDevice {
    guard let host = iommu as? ZPCIHost else { throw .ENODEV("not an IOMMU of s390's PCI") }
    let device = try host.create(function, failures)
    do throws(Errno) { try device.limitWindow() } catch {
      host.remove(device)
      throw error
    }
    return device
  }

  public func release(_ device: PCIDevice) {
    guard let device = device as? ZPCIDevice else { return }
    block(device)
    device.host.remove(device)
  }

  public var possibleBugs: Set<DriverBug> {
    [.skipUnmapFlush, .wrongDomainFlush, .shortFlush, .skipContextFlush, .skipMapFlush]
  }

  // MARK: Attaching

  /// `blocking_domain_attach_device`.
  func block(_ device: ZPCIDevice) {
    guard !device.isBlocked else { return }
    (device.domain as? ZPCIDomain)?.remove(device)
    device.host.unregister(device)
    device.withState { $0.domain = blocked }
  }

  /// Blocks the function's DMA, then registers `anchor`. When that fails the function stays blocked, whatever the core
  /// believes. `s390_iommu_attach_device`, `s390_attach_dev_identity`.
  ///
  /// - Throws: EIO.
  func move(_ device: ZPCIDevice, to domain: any Domain, anchor: UInt64) throws(Errno) {
    block(device)
    let end = device.host.register(device, anchor: anchor)
    switch end {
    case .condition(ZPCI.Condition.ok, _): break
    // It is in error, and its recovery registers what it is on then; or it is gone, and an event will tell.
    case .condition(ZPCI.Condition.error, status: ZPCI.Status.notAvailable): break
    case .condition(ZPCI.Condition.invalidHandle, _): break
    case .condition(let code, let status):
      throw .EIO("the address space cannot be registered", UInt64(code), UInt64(status))
    case .exception: throw .EIO("registering the address space is an operand exception", anchor)
    }
    device.withState { $0.domain = domain }
  }
}

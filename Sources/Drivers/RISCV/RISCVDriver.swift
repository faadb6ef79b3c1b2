// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
public import Memory
internal import PageTables
public import Seams
public import UAPI

/// The driver of all RISC-V IOMMUs of a machine: `riscv_iommu_ops` of Linux 7.2. It has the obligatory operations and
/// no other: no flags or data on allocation, no nesting, PASIDs, dirty tracking, page requests, hardware information or
/// vIOMMUs. Source: `drivers/iommu/riscv/iommu.c`; reference backends-arm-riscv-s390.md B5.
///
/// Linux 6.12 has no such driver, and what came between the two kernels, a driver with a page table of its own, is left
/// out.
public final class RISCVDriver: PCIDriver, @unchecked Sendable {
  let memory: PhysicalMemory
  let failures: FailurePoints
  private let lock = Lock(.riscvDriver)
  // Guarded by `lock`.
  private var pscids = NumberAllocator(first: 1)
  private var blocked: RISCVBlockedDomain!
  private var identity: RISCVIdentityDomain!

  /// `RISCV_IOMMU_MAX_PSCID`.
  private static let lastPSCID = (1 << 20) - 1

  public init(memory: PhysicalMemory, failures: FailurePoints = FailurePoints()) {
    self.memory = memory
    self.failures = failures
    blocked = RISCVBlockedDomain(self)
    identity = RISCVIdentityDomain(self)
  }

  public var name: String { "riscv" }
  public var blockedDomain: (any Domain)? { blocked }

  /// Linux is built without IOMMU_DMA for RISC-V, so the kernel's own DMA is not translated.
  public func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain { identity }

  // MARK: Domains

  /// The capability that a page table's mode needs. `riscv_iommu_pt_supported`.
  static func capability(_ mode: RISCVTable.Mode) -> UInt64 {
    switch mode {
    case .sv39: RISCV.Capability.sv39
    case .sv48: RISCV.Capability.sv48
    case .sv57: RISCV.Capability.sv57
    }
  }

  /// The widest first stage that the IOMMU of the device has. `riscv_iommu_alloc_paging_domain`.
  public func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    guard let iommu = device.instance as? RISCVInstance else {
      throw .EINVAL("not a device of the RISC-V IOMMU")
    }
    guard
      let mode = [RISCVTable.Mode.sv57, .sv48, .sv39].first(where: { iommu.has(Self.capability($0)) })
    else { throw .ENODEV("the IOMMU has none of Sv39, Sv48 and Sv57", iommu.capabilities) }
    try failures.pass(.allocation, "a domain")
    let pscid = try allocatePSCID()
    do throws(Errno) {
      let table = try RISCVTable(
        memory,
        .init(mode, options: .init(hasMemoryTypes: iommu.has(RISCV.Capability.svpbmt))), failures: failures)
      return RISCVDomain(table, mode, pscid: pscid, of: self)
    } catch {
      free(pscid: pscid)
      throw error
    }
  }

  private func allocatePSCID() throws(Errno) -> UInt32 {
    try failures.pass(.allocation, "a PSCID")
    return try lock.withLock { () throws(Errno) -> UInt32 in
      let number = pscids.allocate()
      guard number <= Self.lastPSCID else {
        pscids.free(number)
        throw .ENOMEM("no address space number is free")
      }
      return UInt32(number)
    }
  }

  /// Of all IOMMUs together.
  var pscidsTaken: Int { lock.withLock { pscids.count } }

  func free(pscid: UInt32) { lock.withLock { pscids.free(Int(pscid)) } }

  // MARK: Devices

  /// The context exists from here on, not valid. `riscv_iommu_probe_device`.
  public func probe(_ function: PCIFunction, behind iommu: IOMMUInstance) throws(Errno) -> PCIDevice {
    guard let iommu = iommu as? RISCVInstance else { throw .ENODEV("not a RISC-V IOMMU") }
    try failures.pass(.allocation, "a device")
    guard let context = iommu.contextAddress(of: function.source) else {
      throw .ENODEV("the device directory has no place for the device", UInt64(function.source))
    }
    if iommu.load(context) & RISCV.TranslationControl.v != 0 {
      iommu.complain("already attached to IOMMU device directory")
    }
    iommu.store(0, context)
    return RISCVDevice(function, behind: iommu)
  }

  /// A device leaves through the blocked domain. `release_domain`, `riscv_iommu_release_device`.
  public func release(_ device: PCIDevice) { (device as? RISCVDevice)?.leavePaging(valid: false) }

  public var possibleBugs: Set<DriverBug> {
    [
      .skipUnmapFlush, .wrongDomainFlush, .shortFlush, .leafOnlyFlush, .skipSync, .skipContextFlush,
      .reuseTag,
      .tornContext,
    ]
  }
}

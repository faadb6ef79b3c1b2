// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
public import Memory
public import Seams
internal import UAPI

// The driver half of a RISC-V IOMMU, as Linux 7.2 has it: `drivers/iommu/riscv/iommu.c`.
//
//     RISCVDriver      what devices and domains of all IOMMUs share: address space numbers, the two static domains
//     RISCVInstance    one IOMMU: registers, command queue, fault queue, device directory
//     RISCVDomain      a first-stage table with a PSCID, and which IOMMUs have devices on it
//     RISCVDevice      a PCI function, whose requester ID is the device_id
//
// Only the first stage is used. There is no second stage, no process directory, no page request queue and no MSI page
// table: those belong to the bench, which reaches them through the registers and `contextAddress`.
//
// Locks: `commandLock` over the command queue, registers included; `interruptLock` over the fault queue. A device's
// context is changed by whoever holds its group.

/// One RISC-V IOMMU with its driver's state: `struct riscv_iommu_device`.
public final class RISCVInstance: HardwareIOMMU, @unchecked Sendable {
  /// What the IOMMU is built into.
  public struct Site: Sendable {
    public var memory: PhysicalMemory
    public var failures: FailurePoints
    /// Wired interrupts that the platform connects; at most 4 are used.
    public var wires: Int
    /// Takes devices for `VFIOAdmission`.
    public var admission: VFIOAdmission

    public init(
      memory: PhysicalMemory, failures: FailurePoints = FailurePoints(), wires: Int = 4,
      admission: VFIOAdmission = .refuse
    ) {
      self.memory = memory
      self.failures = failures
      self.wires = wires
      self.admission = admission
    }
  }

  /// What user space may do with a device. Linux's driver has no `capable` callback, so no device has coherent DMA in
  /// iommufd's eyes, and no interrupt controller of RISC-V says that it isolates messages: EINVAL, and then EPERM. The
  /// other two are kernels that say more than 7.2 does. Reference backends-arm-riscv-s390.md B5, "VFIO gate".
  public enum VFIOAdmission: String, CaseIterable, Sendable {
    case refuse
    case coherent
    case isolated
  }

  let site: Site
  let riscv: RISCVDriver

  // Set while the IOMMU is brought up.
  /// `capabilities`.
  public internal(set) var capabilities: UInt64 = 0
  var featureControl: UInt32 = 0
  /// `icvec`: which vector each queue has.
  var vectors: UInt64 = 0
  var interruptCount = 0
  /// A page that stands for the interrupt file of the platform's controller.
  var interruptFile: UInt64 = 0
  /// `ddtp.iommu_mode` and the table at the root.
  var directoryMode: UInt64 = 0
  var directoryRoot: UInt64 = 0

  let commandLock = Lock(.riscvCommandQueue)
  // Guarded by `commandLock`.
  var commands = RISCVQueue.commands
  var complainedOfCommands = false
  var complainedOfTime = false

  let interruptLock = Lock(.riscvInterrupts)
  // Guarded by `interruptLock`.
  var faultQueue = RISCVQueue.faults

  private let pageLock = Lock(.riscvPages)
  // Guarded by `pageLock`: first frames and numbers of frames.
  private var pages: [(frame: FrameNumber, count: Int)] = []

  init(name: String, driver: RISCVDriver, port: any RegisterPort, site: Site) {
    self.site = site
    riscv = driver
    super.init(name: name, driver: driver, port: port)
  }

  deinit {
    for (frame, count) in pages {
      for offset in 0..<UInt32(count) { site.memory.release(FrameNumber(frame.raw + offset)) }
    }
  }

  func has(_ capability: UInt64) -> Bool { capabilities & capability != 0 }

  public override func handle(_ interrupt: HardwareInterrupt) { take(interrupt) }

  public override var holdings: [(name: String, count: Int)] { [("pscids", riscv.pscidsTaken)] }

  // MARK: Memory

  /// A page's number where queue bases, `ddtp` and directory entries have it. `phys_to_ppn`.
  static func pageField(_ address: UInt64) -> UInt64 { (address >> RISCV.pageShift) << RISCV.ppnShift }

  /// Zeroed memory that lives as long as the IOMMU, aligned to its size. `riscv_iommu_get_pages`, which allocates the
  /// pages and a note of them.
  ///
  /// - Parameters:
  ///   - point: what a failure is to the caller.
  ///   - missing: what the caller makes of it.
  /// - Throws: ENOMEM.
  func allocate(bytes: Int, point: FailurePoint = .allocation, missing: Errno? = nil) throws(Errno) -> UInt64
  {
    let count = max(1, bytes >> Int(Page.shift))
    try site.failures.pass(point, "pages for the IOMMU", as: missing)
    let frame = try site.memory.allocateContiguous(count, alignment: count)
    do throws(Errno) { try site.failures.pass(point, "the note of pages", as: missing) } catch {
      for offset in 0..<UInt32(count) { site.memory.release(FrameNumber(frame.raw + offset)) }
      throw error
    }
    pageLock.withLock { pages.append((frame, count)) }
    return frame.address.raw
  }

  /// Gives back what `allocate` gave. `riscv_iommu_free_pages`.
  func free(_ address: UInt64) {
    let frame = PhysAddr(address).frame
    let count = pageLock.withLock { () -> Int in
      guard let place = pages.firstIndex(where: { $0.frame == frame }) else { return 0 }
      return pages.remove(at: place).count
    }
    for offset in 0..<UInt32(count) { site.memory.release(FrameNumber(frame.raw + offset)) }
  }

  /// A word of memory that the driver owns.
  func load(_ address: UInt64) -> UInt64 { site.memory.load64(at: PhysAddr(address)) ?? 0 }
  func store(_ value: UInt64, _ address: UInt64) { _ = site.memory.store64(value, at: PhysAddr(address)) }
}

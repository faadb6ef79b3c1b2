// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
public import UAPI

// Finding the IOMMU and switching it on: `riscv_iommu_platform_probe` and `riscv_iommu_init`. Left out: a directory or
// a queue at an address that hardware fixes, an IOMMU that is itself a PCI function, and what a crash kernel does with
// an IOMMU that is on.
//
// A register that has not become what the driver waits for by the second look will not: hardware has done what an
// access asked for when the access returns, but for `ddtp`, which may stay busy for a number of looks.

extension RISCVInstance {
  /// Looks at `ddtp` before it counts as stuck; 10 seconds for Linux.
  private static let directoryLooks = 100_000
  /// Interrupt causes: `RISCV_IOMMU_INTR_COUNT`.
  private static let interruptCauses = 4

  /// - Throws: ENODEV, EINVAL and EBUSY for hardware that does not do what the specification says, or is on already;
  ///   ENOMEM.
  public static func bringUp(_ name: String, driver: RISCVDriver, port: any RegisterPort, site: Site)
    throws(Errno) -> RISCVInstance
  {
    try site.failures.pass(.allocation, "an IOMMU")
    let iommu = RISCVInstance(name: name, driver: driver, port: port, site: site)
    iommu.capabilities = port.read64(RISCV.Register.capabilities)
    iommu.featureControl = port.read32(RISCV.Register.fctl)
    try iommu.chooseInterrupts()
    try iommu.checkState()
    try iommu.allocateDirectory()
    try iommu.allocateQueue(&iommu.commands)
    try iommu.allocateQueue(&iommu.faultQueue)
    try iommu.enable(iommu.commands)
    do throws(Errno) {
      try iommu.enable(iommu.faultQueue)
      try iommu.setDirectoryMode(RISCV.DirectoryPointer.threeLevels)
    } catch {
      port.write32(RISCV.Register.fqcsr, 0)
      port.write32(RISCV.Register.cqcsr, 0)
      throw error
    }
    return iommu
  }

  /// Messages where there are any, else wires. `riscv_iommu_platform_probe`, `riscv_iommu_write_msi_msg`.
  private func chooseInterrupts() throws(Errno) {
    interruptCount = Self.interruptCauses
    let wired = UInt32(RISCV.FeatureControl.wsi)
    switch capabilities >> RISCV.Capability.igsShift & RISCV.Capability.igsMask {
    case RISCV.InterruptSupport.msi, RISCV.InterruptSupport.both:
      interruptFile = try allocate(bytes: Int(Page.size))
      for vector in 0..<UInt64(interruptCount) {
        let entry = RISCV.Register.msiCfgTbl + vector * RISCV.Register.msiCfgTblEntrySize
        port.write64(entry, interruptFile)
        port.write32(entry + 8, Self.message(vector))
        port.write32(entry + 12, 0)
      }
      if featureControl & wired != 0 {
        featureControl ^= wired
        port.write32(RISCV.Register.fctl, featureControl)
      }
    case RISCV.InterruptSupport.wsi:
      guard site.wires > 0 else { throw .ENODEV("the platform connects no interrupt of the IOMMU") }
      interruptCount = min(site.wires, Self.interruptCauses)
      if featureControl & wired == 0 {
        featureControl |= wired
        port.write32(RISCV.Register.fctl, featureControl)
      }
    case let other: throw .ENODEV("the IOMMU interrupts in no known way", other)
    }
  }

  /// The interrupt identity that a vector's message has; 0 is none.
  static func message(_ vector: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: vector) &+ 1 }

  /// `riscv_iommu_init_check`.
  private func checkState() throws(Errno) {
    typealias Pointer = RISCV.DirectoryPointer
    let pointer = port.read64(RISCV.Register.ddtp)
    guard pointer & Pointer.busy == 0 else { throw .EBUSY("ddtp is busy", pointer) }
    guard pointer & Pointer.modeMask <= Pointer.bare else {
      throw .EBUSY("firmware left the IOMMU switched on", pointer)
    }
    let bigEndian = UInt32(RISCV.FeatureControl.be)
    if featureControl & bigEndian != 0 {
      guard has(RISCV.Capability.end) else { throw .EINVAL("the IOMMU is big-endian and stays so") }
      port.write32(RISCV.Register.fctl, featureControl ^ bigEndian)
      featureControl = port.read32(RISCV.Register.fctl)
      guard featureControl & bigEndian == 0 else { throw .EINVAL("the IOMMU is big-endian and stays so") }
    }
    // One vector a cause, or as many as there are. The command queue has the first.
    let count = UInt64(interruptCount)
    port.write64(RISCV.Register.icvec, (1 % count) << 4 | (3 % count) << 8 | (2 % count) << 12)
    vectors = port.read64(RISCV.Register.icvec)
    for field in 0..<UInt64(Self.interruptCauses) {
      guard vectors >> (field * 4) & 0xF < count else {
        throw .EINVAL("the IOMMU does not take the interrupt vectors", vectors, count)
      }
    }
  }

  /// `riscv_iommu_read_ddtp`.
  private func readDirectoryPointer() throws(Errno) -> UInt64 {
    for _ in 0..<Self.directoryLooks {
      let pointer = port.read64(RISCV.Register.ddtp)
      if pointer & RISCV.DirectoryPointer.busy == 0 { return pointer }
    }
    throw .EBUSY("ddtp stays busy")
  }

  /// `riscv_iommu_iodir_alloc`.
  private func allocateDirectory() throws(Errno) {
    let mode = try readDirectoryPointer() & RISCV.DirectoryPointer.modeMask
    port.write64(RISCV.Register.ddtp, mode)
    _ = try readDirectoryPointer()
    directoryRoot = try allocate(bytes: Int(Page.size))
  }

  /// As many entries as hardware takes and memory gives. `riscv_iommu_queue_alloc`.
  private func allocateQueue(_ queue: inout RISCVQueue) throws(Errno) {
    port.write64(queue.baseRegister, RISCV.Queue.sizeMask)
    let largest = port.read64(queue.baseRegister) & RISCV.Queue.sizeMask
    var size = min(queue.wantedSize, largest)
    while true {
      do throws(Errno) {
        queue.address = try allocate(
          bytes: max(2 << Int(size + queue.entrySizeLg2), Int(Page.size)),
          point: size > 0 ? .spare : .allocation)
        break
      } catch {
        guard size > 0 else { throw error }
        size -= 1
      }
    }
    let base = Self.pageField(queue.address) | size
    port.write64(queue.baseRegister, base)
    guard port.read64(queue.baseRegister) == base else {
      throw .ENODEV("the IOMMU does not take the place of a queue", base)
    }
    queue.mask = 2 << UInt32(size) - 1
  }

  /// `riscv_iommu_queue_enable`.
  private func enable(_ queue: RISCVQueue) throws(Errno) {
    typealias Bit = RISCV.QueueControl
    let isCommands = queue.interrupt == RISCV.Interrupt.commandQueue
    port.write32(isCommands ? queue.tailRegister : queue.headRegister, 0)
    port.write32(queue.controlRegister, Bit.enable | Bit.interruptEnable | Bit.memoryFault)
    let control = port.read32(queue.controlRegister)
    guard control & (Bit.on | Bit.busy | Bit.memoryFault) == Bit.on else {
      port.write32(queue.controlRegister, 0)
      throw .EBUSY("a queue does not start", UInt64(queue.interrupt), UInt64(control))
    }
    port.write32(RISCV.Register.ipsr, 1 << queue.interrupt)
  }

  /// The most levels of directory that hardware takes; then it forgets everything. `riscv_iommu_iodir_set_mode`.
  private func setDirectoryMode(_ wanted: UInt64) throws(Errno) {
    typealias Pointer = RISCV.DirectoryPointer
    let before = try readDirectoryPointer() & Pointer.modeMask
    guard before <= Pointer.bare else { throw .EINVAL("the IOMMU is switched on already", before) }
    var request = wanted
    while true {
      port.write64(
        RISCV.Register.ddtp, request | Self.pageField(directoryRoot))
      let mode = try readDirectoryPointer() & Pointer.modeMask
      if mode == request { break }
      guard mode < Pointer.oneLevel, request > Pointer.oneLevel else {
        throw .EINVAL("the IOMMU takes no device directory", mode, wanted)
      }
      request -= 1
    }
    directoryMode = request
    send(.forgetContext(of: nil))
    send(.forget(pscid: nil))
    synchronize()
  }
}

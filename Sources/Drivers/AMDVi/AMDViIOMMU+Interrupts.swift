// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
public import UAPI

// Remapping of the interrupts of functions. A function's table is made when its first interrupt is: until then its
// device table entry has IV alone, which refuses every interrupt. Source: `alloc_irq_table`, `set_dte_irq_entry`,
// `modify_irte`; publication 48882, section 2.2.5.

/// Interrupt tables by DevID, and how many of their entries are taken.
final class AMDViInterruptTables: @unchecked Sendable {
  private let lock = Lock(.amdInterrupts)
  // Guarded by `lock`.
  private var tables: [UInt16: (address: PhysAddr, taken: Int)] = [:]

  /// The table of a function; `make` is called for the first interrupt.
  func table(of id: UInt16, _ make: () throws(Errno) -> PhysAddr) throws(Errno) -> PhysAddr {
    try lock.withLock { () throws(Errno) -> PhysAddr in
      if let table = tables[id] { return table.address }
      let table = try make()
      tables[id] = (table, 0)
      return table
    }
  }

  /// Entries that are taken, of all functions.
  var taken: Int { lock.withLock { tables.values.reduce(0) { $0 + $1.taken } } }

  /// The next entry of a function; nil when all `count` are taken. `alloc_irq_index`.
  func takeEntry(of id: UInt16, count: Int) -> Int? {
    lock.withLock {
      guard let taken = tables[id]?.taken, taken < count else { return nil }
      tables[id]?.taken += 1
      return taken
    }
  }
}

extension AMDViIOMMU: InterruptRemapping {
  /// Entries of 16 bytes instead of 4: `amd_iommu_guest_ir`.
  var usesLongInterruptEntries: Bool { platform.remapsInterrupts && has(AMDViFeature.ga) }
  /// 2048 entries in a table instead of 512. `iommu_enable_2k_int`.
  var hasLargeInterruptTables: Bool {
    platform.remapsInterrupts && features2 >> AMDViFeature2.numIntRemapShift & 3 == 1
  }
  var usesX2APIC: Bool {
    platform.x2apic && platform.remapsInterrupts && has(AMDViFeature.xt) && usesLongInterruptEntries
  }

  private var interruptCountLg2: UInt64 { hasLargeInterruptTables ? 11 : 9 }

  /// The function writes the number of the entry as data. `irq_remapping_alloc`, `fill_msi_msg`.
  public func remapInterrupt(of device: PCIDevice, vector: UInt8, destination: UInt32) throws(Errno) -> (
    address: UInt64, data: UInt32
  ) {
    guard platform.remapsInterrupts else { throw .EOPNOTSUPP("interrupts are not remapped") }
    guard let device = device as? AMDViDevice, device.unit === self else {
      throw .EINVAL("not a device behind the IOMMU")
    }
    try failures.pass(.allocation, "an interrupt")
    _ = try table(of: device)
    let count = 1 << Int(interruptCountLg2)
    guard let index = interruptTables.takeEntry(of: device.deviceID, count: count) else {
      throw .ENOSPC("the interrupt table is full", UInt64(count))
    }
    try remapInterrupt(index, of: device, vector: vector, destination: destination)
    return (AMDViAddress.msiFirst, UInt32(index))
  }

  /// Lets interrupt `index` of a function through, or changes it: `vector` to processor `destination`. `modify_irte`.
  ///
  /// - Throws: EOPNOTSUPP without interrupt remapping; EINVAL for an index past the table; ENOMEM.
  public func remapInterrupt(_ index: Int, of device: PCIDevice, vector: UInt8, destination: UInt32)
    throws(Errno)
  {
    guard platform.remapsInterrupts else { throw .EOPNOTSUPP("interrupts are not remapped") }
    guard let device = device as? AMDViDevice, device.unit === self else {
      throw .EINVAL("not a device behind the IOMMU")
    }
    guard (0..<1 << Int(interruptCountLg2)).contains(index) else {
      throw .EINVAL("the interrupt table has no such entry", UInt64(bitPattern: Int64(index)))
    }
    try enter(index, of: device, vector: vector, destination: destination)
    forgetInterrupts(of: device)
  }

  /// `iommu_flush_irt_and_complete`.
  private func forgetInterrupts(of device: AMDViDevice) {
    if !platform.disablesInterruptCache { queue(.interruptTable(of: device.deviceID)) }
    wait()
  }

  private func enter(_ index: Int, of device: AMDViDevice, vector: UInt8, destination: UInt32) throws(Errno) {
    let table = try table(of: device)
    let destination = UInt64(usesX2APIC ? destination : destination & 0xFF)
    guard usesLongInterruptEntries else {
      let entry =
        AMDViIRTE.remapEn | destination << AMDViIRTE.basicDestinationShift
        | UInt64(vector) << AMDViIRTE.basicVectorShift
      _ = memory.store32(UInt32(truncatingIfNeeded: entry), at: PhysAddr(table.raw + UInt64(index) * 4))
      return
    }
    // The half that enables the entry comes last.
    let place = table.raw + UInt64(index) * 16
    _ = memory.store64(
      (destination >> 24) << AMDViIRTE.destinationHighShift | UInt64(vector), at: PhysAddr(place + 8))
    _ = memory.store64(
      AMDViIRTE.remapEn | (destination & 0xFF_FFFF) << AMDViIRTE.destinationShift, at: PhysAddr(place))
  }

  private func table(of device: AMDViDevice) throws(Errno) -> PhysAddr {
    try interruptTables.table(of: device.deviceID) { () throws(Errno) in
      try makeInterruptTable(for: device)
    }
  }

  /// A table of entries that refuse, and the function's device table entry that points to it.
  private func makeInterruptTable(for device: AMDViDevice) throws(Errno) -> PhysAddr {
    try failures.pass(.allocation, "an interrupt table")
    let bytes = (usesLongInterruptEntries ? 16 : 4) << Int(interruptCountLg2)
    let pages = max(1, bytes >> Int(Page.shift))
    let table = try memory.allocateContiguous(pages, alignment: pages).address
    device.pointInterrupts(at: table, countLg2: interruptCountLg2)
    queue(.entry(of: device.deviceID))
    wait()
    return table
  }
}

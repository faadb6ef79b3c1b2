// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
public import UAPI

// Interrupt remapping. A device raises an interrupt by a write that names an entry of this table; the entry says who
// may, and which processor gets it.
//
//     remap(source, vector, destination) ──> entry, invalidated ──> address and data for the function's MSI registers

/// The interrupt remapping table of a unit: `struct ir_table`.
///
/// Source: `drivers/iommu/intel/irq_remapping.c`; VT-d sections 5.1 and 9.10.
final class VTdInterruptTable: @unchecked Sendable {
  /// 65,536 entries of 16 bytes: INTR_REMAP_TABLE_ENTRIES.
  static let frames = 256
  private static let sizeField: UInt64 = 0xF

  private let memory: PhysicalMemory
  private let failures: FailurePoints
  private let base: UInt64
  private let isExtended: Bool
  private let lock = Lock(.vtdRemapping)
  // Guarded by `lock`.
  private var indexes = NumberAllocator()
  private var used: Set<UInt16> = []

  init(_ memory: PhysicalMemory, _ base: UInt64, _ failures: FailurePoints, isExtended: Bool) {
    self.memory = memory
    self.base = base
    self.failures = failures
    self.isExtended = isExtended
  }

  /// What the table address register gets. `iommu_set_irq_remapping`.
  var register: UInt64 {
    base | VTd.InterruptTableAddress.eime.with(isExtended ? 1 : 0)
      | VTd.InterruptTableAddress.size.with(Self.sizeField)
  }

  /// Entries that are taken.
  var taken: Int { lock.withLock { used.count } }

  /// `alloc_irte`.
  ///
  /// - Throws: ENOMEM, ENOSPC.
  func allocate() throws(Errno) -> UInt16 {
    try failures.pass(.allocation, "an interrupt")
    try failures.pass(.allocation, "an interrupt entry")
    let index = lock.withLock { () -> Int? in
      let index = indexes.allocate()
      guard index <= 0xFFFF else {
        indexes.free(index)
        return nil
      }
      used.insert(UInt16(index))
      return index
    }
    guard let index else { throw .ENOSPC("the interrupt remapping table is full") }
    return UInt16(truncatingIfNeeded: index)
  }

  func free(_ index: UInt16) {
    lock.withLock { if used.remove(index) != nil { indexes.free(Int(index)) } }
  }

  /// `prepare_irte` and `set_msi_sid`: edge-triggered, fixed, physical destination, all bits of the source verified.
  func write(_ index: UInt16, source: UInt16, vector: UInt8, destination: UInt32) {
    typealias Entry = VTd.InterruptEntry
    let target =
      isExtended ? Entry.dst.with(UInt64(destination)) : Entry.dstShort.with(UInt64(destination & 0xFF))
    store(
      index, Entry.p.mask | Entry.v.with(UInt64(vector)) | target,
      Entry.sid.with(UInt64(source)) | Entry.svt.with(1))
  }

  func clear(_ index: UInt16) { store(index, 0, 0) }

  private func store(_ index: UInt16, _ first: UInt64, _ second: UInt64) {
    let at = base &+ UInt64(index) * VTd.InterruptEntry.size
    _ = memory.store64(0, at: PhysAddr(at))
    _ = memory.store64(second, at: PhysAddr(at &+ 8))
    _ = memory.store64(first, at: PhysAddr(at))
  }
}

extension VTdIOMMU {
  /// A remapped interrupt: which entry it has, and what the function must write to raise it.
  public struct RemappedInterrupt: Hashable, Sendable {
    public let index: UInt16
    public let address: UInt64
    public let data: UInt32
  }

  /// Gives a function an interrupt that reaches `vector` of processor `destination`. `intel_irq_remapping_alloc`.
  ///
  /// - Throws: EOPNOTSUPP while interrupts are not remapped; ENOMEM, ENOSPC.
  public func remapInterrupt(from source: UInt16, vector: UInt8, destination: UInt32) throws(Errno)
    -> RemappedInterrupt
  {
    guard let interruptTable else { throw .EOPNOTSUPP("the unit does not remap interrupts") }
    typealias Request = VTd.InterruptRequest
    let index = try interruptTable.allocate()
    change(index, of: interruptTable, from: source, vector: vector, destination: destination)
    // The subhandle is valid and 0, as in `fill_msi_msg`.
    let address =
      VTd.interruptAddressTop << VTd.interruptAddressShift | Request.format.mask | Request.shv.mask
      | Request.handle.with(UInt64(index)) | Request.handleHigh.with(UInt64(index) >> 15)
    return RemappedInterrupt(index: index, address: address, data: 0)
  }

  /// Sends an interrupt elsewhere. `modify_irte`.
  ///
  /// - Throws: EOPNOTSUPP while interrupts are not remapped.
  public func retarget(
    _ interrupt: RemappedInterrupt, from source: UInt16, vector: UInt8, destination: UInt32
  )
    throws(Errno)
  {
    guard let interruptTable else { throw .EOPNOTSUPP("the unit does not remap interrupts") }
    change(interrupt.index, of: interruptTable, from: source, vector: vector, destination: destination)
  }

  private func change(
    _ index: UInt16, of table: VTdInterruptTable, from source: UInt16, vector: UInt8, destination: UInt32
  ) {
    table.write(index, source: source, vector: vector, destination: destination)
    submit(.interruptEntry(index, order: 0))
  }

  /// `clear_entries` and `free_irte`. An interrupt that was freed may belong to another since.
  public func freeInterrupt(_ interrupt: RemappedInterrupt) {
    guard let interruptTable else { return }
    interruptTable.clear(interrupt.index)
    submit(.interruptEntry(interrupt.index, order: 0))
    interruptTable.free(interrupt.index)
  }
}

extension VTdIOMMU: InterruptRemapping {
  public func remapInterrupt(of device: PCIDevice, vector: UInt8, destination: UInt32) throws(Errno) -> (
    address: UInt64, data: UInt32
  ) {
    let interrupt = try remapInterrupt(
      from: device.function.requesterID, vector: vector, destination: destination)
    return (interrupt.address, interrupt.data)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Seams
internal import UAPI

/// The PASID directory of one function and the tables below it: `struct pasid_table`. Tables are added when their
/// first PASID is used, and stay.
///
/// Source: `drivers/iommu/intel/pasid.c`, `intel_pasid_alloc_table` and `intel_pasid_get_entry`; reference
/// backends-x86.md A2.5 and A2.6.
final class VTdPASIDTable: @unchecked Sendable {
  private let memory: PhysicalMemory
  private let failures: FailurePoints
  let directory: UInt64
  /// Pages of the directory, as a base-2 logarithm.
  private let orderLg2: Int
  private let lock = Lock(.vtdPASIDTable)
  /// Guarded by `lock`.
  private var tables: [UInt64: FrameNumber] = [:]

  /// - Parameter pasids: how many the function can send; 0 leaves room for the RID.
  /// - Throws: ENOMEM.
  init(_ memory: PhysicalMemory, _ failures: FailurePoints, pasids: UInt32) throws(Errno) {
    self.memory = memory
    self.failures = failures
    // Eight bytes for 64 PASIDs.
    let pages = max(1, Int(pasids >> 3) / Int(Page.size))
    orderLg2 = Int.bitWidth - 1 - pages.leadingZeroBitCount
    try failures.pass(.allocation, "the record of a PASID directory")
    try failures.pass(.allocation, "a PASID directory")
    directory = try memory.allocateContiguous(1 << orderLg2, alignment: 1 << orderLg2).address.raw
  }

  /// PASIDs that the directory has room for: `max_pasid`.
  var limit: UInt32 { 1 << UInt32(orderLg2 + 15) }

  /// The PDTS field: the directory has `1 << (PDTS + 7)` entries. `context_get_sm_pds`.
  var sizeField: UInt64 { UInt64(orderLg2 + 2) }

  /// Where the entry of a PASID is; nil where no table is yet.
  func entry(_ pasid: UInt32) -> UInt64? {
    typealias Directory = VTd.PASIDDirectoryEntry
    guard pasid < limit else { return nil }
    let index = UInt64(pasid) >> Directory.tableIndexBits
    guard let table = lock.withLock({ tables[index] }) else { return nil }
    return table.address.raw | (UInt64(pasid) & 63) * VTd.PASIDEntry.size
  }

  /// Where the entry of a PASID is, with a table made for it if there is none.
  ///
  /// - Throws: ENODEV for a PASID that does not fit, and, as the kernel has it, where memory is missing.
  func makeEntry(_ pasid: UInt32) throws(Errno) -> UInt64 {
    typealias Directory = VTd.PASIDDirectoryEntry
    guard pasid < limit else {
      throw .ENODEV("the PASID directory has no room", UInt64(pasid), UInt64(limit))
    }
    if let entry = entry(pasid) { return entry }
    let table: FrameNumber
    do throws(Errno) {
      try failures.pass(.allocation, "a PASID table", as: .ENODEV)
      table = try memory.allocateFrame()
    } catch { throw .ENODEV("no memory for a PASID table") }
    let index = UInt64(pasid) >> Directory.tableIndexBits
    let isMine = lock.withLock { () -> Bool in
      guard tables[index] == nil else { return false }
      tables[index] = table
      _ = memory.store64(
        table.address.raw | Directory.p.mask, at: PhysAddr(directory &+ index * Directory.size))
      return true
    }
    if !isMine { memory.release(table) }
    return entry(pasid) ?? 0
  }

  /// The function is gone, and hardware does not know the directory any more.
  func release() {
    let all = lock.withLock { () -> [FrameNumber] in
      defer { tables = [:] }
      return Array(tables.values)
    }
    for table in all { memory.release(table) }
    let first = PhysAddr(directory).frame.raw
    for offset in 0..<UInt32(1 << orderLg2) { memory.release(FrameNumber(first + offset)) }
  }
}

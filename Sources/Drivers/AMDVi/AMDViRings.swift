// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Seams
internal import UAPI

/// All memory that an IOMMU needs before it can run: the device table, the queues, and the word where completion waits
/// store their numbers. Source: `alloc_dev_table`, `alloc_command_buffer`, `alloc_event_buffer`,
/// `amd_iommu_alloc_ppr_log`, `alloc_cwwb_sem`.
struct AMDViRings: Sendable {
  /// A ring of entries of 16 bytes.
  struct Ring: Sendable {
    let base: PhysAddr
    /// Bytes, a base-2 logarithm.
    let sizeLg2: UInt64
    var size: UInt64 { 1 << sizeLg2 }
    /// The base register: length in entries, as a logarithm, and address.
    var register: UInt64 { (sizeLg2 - 4) << AMDViRegister.lengthShift | base.raw }
  }

  let deviceTable: PhysAddr
  let deviceTableEntries: Int
  let commands: Ring
  let events: Ring
  let pageRequests: Ring
  let semaphore: PhysAddr

  /// The device table has a power of two of pages, up to the entry of the highest DevID; queues have 8 KiB each, and
  /// with SNP the logs 512 KiB.
  ///
  /// - Throws: ENOMEM, and then nothing is left allocated.
  init(_ memory: PhysicalMemory, _ failures: FailurePoints, lastDeviceID: UInt16, isSNP: Bool) throws(Errno) {
    var taken: [FrameNumber] = []
    func take(sizeLg2: UInt64) throws(Errno) -> PhysAddr {
      try failures.pass(.allocation, "a table or queue of the IOMMU")
      let count = 1 << Int(sizeLg2 - Page.shift)
      let first = try memory.allocateContiguous(count, alignment: count)
      taken += (0..<UInt32(count)).map { FrameNumber(first.raw + $0) }
      return first.address
    }
    func ring(sizeLg2: UInt64) throws(Errno) -> Ring {
      Ring(base: try take(sizeLg2: sizeLg2), sizeLg2: sizeLg2)
    }
    var tableLg2 = Page.shift
    while 1 << tableLg2 < (UInt64(lastDeviceID) + 1) * AMDViDTE.size { tableLg2 += 1 }
    let logLg2: UInt64 = isSNP ? 19 : 13
    do throws(Errno) {
      deviceTable = try take(sizeLg2: tableLg2)
      deviceTableEntries = Int((1 << tableLg2) / AMDViDTE.size)
      commands = try ring(sizeLg2: 13)
      events = try ring(sizeLg2: logLg2)
      pageRequests = try ring(sizeLg2: logLg2)
      semaphore = try take(sizeLg2: Page.shift)
    } catch {
      for frame in taken { memory.release(frame) }
      throw error
    }
  }
}

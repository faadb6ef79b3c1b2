// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

/// Writes a guest's page table into its memory, and what its hypervisor passes on about it.
enum GuestTableWriter {
  typealias Table = BenchAction.GuestTableAction

  /// - Throws: EINVAL, ENOMEM for what the format cannot hold; EFAULT where the memory is gone.
  static func write(_ table: Table, _ value: BenchStage.Value, _ bench: any Bench, _ target: any IoctlTarget)
    throws(Errno)
  {
    let (guest, memory) = (value(table.guestAddress), value(table.memory))
    let entries = (0..<UInt64(Table.pageCount)).map { page in
      let turned = (page + UInt64(table.rotation)) % UInt64(Table.pageCount)
      return GuestMapping(
        iova: Table.firstPage + page << 12, target: guest &+ Table.pagesOffset + turned << 12, length: 4096,
        readable: true, writable: !table.isReadOnly)
    }
    let made = try bench.guestTable(
      format: table.format, at: guest &+ Table.tablesOffset,
      room: Table.pagesOffset - Table.tablesOffset, entries: entries)
    try target.memory.write(made.bytes, at: memory &+ Table.tablesOffset)
    let data: [UInt64]
    switch table.family {
    case .amd:
      // The GCR3 table has one entry, that of requests without a PASID.
      try target.memory.write(bytes([made.root | 1]), at: memory)
      data = Table.deviceTableEntry(guest)
    case .smmuv3:
      try target.memory.write(made.streamTableEntry, at: value(table.data))
      return
    default:
      let fourLevels: UInt64 = 48
      data = [0, made.root, fourLevels]
    }
    try target.memory.write(bytes(data), at: value(table.data))
  }

  private static func bytes(_ words: [UInt64]) -> [UInt8] {
    words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
  }
}

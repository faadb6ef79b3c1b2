// SPDX-License-Identifier: GPL-3.0-or-later
internal import Memory
internal import Seams
internal import UAPI

/// From a request number and a pointer to a handler: the order of the checks is part of the contract.
///
///     number outside the table        -> VFIO compatibility, which knows six requests; ENOTTY
///     `size` unreadable               -> EFAULT
///     hole, or other direction bits   -> ENOTTY
///     size below the minimum          -> EINVAL
///     tail beyond the known struct    -> EFAULT or E2BIG; then the head, EFAULT
///     the handler
///
/// Source: `iommufd_fops_ioctl` in `drivers/iommu/iommufd/main.c`; reference uapi.md section 1.3.
enum Dispatcher {
  typealias Handler = @Sendable (borrowing Command) throws(Errno) -> Int32

  struct Entry: Sendable {
    let request: UInt32
    let minimum: Int
    let full: Int
    let handler: Handler
  }

  private struct Row {
    let request: UInt32
    let run: Handler

    init(_ request: UInt32, run: @escaping Handler) {
      self.request = request
      self.run = run
    }
  }

  /// The longest struct of the table.
  static let longestStruct = 80

  static func run(
    _ request: UInt32, _ argument: UInt64, by task: any CallingTask, in context: Context
  ) throws(Errno) -> Int32 {
    let number = request & 0xFF
    let slot = Int(number) - Int(Request.base)
    let table = context.kernel.commands
    guard slot >= 0, slot < table.count else {
      return try VFIOCompat.run(request, argument, by: task, in: context)
    }
    let memory = task.memory
    let failures = context.kernel.failures
    try failures.pass(.copy, "the size of a struct")
    let size = try memory.load(UInt32.self, at: argument)
    guard let entry = table[slot], entry.request == request else {
      throw .ENOTTY("this kernel has no such command", UInt64(request))
    }
    guard size >= entry.minimum else {
      throw .EINVAL("size is below the command's minimum", UInt64(size), UInt64(entry.minimum))
    }
    return try withUnsafeTemporaryAllocation(byteCount: longestStruct, alignment: 8) {
      buffer throws(Errno) in
      let bytes = UnsafeMutableRawBufferPointer(rebasing: buffer[..<entry.full])
      try failures.pass(.copy, "the struct of a request")
      try ExtensibleStruct.copyIn(from: memory, at: argument, userSize: Int(size), into: bytes)
      return try entry.handler(
        Command(
          context: context, task: task, memory: memory, address: argument, userSize: size, bytes: bytes))
    }
  }

  /// The table of a kernel: an entry per number from 0x80, nil for a hole. A kernel with the selftest
  /// command has a table that reaches up to it.
  static func table(for personality: Personality, hasSelftest: Bool) -> [Entry?] {
    let tables = hasSelftest ? tablesWithSelftest : tables
    return tables[personality] ?? makeTable(personality.version, hasSelftest: hasSelftest)
  }

  /// The tables of all kernels: making one is a tenth of what a machine takes.
  private static let tables = makeTables(hasSelftest: false)
  private static let tablesWithSelftest = makeTables(hasSelftest: true)

  private static func makeTables(hasSelftest: Bool) -> [Personality: [Entry?]] {
    var tables: [Personality: [Entry?]] = [:]
    for personality in Personality.allCases {
      tables[personality] = makeTable(personality.version, hasSelftest: hasSelftest)
    }
    return tables
  }

  private static func makeTable(_ version: KernelVersion, hasSelftest: Bool) -> [Entry?] {
    var table: [Entry?] = []
    func set(_ row: CommandRow, _ handler: @escaping Handler) {
      let slot = Int(row.request & 0xFF - Request.base)
      while table.count <= slot { table.append(nil) }
      table[slot] = Entry(
        request: row.request, minimum: row.minimumSize, full: row.fullSize(version), handler: handler)
    }
    for row in CommandTable.iommufd where row.exists(in: version) {
      for handler in handlers where handler.request == row.request { set(row, handler.run) }
    }
    if hasSelftest {
      set(CommandTable.selftest) { command throws(Errno) in
        guard let selftest = command.context.kernel.selftest else {
          throw .ENOTTY("this kernel has no selftest command")
        }
        return try selftest.run(command)
      }
    }
    return table
  }

  /// Handlers by request. A command without one, NOIOMMU_GET_PA, belongs to no personality. In
  /// structs: closures that are elements of a collection themselves are wrapped in thunks, which every call would pass.
  private static let handlers: [Row] = [
    Row(0x3B80) { c throws(Errno) in try c.destroy() },
    Row(0x3B81) { c throws(Errno) in try c.ioasAlloc() },
    Row(0x3B82) { c throws(Errno) in try c.ioasAllowIOVAs() },
    Row(0x3B83) { c throws(Errno) in try c.ioasCopy() },
    Row(0x3B84) { c throws(Errno) in try c.ioasIOVARanges() },
    Row(0x3B85) { c throws(Errno) in try c.ioasMap() },
    Row(0x3B86) { c throws(Errno) in try c.ioasUnmap() },
    Row(0x3B87) { c throws(Errno) in try c.option() },
    Row(0x3B88) { c throws(Errno) in try c.vfioIOAS() },
    Row(0x3B89) { c throws(Errno) in try c.hwptAlloc() },
    Row(0x3B8A) { c throws(Errno) in try c.getHWInfo() },
    Row(0x3B8B) { c throws(Errno) in try c.setDirtyTracking() },
    Row(0x3B8C) { c throws(Errno) in try c.getDirtyBitmap() },
    Row(0x3B8D) { c throws(Errno) in try c.hwptInvalidate() },
    Row(0x3B8E) { c throws(Errno) in try c.faultQueueAlloc() },
    Row(0x3B8F) { c throws(Errno) in try c.ioasMapFile() },
    Row(0x3B90) { c throws(Errno) in try c.viommuAlloc() },
    Row(0x3B91) { c throws(Errno) in try c.vdeviceAlloc() },
    Row(0x3B92) { c throws(Errno) in try c.ioasChangeProcess() },
    Row(0x3B93) { c throws(Errno) in try c.veventqAlloc() },
    Row(0x3B94) { c throws(Errno) in try c.hwQueueAlloc() },
  ]
}

extension Command {
  /// IOMMU_DESTROY. Source: `iommufd_destroy`; reference uapi.md section 2.1.
  ///
  /// - Throws: ENOENT, EBUSY.
  func destroy() throws(Errno) -> Int32 {
    let object = try context.objects.destroy(self[Layout.Destroy.id])
    object.destroy()
    return 0
  }
}

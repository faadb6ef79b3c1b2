// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// The commands on an IOAS, 0x81...0x86 and 0x8F: shims between the struct and the IOVA space. The order of
// the checks is part of the contract. Source: `drivers/iommu/iommufd/ioas.c`; reference uapi.md section 2.

extension Command {
  /// IOMMU_IOAS_ALLOC. `iommufd_ioas_alloc_ioctl`.
  ///
  /// - Throws: EOPNOTSUPP for a flag, ENOMEM, EFAULT.
  func ioasAlloc() throws(Errno) -> Int32 {
    guard self[Layout.IOASAlloc.flags] == 0 else {
      throw .EOPNOTSUPP("flags must be 0", UInt64(self[Layout.IOASAlloc.flags]))
    }
    context.ioasCreation.lockShared()
    defer { context.ioasCreation.unlockShared() }
    try context.create(IOAS(in: context)) { ioas throws(Errno) in
      self[Layout.IOASAlloc.outIOASID] = ioas.id
      try respond()
    }
    return 0
  }

  /// IOMMU_IOAS_IOVA_RANGES. `iommufd_ioas_iova_ranges`.
  ///
  /// - Throws: EOPNOTSUPP, ENOENT, EFAULT (entries before it are written), EMSGSIZE (everything that fits, the
  ///   number and the alignment are written).
  func ioasIOVARanges() throws(Errno) -> Int32 {
    typealias L = Layout.IOASIOVARanges
    guard self[L.reserved] == 0 else { throw .EOPNOTSUPP("__reserved must be 0", UInt64(self[L.reserved])) }
    let capacity = self[L.numIOVAs]
    let array = self[L.allowedIOVAs]
    let (ranges, alignment) = try context.objects.with(IOAS.self, self[L.ioasID]) { ioas in
      ioas.pagetable.areasLock.withShared { (ioas.pagetable.unreserved(), ioas.pagetable.alignment) }
    }
    for (index, range) in ranges.prefix(Int(capacity)).enumerated() {
      let place = array &+ UInt64(index) * 16
      try context.kernel.failures.pass(.copy, "an IOVA range")
      try memory.store(range.first, at: place)
      try memory.store(range.last, at: place &+ 8)
    }
    self[L.numIOVAs] = UInt32(truncatingIfNeeded: ranges.count)
    self[L.outAlignment] = alignment
    try respond()
    if ranges.count > Int(capacity) {
      throw .EMSGSIZE("the array is too short", UInt64(capacity), UInt64(ranges.count))
    }
    return 0
  }

  /// IOMMU_IOAS_ALLOW_IOVAS. `iommufd_ioas_allow_iovas`.
  ///
  /// - Throws: EOPNOTSUPP, ENOENT, EFAULT, EINVAL for a range that is empty, of one address, or meets an
  ///   earlier one; ENOMEM; EADDRINUSE when a range is reserved. The old list stays.
  func ioasAllowIOVAs() throws(Errno) -> Int32 {
    typealias L = Layout.IOASAllowIOVAs
    guard self[L.reserved] == 0 else { throw .EOPNOTSUPP("__reserved must be 0", UInt64(self[L.reserved])) }
    let count = self[L.numIOVAs]
    let array = self[L.allowedIOVAs]
    return try context.objects.with(IOAS.self, self[L.ioasID]) { ioas throws(Errno) -> Int32 in
      var ranges = RangeList()
      for index in 0..<UInt64(count) {
        try context.kernel.failures.pass(.copy, "an allowed range")
        let first = try memory.load(UInt64.self, at: array &+ index * 16)
        let last = try memory.load(UInt64.self, at: array &+ index * 16 &+ 8)
        guard first < last else { throw .EINVAL("a range needs start < last", first, last) }
        try context.kernel.failures.pass(.allocation, "an allowed range")
        guard ranges.insert(Span64(first, last)) else {
          throw .EINVAL("a range overlaps an earlier one", first, last)
        }
      }
      try ioas.pagetable.allow(ranges.spans)
      return 0
    }
  }

  /// IOMMU_IOAS_MAP. `iommufd_ioas_map`.
  ///
  /// - Throws: see reference uapi.md section 2.5; EFAULT on the way back leaves the mapping.
  func ioasMap() throws(Errno) -> Int32 {
    typealias L = Layout.IOASMap
    let flags = self[L.flags]
    guard flags & ~MapFlag.all == 0 else { throw .EOPNOTSUPP("unknown flag", UInt64(flags)) }
    guard self[L.reserved] == 0 else { throw .EOPNOTSUPP("__reserved must be 0", UInt64(self[L.reserved])) }
    let (iova, length) = (self[L.iova], self[L.length])
    guard iova < .max, length < .max else { throw .EOVERFLOW("iova or length is 2^64-1", iova, length) }
    guard flags & (MapFlag.readable | MapFlag.writeable) != 0 else {
      throw .EINVAL("neither READABLE nor WRITEABLE")
    }
    return try context.objects.with(IOAS.self, self[L.ioasID]) { ioas throws(Errno) -> Int32 in
      self[L.iova] = try ioas.pagetable.mapUser(
        self[L.userVA], length: length, at: flags & MapFlag.fixedIOVA != 0 ? .fixed(iova) : .automatic,
        protection: Self.protection(flags), by: task, accounting: context.accounting)
      try respond(stays: true)
      return 0
    }
  }

  /// IOMMU_IOAS_MAP_FILE. `iommufd_ioas_map_file`; reference uapi.md section 2.6.
  func ioasMapFile() throws(Errno) -> Int32 {
    typealias L = Layout.IOASMapFile
    let flags = self[L.flags]
    guard flags & ~MapFlag.all == 0 else { throw .EOPNOTSUPP("unknown flag", UInt64(flags)) }
    let (iova, length, start) = (self[L.iova], self[L.length], self[L.start])
    guard iova < .max, length < .max else { throw .EOVERFLOW("iova or length is 2^64-1", iova, length) }
    guard flags & (MapFlag.readable | MapFlag.writeable) != 0 else {
      throw .EINVAL("neither READABLE nor WRITEABLE")
    }
    return try context.objects.with(IOAS.self, self[L.ioasID]) { ioas throws(Errno) -> Int32 in
      guard length > 0 else { throw .EINVAL("length is 0") }
      guard let span = Span64(first: start, length: length) else {
        throw .EOVERFLOW("start + length wraps", start, length)
      }
      let pages = try task.files.with(Int32(bitPattern: self[L.fd])) { file throws(Errno) in
        try Pages.make(
          context.kernel, file: file, span, writable: flags & MapFlag.writeable != 0, owner: task,
          accounting: context.accounting)
      }
      let slice = Slice(pages: pages, startByte: start & Page.mask, length: length)
      self[L.iova] = try ioas.pagetable.map(
        [slice], length: length, at: flags & MapFlag.fixedIOVA != 0 ? .fixed(iova) : .automatic,
        protection: Self.protection(flags))
      try respond(stays: true)
      return 0
    }
  }

  /// IOMMU_IOAS_COPY. `iommufd_ioas_copy`; reference uapi.md section 2.7.
  func ioasCopy() throws(Errno) -> Int32 {
    typealias L = Layout.IOASCopy
    resolveSelftestIOVA()
    let flags = self[L.flags]
    guard flags & ~MapFlag.all == 0 else { throw .EOPNOTSUPP("unknown flag", UInt64(flags)) }
    let (length, source, destination) = (self[L.length], self[L.srcIOVA], self[L.dstIOVA])
    guard length < .max, source < .max, destination < .max else {
      throw .EOVERFLOW("length or an iova is 2^64-1", length, source, destination)
    }
    guard flags & (MapFlag.readable | MapFlag.writeable) != 0 else {
      throw .EINVAL("neither READABLE nor WRITEABLE")
    }
    let slices = try context.objects.with(IOAS.self, self[L.srcIOASID]) { ioas throws(Errno) in
      try ioas.pagetable.slices(source, length: length)
    }
    return try context.objects.with(IOAS.self, self[L.dstIOASID]) { ioas throws(Errno) -> Int32 in
      self[L.dstIOVA] = try ioas.pagetable.map(
        slices, length: length, at: flags & MapFlag.fixedIOVA != 0 ? .fixed(destination) : .automatic,
        protection: Self.protection(flags))
      try respond(stays: true)
      return 0
    }
  }

  /// In a kernel with the selftest, bit 16 of COPY's flags says that src_iova is {area, offset}; it is
  /// translated, and the bit removed, before every check. `iommufd_test_syz_conv_iova_id`.
  private func resolveSelftestIOVA() {
    typealias L = Layout.IOASCopy
    let syz: UInt32 = 1 << 16
    guard context.kernel.selftest != nil, self[L.flags] & syz != 0 else { return }
    self[L.flags] = self[L.flags] & ~syz
    do throws(Errno) {
      try context.objects.with(IOAS.self, self[L.srcIOASID]) { ioas in
        let pair = self[L.srcIOVA]
        self[L.srcIOVA] = ioas.pagetable.nthAreaIOVA(
          UInt32(truncatingIfNeeded: pair), offset: UInt32(truncatingIfNeeded: pair >> 32))
      }
    } catch {
      // Without the IOAS the address stays as it is; the command's own lookup will say ENOENT.
    }
  }

  /// IOMMU_IOAS_UNMAP. `iommufd_ioas_unmap`; reference uapi.md section 2.8.
  func ioasUnmap() throws(Errno) -> Int32 {
    typealias L = Layout.IOASUnmap
    let (iova, length) = (self[L.iova], self[L.length])
    return try context.objects.with(IOAS.self, self[L.ioasID]) { ioas throws(Errno) -> Int32 in
      if iova == 0 && length == .max {
        self[L.length] = try ioas.pagetable.unmapAll()
      } else {
        guard iova < .max, length < .max else { throw .EOVERFLOW("iova or length is 2^64-1", iova, length) }
        var removed: UInt64 = 0
        try ioas.pagetable.unmap(iova, length: length, removed: &removed)
        self[L.length] = removed
      }
      try respond(stays: true)
      return 0
    }
  }

  static func protection(_ flags: UInt32) -> Protection {
    var protection: Protection = .cache
    if flags & MapFlag.readable != 0 { protection.insert(.read) }
    if flags & MapFlag.writeable != 0 { protection.insert(.write) }
    return protection
  }
}

/// Disjoint ranges in ascending order, as ALLOW_IOVAS collects them.
private struct RangeList {
  private(set) var spans: [Span64] = []

  /// False when `span` meets a range that is there.
  mutating func insert(_ span: Span64) -> Bool {
    var low = 0
    var high = spans.count
    while low < high {
      let middle = (low + high) / 2
      if spans[middle].last < span.first { low = middle + 1 } else { high = middle }
    }
    if low < spans.count, spans[low].overlaps(span) { return false }
    spans.insert(span, at: low)
    return true
  }
}

extension IOPageTable {
  /// Maps memory of the calling process. `iopt_map_user_pages`.
  func mapUser(
    _ address: UInt64, length: UInt64, at placement: Placement, protection: Protection,
    by task: any CallingTask, accounting: Context.Accounting
  ) throws(Errno) -> UInt64 {
    let pages = try Pages.make(
      kernel, address: address, length: length, writable: protection.contains(.write), owner: task,
      accounting: accounting)
    let slice = Slice(pages: pages, startByte: address & Page.mask, length: length)
    return try map([slice], length: length, at: placement, protection: protection)
  }
}

extension Pages {
  /// Pages of a process. Nothing is looked at before a domain or an access needs it.
  /// `iopt_alloc_user_pages`.
  ///
  /// - Throws: EINVAL for length 0 or an absurd one; EOVERFLOW when the end wraps, 2^64 included. 7.2 looks at
  ///   the end first.
  static func make(
    _ kernel: Kernel, address: UInt64, length: UInt64, writable: Bool, owner: any CallingTask,
    accounting: Context.Accounting
  ) throws(Errno) -> Pages {
    let wraps = address.addingReportingOverflow(length).overflow
    if kernel.personality != .v6_12, wraps { throw .EOVERFLOW("user_va + length wraps", address, length) }
    try checkLength(length)
    if wraps { throw .EOVERFLOW("user_va + length wraps", address, length) }
    try kernel.failures.pass(.allocation, "the pages of a mapping")
    return Pages(
      kernel, source: .user(address: address & ~Page.mask), pageCount: pageCount(address, length),
      writable: writable, owner: owner, accounting: accounting)
  }

  /// Pages of a file or a dma-buf. `iopt_alloc_file_pages`, `iopt_alloc_dmabuf_pages`.
  ///
  /// - Throws: EINVAL for a range past the end of a dma-buf or an absurd length, ENODEV for a revoked dma-buf.
  static func make(
    _ kernel: Kernel, file: OpenFile, _ span: Span64, writable: Bool, owner: any CallingTask,
    accounting: Context.Accounting
  ) throws(Errno) -> Pages {
    let length = span.count
    let source: Source
    if let buffer = file as? DMABuf {
      guard buffer.size > span.last else {
        throw .EINVAL("the range reaches past the dma-buf", span.last, buffer.size)
      }
      source = .dmabuf(buffer, firstPage: span.first >> Page.shift)
    } else {
      source = .file(file, firstPage: span.first >> Page.shift)
    }
    try checkLength(length)
    try kernel.failures.pass(.allocation, "the pages of a mapping")
    let pages = Pages(
      kernel, source: source, pageCount: pageCount(span.first, length), writable: writable, owner: owner,
      accounting: accounting)
    if case .dmabuf(let buffer, _) = source {
      try kernel.failures.pass(.allocation, "an attachment of a dma-buf")
      try buffer.attach(pages)
    }
    return pages
  }

  private static func checkLength(_ length: UInt64) throws(Errno) {
    guard length > 0 else { throw .EINVAL("length is 0") }
    guard length <= .max - Page.size else { throw .EINVAL("length is absurd", length) }
  }

  private static func pageCount(_ start: UInt64, _ length: UInt64) -> UInt64 {
    (((start & Page.mask) + (length - 1)) >> Page.shift) + 1
  }
}

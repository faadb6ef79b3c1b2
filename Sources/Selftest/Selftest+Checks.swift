// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import UAPI

private typealias L = Layout.Selftest

// The ops that look at, or reach into, an IOAS and its page tables.

extension Selftest {
  /// ADD_RESERVED. `iommufd_test_add_reserved`.
  func addReserved(_ command: borrowing Command) throws(Errno) -> Int32 {
    let start = command[L.AddReserved.start]
    let length = command[L.AddReserved.length]
    guard length > 0 else { throw .EINVAL("length is 0") }
    guard let span = Span64(first: start, length: length) else {
      throw .EOVERFLOW("start + length wraps", start, length)
    }
    try command.context.objects.with(IOAS.self, command[L.id]) { ioas throws(Errno) in
      try ioas.pagetable.reserve(span, owner: nil)
    }
    return 0
  }

  /// SET_TEMP_MEMORY_LIMIT: room for one run of frames at least.
  func setMemoryLimit(_ command: borrowing Command) throws(Errno) -> Int32 {
    let limit = command[L.MemoryLimit.limit]
    guard limit >= 12 else { throw .EINVAL("the limit is below one run of frames", UInt64(limit)) }
    command.context.kernel.scratchLimit = Int(limit)
    return 0
  }

  // MARK: Translations and pins

  /// MD_CHECK_MAP: an HWPT translates a range to the frames behind a user address.
  /// `iommufd_test_md_check_pa`.
  func checkMap(_ command: borrowing Command) throws(Errno) -> Int32 {
    let iova = command[L.CheckMap.iova]
    let length = command[L.CheckMap.length]
    let address = command[L.CheckMap.uptr]
    let memory = command.memory
    // Before 6.19 the alignment was a constant and was looked at first.
    let checksFirst = command.context.kernel.version < KernelVersion(6, 19)
    if checksFirst { try requireAligned(iova, length, address, 2048) }
    try withMock(command) { domain throws(Errno) in
      let step: UInt64 = 1 << UInt64(domain.pageSizes.trailingZeroBitCount)
      if !checksFirst { try requireAligned(iova, length, address, step) }
      var done: UInt64 = 0
      while done < length {
        let place = address + done
        guard let frame = memory.frame(at: place & ~Page.mask, writing: false) else {
          throw .EFAULT("no page is at the user address", place)
        }
        let expected = frame.address.raw + place & Page.mask
        guard let found = domain.translate(IOVA(iova &+ done)) else {
          throw .EINVAL("the HWPT does not translate the IOVA", iova &+ done)
        }
        guard found.raw == expected else {
          throw .EINVAL("the HWPT translates the IOVA to elsewhere", iova &+ done, found.raw, expected)
        }
        done += step
      }
    }
    return 0
  }

  private func requireAligned(_ iova: UInt64, _ length: UInt64, _ address: UInt64, _ size: UInt64)
    throws(Errno)
  {
    guard (iova | length | address) & (size - 1) == 0 else {
      throw .EINVAL("iova, length or uptr is not a multiple of the smallest page", iova, length, address)
    }
    guard !address.addingReportingOverflow(length).overflow else {
      throw .EINVAL("uptr + length wraps", address, length)
    }
  }

  /// MD_CHECK_REFS: how often the pages behind a user address are pinned. Parts of large pages are not
  /// looked at. `iommufd_test_md_check_refs`.
  func checkRefs(_ command: borrowing Command) throws(Errno) -> Int32 {
    let address = command[L.CheckRefs.uptr]
    let length = command[L.CheckRefs.length]
    let expected = command[L.CheckRefs.refs]
    guard (address | length) & Page.mask == 0, !address.addingReportingOverflow(length).overflow else {
      throw .EINVAL("uptr or length is not a multiple of the page size", address, length)
    }
    let physical = command.context.kernel.memory
    var done: UInt64 = 0
    while done < length {
      guard let frame = command.memory.frame(at: address + done, writing: false) else {
        throw .EFAULT("no page is at the user address", address + done)
      }
      if !physical.isCompound(frame) {
        let count = physical.pinCount(of: frame)
        guard count == expected else {
          throw .EIO(
            "the page is pinned another number of times", address + done, UInt64(count), UInt64(expected))
        }
      }
      done += Page.size
    }
    return 0
  }

  /// MD_CHECK_IOTLB.
  func checkIOTLB(_ command: borrowing Command) throws(Errno) -> Int32 {
    let index = command[L.CheckIOTLB.id]
    let expected = command[L.CheckIOTLB.iotlb]
    try command.context.objects.with(NestedHWPT.self, command[L.id]) { hwpt throws(Errno) in
      guard let domain = hwpt.domain as? MockNestedDomain else {
        throw .EINVAL("the HWPT is not the mock's", UInt64(hwpt.id))
      }
      guard let word = domain.word(index) else { throw .EINVAL("no such cache word", UInt64(index)) }
      guard word == expected else {
        throw .EINVAL("the cache word differs", UInt64(index), UInt64(word), UInt64(expected))
      }
    }
    return 0
  }

  // MARK: Dirty pages

  private static let maximumBits: UInt64 = 128 << 20

  /// DIRTY: marks what the set bits of a bitmap name. `iommufd_test_dirty`.
  func dirty(_ command: borrowing Command) throws(Errno) -> Int32 {
    let iova = command[L.Dirty.iova]
    let length = command[L.Dirty.length]
    let pageSize = command[L.Dirty.pageSize]
    let address = command[L.Dirty.uptr]
    guard pageSize > 0, length > 0, iova % pageSize == 0, length % pageSize == 0, address != 0 else {
      throw .EINVAL("a size or uptr is 0, or iova or length no multiple of page_size", iova, length, pageSize)
    }
    let bits = length / pageSize
    guard bits <= Self.maximumBits else { throw .EOVERFLOW("too many bits", bits, Self.maximumBits) }
    let memory = command.memory
    var count: UInt64 = 0
    try withMock(command) { domain throws(Errno) in
      guard let domain = domain as? MockDirtyDomain, domain.isTracking else {
        throw .EINVAL("the HWPT does not track what is written")
      }
      let failures = command.context.kernel.failures
      try failures.pass(.allocation, "a bitmap")
      try failures.pass(.copy, "a bitmap")
      let bitmap = try memory.bytes(at: address, count: Int((bits + 7) / 8))
      for (index, byte) in bitmap.enumerated() where byte != 0 {
        for bit in 0..<UInt64(8) where byte >> bit & 1 == 1 {
          let number = UInt64(index) * 8 + bit
          guard number < bits else { break }
          if domain.markDirty(IOVA(iova &+ number &* pageSize), pageSize: pageSize) { count += 1 }
        }
      }
    }
    command[L.Dirty.outNrDirty] = count
    try command.respond(stays: true)
    return 0
  }

  /// The mock's domain of the HWPT that `id` names. `get_md_pagetable`.
  private func withMock(_ command: borrowing Command, _ body: (MockDomain) throws(Errno) -> Void)
    throws(Errno)
  {
    try command.context.objects.with(PagingHWPT.self, command[L.id]) { hwpt throws(Errno) in
      guard let domain = hwpt.domain as? MockDomain else {
        throw .EINVAL("the HWPT is not the mock's", UInt64(hwpt.id))
      }
      try body(domain)
    }
  }
}

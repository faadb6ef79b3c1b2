// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import UAPI

// The memory of this very process, as the target's user memory. A script may name any address, and a wrong one
// must be a short count and never a signal. So bytes go through a pipe: the kernel copies between the pipe and the
// address, as it copies an ioctl's struct, with the protections that the mapping has, and says how far it came.
// (process_vm_readv would do the same, but small kernels are built without it and sandboxes forbid it.)
//
// What the target did not allocate is not the script's: it can be read, and is neither written, replaced nor
// unmapped.

/// Memory of the calling process, fallible.
final class OwnMemory: UserMemory, UserSpace {
  private var own = AddressRanges()
  /// Bytes go in at 1 and come out at 0.
  private var pipe: (out: Int32, into: Int32) = (-1, -1)
  private static let page: UInt64 = 4096
  private static let hugePage: UInt64 = 2 << 20
  /// Told of every memfd that is made.
  var made: (Int32) -> Void = { _ in }

  /// - Throws: EMFILE.
  init() throws(Errno) {
    var ends: [Int32] = [-1, -1]
    guard Glibc.pipe(&ends) == 0 else { throw .last }
    // Out of the way of the numbers that the script's files get.
    func moved(_ fd: Int32) -> Int32 {
      let high = fcntl(fd, F_DUPFD_CLOEXEC, 512)
      guard high >= 0 else { return fd }
      Glibc.close(fd)
      return high
    }
    pipe = (moved(ends[0]), moved(ends[1]))
  }

  deinit {
    for range in own.ranges { munmap(Self.pointer(range.lowerBound), range.count) }
    Glibc.close(pipe.out)
    Glibc.close(pipe.into)
  }

  private static func pointer(_ address: UInt64) -> UnsafeMutableRawPointer? {
    UnsafeMutableRawPointer(bitPattern: UInt(address))
  }

  // MARK: Bytes

  func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    pagewise(address, buffer.count) { address, offset, count in
      let done = Glibc.write(pipe.into, Self.pointer(address), count)
      return done > 0 ? Glibc.read(pipe.out, buffer.baseAddress! + offset, done) : 0
    }
  }

  func copyOut(_ address: UInt64, from bytes: UnsafeRawBufferPointer) -> Int {
    pagewise(address, bytes.count) { address, offset, count in
      guard own.contains(address...(address + UInt64(count) - 1)) else { return 0 }
      let sent = Glibc.write(pipe.into, bytes.baseAddress! + offset, count)
      let done = max(0, Glibc.read(pipe.out, Self.pointer(address), sent))
      var rest = [UInt8](repeating: 0, count: Int(Self.page))
      if done < sent { _ = Glibc.read(pipe.out, &rest, sent - done) }
      return done
    }
  }

  /// Page by page, since all bytes of a page can be reached or none.
  private func pagewise(_ address: UInt64, _ count: Int, _ move: (UInt64, Int, Int) -> Int) -> Int {
    var done = 0
    while done < count {
      let (here, overflow) = address.addingReportingOverflow(UInt64(done))
      // Beyond this, no address is a program's.
      guard !overflow, here < 1 << 56 else { break }
      let part = min(count - done, Int(Self.page - here % Self.page))
      let moved = here == 0 ? 0 : move(here, done, part)
      done += max(0, moved)
      if moved < part { break }
    }
    return done
  }

  // MARK: Mappings

  func allocate(length: UInt64, at address: UInt64?, mode: MapMode, huge: Bool) throws(Errno) -> UInt64 {
    let mask = (huge ? Self.hugePage : Self.page) - 1
    guard length > 0 else { throw .EINVAL("a mapping has a length") }
    guard length <= 1 << 47 else { throw .ENOMEM("longer than the address space", length) }
    if let address, address & mask != 0 { throw .EINVAL("the address is misaligned", address) }
    let flags = MAP_ANONYMOUS | (huge ? Self.hugeTLB : 0)
    return try map((length + mask) & ~mask, at: address, mode, flags, -1, 0)
  }

  /// Maps a file, shared or private as `mode` says.
  func map(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, mode: MapMode) throws(Errno)
    -> UInt64
  {
    guard length > 0 else { throw .EINVAL("a mapping has a length") }
    guard length <= 1 << 47, let offset = Int(exactly: offset) else {
      throw .EOVERFLOW("the offset is too large", offset)
    }
    return try map((length + Self.page - 1) & ~(Self.page - 1), at: address, mode, 0, fd, offset)
  }

  private static let hugeTLB: Int32 = 0x40000
  private static let fixedNoReplace: Int32 = 0x10_0000

  private func map(
    _ length: UInt64, at address: UInt64?, _ mode: MapMode, _ flags: Int32, _ fd: Int32, _ offset: Int
  ) throws(Errno) -> UInt64 {
    var flags = flags | (mode.contains(.shared) ? MAP_SHARED : MAP_PRIVATE)
    if let address {
      let (last, overflow) = address.addingReportingOverflow(length - 1)
      guard !overflow else { throw .ENOMEM("beyond the address space", address) }
      flags |= Self.fixedNoReplace
      // What the script had there goes; what it had not stays.
      for part in own.parts(of: address...last) { munmap(Self.pointer(part.lowerBound), part.count) }
      own.remove(address...last)
    }
    let start = mmap(Self.pointer(address ?? 0), Int(length), Self.protection(mode), flags, fd, offset)
    guard let start, start != MAP_FAILED else {
      if errno == EEXIST { throw .ENOMEM("this process has memory of its own there", address ?? 0) }
      throw .last
    }
    let first = UInt64(UInt(bitPattern: start))
    own.insert(first...(first + length - 1))
    return first
  }

  private static func protection(_ mode: MapMode) -> Int32 {
    (mode.contains(.read) ? PROT_READ : 0) | (mode.contains(.write) ? PROT_WRITE : 0)
      | (mode.contains(.execute) ? PROT_EXEC : 0)
  }

  func createMemFD(length: UInt64, huge: Bool) throws(Errno) -> Int32 {
    let fd = iofd_memfd("iofd", huge ? 1 : 0)
    guard fd >= 0 else { throw .last }
    made(fd)
    try truncate(fd, length: length)
    return fd
  }

  func truncate(_ fd: Int32, length: UInt64) throws(Errno) {
    guard let length = Int(exactly: length) else { throw .EINVAL("a length is not negative", length) }
    guard ftruncate(fd, length) == 0 else { throw .last }
  }

  func unmap(_ address: UInt64, length: UInt64) throws(Errno) {
    for part in own.parts(of: try span(address, length)) {
      guard munmap(Self.pointer(part.lowerBound), part.count) == 0 else { throw .last }
      own.remove(part)
    }
  }

  func protect(_ address: UInt64, length: UInt64, mode: MapMode) throws(Errno) {
    let range = try span(address, length)
    for part in own.parts(of: range) {
      guard mprotect(Self.pointer(part.lowerBound), part.count, Self.protection(mode)) == 0 else {
        throw .last
      }
    }
    guard own.contains(range) else { throw .ENOMEM("there is no memory", address) }
  }

  /// Whole pages, as munmap and mprotect take them.
  private func span(_ address: UInt64, _ length: UInt64) throws(Errno) -> ClosedRange<UInt64> {
    guard address % Self.page == 0 else { throw .EINVAL("the address is misaligned", address) }
    guard length > 0, length <= 1 << 56 else { throw .EINVAL("a range has a length", length) }
    let (last, overflow) = address.addingReportingOverflow((length + Self.page - 1) & ~(Self.page - 1) &- 1)
    guard !overflow else { throw .EINVAL("beyond the address space", address) }
    return address...last
  }
}

extension Errno {
  /// What the last system call failed with.
  static var last: Errno { Errno(code: errno, check: "the kernel decided") }
}

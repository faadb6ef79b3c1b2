// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// The system calls behind the table's rows. Source: the man pages of section 2.

extension SyzReplay {
  /// Thrown where a call would touch what is not the program's; no kernel returns it.
  static let notOurs = Errno(code: 0)

  private static let longestPath = 4096
  /// Most bytes of one read or write. Source: `include/linux/fs.h`, MAX_RW_COUNT.
  private static let longestTransfer: UInt64 = 0x7FFF_F000
  private static let mostPolled: UInt64 = 1024

  func result(_ action: SyzCallRow.Action, _ arguments: SyzArguments) throws(Errno) -> UInt64 {
    switch action {
    case .open: return opened(try target.open(try path(arguments[1])))
    case .close:
      let fd = try descriptor(arguments, 0)
      descriptors.remove(fd)
      try target.close(fd)
      return 0
    case .dup: return opened(try target.dup(try descriptor(arguments, 0)))
    case .ioctl:
      let request = UInt32(truncatingIfNeeded: arguments[1])
      return Self.extended(try target.ioctl(try descriptor(arguments, 0), request, arguments[2]))
    case .read:
      return UInt64(try target.read(try descriptor(arguments, 0), arguments[1], Self.count(arguments[2])))
    case .write:
      return UInt64(try target.write(try descriptor(arguments, 0), arguments[1], Self.count(arguments[2])))
    case .poll: return try poll(arguments[0], count: arguments[1])
    case .map: return try map(arguments)
    case .unmap:
      try Self.requireArea(arguments[0], arguments[1])
      try target.userSpace.unmap(arguments[0], length: arguments[1])
      return 0
    case .protect:
      try Self.requireArea(arguments[0], arguments[1])
      try target.userSpace.protect(arguments[0], length: arguments[1], mode: Self.mode(arguments[2]))
      return 0
    case .makeMemFD:
      _ = try path(arguments[0])
      // MFD_HUGETLB is bit 2.
      return opened(try target.userSpace.createMemFD(length: 0, huge: arguments[1] & 4 != 0))
    case .truncate:
      try target.userSpace.truncate(try descriptor(arguments, 0), length: arguments[1])
      return 0
    }
  }

  private static func count(_ value: UInt64) -> Int { Int(min(value, longestTransfer)) }

  private static func extended(_ result: Int32) -> UInt64 { UInt64(bitPattern: Int64(result)) }

  private func opened(_ fd: Int32) -> UInt64 {
    descriptors.insert(fd)
    return Self.extended(fd)
  }

  private func descriptor(_ arguments: SyzArguments, _ index: Int) throws(Errno) -> Int32 {
    let fd = arguments.descriptor(index)
    guard descriptors.contains(fd) else {
      throw .EBADF("the program has no such descriptor", arguments[index])
    }
    return fd
  }

  private func path(_ address: UInt64) throws(Errno) -> String {
    var bytes = [UInt8](repeating: 0, count: Self.longestPath)
    let count = bytes.withUnsafeMutableBytes { target.memory.copyIn(address, into: $0) }
    guard let end = bytes[..<count].firstIndex(of: 0) else {
      // ENAMETOOLONG is 36.
      throw count < bytes.count ? .EFAULT("the path is not readable", address) : Errno(code: 36)
    }
    return String(decoding: bytes[..<end], as: UTF8.self)
  }

  /// Each entry's events, without waiting. Source: poll(2).
  private func poll(_ address: UInt64, count: UInt64) throws(Errno) -> UInt64 {
    guard count <= Self.mostPolled else { throw .EINVAL("too many descriptors to poll", count) }
    var ready: UInt64 = 0
    for index in 0..<count {
      let entry = address &+ index &* 8
      let fd = Int32(bitPattern: try target.memory.load(UInt32.self, at: entry))
      let wanted = Int16(bitPattern: try target.memory.load(UInt16.self, at: entry &+ 4))
      var events: Int16 = 0
      if descriptors.contains(fd) {
        // POLLERR and POLLHUP are told without having been asked for.
        events = try target.poll(fd).rawValue & (wanted | 0x18)
      } else if fd >= 0 {
        // POLLNVAL.
        events = 0x20
      }
      if events != 0 { ready += 1 }
      try target.memory.store(UInt16(bitPattern: events), at: entry &+ 6)
    }
    return ready
  }

  // Memory. Flags of mmap: MAP_SHARED 1, MAP_FIXED 0x10, MAP_ANONYMOUS 0x20, MAP_HUGETLB 0x40000.

  private func map(_ arguments: SyzArguments) throws(Errno) -> UInt64 {
    let (length, flags) = (arguments[1], arguments[3])
    let isFixed = flags & 0x10 != 0
    if isFixed { try Self.requireArea(arguments[0], length) }
    let place = isFixed ? arguments[0] : nil
    var mode = Self.mode(arguments[2])
    if flags & 1 != 0 { mode.insert(.shared) }
    let address: UInt64
    if flags & 0x20 != 0 {
      address = try target.userSpace.allocate(
        length: length, at: place, mode: mode, huge: flags & 0x40000 != 0)
    } else {
      address = try target.mmap(
        try descriptor(arguments, 4), at: place, length: length, offset: arguments[5], flags: mode)
    }
    if !isFixed { mappings.append((address, length)) }
    return address
  }

  private static func mode(_ protection: UInt64) -> MapMode { MapMode(rawValue: UInt8(protection & 7)) }

  private static func requireArea(_ address: UInt64, _ length: UInt64) throws(Errno) {
    let offset = address &- SyzImage.area
    guard offset <= SyzLimits.areaBytes, length <= SyzLimits.areaBytes - offset else { throw notOurs }
  }
}

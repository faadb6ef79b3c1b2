// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc

/// One mapping of a real process: a line of `/proc/PID/maps`, which proc(5) describes.
public struct MappedArea: Sendable {
  public var start: UInt64
  /// Exclusive, a multiple of the page size.
  public var end: UInt64
  public var readable: Bool
  public var writable: Bool
  public var shared: Bool
  /// Offset of `start` in the file, in bytes.
  public var offset: UInt64
  /// No file: device and inode are 0.
  var file: FileIdentity?
  public var path: String

  public var isHuge: Bool
  /// A mapping that the kernel itself made, or that is memory of a device: `[vvar]`, `/dev/mem`.
  var isSpecial: Bool {
    path.hasPrefix("[v")
      || path.hasPrefix("/dev/") && !path.hasPrefix("/dev/zero") && !path.hasPrefix("/dev/shm/")
        && !path.hasPrefix("/dev/hugepages/")
  }

  /// Reads a line; nil for what is none. Where the kernel cannot be asked, maps are read for every page that is
  /// looked at, so this allocates nothing but the path.
  init?(_ line: ArraySlice<UInt8>) {
    var rest = line
    guard let start = Self.hex(&rest, until: "-"), let end = Self.hex(&rest, until: " ") else { return nil }
    let permissions = Self.word(&rest)
    guard permissions.count >= 4, let offset = Self.hex(&rest, until: " "),
      let major = Self.hex(&rest, until: ":"), let minor = Self.hex(&rest, until: " "),
      let inode = Self.decimal(Self.word(&rest))
    else { return nil }
    self.start = start
    self.end = end
    let first = permissions.startIndex
    readable = permissions[first] == UInt8(ascii: "r")
    writable = permissions[first + 1] == UInt8(ascii: "w")
    shared = permissions[first + 3] == UInt8(ascii: "s")
    self.offset = offset
    file = Self.identity(major, minor, inode)
    path = String(decoding: rest.drop { $0 == UInt8(ascii: " ") }, as: UTF8.self)
    isHuge = path.hasPrefix("/anon_hugepage") || path.hasPrefix("/dev/hugepages/")
  }

  private init(_ mapping: borrowing iofd_mapping) {
    start = mapping.start
    end = mapping.end
    readable = mapping.flags & 1 != 0
    writable = mapping.flags & 2 != 0
    shared = mapping.flags & 8 != 0
    offset = mapping.offset
    file = Self.identity(UInt64(mapping.major), UInt64(mapping.minor), mapping.inode)
    path = withUnsafeBytes(of: mapping.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    isHuge = mapping.page_size == 2 << 20
  }

  /// A device number as `stat` encodes it: 12 bits of major between 8 and 24 bits of minor.
  private static func identity(_ major: UInt64, _ minor: UInt64, _ inode: UInt64) -> FileIdentity? {
    let device = (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32
    return inode == 0 ? nil : FileIdentity(device: device, inode: inode)
  }

  /// Takes the next word and the space behind it.
  private static func word(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let end = rest.firstIndex(of: UInt8(ascii: " ")) ?? rest.endIndex
    defer { rest = rest[min(end + 1, rest.endIndex)...] }
    return rest[..<end]
  }

  /// Takes hexadecimal digits and the character behind them; nil for anything else.
  private static func hex(_ rest: inout ArraySlice<UInt8>, until stop: Unicode.Scalar) -> UInt64? {
    var value: UInt64 = 0
    var place = rest.startIndex
    while place < rest.endIndex, rest[place] != UInt8(ascii: stop) {
      let digit = rest[place]
      guard value >> 60 == 0 else { return nil }
      switch digit {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(digit - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
      default: return nil
      }
      place += 1
    }
    guard place > rest.startIndex, place < rest.endIndex else { return nil }
    rest = rest[(place + 1)...]
    return value
  }

  private static func decimal(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard !digits.isEmpty, digits.count <= 19 else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
      value = value * 10 + UInt64(digit - UInt8(ascii: "0"))
    }
    return value
  }

  private static func endsBefore(_ line: ArraySlice<UInt8>, _ address: UInt64) -> Bool {
    var rest = line
    guard hex(&rest, until: "-") != nil, let end = hex(&rest, until: " ") else { return true }
    return end <= address
  }

  /// The areas that meet `first...last`, ascending, of the memory whose `/proc/PID/maps` is open. The kernel is asked
  /// for one after the other; nil before Linux 6.11, which cannot be asked.
  static func areas(in maps: Descriptor, meeting first: UInt64, _ last: UInt64) -> [MappedArea]? {
    var areas: [MappedArea] = []
    var mapping = iofd_mapping()
    var place = first
    while true {
      switch iofd_query_mapping(maps.number, place, &mapping) {
      case 0: break
      case ENOENT, ESRCH: return areas
      default: return nil
      }
      if mapping.start > last { return areas }
      areas.append(MappedArea(mapping))
      if mapping.end > last || mapping.end <= place { return areas }
      place = mapping.end
    }
  }

  /// The areas of a process that meet `first...last`, ascending.
  static func areas(of process: Int32, meeting first: UInt64, _ last: UInt64) -> [MappedArea] {
    guard let bytes = readSmallFile("/proc/\(process)/maps") else { return [] }
    var areas: [MappedArea] = []
    var rest = bytes[...]
    while let newline = rest.firstIndex(of: UInt8(ascii: "\n")) {
      let line = rest[..<newline]
      rest = rest[(newline + 1)...]
      // Most areas lie before: the end alone says so.
      guard !Self.endsBefore(line, first), let area = MappedArea(line) else { continue }
      if area.start > last { break }
      areas.append(area)
    }
    return areas
  }
}

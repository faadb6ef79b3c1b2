// SPDX-License-Identifier: GPL-3.0-or-later

/// Where requests go: the model, a real kernel, or something that watches or compares them.
///
/// A front end holds one of these and nothing else of the back end. The calls are the system calls that a
/// program makes, made by the target's *current process*; file descriptors and addresses are that
/// process's. A failing call throws the errno that the program would see.
public protocol IoctlTarget: AnyObject {
  /// Opens a device node as that process: `/dev/iommu`, `/dev/vfio/vfio` or `/dev/vfio/devices/vfioN`.
  ///
  /// - Throws: ENOENT for another path, EMFILE when the descriptor table is full.
  func open(_ path: String) throws(Errno) -> Int32
  func close(_ fd: Int32) throws(Errno)
  /// - Returns: the ioctl's result, 0 for nearly all; see `CommandTable` for the exceptions.
  func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32
  /// Reads up to `count` bytes into user memory at `address`; never blocks on iommufd's files.
  func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int
  func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int
  /// The `POLL...` bits that are set, of those asked for.
  func poll(_ fd: Int32) throws(Errno) -> PollEvents
  func dup(_ fd: Int32) throws(Errno) -> Int32
  /// Maps `length` bytes of a file from `offset`, at `address` if that is not nil, replacing what is there; returns
  /// the address.
  func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode) throws(Errno)
    -> UInt64

  /// The memory of the current process.
  var memory: any UserMemory { get }
  /// How the current process gets memory of its own.
  var userSpace: any UserSpace { get }
  /// The kernel whose answers are to be expected.
  var kernel: KernelVersion { get }
}

extension IoctlTarget {
  /// Maps `length` bytes of a file from `offset` wherever there is room.
  public func mmap(_ fd: Int32, length: UInt64, offset: UInt64, flags: MapMode) throws(Errno) -> UInt64 {
    try mmap(fd, at: nil, length: length, offset: offset, flags: flags)
  }
}

/// The events of poll(2) that iommufd's files know.
public struct PollEvents: OptionSet, Sendable, CustomStringConvertible {
  public let rawValue: Int16
  public init(rawValue: Int16) { self.rawValue = rawValue }
  public static let input = PollEvents(rawValue: 0x001)
  public static let output = PollEvents(rawValue: 0x004)
  public static let readNormal = PollEvents(rawValue: 0x040)
  public static let writeNormal = PollEvents(rawValue: 0x100)
  /// What a file says that has nothing to wait for: a memfd, an open `/dev/iommu`. Source: `DEFAULT_POLLMASK`.
  public static let always: PollEvents = [.input, .output, .readNormal, .writeNormal]

  public var description: String {
    var names: [String] = []
    if contains(.input) { names.append("IN") }
    if contains(.output) { names.append("OUT") }
    if contains(.readNormal) { names.append("RDNORM") }
    if contains(.writeNormal) { names.append("WRNORM") }
    return names.isEmpty ? "0" : names.joined(separator: "|")
  }
}

/// Protection and sharing of a mapping, as mmap(2) has them.
public struct MapMode: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let read = MapMode(rawValue: 1)
  public static let write = MapMode(rawValue: 2)
  public static let execute = MapMode(rawValue: 4)
  /// MAP_SHARED; without it the mapping is private.
  public static let shared = MapMode(rawValue: 8)
}

/// Memory for the calling process, from whatever stands behind the target.
public protocol UserSpace: AnyObject {
  /// Anonymous memory of `length` bytes (rounded up to pages, or to 2 MiB where `huge`), zeroed; at
  /// `address` if that is not nil, replacing what is there.
  ///
  /// - Throws: ENOMEM, or EINVAL for a misaligned address or length 0.
  func allocate(length: UInt64, at address: UInt64?, mode: MapMode, huge: Bool) throws(Errno) -> UInt64
  /// A memfd of `length` bytes (2 MiB pages where `huge`); returns its descriptor.
  func createMemFD(length: UInt64, huge: Bool) throws(Errno) -> Int32
  /// Sets the length of a memfd.
  func truncate(_ fd: Int32, length: UInt64) throws(Errno)
  func unmap(_ address: UInt64, length: UInt64) throws(Errno)
  func protect(_ address: UInt64, length: UInt64, mode: MapMode) throws(Errno)
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization
public import UAPI

/// A simulated process: memory, descriptors, and what it is allowed to do.
public final class Process: CallingTask {
  public let pid: Int32
  public let space: ProcessMemory
  /// The descriptors; to iommufd they are `files`.
  public let table: FileTable
  public let user: UserAccount
  private let capabilityBits: Atomic<UInt8>
  private let memlockBytes: Atomic<UInt64>

  /// RLIMIT_MEMLOCK as Linux sets it at boot, in bytes.
  public static let defaultMemlockLimit: UInt64 = 8 << 20

  /// A process with empty memory; by default root's, which nothing limits.
  public init(
    pid: Int32, space: ProcessMemory, files: FileTable = FileTable(), user: UserAccount,
    capabilities: Capabilities = .all, memlockLimit: UInt64 = Process.defaultMemlockLimit
  ) {
    self.pid = pid
    self.space = space
    table = files
    self.user = user
    capabilityBits = Atomic(capabilities.rawValue)
    memlockBytes = Atomic(memlockLimit)
  }

  public var memory: any AddressSpace { space }
  public var files: any DescriptorTable { table }

  public var capabilities: Capabilities {
    get { Capabilities(rawValue: capabilityBits.load(ordering: .relaxed)) }
    set { capabilityBits.store(newValue.rawValue, ordering: .relaxed) }
  }

  public var memlockLimit: UInt64 {
    get { memlockBytes.load(ordering: .relaxed) }
    set { memlockBytes.store(newValue, ordering: .relaxed) }
  }

  /// A child: the same open files, a copy of the memory, the same limits. It may be another user's, as after
  /// setuid.
  ///
  /// - Throws: ENOMEM.
  public func fork(pid: Int32, user: UserAccount? = nil) throws(Errno) -> Process {
    Process(
      pid: pid, space: try space.fork(), files: table.forked(), user: user ?? self.user,
      capabilities: capabilities, memlockLimit: memlockLimit)
  }

  /// Ends it: first its memory goes, then its descriptors, as in Linux.
  public func exit() {
    space.exit()
    table.closeAll()
  }

  /// Maps `length` bytes of an open file: its page cache, or what its driver hands out.
  ///
  /// - Throws: EBADF, ENODEV for a file that cannot be mapped, and what the file and `ProcessMemory` throw.
  public func mmap(
    _ fd: Int32, at address: UInt64? = nil, length: UInt64, offset: UInt64, mode: MapMode
  ) throws(Errno) -> UInt64 {
    guard length > 0 else { throw .EINVAL("a mapping has a length") }
    return try table.with(fd) { (file) throws(Errno) -> UInt64 in
      if let file = file as? CachedFile {
        return try space.mapFile(file, offset: offset, length: length, at: address, mode: mode)
      }
      let window = try file.mmap(length: length, offset: offset, mode: mode, by: self)
      return try space.mapWindow(window, length: length, at: address, mode: mode)
    }
  }
}

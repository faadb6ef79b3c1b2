// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// How a simulated process gets memory of its own.
public final class ProcessUserSpace: UserSpace, Sendable {
  public let process: Process

  public init(_ process: Process) { self.process = process }

  public func allocate(length: UInt64, at address: UInt64?, mode: MapMode, huge: Bool) throws(Errno) -> UInt64
  {
    try process.space.allocate(length: length, at: address, mode: mode, huge: huge)
  }

  public func createMemFD(length: UInt64, huge: Bool) throws(Errno) -> Int32 {
    let file = try MemoryFile(process.space.physical, size: length, huge: huge)
    do { return try process.table.install(file) } catch {
      file.releaseFile()
      throw error
    }
  }

  /// - Throws: EBADF, EINVAL for what has no length.
  public func truncate(_ fd: Int32, length: UInt64) throws(Errno) {
    try process.table.with(fd) { (file) throws(Errno) in
      guard let file = file as? CachedFile else { throw .EINVAL("this file has no length") }
      try file.truncate(to: length)
    }
  }

  public func unmap(_ address: UInt64, length: UInt64) throws(Errno) {
    try process.space.unmap(address, length: length)
  }

  public func protect(_ address: UInt64, length: UInt64, mode: MapMode) throws(Errno) {
    try process.space.protect(address, length: length, mode: mode)
  }
}

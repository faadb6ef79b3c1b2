// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc

/// A descriptor of the supervisor itself, closed with its last owner.
final class Descriptor: Sendable {
  let number: Int32

  init(_ number: Int32) { self.number = number }

  /// - Returns: nil when there is no such file, or no right to it.
  convenience init?(opening path: String, _ flags: Int32) {
    let number = open(path, flags | O_CLOEXEC)
    guard number >= 0 else { return nil }
    self.init(number)
  }

  /// A copy of another process's descriptor.
  convenience init?(of process: Int32, _ fd: Int32) {
    let pidfd = iofd_pidfd_open(process)
    guard pidfd >= 0 else { return nil }
    defer { close(pidfd) }
    let number = iofd_pidfd_getfd(pidfd, fd)
    guard number >= 0 else { return nil }
    self.init(number)
  }

  deinit { close(number) }

  /// Device and inode, as a number pair.
  var identity: FileIdentity? { FileIdentity(of: number) }

  var size: UInt64 {
    var status = stat()
    return fstat(number, &status) == 0 ? UInt64(max(status.st_size, 0)) : 0
  }
}

/// What file it is, whatever it is called: a device, as `stat` encodes it, and an inode.
public struct FileIdentity: Hashable, Sendable {
  var device: UInt64
  var inode: UInt64

  init(device: UInt64, inode: UInt64) {
    self.device = device
    self.inode = inode
  }

  init?(of descriptor: Int32) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
  }
}

/// The text of a small file of /proc, or nil when it is gone.
func readSmallFile(_ path: String) -> [UInt8]? {
  guard let file = Descriptor(opening: path, O_RDONLY) else { return nil }
  var bytes: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 1 << 14)
  while true {
    let count = read(file.number, &chunk, chunk.count)
    if count < 0 { return nil }
    if count == 0 { return bytes }
    bytes += chunk[..<count]
  }
}

/// Where a symbolic link of /proc points, or nil.
func readLink(_ path: String) -> String? {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 4096) { buffer in
    guard let base = buffer.baseAddress else { return nil }
    let count = readlink(path, base, 4096)
    guard count > 0 else { return nil }
    return String(
      decoding: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), as: UTF8.self)
  }
}

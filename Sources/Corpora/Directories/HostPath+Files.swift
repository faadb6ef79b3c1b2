// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import UAPI

// What is behind a path. Each of these asks the host anew, so each may be told that the file is gone.

extension HostPath {
  /// Which file it is, however many names lead to it.
  struct Identity: Hashable {
    let device: UInt64
    let node: UInt64
  }

  enum Kind {
    case file
    case directory(Identity)
    /// A pipe, a socket or a device: reading it may never end.
    case other
  }

  /// - Throws: ENOENT, EACCES, ELOOP and whatever else the host says; ENOENT for a path with a NUL in it.
  func kind() throws(Errno) -> Kind {
    let name = try terminated()
    var status = stat()
    guard stat(name, &status) == 0 else { throw Errno(code: errno) }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .directory(Identity(device: UInt64(status.st_dev), node: UInt64(status.st_ino)))
    default: return .other
    }
  }

  /// What changes when a file does.
  struct Stamp {
    let size: UInt64
    /// Of the last change of its content, in nanoseconds.
    let time: UInt64
  }

  /// - Throws: as `kind`.
  func stamp() throws(Errno) -> Stamp {
    let name = try terminated()
    var status = stat()
    guard stat(name, &status) == 0 else { throw Errno(code: errno) }
    return Stamp(
      size: UInt64(clamping: status.st_size),
      time: UInt64(bitPattern: Int64(status.st_mtim.tv_sec)) &* 1_000_000_000
        &+ UInt64(bitPattern: Int64(status.st_mtim.tv_nsec)))
  }

  /// The names in this directory in the order of their bytes, without `.` and `..`.
  func names() throws(Errno) -> NameList {
    let name = try terminated()
    guard let directory = opendir(name) else { throw Errno(code: errno) }
    defer { closedir(directory) }
    var names = NameList()
    while let entry = readdir(directory) {
      withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        let name = bytes.prefix { $0 != 0 }
        if !name.elementsEqual(".".utf8) && !name.elementsEqual("..".utf8) { names.append(name) }
      }
    }
    names.sort()
    return names
  }

  /// The bytes of a regular file, at most `limit` and one more, so that a file over the limit can be told.
  ///
  /// - Throws: what the host says; EINVAL where there is no regular file any more.
  public func contents(limit: Int) throws(Errno) -> [UInt8] {
    let name = try terminated()
    // Without O_NONBLOCK a pipe that took the file's name would be waited for.
    let descriptor = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw Errno(code: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Errno(code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .EINVAL("it is no regular file") }
    var bytes: [UInt8] = []
    var room = min(max(Int(status.st_size), 0), limit) + 1
    while room > 0 {
      var count = 0
      let chunk = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
        count = read(descriptor, buffer.baseAddress, room)
        initialized = max(0, count)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw Errno(code: errno)
      }
      if count == 0 { break }
      if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
      room = min(1 << 16, limit + 1 - bytes.count)
    }
    return bytes
  }

  private func terminated() throws(Errno) -> [CChar] {
    guard !bytes.contains(0) else { throw .ENOENT("the path has a NUL in it") }
    return bytes.map { CChar(bitPattern: $0) } + [0]
  }
}

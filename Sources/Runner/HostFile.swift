// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// Whole files of the host.
public enum HostFile {
  /// The bytes of a file, at most `limit` and one more, so that a file over the limit can be told.
  ///
  /// Reads pipes and devices too; what never ends is cut at the limit.
  public static func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure("read", path, errno) }
    defer { close(descriptor) }
    return try read(descriptor, name: path, limit: limit)
  }

  /// The same from an open descriptor.
  public static func read(_ descriptor: Int32, name: String, limit: Int) throws(FileFailure) -> [UInt8] {
    var status = stat()
    let expected = fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    var bytes: [UInt8] = []
    var room = min(max(expected + 1, 1 << 12), limit + 1)
    while bytes.count <= limit {
      var count = 0
      let chunk = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
        count = Glibc.read(descriptor, buffer.baseAddress, room)
        initialized = max(0, count)
      }
      if count < 0 {
        if errno == EINTR && !Interrupts.isRaised { continue }
        throw FileFailure("read", name, errno)
      }
      if count == 0 { break }
      if bytes.isEmpty { bytes = chunk } else { bytes += chunk }
      room = min(1 << 16, limit + 1 - bytes.count)
      if room <= 0 { break }
    }
    return bytes
  }

  /// Replaces a file by new content, or leaves it exactly as it was.
  ///
  /// The bytes go to a temporary file in the same directory, which takes the old file's permissions and
  /// then its name. What is no regular file (`/dev/full`, a pipe) has no old content to keep and is
  /// written directly. A symbolic link goes on being one: its target is replaced.
  public static func replace(_ path: String, with bytes: [UInt8]) throws(FileFailure) {
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists && status.st_mode & S_IFMT != S_IFREG {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw FileFailure("write", path, errno) }
      defer { close(descriptor) }
      try writeAll(bytes, to: descriptor, name: path)
      return
    }
    let target = exists ? resolved(path) : path
    var template = Array((target + ".XXXXXX").utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw FileFailure("write", path, errno) }
    let temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    do throws(FileFailure) {
      defer { close(descriptor) }
      try writeAll(bytes, to: descriptor, name: path)
      let mode = exists ? status.st_mode & 0o7777 : 0o666 & ~Self.creationMask
      if fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0 { throw FileFailure("write", path, errno) }
    } catch {
      unlink(temporary)
      throw error
    }
    if rename(temporary, target) != 0 {
      let code = errno
      unlink(temporary)
      throw FileFailure("write", path, code)
    }
  }

  /// Something has this name.
  public static func exists(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0
  }

  public static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Something of this name has content of its own, so that reading it neither waits nor goes on for ever.
  public static func isRegular(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// Makes the directories that a file lies in, those that are missing.
  public static func makeDirectories(above path: String) throws(FileFailure) {
    var index = path.startIndex
    while let slash = path[index...].firstIndex(of: "/") {
      if slash != path.startIndex { try makeDirectory(String(path[..<slash])) }
      index = path.index(after: slash)
    }
  }

  /// Makes a directory, if there is none of that name; the one around it must exist.
  public static func makeDirectory(_ path: String) throws(FileFailure) {
    if mkdir(path, 0o777) != 0, errno != EEXIST || !isDirectory(path) {
      throw FileFailure("make", path, errno)
    }
  }

  /// Removes a file; one that is gone is fine.
  public static func remove(_ path: String) throws(FileFailure) {
    if unlink(path) != 0, errno != ENOENT { throw FileFailure("remove", path, errno) }
  }

  /// Writes all of it, or throws.
  public static func writeAll(_ bytes: [UInt8], to descriptor: Int32, name: String) throws(FileFailure) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
      if count < 0 {
        if errno == EINTR { continue }
        throw FileFailure("write", name, errno)
      }
      written += count
    }
  }

  /// The path behind all symbolic links, or the path itself where there is none.
  public static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  /// The process's umask, which can only be read by setting it.
  public static let creationMask: UInt32 = {
    let mask = umask(0o022)
    umask(mask)
    return mask
  }()
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// A report on its way to its place: written as it comes, in constant memory, and put there when it is whole.
///
/// Until then it is a file beside the one it will replace, so a crash, Ctrl-C or a full disk leaves the report of the run before
/// as it was. What is no regular file (standard output, a pipe, `/dev/full`) gets a copy at the end.
final class SpoolFile {
  let path: String
  private var descriptor: Int32
  /// The name it has so far; nil for a file without one.
  private var temporary: String?
  private var buffer: [UInt8] = []
  private var position = 0
  private(set) var failure: FileFailure?
  private static let capacity = 1 << 16

  /// - Parameter path: `-` for standard output.
  /// - Throws: when there can be no file.
  init(_ path: String) throws(FileFailure) {
    self.path = path
    var status = stat()
    let isRegular = path != "-" && (stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG)
    if isRegular {
      let target = HostFile.resolved(path)
      var template = Array((target + ".XXXXXX").utf8CString)
      descriptor = mkstemp(&template)
      guard descriptor >= 0 else { throw FileFailure("create", path, errno) }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      temporary = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    } else {
      guard let file = NamelessFile.make() else { throw FileFailure("create", path, errno) }
      descriptor = file
    }
  }

  deinit {
    close(descriptor)
    if let temporary { unlink(temporary) }
  }

  func write(_ bytes: some Sequence<UInt8>) {
    guard failure == nil else { return }
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.capacity { flush() }
  }

  func write(_ text: String) { write(text.utf8) }

  /// Where the next byte goes.
  var offset: Int { position + buffer.count }

  /// Writes over what stands at `offset`.
  func patch(_ text: String, at offset: Int) {
    flush()
    guard failure == nil else { return }
    let bytes = Array(text.utf8)
    if pwrite(descriptor, bytes, bytes.count, off_t(offset)) != bytes.count {
      failure = FileFailure("write", path, errno)
    }
  }

  private func flush() {
    defer { buffer.removeAll(keepingCapacity: true) }
    guard failure == nil, !buffer.isEmpty else { return }
    do throws(FileFailure) {
      try HostFile.writeAll(buffer, to: descriptor, name: path)
      position += buffer.count
    } catch { failure = error }
  }

  /// Puts it where it belongs.
  func finish(standardOutput: ByteOutput) throws(FileFailure) {
    flush()
    if let failure { throw failure }
    guard let temporary else { return try copy(standardOutput) }
    var status = stat()
    let mode = stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0o666 & ~HostFile.creationMask
    guard fchmod(descriptor, mode) == 0, fsync(descriptor) == 0,
      rename(temporary, HostFile.resolved(path)) == 0
    else { throw FileFailure("write", path, errno) }
    self.temporary = nil
  }

  private func copy(_ standardOutput: ByteOutput) throws(FileFailure) {
    let output = path == "-" ? standardOutput : try ByteOutput(creating: path)
    var offset = 0
    var chunk = [UInt8](repeating: 0, count: Self.capacity)
    while true {
      let count = pread(descriptor, &chunk, chunk.count, off_t(offset))
      guard count >= 0 else { throw FileFailure("read", path, errno) }
      guard count > 0, output.failure == nil else { break }
      output.write(Array(chunk[..<count]))
      offset += count
    }
    output.flush()
    if let failure = output.failure { throw failure }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// The lines of a file of any length, one at a time.
struct LineReader {
  /// Longer lines are none of ours.
  static let longestLine = 256 << 20

  let path: String
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private var start = 0
  /// Where in the file the next line begins.
  private(set) var offset = 0
  /// The last line had an end; otherwise somebody died while he wrote it.
  private(set) var isWhole = true

  /// - Parameter descriptor: stays open, and is the caller's to close.
  init(_ descriptor: Int32, path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// The next line without its end; nil behind the last.
  ///
  /// - Throws: what the host says.
  mutating func next() throws(FileFailure) -> [UInt8]? {
    var searched = start
    while true {
      if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(buffer[start..<end])
        offset += line.count + 1
        start = end + 1
        return line
      }
      buffer.removeFirst(start)
      start = 0
      searched = buffer.count
      guard searched <= Self.longestLine else { throw FileFailure("read", path, EFBIG) }
      var count = 0
      let chunk = [UInt8](unsafeUninitializedCapacity: 1 << 18) { room, initialized in
        repeat { count = read(descriptor, room.baseAddress, room.count) } while count < 0 && errno == EINTR
        initialized = max(0, count)
      }
      guard count >= 0 else { throw FileFailure("read", path, errno) }
      if count == 0 {
        guard !buffer.isEmpty else { return nil }
        isWhole = false
        defer { buffer = [] }
        return buffer
      }
      buffer += chunk
    }
  }
}

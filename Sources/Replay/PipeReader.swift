// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// Reads one end of a pipe, through a buffer that is made once: thousands of reads a second would otherwise each ask the
/// C library for one of this size, and that for pages.
final class PipeReader {
  private static let size = 1 << 16
  private let descriptor: Int32
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { buffer.deallocate() }

  enum Receipt {
    case some
    /// The other end is closed.
    case end
    /// There is nothing now, or reading fails; `errno` says why.
    case failure(Int32)
  }

  /// Appends what is there, 64 KiB at most.
  func read(into bytes: inout [UInt8]) -> Receipt {
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { return .failure(errno) }
      guard count > 0 else { return .end }
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
      return .some
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// A file that cannot be read or written: `cannot write report.xml: No space left on device`.
public struct FileFailure: Error, Sendable, CustomStringConvertible {
  /// `read`, `write`, `create`, ...
  public let operation: String
  public let path: String
  /// The host's errno.
  public let code: Int32

  public init(_ operation: String, _ path: String, _ code: Int32) {
    self.operation = operation
    self.path = path
    self.code = code
  }

  /// Nobody reads the other end of the pipe any more.
  public var isClosedPipe: Bool { code == EPIPE }

  /// `No space left on device`
  public var reason: String { String(cString: strerror(code)) }

  public var description: String { "cannot \(operation) \(path): \(reason)" }
}

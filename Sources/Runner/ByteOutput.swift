// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// Buffered bytes to a descriptor: standard output, or a file that is written as it comes.
///
/// After a failure everything further is dropped and `failure` says why, so that a full disk or a closed
/// pipe is reported once, at a place where something can be done about it.
public final class ByteOutput {
  public let name: String
  private let descriptor: Int32
  private let ownsDescriptor: Bool
  private var buffer: [UInt8] = []
  public private(set) var failure: FileFailure?
  private static let capacity = 1 << 16

  /// A descriptor that stays open.
  public init(descriptor: Int32, name: String) {
    self.descriptor = descriptor
    self.name = name
    ownsDescriptor = false
  }

  /// A file that is created, or emptied first.
  public init(creating path: String) throws(FileFailure) {
    name = path
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    ownsDescriptor = true
    if descriptor < 0 { throw FileFailure("create", path, errno) }
  }

  deinit { if ownsDescriptor { close(descriptor) } }

  /// Standard output, as what people read.
  public static func standardOutput() -> ByteOutput { ByteOutput(descriptor: 1, name: "standard output") }
  public static func standardError() -> ByteOutput { ByteOutput(descriptor: 2, name: "standard error") }

  public var isTerminal: Bool { isatty(descriptor) == 1 }

  public func write(_ text: String) {
    guard failure == nil else { return }
    buffer.append(contentsOf: text.utf8)
    if buffer.count >= Self.capacity { flush() }
  }

  public func write(_ bytes: [UInt8]) {
    guard failure == nil else { return }
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.capacity { flush() }
  }

  /// Hands everything to the host.
  public func flush() {
    defer { buffer.removeAll(keepingCapacity: true) }
    guard failure == nil, !buffer.isEmpty else { return }
    do throws(FileFailure) {
      try HostFile.writeAll(buffer, to: descriptor, name: name)
    } catch {
      failure = error
    }
  }
}

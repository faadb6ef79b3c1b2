// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// A system call of a program that the model answered.
public struct AnsweredCall: Sendable {
  public enum Kind: Sendable {
    /// `/dev/iommu` or `/dev/vfio/vfio`; the result is the descriptor.
    case open(path: String)
    case ioctl(request: UInt32, argument: UInt64, sent: [UInt8], received: [UInt8])
    case read(address: UInt64, count: Int)
    case write(address: UInt64, count: Int)
    case mmap(length: UInt64, offset: UInt64)
  }

  public let process: Int32
  public let thread: Int32
  /// The descriptor it was made on; -1 for an open.
  public let descriptor: Int32
  /// The number of the open file of the model, counted from 1; for an open the new one's. Two descriptors of
  /// one open file have one number.
  public let file: UInt64
  public let kind: Kind
  /// An address for mmap, otherwise a count, a descriptor or 0.
  public let result: Result<Int64, Errno>
  /// What the request read and wrote in memory, where the observer wants it.
  public let memory: [MemoryEvent]

  /// The call in one line, decoded: `IOAS_ALLOC size=12 -> ok out_ioas_id=1`.
  public var line: String {
    switch kind {
    case .open(let path): "open(\"\(path)\") -> \(outcome)"
    case .ioctl(let request, let argument, let sent, let received):
      if let text = RequestText(request: request, head: sent), !sent.isEmpty {
        text.line(sent, result.map { Int32(truncatingIfNeeded: $0) }, received)
      } else {
        "ioctl(0x\(String(request, radix: 16)), 0x\(String(argument, radix: 16))) -> \(outcome)"
      }
    case .read(let address, let count): "read(0x\(String(address, radix: 16)), \(count)) -> \(outcome)"
    case .write(let address, let count): "write(0x\(String(address, radix: 16)), \(count)) -> \(outcome)"
    case .mmap(let length, let offset):
      "mmap(\(length), offset 0x\(String(offset, radix: 16))) -> \(outcome)"
    }
  }

  private var outcome: String {
    switch (result, kind) {
    case (.success(let value), .mmap): "0x" + String(UInt64(bitPattern: value), radix: 16)
    case (.success(let value), _): String(value)
    case (.failure(let errno), _): RequestText.outcome(.failure(errno), reply: "")
    }
  }
}

/// What a request did in a program's memory.
public enum MemoryEvent: Sendable {
  case read(address: UInt64, bytes: [UInt8])
  case wrote(address: UInt64, bytes: [UInt8])
  /// Pages of a range are looked at or pinned; these are the mappings that the process has there.
  case pages(first: UInt64, last: UInt64, [MappedArea])
}

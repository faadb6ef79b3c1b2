// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// A call at the waist or an action of the bench, in one word of memory: the last thing that a process did before it died is
/// read from there by another process.
public struct CallName: Hashable, Sendable, CustomStringConvertible {
  /// Nothing was called yet.
  public static let none = CallName(raw: 0)
  static let open = CallName(raw: 1)
  static let close = CallName(raw: 2)
  static let read = CallName(raw: 3)
  static let write = CallName(raw: 4)
  static let poll = CallName(raw: 5)
  static let dup = CallName(raw: 6)
  static let mmap = CallName(raw: 7)
  static let fork = CallName(raw: 8)
  static let exit = CallName(raw: 9)
  static let dma = CallName(raw: 10)
  private static let words = [
    "", "open", "close", "read", "write", "poll", "dup", "mmap", "fork", "exit", "dma",
  ]
  private static let isRequest: UInt64 = 1 << 63

  /// One of the above, or from bit 63 down: a request, its selftest operation in bits 32 to 62, its number below.
  public let raw: UInt64

  public init(raw: UInt64) { self.raw = raw }

  /// A request; `operation` is that of the selftest command.
  static func request(_ number: UInt32, operation: UInt32 = 0) -> CallName {
    CallName(raw: isRequest | UInt64(operation & 0x7FFF_FFFF) << 32 | UInt64(number))
  }

  /// `IOAS_MAP`, `TEST.MOCK_DOMAIN`, `dma`; empty for none. Whatever a dying process left there is a name.
  public var description: String {
    guard raw & Self.isRequest != 0 else {
      return raw < UInt64(Self.words.count) ? Self.words[Int(raw)] : "?"
    }
    let number = UInt32(truncatingIfNeeded: raw)
    let operation = UInt32(truncatingIfNeeded: raw >> 32) & 0x7FFF_FFFF
    guard number == CommandTable.selftest.request else {
      return CommandTable.row(request: number)?.name ?? "ioctl 0x" + String(number, radix: 16)
    }
    return "TEST." + (CommandTable.selftestOps.first { $0.number == operation }?.name ?? "?")
  }
}

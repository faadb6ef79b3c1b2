// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
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
  static let dma = CallName(raw: 8)
  private static let words = [
    "", "open", "close", "read", "write", "poll", "dup", "mmap", "dma", "fork", "switch-process",
    "exit-process", "memlock-limit", "capability", "arm-failure", "disarm-failure", "translation-request",
    "page-request", "finished", "interrupt", "plug", "unplug", "cut", "grow", "guest-table",
  ]
  private static let isRequest: UInt64 = 1 << 63

  /// One of the above, or from bit 63 down: a request, its selftest operation in bits 32 to 62, its number below.
  public let raw: UInt64

  public init(raw: UInt64) { self.raw = raw }

  /// A request; `operation` is that of the selftest command.
  static func request(_ number: UInt32, operation: UInt32 = 0) -> CallName {
    CallName(raw: isRequest | UInt64(operation & 0x7FFF_FFFF) << 32 | UInt64(number))
  }

  static func action(_ action: BenchAction) -> CallName {
    switch action {
    case .dma: .dma
    case .fork: CallName(raw: 9)
    case .switchProcess: CallName(raw: 10)
    case .exitProcess: CallName(raw: 11)
    case .setMemlockLimit: CallName(raw: 12)
    case .setCapability: CallName(raw: 13)
    case .armFailure: CallName(raw: 14)
    case .disarmFailure: CallName(raw: 15)
    case .requestTranslation: CallName(raw: 16)
    case .requestPage: CallName(raw: 17)
    case .takeFinished: CallName(raw: 18)
    case .interrupt: CallName(raw: 19)
    case .plug: CallName(raw: 20)
    case .unplug: CallName(raw: 21)
    case .cut: CallName(raw: 22)
    case .grow: CallName(raw: 23)
    case .guestTable: CallName(raw: 24)
    }
  }

  /// The request's number, if it is one.
  public var request: UInt32? { raw & Self.isRequest == 0 ? nil : UInt32(truncatingIfNeeded: raw) }

  /// The operation of a selftest request, if it is one.
  public var operation: UInt32? {
    request == CommandTable.selftest.request ? UInt32(truncatingIfNeeded: raw >> 32) & 0x7FFF_FFFF : nil
  }

  /// `IOAS_MAP`, `TEST.MOCK_DOMAIN`, `dma`; empty for none. Whatever a dying process left there is a name.
  public var description: String {
    guard let number = request else {
      return raw < UInt64(Self.words.count) ? Self.words[Int(raw)] : "?"
    }
    guard let operation else {
      return CommandTable.row(request: number)?.name ?? "ioctl 0x" + String(number, radix: 16)
    }
    return "TEST." + (CommandTable.selftestOps.first { $0.number == operation }?.name ?? "?")
  }
}

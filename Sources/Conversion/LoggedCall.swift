// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// One thing that a front end did to a target, and what came of it.
///
/// A history of these is what conversions start from, whatever made it: a corpus's program, a fuzzer's bytes or a
/// script. They are what a program can do, and what was done to its machine, and nothing of how it came to that.
public enum LoggedCall: Sendable {
  case open(path: String, Result<Int32, Errno>)
  case close(Int32, Errno?)
  case dup(Int32, Result<Int32, Errno>)
  case ioctl(LoggedRequest)
  /// The bytes are those that came.
  case read(Int32, address: UInt64, count: Int, [UInt8], Result<Int, Errno>)
  /// The bytes are those that were to go; nil where they could not be read or are too many.
  case write(Int32, address: UInt64, count: Int, [UInt8]?, Result<Int, Errno>)
  case poll(Int32, Result<PollEvents, Errno>)
  case mmap(
    Int32, at: UInt64?, length: UInt64, offset: UInt64, MapMode, Result<UInt64, Errno>)
  case allocate(length: UInt64, at: UInt64?, MapMode, isHuge: Bool, Result<UInt64, Errno>)
  case memfd(length: UInt64, isHuge: Bool, Result<Int32, Errno>)
  case truncate(Int32, length: UInt64, Errno?)
  case unmap(UInt64, length: UInt64, Errno?)
  case protect(UInt64, length: UInt64, MapMode, Errno?)
  /// The program wrote into its own memory, or looked at it.
  case stored(UInt64, [UInt8])
  case loaded(UInt64, [UInt8])
  case fork(Int32)
  case switchProcess(Int32)
  case exitProcess(Int32)
  case memlock(UInt64)
  case capability(String, isHeld: Bool)
  case device(LoggedDeviceAction)
  /// The next call never came back: it took the process along, or has no end. What it is noted with is no answer.
  case unanswered
  /// Something that has no other form, in words.
  case note(String)
  /// Step `number` of the program that the front end runs begins.
  case step(Int)
}

/// A request as it was made and answered.
public struct LoggedRequest: Sendable {
  public let fd: Int32
  public let request: UInt32
  public let argument: UInt64
  /// The struct before and after, as long as it says it is; empty where there is none, or none that can be read.
  public let sent: [UInt8]
  public let received: [UInt8]
  /// What the pointers of the struct lead to.
  public let payloads: [LoggedPayload]
  public let result: Result<Int32, Errno>

  public var errno: Errno? {
    if case .failure(let errno) = result { errno } else { nil }
  }

  /// The row's and operation's fields; nil for a request that the table does not have.
  public var structure: RequestStruct? { RequestStruct(request, head: sent) }

  public func sent(_ field: Field) -> UInt64 { Self.word(sent, field.offset, field.size) }
  public func received(_ field: Field) -> UInt64 { Self.word(received, field.offset, field.size) }

  /// The memory behind a pointer field.
  public func payload(_ field: String) -> LoggedPayload? { payloads.first { $0.field.name == field } }

  static func word(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
    guard offset + size <= bytes.count else { return 0 }
    return bytes[offset..<offset + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
  }
}

/// Memory that a request's pointer leads to.
public struct LoggedPayload: Sendable {
  public let field: Field
  public let address: UInt64
  public let length: UInt64
  /// Nil where it cannot be read, or is longer than `PayloadRule.longest`.
  public let before: [UInt8]?
  public let after: [UInt8]?
}

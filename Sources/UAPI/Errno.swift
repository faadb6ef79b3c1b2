// SPDX-License-Identifier: GPL-3.0-or-later

/// An error number as Linux returns it, together with the check that produced it.
///
/// The number is the answer: it is all that a caller of the uAPI sees, and all that control flow in the
/// model may look at (`==` compares nothing else). The check and the values it saw ride along for the
/// trace and for `why`, and so does the place of the check in the model's source: they are literals and integers, so
/// carrying them costs a copy and no allocation.
///
/// Throw the bare constant where the name says everything, or call it with a reason:
///
///     throw .ENOENT
///     throw .EINVAL("length is not a multiple of the IOAS alignment", length, alignment)
///
/// Source: `include/uapi/asm-generic/errno-base.h` and `errno.h`; what a number means to iommufd is the
/// errno table at the head of `include/uapi/linux/iommufd.h`.
public struct Errno: Error, Sendable {
  /// The positive error number, 1...133.
  public let code: Int32
  /// The check that failed, as a phrase that completes "refused because ...". Empty when the name suffices.
  public let check: StaticString
  /// What the check saw; `valueCount` of them are meaningful.
  public let values: (UInt64, UInt64, UInt64)
  public let valueCount: UInt8
  /// Where the check stands, `IOMMUFD/IOPageTable+Place.swift`; empty where no check is told.
  public let file: StaticString
  public let line: UInt32

  @inlinable
  public init(
    code: Int32, check: StaticString = "", values: (UInt64, UInt64, UInt64) = (0, 0, 0),
    valueCount: UInt8 = 0,
    file: StaticString = "", line: UInt32 = 0
  ) {
    self.code = code
    self.check = check
    self.values = values
    self.valueCount = valueCount
    self.file = file
    self.line = line
  }

  /// The same errno, with the reason for it.
  @inlinable
  public func callAsFunction(_ check: StaticString, file: StaticString = #fileID, line: UInt32 = #line)
    -> Errno
  {
    Errno(code: code, check: check, file: file, line: line)
  }

  /// The same errno, with the reason for it and the value that the check saw.
  @inlinable
  public func callAsFunction(
    _ check: StaticString, _ a: UInt64, file: StaticString = #fileID, line: UInt32 = #line
  ) -> Errno {
    Errno(code: code, check: check, values: (a, 0, 0), valueCount: 1, file: file, line: line)
  }

  /// The same errno, with the reason for it and the two values that the check compared.
  @inlinable
  public func callAsFunction(
    _ check: StaticString, _ a: UInt64, _ b: UInt64, file: StaticString = #fileID, line: UInt32 = #line
  ) -> Errno {
    Errno(code: code, check: check, values: (a, b, 0), valueCount: 2, file: file, line: line)
  }

  /// The same errno, with the reason for it and three values.
  @inlinable
  public func callAsFunction(
    _ check: StaticString, _ a: UInt64, _ b: UInt64, _ c: UInt64, file: StaticString = #fileID,
    line: UInt32 = #line
  ) -> Errno {
    Errno(code: code, check: check, values: (a, b, c), valueCount: 3, file: file, line: line)
  }
}

extension Errno: Equatable {
  @inlinable
  public static func == (a: Errno, b: Errno) -> Bool { a.code == b.code }
}

extension Errno: CustomStringConvertible {
  /// The symbolic name, for example `EADDRINUSE`; `errno 200` for a number Linux does not have.
  public var name: String { Errno.names[code] ?? "errno \(code)" }

  public var description: String { name }

  /// The reason as a sentence fragment with its values in hexadecimal, or nil when the name says it all.
  public var reason: String? {
    guard check.utf8CodeUnitCount > 0 else { return nil }
    var text = "\(check)"
    let all = [values.0, values.1, values.2].prefix(Int(valueCount))
    if !all.isEmpty {
      text += " (" + all.map { "0x" + String($0, radix: 16) }.joined(separator: ", ") + ")"
    }
    return text
  }

  /// The errno with this symbolic name, or nil.
  public init?(name: String) {
    guard let code = Errno.numbers[name] else { return nil }
    self.init(code: code)
  }
}

// The numbers that the model answers with.
extension Errno {
  public static var EPERM: Errno { Errno(code: 1) }
  public static var ENOENT: Errno { Errno(code: 2) }
  public static var EINTR: Errno { Errno(code: 4) }
  public static var EIO: Errno { Errno(code: 5) }
  public static var ENXIO: Errno { Errno(code: 6) }
  public static var E2BIG: Errno { Errno(code: 7) }
  public static var EBADF: Errno { Errno(code: 9) }
  public static var EAGAIN: Errno { Errno(code: 11) }
  public static var ENOMEM: Errno { Errno(code: 12) }
  public static var EACCES: Errno { Errno(code: 13) }
  public static var EFAULT: Errno { Errno(code: 14) }
  public static var EBUSY: Errno { Errno(code: 16) }
  public static var EEXIST: Errno { Errno(code: 17) }
  public static var ENODEV: Errno { Errno(code: 19) }
  public static var ENOTDIR: Errno { Errno(code: 20) }
  public static var EISDIR: Errno { Errno(code: 21) }
  public static var EINVAL: Errno { Errno(code: 22) }
  public static var ENFILE: Errno { Errno(code: 23) }
  public static var EMFILE: Errno { Errno(code: 24) }
  public static var ENOTTY: Errno { Errno(code: 25) }
  public static var EFBIG: Errno { Errno(code: 27) }
  public static var ENOSPC: Errno { Errno(code: 28) }
  public static var ESPIPE: Errno { Errno(code: 29) }
  public static var ERANGE: Errno { Errno(code: 34) }
  public static var EDEADLK: Errno { Errno(code: 35) }
  public static var ENOSYS: Errno { Errno(code: 38) }
  public static var EBADE: Errno { Errno(code: 52) }
  public static var EOVERFLOW: Errno { Errno(code: 75) }
  public static var EBADFD: Errno { Errno(code: 77) }
  public static var EMSGSIZE: Errno { Errno(code: 90) }
  public static var EOPNOTSUPP: Errno { Errno(code: 95) }
  public static var EADDRINUSE: Errno { Errno(code: 98) }
}

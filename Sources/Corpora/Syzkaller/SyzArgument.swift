// SPDX-License-Identifier: GPL-3.0-or-later

/// One argument, field or element: a value, and the variable that takes what the call stores there.
public struct SyzArgument: Sendable {
  /// `r1` of `<r1=>0x0`.
  public var binding: String?
  public var value: SyzValue
  // Half as wide as `Int`: a program is an array of these, and a text has 16 MiB at most.
  private var row: UInt32 = 0
  private var place: UInt32 = 0

  /// Where it begins, from 1; no part of the program (`==` does not look).
  public var line: Int {
    get { Int(row) }
    set { row = UInt32(clamping: newValue) }
  }
  public var column: Int {
    get { Int(place) }
    set { place = UInt32(clamping: newValue) }
  }

  public init(_ value: SyzValue, binding: String? = nil) {
    self.value = value
    self.binding = binding
  }

  /// One that stands somewhere in a text.
  init(_ value: SyzValue, binding: String?, line: Int, column: Int) {
    self.init(value, binding: binding)
    self.line = line
    self.column = column
  }
}

extension SyzArgument: Equatable {
  public static func == (a: SyzArgument, b: SyzArgument) -> Bool {
    a.binding == b.binding && a.value == b.value
  }
}

/// The forms that an argument can have in text.
public enum SyzValue: Sendable, Equatable {
  case integer(UInt64)
  /// `r1/2+3`.
  case result(SyzVariable)
  /// `&(0x7f0000000000)=...`, and `&(0x7f0000000000)=ANY=[...]` where `isAny`.
  indirect case pointer(SyzPlace, SyzArgument?, isAny: Bool)
  case data(SyzData)
  case structure([SyzArgument])
  case array([SyzArgument])
  /// `@name=...`, an option of a union.
  indirect case option(String, SyzArgument?)
  /// `nil`, the default of whatever is expected.
  case absent
  /// `AUTO`: a constant, or a length that is to be computed.
  case automatic
}

/// A use of a variable: its value, divided and then added to.
public struct SyzVariable: Sendable, Equatable {
  public var name: String
  /// 0 divides by nothing.
  public var divisor: UInt64
  public var addend: UInt64

  public init(_ name: String, divisor: UInt64 = 0, addend: UInt64 = 0) {
    self.name = name
    self.divisor = divisor
    self.addend = addend
  }

  public var arithmetic: SyzArithmetic { SyzArithmetic(divisor: divisor, addend: addend) }
}

/// What the use of a variable does to its value.
public struct SyzArithmetic: Sendable, Equatable {
  /// 0 divides by nothing.
  public let divisor: UInt64
  public let addend: UInt64

  public init(divisor: UInt64 = 0, addend: UInt64 = 0) {
    self.divisor = divisor
    self.addend = addend
  }

  public func apply(to value: UInt64) -> UInt64 { (divisor == 0 ? value : value / divisor) &+ addend }
}

/// Where a pointer points.
public enum SyzPlace: Sendable, Equatable {
  /// `&AUTO`: the reader finds room.
  case automatic
  /// `&(0x7f0000001000)`.
  case address(UInt64)
  /// `&(0x7f0000001000/0x2000)`: a range of pages.
  case range(UInt64, length: UInt64)
}

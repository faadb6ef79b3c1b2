// SPDX-License-Identifier: GPL-3.0-or-later

/// A value as written.
public struct Expression: Sendable {
  public var kind: Kind
  public var span: Span

  public init(_ kind: Kind, span: Span) {
    self.kind = kind
    self.span = span
  }

  public enum Kind: Sendable {
    /// `42`, `0x1000`, `64K`, `4pg`
    case number(NumberLiteral)
    /// `10ms`
    case duration(DurationLiteral)
    /// `6.15`, `6.12.3`: at least two parts.
    case version(VersionLiteral)
    /// `2027-01-01`
    case date(DateLiteral)
    /// `"text\n\x00"`: the bytes, escapes resolved.
    case string([UInt8])
    /// `hex"de ad **"`
    case hex(HexLiteral)
    /// A bare word: a keyword or an enum value, never a variable.
    case word(String)
    /// `max`: all ones, in the width of the place it goes to.
    case max
    /// `$name`
    case variable(Symbol)
    /// `$vm.areas`
    indirect case member(Expression, Name)
    /// `$buf[0x800...0xfff]`, `$areas[2]`: the index is a number or a closed range.
    indirect case index(Expression, Expression)
    /// `fill(0xa5, 4K)`, `iova(0x1000)`, `area($vm, 3)`, `raw(1)`: arguments are positional or named.
    case call(Name, [Operand])
    /// `id:3`, `any:$n`: an object by its number.
    indirect case reference(ReferenceKind, Expression)
    /// `a...b`: closed, both ends belong to it.
    indirect case range(Expression, Expression)
    /// `[a, b]`
    case list([Expression])
    /// `{ u32 40; u32 6 }`, `{dev=$d, perm=WRITE}`, `{ tlbi-nh-all }`
    case record(Record)
    /// `A|B`: flags by name, or numbers, or both: bitwise or. At least two.
    case union([Expression])
    /// `a ++ b`: bytes after bytes. At least two.
    case concatenation([Expression])
    indirect case unary(UnaryOperator, Expression)
    /// 64-bit arithmetic; a comparison gives 1 or 0.
    indirect case binary(BinaryOperator, Expression, Expression)
  }
}

public enum ReferenceKind: String, CaseIterable, Sendable {
  /// An object id, with the type check the command makes.
  case id
  /// A number put where an object id belongs, unchecked.
  case any
}

public enum UnaryOperator: String, CaseIterable, Sendable {
  case negate = "-"
  case complement = "~"
}

public enum BinaryOperator: String, CaseIterable, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case divide = "/"
  case remainder = "%"
  case and = "&"
  case exclusiveOr = "^"
  case shiftLeft = "<<"
  case shiftRight = ">>"
  case equal = "="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
}

/// An integer and how it was written.
public struct NumberLiteral: Hashable, Sendable {
  public enum Radix: UInt8, CaseIterable, Sendable {
    case binary = 2
    case octal = 8
    case decimal = 10
    case hexadecimal = 16
  }
  public enum Unit: String, CaseIterable, Sendable {
    case one = ""
    case kibi = "K"
    case mebi = "M"
    case gibi = "G"
    case tebi = "T"
    case pebi = "P"
    case exbi = "E"
    /// Pages of the host profile: the front end cannot scale it, so `value` counts pages.
    case pages = "pg"

    /// The factor as a base-2 logarithm; 0 for pages.
    public var scaleLg2: Int {
      switch self {
      case .one, .pages: 0
      case .kibi: 10
      case .mebi: 20
      case .gibi: 30
      case .tebi: 40
      case .pebi: 50
      case .exbi: 60
      }
    }
  }
  /// The number with its unit applied; for `.pages`, the number of pages.
  public var value: UInt64
  public var radix: Radix
  public var unit: Unit

  public init(_ value: UInt64, radix: Radix = .decimal, unit: Unit = .one) {
    self.value = value
    self.radix = radix
    self.unit = unit
  }
}

/// A span of virtual time.
public struct DurationLiteral: Hashable, Sendable {
  public enum Unit: String, CaseIterable, Sendable {
    case nanoseconds = "ns"
    case microseconds = "us"
    case milliseconds = "ms"
    case seconds = "s"
    case minutes = "m"

    public var nanoseconds: UInt64 {
      switch self {
      case .nanoseconds: 1
      case .microseconds: 1_000
      case .milliseconds: 1_000_000
      case .seconds: 1_000_000_000
      case .minutes: 60_000_000_000
      }
    }
  }
  public var nanoseconds: UInt64
  public var unit: Unit

  public init(nanoseconds: UInt64, unit: Unit) {
    self.nanoseconds = nanoseconds
    self.unit = unit
  }
}

/// `6.15`: compared part by part; a missing part is 0.
public struct VersionLiteral: Hashable, Sendable {
  /// Two or three parts.
  public var parts: [UInt32]

  public init(_ parts: [UInt32]) { self.parts = parts }
}

/// A day of the proleptic Gregorian calendar.
public struct DateLiteral: Hashable, Comparable, Sendable {
  public var year: UInt16
  public var month: UInt8
  public var day: UInt8

  public init(year: UInt16, month: UInt8, day: UInt8) {
    self.year = year
    self.month = month
    self.day = day
  }

  public static func < (a: DateLiteral, b: DateLiteral) -> Bool {
    (a.year, a.month, a.day) < (b.year, b.month, b.day)
  }
}

/// `hex"de ad *f"`: bytes, and which of their bits count.
public struct HexLiteral: Hashable, Sendable {
  public var bytes: [UInt8]
  /// As long as `bytes`; a nibble written `*` is 0 in both. Wildcards occur only in expectations.
  public var mask: [UInt8]

  public init(bytes: [UInt8], mask: [UInt8]) {
    self.bytes = bytes
    self.mask = mask
  }

  public var hasWildcards: Bool { mask.contains { $0 != 0xFF } }
}

/// A literal record: entries separated by `;`, `,` or line ends, each a few operands.
///
/// `{dev=$d, perm=WRITE}` and `{ size=40 flags=6 }` differ only in how many entries hold the fields;
/// `fields` reads both alike.
public struct Record: Sendable {
  public struct Entry: Sendable {
    /// At least one.
    public var operands: [Operand]
    public var span: Span

    public init(operands: [Operand], span: Span) {
      self.operands = operands
      self.span = span
    }
  }
  public var entries: [Entry]
  public var span: Span

  public init(entries: [Entry], span: Span) {
    self.entries = entries
    self.span = span
  }

  /// All operands of all entries in order; nil unless every one is `key=value`.
  public var fields: [(name: Name, value: Expression)]? {
    var fields: [(name: Name, value: Expression)] = []
    for entry in entries {
      for operand in entry.operands {
        guard case .named(let name, let value) = operand.kind else { return nil }
        fields.append((name, value))
      }
    }
    return fields
  }
}

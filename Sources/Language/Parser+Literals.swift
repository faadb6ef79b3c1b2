// SPDX-License-Identifier: GPL-3.0-or-later

// What literals are worth. The lexer has delimited them; here their bytes are read.

extension Parser {
  /// `42`, `0x1f`, `1_000`, `64K`, `4pg`, `10ms`.
  mutating func parseNumber() throws(Recover) -> Expression.Kind {
    let token = token
    let bytes = source.bytes[Int(token.offset)..<Int(token.end)]
    var digits = bytes
    var radix = NumberLiteral.Radix.decimal
    if bytes.count >= 2 && bytes[bytes.startIndex] == UInt8(ascii: "0") {
      switch bytes[bytes.startIndex + 1] {
      case UInt8(ascii: "x"), UInt8(ascii: "X"): radix = .hexadecimal
      case UInt8(ascii: "o"), UInt8(ascii: "O"): radix = .octal
      case UInt8(ascii: "b"), UInt8(ascii: "B"): radix = .binary
      default: break
      }
      if radix != .decimal { digits = bytes.dropFirst(2) }
    }
    var value: UInt64 = 0
    var count = 0
    var overflow = false
    while let digit = digits.first {
      if digit != UInt8(ascii: "_") {
        guard let worth = Self.digit(digit), worth < radix.rawValue else { break }
        let (product, high) = value.multipliedReportingOverflow(by: UInt64(radix.rawValue))
        let (sum, carry) = product.addingReportingOverflow(UInt64(worth))
        overflow = overflow || high || carry
        value = sum
        count += 1
      }
      digits = digits.dropFirst()
    }
    var written: String { excerpt(token.span) }
    guard count > 0 else {
      throw error(.malformedNumber, "'\(written)' has no digits")
    }
    if radix == .decimal && count > 1 && bytes.first == UInt8(ascii: "0") {
      throw error(
        .leadingZero, "'\(written)' begins with a zero, which some read as octal",
        help: ["write 0o for octal, or leave the zero out"])
    }
    if bytes.last == UInt8(ascii: "_") {
      throw error(.malformedNumber, "'_' stands between digits, not at the end of '\(written)'")
    }
    if overflow { throw error(.numberTooLarge, "'\(written)' does not fit in 64 bits") }
    if digits.isEmpty {
      advance()
      return .number(NumberLiteral(value, radix: radix))
    }
    // The usual unit is one letter and needs no string.
    if digits.count == 1, let letter = digits.first, let unit = Self.unit(letter) {
      return .number(try scaled(value, radix, unit))
    }
    let suffix = String(decoding: digits, as: UTF8.self)
    if let unit = DurationLiteral.Unit(rawValue: suffix), radix == .decimal {
      let (nanoseconds, overflow) = value.multipliedReportingOverflow(by: unit.nanoseconds)
      if overflow { throw error(.numberTooLarge, "'\(written)' is more than 584 years") }
      advance()
      return .duration(DurationLiteral(nanoseconds: nanoseconds, unit: unit))
    }
    guard let unit = Self.unit(suffix) else { throw badSuffix(suffix) }
    return .number(try scaled(value, radix, unit))
  }

  private mutating func scaled(
    _ value: UInt64, _ radix: NumberLiteral.Radix, _ unit: NumberLiteral.Unit
  ) throws(Recover) -> NumberLiteral {
    let (scaled, overflow) = value.multipliedReportingOverflow(by: 1 << UInt64(unit.scaleLg2))
    if overflow { throw error(.numberTooLarge, "'\(excerpt(token.span))' does not fit in 64 bits") }
    advance()
    return NumberLiteral(scaled, radix: radix, unit: unit)
  }

  private static func unit(_ letter: UInt8) -> NumberLiteral.Unit? {
    switch letter {
    case UInt8(ascii: "K"): .kibi
    case UInt8(ascii: "M"): .mebi
    case UInt8(ascii: "G"): .gibi
    case UInt8(ascii: "T"): .tebi
    case UInt8(ascii: "P"): .pebi
    case UInt8(ascii: "E"): .exbi
    default: nil
    }
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }

  /// `KiB` as `K`, and `pg`; nil for anything else.
  private static func unit(_ suffix: String) -> NumberLiteral.Unit? {
    let bytes = suffix.utf8
    if bytes.count == 3 && suffix.hasSuffix("iB"), let first = bytes.first { return unit(first) }
    return suffix == NumberLiteral.Unit.pages.rawValue ? .pages : nil
  }

  private mutating func badSuffix(_ suffix: String) -> Recover {
    let first = suffix.prefix(1).uppercased()
    if suffix.utf8.count <= 3, suffix.lowercased() != first.lowercased() + "ib" || suffix != first + "iB",
      NumberLiteral.Unit(rawValue: first) != nil, suffix.count == 1 || suffix.lowercased().hasSuffix("b")
    {
      return error(
        .ambiguousUnit, "'\(suffix)' could mean 1000 or 1024",
        help: ["write \(first) or \(first)iB for a power of 1024, or the number itself"])
    }
    if let byte = suffix.utf8.first, Self.digit(byte) != nil,
      suffix.utf8.allSatisfy({ Self.digit($0) != nil })
    {
      return error(
        .malformedNumber, "'\(excerpt(token.span))' has a digit that its base does not have",
        help: ["a hexadecimal number begins with 0x"])
    }
    return error(
      .unknownUnit, "'\(excerpt(token.span))' has no unit that is known",
      help: ["sizes: K M G T P E (powers of 1024), pg for pages; times: ns us ms s m"])
  }

  /// `6.15`, `6.12.3`
  mutating func parseVersion(token: Token) throws(Recover) -> VersionLiteral {
    var parts: [UInt32] = []
    for part in text(token).split(separator: ".") {
      guard let value = UInt32(part), part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0") else {
        throw error(
          .malformedVersion, "'\(excerpt(token.span))' is neither a number nor a version",
          help: ["numbers are integers: write 1536 or 0x600 for 1.5K", "a version reads 6.15 or 6.12.3"])
      }
      parts.append(value)
    }
    guard parts.count <= 3 else {
      throw error(.malformedVersion, "'\(excerpt(token.span))' has more than three parts")
    }
    return VersionLiteral(parts)
  }

  /// `2027-01-01`; the lexer has seen four, two and two digits.
  mutating func parseDate(token: Token) throws(Recover) -> DateLiteral {
    let parts = text(token).split(separator: "-")
    guard parts.count == 3, let year = UInt16(parts[0]), let month = UInt8(parts[1]),
      let day = UInt8(parts[2]),
      (1...12).contains(month), day >= 1, day <= Self.days(in: month, of: year)
    else {
      throw error(.malformedDate, "'\(text(token))' is not a day of the calendar", help: ["year-month-day"])
    }
    return DateLiteral(year: year, month: month, day: day)
  }

  private static func days(in month: UInt8, of year: UInt16) -> UInt8 {
    switch month {
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// The bytes of `"..."`, escapes resolved: `\n \t \r \0 \\ \" \xHH \u{HEX}`.
  mutating func parseStringBytes() throws(Recover) -> [UInt8] {
    let bytes = source.bytes
    let end = Int(token.end) - 1
    var index = Int(token.offset) + 1
    var result: [UInt8] = []
    result.reserveCapacity(end - index)
    while index < end {
      let byte = bytes[index]
      if byte != UInt8(ascii: "\\") {
        result.append(byte)
        index += 1
        continue
      }
      let start = index
      index += 2
      switch bytes[start + 1] {
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "0"): result.append(0)
      case UInt8(ascii: "\\"): result.append(UInt8(ascii: "\\"))
      case UInt8(ascii: "\""): result.append(UInt8(ascii: "\""))
      case UInt8(ascii: "x"):
        guard index + 2 <= end, let high = Self.digit(bytes[index]), let low = Self.digit(bytes[index + 1])
        else {
          throw badEscape(start, min(index + 2, end))
        }
        result.append(high << 4 | low)
        index += 2
      case UInt8(ascii: "u"):
        guard let scalar = scalar(at: &index, end: end) else { throw badEscape(start, min(index, end)) }
        result.append(contentsOf: String(Character(scalar)).utf8)
      default: throw badEscape(start, index)
      }
    }
    advance()
    return result
  }

  /// The `{1F600}` of `\u{1F600}`; moves `index` behind what it read.
  private func scalar(at index: inout Int, end: Int) -> UnicodeScalar? {
    guard index < end, source.bytes[index] == UInt8(ascii: "{") else { return nil }
    index += 1
    var value: UInt32 = 0
    var count = 0
    while index < end, count < 6, let digit = Self.digit(source.bytes[index]) {
      value = value << 4 | UInt32(digit)
      count += 1
      index += 1
    }
    guard count > 0, index < end, source.bytes[index] == UInt8(ascii: "}") else { return nil }
    index += 1
    return UnicodeScalar(value)
  }

  private mutating func badEscape(_ start: Int, _ end: Int) -> Recover {
    error(
      .unknownEscape, Span(UInt32(start), UInt32(end)), "there is no such escape in a text",
      help: [#"escapes are \n \t \r \0 \\ \" \xHH and \u{HEX}"#])
  }

  /// `hex"de ad *f"`
  mutating func parseHex() throws(Recover) -> HexLiteral {
    var literal = HexLiteral(bytes: [], mask: [])
    let end = Int(token.end) - 1
    var pending: (value: UInt8, mask: UInt8)?
    for index in Int(token.offset) + 4..<end {
      let byte = source.bytes[index]
      let here = Span(UInt32(index), UInt32(index + 1))
      if byte == 0x20 || byte == 0x09 || byte == UInt8(ascii: "_") {
        if pending != nil { throw error(.malformedHex, here, "a byte needs two digits") }
        continue
      }
      let nibble: (value: UInt8, mask: UInt8)
      if byte == UInt8(ascii: "*") {
        nibble = (0, 0)
      } else if let digit = Self.digit(byte) {
        nibble = (digit, 0xF)
      } else {
        throw error(
          .malformedHex, here, "hex\"...\" holds pairs of hexadecimal digits, spaces, and * for any digit")
      }
      if let high = pending {
        literal.bytes.append(high.value << 4 | nibble.value)
        literal.mask.append(high.mask << 4 | nibble.mask)
        pending = nil
      } else {
        pending = nibble
      }
    }
    if pending != nil {
      throw error(.malformedHex, Span(UInt32(end) - 1, UInt32(end)), "a byte needs two digits")
    }
    if literal.hasWildcards && !allowsWildcards {
      throw error(
        .wildcardOutsidePattern, "'*' stands for any digit, which only an expectation can mean",
        help: ["write the digits; wildcards belong behind ->"])
    }
    advance()
    return literal
  }
}

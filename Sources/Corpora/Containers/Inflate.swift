// SPDX-License-Identifier: GPL-3.0-or-later

/// Reads a raw DEFLATE stream: no header and no checksum around it.
///
/// The reader of every byte string: what is no stream is an error, never a trap, and no stream makes more than `limit`
/// bytes. The work is bounded by the length of the stream and the limit.
///
/// Source: RFC 1951, section 3.2.
struct Inflate {
  enum Failure: Error, CustomStringConvertible {
    /// The stream goes on behind the end of the bytes.
    case truncated
    case invalid(String)
    /// There are more bytes in it than the limit.
    case tooLong(limit: Int)

    var description: String {
      switch self {
      case .truncated: "the compressed data end too early"
      case .invalid(let what): "no compressed data: \(what)"
      case .tooLong(let limit): "inflates to more than \(limit) bytes"
      }
    }
  }

  private let source: ArraySlice<UInt8>
  private let limit: Int
  private var position: Int
  /// Bits that were read and not used, the next one lowest. Behind the end of the source they are zeros.
  private var bits: UInt64 = 0
  private var bitCount = 0
  private var output: [UInt8] = []

  /// The bytes in `source`. What lies behind the end of the stream is ignored.
  static func bytes(_ source: ArraySlice<UInt8>, limit: Int) throws(Failure) -> [UInt8] {
    var inflate = Inflate(source: source, limit: limit)
    while try inflate.block() {}
    return inflate.output
  }

  private init(source: ArraySlice<UInt8>, limit: Int) {
    self.source = source
    self.limit = limit
    position = source.startIndex
  }

  /// Reads a block; returns whether another follows.
  private mutating func block() throws(Failure) -> Bool {
    let isLast = try take(1) == 1
    switch try take(2) {
    case 0: try storedBlock()
    case 1: try coded(Self.fixedLiterals, Self.fixedDistances)
    case 2:
      let (literals, distances) = try codes()
      try coded(literals, distances)
    default: throw .invalid("a block of type 3")
    }
    return !isLast
  }

  // MARK: Bits

  private mutating func refill() {
    while bitCount <= 56 && position < source.endIndex {
      bits |= UInt64(source[position]) << UInt64(bitCount)
      position += 1
      bitCount += 8
    }
  }

  /// The next `count` bits, up to 16.
  private mutating func take(_ count: Int) throws(Failure) -> Int {
    if bitCount < count { refill() }
    guard bitCount >= count else { throw .truncated }
    let value = Int(bits & (1 << UInt64(count) - 1))
    bits >>= UInt64(count)
    bitCount -= count
    return value
  }

  @inline(never)
  private mutating func symbol(_ code: borrowing PrefixCode) throws(Failure) -> Int {
    if bitCount < PrefixCode.longest { refill() }
    let entry = code.fast[Int(bits & (1 << UInt64(PrefixCode.fastBits) - 1))]
    var (symbol, length) = (Int(entry >> 4), Int(entry & 15))
    if entry == 0 {
      guard let found = code.slow(bits) else {
        if bitCount < PrefixCode.longest { throw .truncated }
        throw .invalid("a word that its code does not have")
      }
      (symbol, length) = found
    }
    guard bitCount >= length else { throw .truncated }
    bits >>= UInt64(length)
    bitCount -= length
    return symbol
  }

  // MARK: Blocks

  /// Section 3.2.4.
  private mutating func storedBlock() throws(Failure) {
    _ = try take(bitCount & 7)
    let length = try take(16)
    guard try take(16) ^ length == 0xFFFF else {
      throw .invalid("a stored block's length and its complement")
    }
    // Whole bytes that were read ahead are given back.
    position -= bitCount / 8
    bits = 0
    bitCount = 0
    guard source.endIndex - position >= length else { throw .truncated }
    guard limit - output.count >= length else { throw .tooLong(limit: limit) }
    output += source[position..<position + length]
    position += length
  }

  /// Sections 3.2.5 and 3.2.6.
  private mutating func coded(_ literals: PrefixCode, _ distances: PrefixCode) throws(Failure) {
    while true {
      let symbol = try symbol(literals)
      if symbol == 256 { return }
      guard symbol > 256 else {
        guard output.count < limit else { throw .tooLong(limit: limit) }
        output.append(UInt8(symbol))
        continue
      }
      guard symbol < 286 else { throw .invalid("a length of code \(symbol)") }
      let length = Self.lengthBase[symbol - 257] + (try take(Self.lengthBits[symbol - 257]))
      let code = try self.symbol(distances)
      guard code < 30 else { throw .invalid("a distance of code \(code)") }
      let distance = Self.distanceBase[code] + (try take(Self.distanceBits[code]))
      try copy(length, from: distance)
    }
  }

  @inline(never)
  private mutating func copy(_ length: Int, from distance: Int) throws(Failure) {
    guard distance <= output.count else { throw .invalid("a distance to before the beginning") }
    guard limit - output.count >= length else { throw .tooLong(limit: limit) }
    let start = output.count - distance
    // What is copied may be what the copy makes.
    for index in 0..<length { output.append(output[start + index]) }
  }

  /// The codes of a block that brings its own. Section 3.2.7.
  @inline(never)
  private mutating func codes() throws(Failure) -> (literals: PrefixCode, distances: PrefixCode) {
    let literalCount = try take(5) + 257
    let distanceCount = try take(5) + 1
    let lengthCount = try take(4) + 4
    guard literalCount <= 286 && distanceCount <= 30 else { throw .invalid("too many codes") }
    var lengths = [UInt8](repeating: 0, count: 19)
    for place in Self.lengthOrder.prefix(lengthCount) { lengths[place] = UInt8(try take(3)) }
    guard let lengthCode = PrefixCode(lengths: lengths[...]) else {
      throw .invalid("the code of code lengths")
    }
    lengths = []
    while lengths.count < literalCount + distanceCount {
      let symbol = try symbol(lengthCode)
      let (value, count): (UInt8, Int)
      switch symbol {
      case 16:
        guard let last = lengths.last else { throw .invalid("a repeated length before the first") }
        (value, count) = (last, 3 + (try take(2)))
      case 17: (value, count) = (0, 3 + (try take(3)))
      case 18: (value, count) = (0, 11 + (try take(7)))
      default: (value, count) = (UInt8(symbol), 1)
      }
      guard lengths.count + count <= literalCount + distanceCount else { throw .invalid("too many lengths") }
      lengths += repeatElement(value, count: count)
    }
    guard lengths[256] != 0 else { throw .invalid("a block without an end") }
    guard let literals = PrefixCode(lengths: lengths[..<literalCount]),
      let distances = PrefixCode(lengths: lengths[literalCount...])
    else { throw .invalid("lengths that are not a code's") }
    return (literals, distances)
  }

  // MARK: Tables

  private static let lengthOrder = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15]
  private static let lengthBits =
    [Int](repeating: 0, count: 8) + (1...5).flatMap { [Int](repeating: $0, count: 4) } + [0]
  private static let distanceBits = [0, 0] + (0...13).flatMap { [$0, $0] }
  /// Codes follow each other without a gap, but for the last, which is 258 once more.
  private static let lengthBase = bases(lengthBits.dropLast(), from: 3) + [258]
  private static let distanceBase = bases(distanceBits[...], from: 1)

  private static func bases(_ bits: ArraySlice<Int>, from first: Int) -> [Int] {
    var next = first
    return bits.map { count in
      defer { next += 1 << count }
      return next
    }
  }

  private static let fixedLiterals = code(
    [UInt8](repeating: 8, count: 144) + [UInt8](repeating: 9, count: 112) + [UInt8](repeating: 7, count: 24)
      + [UInt8](repeating: 8, count: 8))
  private static let fixedDistances = code([UInt8](repeating: 5, count: 32))

  private static func code(_ lengths: [UInt8]) -> PrefixCode {
    guard let code = PrefixCode(lengths: lengths[...]) else {
      preconditionFailure("a fixed code is complete")
    }
    return code
  }
}

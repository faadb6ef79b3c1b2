// SPDX-License-Identifier: GPL-3.0-or-later

// Reading the text of recorded programs, byte by byte: with strings it took a third of the time of playing them.

extension RecordedProgram {
  /// Every program of a file, given as its bytes.
  ///
  /// - Throws: `Malformed` for the first line that is not understood.
  public static func parse(_ bytes: [UInt8]) throws(Malformed) -> [RecordedProgram] {
    try bytes.withUnsafeBufferPointer { buffer throws(Malformed) in
      var parser = RecordedParser()
      var number = 0
      var start = 0
      while start <= buffer.count {
        number += 1
        var end = start
        while end < buffer.count, buffer[end] != UInt8(ascii: "\n") { end += 1 }
        let line = UnsafeBufferPointer(rebasing: buffer[start..<end])
        guard parser.take(line) else {
          let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
          throw Malformed(
            line: number, text: words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " "))
        }
        start = end + 1
      }
      return parser.finished()
    }
  }
}

/// Puts programs together, line by line.
private struct RecordedParser {
  private typealias Word = UnsafeBufferPointer<UInt8>

  private var programs: [RecordedProgram] = []
  private var name: String?
  private var steps: [RecordedProgram.Step] = []
  /// Of the line that is being read; kept for its room.
  private var words: [Word] = []

  mutating func finished() -> [RecordedProgram] {
    if let name { programs.append(RecordedProgram(name: name, steps: steps)) }
    return programs
  }

  /// False for a line that is not understood.
  mutating func take(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
    split(line)
    guard let first = words.first, first.first != UInt8(ascii: "#") else { return true }
    if Self.isWord(first, "prog") {
      guard words.count == 2 else { return false }
      if let name { programs.append(RecordedProgram(name: name, steps: steps)) }
      name = String(decoding: words[1], as: UTF8.self)
      steps = []
      return true
    }
    guard name != nil, let step = step(first) else { return false }
    steps.append(step)
    return true
  }

  private mutating func split(_ line: UnsafeBufferPointer<UInt8>) {
    words.removeAll(keepingCapacity: true)
    var start = 0
    for index in 0...line.count {
      guard index == line.count || line[index] == UInt8(ascii: " ") || line[index] == UInt8(ascii: "\t")
      else {
        continue
      }
      if index > start { words.append(UnsafeBufferPointer(rebasing: line[start..<index])) }
      start = index + 1
    }
  }

  private static func isWord(_ word: Word, _ text: StaticString) -> Bool {
    guard word.count == text.utf8CodeUnitCount else { return false }
    for index in 0..<word.count where word[index] != text.utf8Start[index] { return false }
    return true
  }

  // MARK: Steps

  private func step(_ verb: Word) -> RecordedProgram.Step? {
    if Self.isWord(verb, "ioctl") { return ioctl() }
    if Self.isWord(verb, "put") {
      guard words.count == 4, let at = Self.operand(words[1]), let width = Self.width(words[2]),
        let value = Self.operand(words[3])
      else { return nil }
      return .put(at, width: width, value)
    }
    if Self.isWord(verb, "dump") {
      guard words.count == 3, let at = Self.operand(words[1]), let count = Self.count(words[2]) else {
        return nil
      }
      return .dump(at, count: count)
    }
    if Self.isWord(verb, "mem") {
      guard words.count == 4, let at = Self.operand(words[1]), let byte = Self.integer(words[2]),
        let count = Self.count(words[3])
      else { return nil }
      return .fill(at, byte: UInt8(truncatingIfNeeded: byte), count: count)
    }
    if Self.isWord(verb, "open") { return words.count > 1 ? Self.register(words[1]).map { .open($0) } : nil }
    if Self.isWord(verb, "close") {
      return words.count > 1 ? Self.register(words[1]).map { .close($0) } : nil
    }
    if Self.isWord(verb, "unmapmem") {
      guard words.count == 3, let at = Self.operand(words[1]), let length = Self.integer(words[2]) else {
        return nil
      }
      return .unmap(at, length: length)
    }
    if Self.isWord(verb, "opendev") {
      guard words.count == 3, let register = Self.register(words[1]), let number = Self.integer(words[2]),
        let number = Int32(exactly: number)
      else { return nil }
      return .openDevice(register, number: Int(number))
    }
    return queueStep(verb)
  }

  private func queueStep(_ verb: Word) -> RecordedProgram.Step? {
    if Self.isWord(verb, "memfd") {
      guard words.count == 3, let register = Self.register(words[1]), let length = Self.integer(words[2])
      else {
        return nil
      }
      return .memfd(register, length: length)
    }
    if Self.isWord(verb, "poll") {
      return words.count == 2 ? Self.operand(words[1]).map { .poll(fd: $0) } : nil
    }
    let isRead = Self.isWord(verb, "read")
    guard isRead || Self.isWord(verb, "write"), words.count == 4, let fd = Self.operand(words[1]),
      let at = Self.operand(words[2]), let count = Self.count(words[3])
    else { return nil }
    return isRead ? .read(fd: fd, at, count: count) : .write(fd: fd, at, count: count)
  }

  private func ioctl() -> RecordedProgram.Step? {
    guard words.count >= 4, let fd = Self.operand(words[1]),
      let request = Self.integer(words[2]).flatMap({ UInt32(exactly: $0) }),
      let size = Self.integer(words[3]),
      size <= RecordedProgram.longestStruct
    else { return nil }
    var stores: [RecordedProgram.Store] = []
    var loads: [RecordedProgram.Load] = []
    stores.reserveCapacity(words.count - 4)
    for word in words[4...] {
      if word.count >= 3, word[0] == UInt8(ascii: "r"), word[1] == UInt8(ascii: "c"),
        word[2] == UInt8(ascii: ">")
      {
        guard let load = Self.load(Self.drop(3, of: word), offset: nil, width: 4) else { return nil }
        loads.append(load)
        continue
      }
      // OFFSET:WIDTH=VALUE, OFFSET:WIDTH>REGISTER
      guard let colon = word.firstIndex(of: UInt8(ascii: ":")),
        let offset = Self.integer(Word(rebasing: word[..<colon])),
        let sign = word[colon...].firstIndex(where: { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: ">") }),
        let width = Self.width(Word(rebasing: word[(colon + 1)..<sign])),
        offset <= RecordedProgram.longestStruct - width
      else { return nil }
      let value = Self.drop(sign + 1, of: word)
      if word[sign] == UInt8(ascii: "=") {
        guard let value = Self.operand(value) else { return nil }
        stores.append(RecordedProgram.Store(offset: Int(offset), width: width, value: value))
      } else {
        guard let load = Self.load(value, offset: Int(offset), width: width) else { return nil }
        loads.append(load)
      }
    }
    return .ioctl(fd: fd, request: request, size: Int(size), stores: stores, loads: loads)
  }

  // MARK: Words

  private static func drop(_ count: Int, of word: Word) -> Word { Word(rebasing: word[count...]) }

  /// `R` or `fR`.
  private static func load(_ word: Word, offset: Int?, width: Int) -> RecordedProgram.Load? {
    let isDescriptor = word.first == UInt8(ascii: "f")
    return register(isDescriptor ? drop(1, of: word) : word).map {
      RecordedProgram.Load(offset: offset, width: width, register: $0, isDescriptor: isDescriptor)
    }
  }

  private static func operand(_ word: Word) -> RecordedProgram.Operand? {
    switch word.first {
    case UInt8(ascii: "$"): register(drop(1, of: word)).map { .register($0) }
    case UInt8(ascii: "+"): integer(drop(1, of: word)).map { .area($0) }
    default: integer(word).map { .constant($0) }
    }
  }

  /// A decimal number, which counts round the registers.
  private static func register(_ word: Word) -> Int? {
    guard word.first != UInt8(ascii: "0") || word.count == 1 || word[1] != UInt8(ascii: "x"),
      let number = integer(word), number <= UInt64(Int.max)
    else { return nil }
    return Int(number % 256)
  }

  private static func width(_ word: Word) -> Int? {
    guard word.count == 1, UInt8(ascii: "1")...UInt8(ascii: "8") ~= word[0] else { return nil }
    return Int(word[0] - UInt8(ascii: "0"))
  }

  /// Bytes of the data area.
  private static func count(_ word: Word) -> Int? {
    guard let count = integer(word), count <= RecordedProgram.areaLength else { return nil }
    return Int(count)
  }

  /// A number as strtoull reads it: one that is too large is the largest.
  private static func integer(_ word: Word) -> UInt64? {
    let isHexadecimal = word.count > 2 && word[0] == UInt8(ascii: "0") && word[1] == UInt8(ascii: "x")
    let radix: UInt64 = isHexadecimal ? 16 : 10
    guard !word.isEmpty else { return nil }
    var value: UInt64 = 0
    var isTooLarge = false
    for byte in isHexadecimal ? word[2...] : word[...] {
      let digit: UInt64
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = UInt64(byte - UInt8(ascii: "0"))
      case UInt8(ascii: "a")...UInt8(ascii: "f") where isHexadecimal:
        digit = UInt64(byte - UInt8(ascii: "a")) + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F") where isHexadecimal:
        digit = UInt64(byte - UInt8(ascii: "A")) + 10
      default: return nil
      }
      let (product, overflow) = value.multipliedReportingOverflow(by: radix)
      let (sum, carry) = product.addingReportingOverflow(digit)
      isTooLarge = isTooLarge || overflow || carry
      value = sum
    }
    return isTooLarge ? .max : value
  }
}

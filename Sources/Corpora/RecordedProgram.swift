// SPDX-License-Identifier: GPL-3.0-or-later

/// One program of raw ioctls, as the kernel recordings hold them.
///
///     prog NAME                       begins a program with a fresh data area
///     open R                          register R = open("/dev/iommu")
///     close R
///     mem ADDR BYTE LEN               fills memory
///     put ADDR WIDTH VALUE            stores a little-endian value
///     unmapmem ADDR LEN
///     dump ADDR LEN                   prints memory as hex
///     ioctl FD CMD SIZE [OFF:WIDTH=VALUE]... [OFF:WIDTH>R]... [rc>R]
///     memfd R LEN                     register R = a memfd of that length
///     read FD ADDR LEN                reads from a queue into memory
///     write FD ADDR LEN
///     poll FD
///
/// ADDR is an offset into the data area where it begins with `+`; VALUE likewise, or a register where it
/// begins with `$`. `>R` loads a register, `>fR` one that is a descriptor: it is closed at the program's end and
/// not printed. `#` begins a comment line.
///
/// The last four steps and `rc>` (the result of the call into a register) are younger than the first recordings.
/// They reach what those cannot: files mapped into an IOAS, dma-bufs, and the queues of faults and events.
public struct RecordedProgram: Sendable, Equatable {
  public let name: String
  public let steps: [Step]

  public init(name: String, steps: [Step]) {
    self.name = name
    self.steps = steps
  }

  public enum Operand: Sendable, Hashable {
    case constant(UInt64)
    case area(UInt64)
    case register(Int)
  }

  public struct Store: Sendable, Hashable {
    public let offset: Int
    public let width: Int
    public let value: Operand
  }

  public struct Load: Sendable, Hashable {
    /// Nil loads the result of the call.
    public let offset: Int?
    public let width: Int
    public let register: Int
    /// The value is a descriptor: it is closed at the end, and not compared.
    public let isDescriptor: Bool
  }

  public enum Step: Sendable, Hashable {
    case open(Int)
    case close(Int)
    case fill(Operand, byte: UInt8, count: Int)
    case put(Operand, width: Int, Operand)
    case unmap(Operand, length: UInt64)
    case dump(Operand, count: Int)
    /// `size` 0 passes a null pointer.
    case ioctl(fd: Operand, request: UInt32, size: Int, stores: [Store], loads: [Load])
    case memfd(Int, length: UInt64)
    case read(fd: Operand, Operand, count: Int)
    case write(fd: Operand, Operand, count: Int)
    case poll(fd: Operand)
  }

  /// A line that is not of the format.
  public struct Malformed: Error, CustomStringConvertible {
    public let line: Int
    public let text: String
    public var description: String { "line \(line) is not a step of a recorded program: \(text)" }
  }

  /// Longest struct that a step may pass, and most memory that one may touch, in bytes.
  public static let longestStruct = 4096
  public static let areaLength = 16 << 20

  /// Every program of a file, given as its bytes.
  ///
  /// - Throws: `Malformed` for the first line that is not understood.
  public static func parse(_ bytes: [UInt8]) throws(Malformed) -> [RecordedProgram] {
    var programs: [RecordedProgram] = []
    var name: String?
    var steps: [Step] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }.map {
        Substring(decoding: $0, as: UTF8.self)
      }
      guard let first = words.first, first.first != "#" else { continue }
      if first == "prog" {
        guard words.count == 2 else { throw Malformed(line: number, text: words.joined(separator: " ")) }
        if let name { programs.append(RecordedProgram(name: name, steps: steps)) }
        name = String(words[1])
        steps = []
        continue
      }
      guard name != nil, let step = step(words) else {
        throw Malformed(line: number, text: words.joined(separator: " "))
      }
      steps.append(step)
    }
    if let name { programs.append(RecordedProgram(name: name, steps: steps)) }
    return programs
  }

  private static func step(_ words: [Substring]) -> Step? {
    let rest = words.dropFirst()
    switch words[0] {
    case "open": return register(rest.first).map { .open($0) }
    case "close": return register(rest.first).map { .close($0) }
    case "mem":
      guard words.count == 4, let at = operand(words[1]), let byte = integer(words[2]),
        let count = integer(words[3]), count <= areaLength
      else { return nil }
      return .fill(at, byte: UInt8(truncatingIfNeeded: byte), count: Int(count))
    case "put":
      guard words.count == 4, let at = operand(words[1]), let width = width(words[2]),
        let value = operand(words[3])
      else { return nil }
      return .put(at, width: width, value)
    case "unmapmem":
      guard words.count == 3, let at = operand(words[1]), let length = integer(words[2]) else { return nil }
      return .unmap(at, length: length)
    case "dump":
      guard words.count == 3, let at = operand(words[1]), let count = integer(words[2]), count <= areaLength
      else { return nil }
      return .dump(at, count: Int(count))
    case "ioctl": return ioctl(words)
    case "memfd":
      guard words.count == 3, let register = register(words[1]), let length = integer(words[2]) else {
        return nil
      }
      return .memfd(register, length: length)
    case "read", "write":
      guard words.count == 4, let fd = operand(words[1]), let at = operand(words[2]),
        let count = integer(words[3]), count <= areaLength
      else { return nil }
      return words[0] == "read"
        ? .read(fd: fd, at, count: Int(count)) : .write(fd: fd, at, count: Int(count))
    case "poll":
      guard words.count == 2, let fd = operand(words[1]) else { return nil }
      return .poll(fd: fd)
    default: return nil
    }
  }

  private static func ioctl(_ words: [Substring]) -> Step? {
    guard words.count >= 4, let fd = operand(words[1]), let request = integer(words[2]),
      let request = UInt32(exactly: request), let size = integer(words[3]), size <= longestStruct
    else { return nil }
    var stores: [Store] = []
    var loads: [Load] = []
    for word in words.dropFirst(4) {
      if word.hasPrefix("rc>") {
        guard let load = load(word.dropFirst(3), offset: nil, width: 4) else { return nil }
        loads.append(load)
        continue
      }
      guard let colon = word.firstIndex(of: ":"), let offset = integer(word[..<colon]) else { return nil }
      let tail = word[word.index(after: colon)...]
      guard let sign = tail.firstIndex(where: { $0 == "=" || $0 == ">" }), let width = width(tail[..<sign]),
        offset <= longestStruct - width
      else { return nil }
      let value = tail[tail.index(after: sign)...]
      if tail[sign] == "=" {
        guard let value = operand(value) else { return nil }
        stores.append(Store(offset: Int(offset), width: width, value: value))
      } else {
        guard let load = load(value, offset: Int(offset), width: width) else { return nil }
        loads.append(load)
      }
    }
    return .ioctl(fd: fd, request: request, size: Int(size), stores: stores, loads: loads)
  }

  /// `R` or `fR`.
  private static func load(_ word: Substring, offset: Int?, width: Int) -> Load? {
    let isDescriptor = word.first == "f"
    return register(isDescriptor ? word.dropFirst() : word).map {
      Load(offset: offset, width: width, register: $0, isDescriptor: isDescriptor)
    }
  }

  private static func operand(_ word: Substring) -> Operand? {
    switch word.first {
    case "$": register(word.dropFirst()).map { .register($0) }
    case "+": integer(word.dropFirst()).map { .area($0) }
    default: integer(word).map { .constant($0) }
    }
  }

  private static func register(_ word: Substring?) -> Int? {
    guard let word, let number = Int(word), number >= 0 else { return nil }
    return number % 256
  }

  private static func width(_ word: Substring) -> Int? {
    guard let width = Int(word), (1...8).contains(width) else { return nil }
    return width
  }

  /// A number as strtoull reads it: one that is too large is the largest.
  private static func integer(_ word: Substring) -> UInt64? {
    let (digits, radix) = word.hasPrefix("0x") ? (word.dropFirst(2), 16) : (word, 10)
    guard !digits.isEmpty, digits.allSatisfy({ $0.hexDigitValue.map { $0 < radix } ?? false }) else {
      return nil
    }
    return UInt64(digits, radix: radix) ?? .max
  }
}

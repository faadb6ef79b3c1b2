// SPDX-License-Identifier: GPL-3.0-or-later

/// What a real IOMMU driver did, step by step: the requests made through iommufd, and what the driver wrote into
/// context structures, page tables and command queues for each.
///
/// A file has one fact a line. What follows a `step` belongs to it, until the next:
///
///     step map iova=20000 len=2000 flags=5     a request; every number is hexadecimal, flags decimal
///     pages 19d8000 x1 19d7000 x1              the physical pages behind a map, in runs
///     rc 0 errno 0 ...                         its result, and what else it returned
///     cmd Q0 Q1                                a queue entry that it caused
///     ctx NAME = W0 W1 ...                     a context structure; `ctx registers` has NAME=VALUE instead
///     pte LEVEL INDEX... = RAW [xN +STEP]      a present table entry; a run of leaves is one line
///     dma read|write IOVA                      a device's access; `log` lines have what the driver said of it
///
/// `Line.description` is the line again, character by character, so whoever compares knows what is equal.
public struct DriverRecording: Sendable {
  public struct Run: Hashable, Sendable {
    public let address: UInt64
    public let pages: UInt64
  }

  /// A present entry of a page table, or a run of leaves that differ by a constant.
  public struct Entry: Hashable, Sendable {
    public var level: Int
    /// Indexes that lead to it from the root; the last one is the entry's.
    public var path: [Int]
    public var raw: UInt64
    public var count: UInt64 = 1
    public var step: UInt64 = 0

    public init(level: Int, path: [Int], raw: UInt64, count: UInt64 = 1, step: UInt64 = 0) {
      self.level = level
      self.path = path
      self.raw = raw
      self.count = count
      self.step = step
    }
  }

  public enum Request: Hashable, Sendable {
    case map(iova: UInt64, length: UInt64, flags: UInt64)
    case unmap(iova: UInt64, length: UInt64)
    case allocateHWPT(flags: UInt64)
    /// Anything else, by its words: `bind`, `attach ioas`, `hw_info`, `ranges`, `detach`.
    case other(String)
  }

  public enum Line: Hashable, Sendable {
    case step(Request)
    case pages([Run])
    case result(code: Int, errno: Int, rest: String)
    case command([UInt64])
    case context(name: String, words: [UInt64])
    case registers([Register])
    case entry(Entry)
    case dma(isWrite: Bool, iova: UInt64)
    case log(String)
    case comment(String)
  }

  public struct Register: Hashable, Sendable {
    public let name: String
    public let value: UInt64
    /// Digits that it was printed with: registers differ in width.
    public let digits: Int

    public init(name: String, value: UInt64, digits: Int) {
      self.name = name
      self.value = value
      self.digits = digits
    }
  }

  /// A request with everything that was seen of it. What was seen before the first has no request.
  public struct Step: Sendable {
    public var request: Request?
    public var lines: [Line]
  }

  /// A line that is not of the format.
  public struct Malformed: Error, CustomStringConvertible {
    public let line: Int
    public let text: String
    public var description: String { "line \(line) is not of a driver recording: \(text)" }
  }

  public let lines: [Line]

  /// Whether a file begins like a driver recording.
  public static func isOne(_ bytes: [UInt8]) -> Bool {
    for line in bytes.prefix(1 << 16).split(separator: UInt8(ascii: "\n"))
    where line.first != UInt8(ascii: "#") {
      return line.starts(with: Array("ctx ".utf8)) || line.starts(with: Array("step ".utf8))
    }
    return false
  }

  /// - Throws: `Malformed` for the first line that is not understood.
  public init(_ bytes: [UInt8]) throws(Malformed) {
    var lines: [Line] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      guard !line.isEmpty else { continue }
      let text = String(decoding: line, as: UTF8.self)
      guard let line = Self.parse(text) else { throw Malformed(line: number, text: text) }
      lines.append(line)
    }
    self.lines = lines
  }

  public var steps: [Step] {
    var steps = [Step(request: nil, lines: [])]
    for line in lines {
      if case .step(let request) = line {
        steps.append(Step(request: request, lines: []))
      } else {
        steps[steps.count - 1].lines.append(line)
      }
    }
    if steps[0].lines.isEmpty { steps.removeFirst() }
    return steps
  }

  /// Joins leaves into runs as the recorder does. The first two of a run decide by what its entries differ.
  public struct RunJoiner {
    public private(set) var entries: [Entry] = []
    private var isOpen = false
    public init() {}

    /// Takes the next present entry, in the order of the walk: an entry before what is below it.
    public mutating func add(level: Int, path: [Int], raw: UInt64, isLeaf: Bool) {
      if isLeaf, isOpen, let before = entries.last, before.level == level,
        before.path.dropLast() == path.dropLast(),
        let first = before.path.last, let index = path.last, index == first + Int(before.count)
      {
        let step = before.count == 1 ? raw &- before.raw : before.step
        if raw == before.raw &+ before.count &* step {
          entries[entries.count - 1].count += 1
          entries[entries.count - 1].step = step
          return
        }
      }
      entries.append(Entry(level: level, path: path, raw: raw))
      isOpen = isLeaf
    }
  }
}

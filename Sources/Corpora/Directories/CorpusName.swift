// SPDX-License-Identifier: GPL-3.0-or-later

/// What the name of an input says about it. A name is a label only: inputs are told apart by their content.
///
///     id:000012,sig:11,src:000003+000007,time:1234,execs:567,op:splice,rep:4,+cov      AFL
///     crash-da39a3ee5e6b4b0d3255bfef95601890afd80709                                   libFuzzer
///     da39a3ee5e6b4b0d3255bfef95601890afd80709-2                                       syzkaller
///     SIGSEGV.PC.4a1.STACK.18.CODE.1.ADDR.0.INSTR.mov.fuzz                             honggfuzz
///
/// Source: AFL++ `src/afl-fuzz-bitmap.c` (describe_op) and `src/afl-fuzz-init.c`; LLVM's
/// `FuzzerLoop.cpp` (WriteUnitToFileWithPrefix); honggfuzz `linux/trace.c` and `input.c`; reference corpora.md
/// sections 6.5 and 7.
public struct CorpusName: Sendable, Equatable {
  public enum Origin: String, Sendable {
    case libFuzzer, afl, honggfuzz, syzkaller, unknown
  }

  /// What became of the input when its fuzzer ran it.
  public enum Role: String, Sendable {
    case input, crash, hang, leak
    case outOfMemory = "oom"
    case slow
    /// A smaller form of a crashing input.
    case minimized
  }

  public var origin = Origin.unknown
  public var role = Role.input
  /// The number in AFL's queue, or syzkaller's sequence number.
  public var id: UInt64?
  /// `SIGSEGV`, or the number as AFL has it.
  public var signal: String?
  /// The numbers of what it was made from; two after a splice.
  public var sources: [UInt64] = []
  /// AFL: the file that it was imported from, or the instance that it was copied from.
  public var importedFrom: String?
  /// AFL: milliseconds and executions after which it was found.
  public var milliseconds: UInt64?
  public var executions: UInt64?
  /// AFL: the stage that made it, `havoc` for example.
  public var operation: String?
  /// AFL: it reached what nothing before it did; it took longer than the limit.
  public var hasNewCoverage = false
  public var hasTimedOut = false
  /// The SHA-1 in the name, as 40 digits: mostly that of the content.
  public var hash: String?

  /// What `name` says; nothing where it follows no fuzzer's custom.
  public init(_ name: String) {
    if name.hasPrefix("id:") || name.hasPrefix("id_") {
      readAFL(name)
    } else if name.hasSuffix(".honggfuzz.cov") || name.hasPrefix("SIG") && name.contains(".PC.") {
      readHonggfuzz(name)
    } else {
      readHash(name)
    }
  }

  // MARK: AFL

  private mutating func readAFL(_ name: String) {
    if name.hasPrefix("id_") {
      let parts = name.split(separator: "_")
      guard parts.count > 1, let number = UInt64(parts[1].prefix { $0.isASCII && $0.isNumber }) else {
        return
      }
      (origin, id) = (.afl, number)
      if parts.count > 2 { (role, signal) = (.crash, String(parts[2])) }
      return
    }
    var rest = Substring(name)
    while !rest.isEmpty {
      // The name of an imported file may have commas in it; it is the last thing but for the marks.
      if rest.hasPrefix("orig:") {
        rest = takeMarks(of: rest)
        importedFrom = String(rest.dropFirst(5))
        return
      }
      let part = rest.prefix { $0 != "," }
      readAFLPart(part)
      rest = rest[part.endIndex...].dropFirst()
    }
  }

  private mutating func takeMarks(of text: Substring) -> Substring {
    var rest = text
    while true {
      if rest.hasSuffix(",+cov") {
        hasNewCoverage = true
      } else if rest.hasSuffix(",+tout") {
        hasTimedOut = true
        rest = rest.dropLast()
      } else {
        return rest
      }
      rest = rest.dropLast(5)
    }
  }

  private mutating func readAFLPart(_ part: Substring) {
    if part.hasPrefix("+cov") { hasNewCoverage = true }
    if part.hasPrefix("+tout") { hasTimedOut = true }
    guard let colon = part.firstIndex(of: ":") else { return }
    let value = part[part.index(after: colon)...]
    switch part[..<colon] {
    case "id":
      // A file extension may follow.
      guard let number = UInt64(value.prefix { $0 != "." }) else { return }
      (origin, id) = (.afl, number)
    case "sig": (role, signal) = (.crash, String(value))
    case "src": sources = value.split(separator: "+").compactMap { UInt64($0) }
    case "sync": importedFrom = String(value)
    case "time": milliseconds = UInt64(value)
    case "execs": executions = UInt64(value)
    case "op": operation = String(value)
    default: break
    }
  }

  // MARK: Others

  private mutating func readHonggfuzz(_ name: String) {
    origin = .honggfuzz
    guard name.hasPrefix("SIG") else { return }
    role = .crash
    signal = String(name.prefix { $0 != "." })
  }

  private static let prefixes: [(String, Role)] = [
    ("crash-", .crash), ("leak-", .leak), ("timeout-", .hang), ("oom-", .outOfMemory), ("slow-unit-", .slow),
    ("minimized-from-", .minimized),
  ]

  private mutating func readHash(_ name: String) {
    for (prefix, role) in Self.prefixes where name.hasPrefix(prefix) {
      let rest = name.dropFirst(prefix.count)
      guard Self.isHash(rest) else { return }
      (origin, self.role, hash) = (.libFuzzer, role, String(rest))
      return
    }
    let parts = name.split(separator: "-", omittingEmptySubsequences: false)
    guard Self.isHash(parts[0]) else { return }
    switch parts.count {
    case 1: (origin, hash) = (.libFuzzer, name)
    case 2:
      guard let number = UInt64(parts[1]) else { return }
      (origin, hash, id) = (.syzkaller, String(parts[0]), number)
    default: break
    }
  }

  private static func isHash(_ text: Substring) -> Bool {
    text.utf8.count == 40
      && text.utf8.allSatisfy {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || UInt8(ascii: "a")...UInt8(ascii: "f") ~= $0
      }
  }
}

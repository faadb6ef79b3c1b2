// SPDX-License-Identifier: GPL-3.0-or-later

/// The programs in a console log.
///
/// A fuzzer on a machine prints each program before it runs it, between whatever else the machine prints, and from
/// several processes:
///
///     [   61.400112] device lo entered promiscuous mode
///     2026/08/17 10:01:07 executing program 3 (id=712):
///     r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000000), 0x0, 0x0)
///     ------------[ cut here ]------------
///     ioctl$IOMMU_IOAS_ALLOC(r0, 0x3b81, &(0x7f0000000040)={0xc})
///
/// A line that announces a program begins it; the lines behind it that are calls belong to it, and others are left out.
/// A program is printed whole, so those of two processes alternate and do not mix.
///
/// Source: syzkaller `prog/parse.go`; reference corpora.md section 3.4.
public struct SyzLog: Sendable {
  /// A program of a log.
  public struct Entry: Sendable {
    /// The fuzzer's process that ran it, and its number of the program where it says one.
    public let process: UInt64
    public let id: UInt64?
    /// The line that announces it, from 1.
    public let line: Int
    public let program: SyzProgram

    /// `line 2, process 3, id 712`: what tells it from the others of its log.
    public var label: String {
      "line \(line), process \(process)" + (id.map { ", id \($0)" } ?? "")
    }
    /// As a program of its own.
    public var text: String { SyzWriter.write(program) }
  }

  public private(set) var entries: [Entry] = []
  /// Lines behind the first announcement that belong to no program.
  public private(set) var ignoredLines = 0

  /// What a line says that announces a program.
  private struct Announcement {
    let process: UInt64
    let id: UInt64?
    let line: Int
    /// The call that is to fail, and where in it, as old logs have it.
    let fault: (call: UInt64, nth: UInt64)?
  }

  /// The programs in these bytes, in their order; those without a call are left out.
  public init(_ bytes: [UInt8]) {
    var current: (announcement: Announcement, calls: [SyzCall])?
    var start = 0
    var line = 0
    while start < bytes.count {
      var end = start
      while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
      line += 1
      defer { start = end + 1 }
      let text = bytes[start..<end]
      if let announcement = Self.announcement(text, line) {
        finish(current)
        current = (announcement, [])
      } else if current != nil {
        if let call = Self.call(text, line), current!.calls.count < SyzLimits.calls {
          current!.calls.append(call)
        } else {
          ignoredLines += 1
        }
      }
    }
    finish(current)
  }

  private mutating func finish(_ current: (announcement: Announcement, calls: [SyzCall])?) {
    guard let current, !current.calls.isEmpty else { return }
    let announcement = current.announcement
    var calls = current.calls
    if let fault = announcement.fault, fault.call < UInt64(calls.count) {
      // Counted from 0 there and from 1 here.
      calls[Int(fault.call)].properties.failNth = fault.nth &+ 1
    }
    entries.append(
      Entry(
        process: announcement.process, id: announcement.id, line: announcement.line,
        program: SyzProgram(calls: calls)))
  }

  private static func call(_ line: ArraySlice<UInt8>, _ number: Int) -> SyzCall? {
    guard line.contains(UInt8(ascii: "(")), let program = try? SyzParser.parse(line, firstLine: number),
      program.comments.isEmpty
    else { return nil }
    return program.calls.first
  }

  private static func announcement(_ line: ArraySlice<UInt8>, _ number: Int) -> Announcement? {
    guard let rest = tail(of: line, behind: "executing program "), let process = integer(rest) else {
      return nil
    }
    let call = tail(of: rest, behind: "fault-call:").flatMap { integer($0) }
    let nth = tail(of: rest, behind: "fault-nth:").flatMap { integer($0) }
    var fault: (call: UInt64, nth: UInt64)?
    if let call, let nth { fault = (call, nth) }
    return Announcement(
      process: process, id: tail(of: rest, behind: "id=").flatMap { integer($0) }, line: number, fault: fault)
  }

  /// What follows the first occurrence of `phrase`.
  private static func tail(of line: ArraySlice<UInt8>, behind phrase: StaticString) -> ArraySlice<UInt8>? {
    phrase.withUTF8Buffer { phrase in
      var rest = line
      while rest.count >= phrase.count {
        if rest.starts(with: phrase) { return rest.dropFirst(phrase.count) }
        guard let next = rest.dropFirst().firstIndex(of: phrase[0]) else { return nil }
        rest = rest[next...]
      }
      return nil
    }
  }

  /// The decimal number that `text` begins with.
  private static func integer(_ text: ArraySlice<UInt8>) -> UInt64? {
    let digits = text.prefix { 0x30...0x39 ~= $0 }
    return UInt64(String(decoding: digits, as: UTF8.self))
  }
}

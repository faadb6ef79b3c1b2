// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import JSON
public import Runner

/// The reports of the parts of a corpus, made into that of the whole.
///
/// Every result has its place in the corpus, and every report is in that order. So the parts are woven together line by line,
/// in constant memory, and what comes out is what one machine would have told.
public final class ReportMerge {
  /// Why reports do not fit together.
  public enum Failure: Error, CustomStringConvertible {
    case file(FileFailure)
    case other(String)

    public var description: String {
      switch self {
      case .file(let failure): "\(failure)"
      case .other(let reason): reason
      }
    }
  }

  /// A report, and its next result.
  private struct Part {
    let path: String
    let descriptor: Int32
    var reader: LineReader
    var next: ReplayResult?
    var isFinished = false
    var status = ExitStatus.passed
    var duplicates = 0
  }

  private var parts: [Part] = []
  public private(set) var head: ReplayHead

  /// Opens reports of parts, each part once and none missing.
  ///
  /// - Parameter allowsGaps: parts may be missing; the whole then says so.
  public init(_ paths: [String], allowsGaps: Bool) throws(Failure) {
    var heads: [ReplayHead] = []
    for path in paths {
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw .file(FileFailure("read", path, errno)) }
      var part = Part(path: path, descriptor: descriptor, reader: LineReader(descriptor, path: path))
      do throws(FileFailure) {
        guard let line = try part.reader.next(), let head = ReplayHead(line: line) else {
          close(descriptor)
          throw FileFailure("read", path, EINVAL)
        }
        heads.append(head)
      } catch { throw .file(error) }
      parts.append(part)
    }
    guard var whole = heads.first else { throw .other("there are no reports") }
    var missing = Set(1...whole.shard.count)
    for (head, path) in zip(heads, paths) {
      var same = head
      same.shard = whole.shard
      guard same == whole, head.shard.count == whole.shard.count else {
        throw .other("\(path) is of a run with other options: \(head.identity), not \(whole.identity)")
      }
      guard missing.remove(head.shard.index) != nil else {
        throw .other("\(path) is of part \(head.shard.index), which another report is of as well")
      }
    }
    if !missing.isEmpty, !allowsGaps {
      let names = missing.sorted().prefix(8).map(String.init).joined(separator: ", ")
      throw .other("there is no report of part \(names) of \(whole.shard.count)")
    }
    whole.shard = .whole
    head = whole
  }

  deinit { for part in parts { close(part.descriptor) } }

  /// Tells the whole.
  public func run(_ known: KnownFailures, sinks: [any ReplaySink]) throws(Failure) -> ReplayTotals {
    for sink in sinks { sink.began(head) }
    var totals = ReplayTotals()
    for index in parts.indices { try advance(index) }
    while let index = first {
      guard let next = parts[index].next else { break }
      let result = known.judged(next)
      let isNew = !totals.add(result)
      for sink in sinks { sink.ended(result, isNew: isNew) }
      try advance(index)
    }
    for part in parts {
      totals.raise(part.status)
      // Every part has met all files.
      totals.duplicates = max(totals.duplicates, part.duplicates)
      if !part.isFinished { totals.endedEarly = "\(part.path) has no end" }
    }
    if totals.endedEarly != nil { totals.raise(.invalid) }
    if totals.played == 0 { totals.raise(.nothingRan) }
    for sink in sinks { sink.finished(totals) }
    return totals
  }

  private var first: Int? {
    parts.indices.filter { parts[$0].next != nil }.min { a, b in
      (parts[a].next?.index ?? 0) < (parts[b].next?.index ?? 0)
    }
  }

  private func advance(_ index: Int) throws(Failure) {
    let last = parts[index].next?.index ?? 0
    parts[index].next = nil
    do throws(FileFailure) {
      while let line = try parts[index].reader.next() {
        guard let value = JSONValue(line[...]) else { continue }
        if let result = ReplayResult(value) {
          guard result.index > last else { throw FileFailure("merge", parts[index].path, EILSEQ) }
          parts[index].next = result
          return
        }
        if value["event"]?.text == "run-end" {
          // Of what the inputs do not tell: interrupted, an output that could not be written.
          let status = value["status"]?.number.flatMap { Int32(exactly: $0) }.flatMap {
            ExitStatus(rawValue: $0)
          }
          parts[index].isFinished = value["ended"] == nil
          parts[index].status = status == .usage || status == .interrupted ? status ?? .usage : .passed
          parts[index].duplicates = value["duplicates"]?.number ?? 0
        }
      }
    } catch { throw .file(error) }
  }
}

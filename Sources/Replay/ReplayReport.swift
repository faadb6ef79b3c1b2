// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import JSON
public import Runner

/// A report for machines: `--report tap|junit|ndjson=FILE`. It is written while the run goes on, so a corpus of any size has one.
public final class ReplayReport: ReplaySink {
  /// `-` for standard output.
  public let path: String
  private let file: SpoolFile
  private var writer: any ReplayWriter

  /// - Throws: when the report's directory takes no file.
  public init(_ format: Report.Format, path: String, times: Bool) throws(FileFailure) {
    self.path = path
    file = try SpoolFile(path)
    switch format {
    case .tap: writer = TAPReplayWriter(file)
    case .junit: writer = JUnitReplayWriter(file, times: times)
    case .ndjson: writer = NDJSONReplayWriter(file, times: times)
    }
  }

  public var isStandardOutput: Bool { path == "-" }

  public func began(_ head: ReplayHead) { writer.began(head) }
  public func ended(_ result: ReplayResult, isNew: Bool) { writer.ended(result) }
  public func finished(_ totals: ReplayTotals) { writer.finished(totals) }

  /// Puts the report where it belongs.
  public func save(standardOutput: ByteOutput) throws(FileFailure) {
    try file.finish(standardOutput: standardOutput)
  }
}

/// The text of one format.
protocol ReplayWriter {
  mutating func began(_ head: ReplayHead)
  mutating func ended(_ result: ReplayResult)
  mutating func finished(_ totals: ReplayTotals)
}

/// The lines that all else can be made from: `--merge` does.
struct NDJSONReplayWriter: ReplayWriter {
  private let file: SpoolFile
  private let times: Bool

  init(_ file: SpoolFile, times: Bool) {
    self.file = file
    self.times = times
  }

  func began(_ head: ReplayHead) { file.write(head.line) }

  func ended(_ result: ReplayResult) {
    file.write(result.line(answers: !result.outcome.answers.isEmpty, times: times))
  }

  func finished(_ totals: ReplayTotals) {
    var line = JSONLine(event: "run-end")
    line.add("status", Int(totals.status.rawValue))
    line.add("inputs", totals.inputs)
    line.add("bad", totals.bad)
    line.add("findings", totals.findings.count)
    line.add("verdicts", totals.verdicts)
    line.add("calls", totals.calls)
    line.add("duplicates", totals.duplicates)
    line.add("unsupported", totals.unsupported)
    if let reason = totals.endedEarly { line.add("ended", reason) }
    file.write(line.finished())
  }
}

extension ReplayHead {
  /// The first line of a report.
  var line: [UInt8] {
    var line = JSONLine(event: "run-start")
    line.add("schema", ReplayResult.schema)
    line.add("tool", tool)
    line.add("kernel", kernel)
    line.add("backend", backend)
    line.add("target", target)
    line.add("options", options)
    line.add("shard", "\(shard.index)/\(shard.count)")
    return line.finished()
  }

  /// Nil for a line that is no first line of a report that this program reads.
  init?(line: [UInt8]) {
    guard let value = JSONValue(line[...]), value["event"]?.text == "run-start",
      value["schema"]?.number == ReplayResult.schema, let kernel = value["kernel"]?.text,
      let shard = value["shard"]?.text.flatMap({ InputStream.Shard($0) })
    else { return nil }
    self.init(
      tool: value["tool"]?.text ?? "", kernel: kernel, backend: value["backend"]?.text ?? "",
      target: value["target"]?.text ?? "", options: value["options"]?.text ?? "", shard: shard)
  }
}

/// TAP version 14: a test point for each input.
struct TAPReplayWriter: ReplayWriter {
  private let file: SpoolFile
  private var count = 0

  init(_ file: SpoolFile) { self.file = file }

  func began(_ head: ReplayHead) { file.write("TAP version 14\n") }

  mutating func ended(_ result: ReplayResult) {
    count += 1
    let outcome = result.outcome
    var line = outcome.verdict.isGood ? "ok" : "not ok"
    line += " \(count) - \(ReportText.tap(result.label))"
    switch outcome.verdict {
    case .skipped(let reason), .unsupported(let reason): line += " # SKIP \(ReportText.tap(reason))"
    // TAP's word for a failure that is known of, which is "not ok" and counts as good.
    case .expectedFailure(let reason): line = "not \(line) # TODO \(ReportText.tap(reason))"
    default: break
    }
    file.write(line + "\n")
    guard !outcome.verdict.isGood else { return }
    var block = "  ---\n  severity: \(outcome.verdict.word)\n"
    if !result.hash.isEmpty { block += "  sha1: \"\(result.hash)\"\n" }
    if let signature = outcome.signature {
      block += "  finding: \"\(signature.id)\"\n  signature: \(ReportText.quoted("\(signature)"))\n"
    }
    if let message = outcome.message { block += "  message: \(ReportText.quoted(message))\n" }
    if !outcome.details.isEmpty {
      block += "  details: |2\n"
      for line in outcome.details.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
        block += line.isEmpty ? "\n" : "    \(line)\n"
      }
    }
    file.write(block + "  ...\n")
  }

  func finished(_ totals: ReplayTotals) {
    file.write("1..\(count)\n")
    if totals.status == .interrupted { file.write("Bail out! interrupted\n") }
  }
}

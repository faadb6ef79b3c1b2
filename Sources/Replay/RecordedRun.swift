// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
public import Runner

/// A run of the past, to hold another one against: an NDJSON report, or answers as `AnswersWriter` writes them and the
/// recordings of real kernels are.
///
/// Of a report it keeps what was found and the digest of the answers; of answers the lines. So with the first one is told
/// that an input answers otherwise, with the second what.
public final class RecordedRun: ReplaySink {
  private struct Record {
    var verdict: String?
    var signature: ReplaySignature?
    var digest: String?
    var answers: [String]?
    var isMet = false
  }

  private let output: ByteOutput
  private let progress: ReplayProgress?
  private var records: [String: Record] = [:]
  /// The run plays a part of the corpus only: what is not met may be elsewhere.
  private let isPart: Bool
  /// Inputs that answer otherwise, are new, or gone.
  public private(set) var changed = 0
  public private(set) var added = 0
  public private(set) var missing = 0

  private static let shown = 20

  /// Reads a run.
  ///
  /// - Throws: when it cannot be read. A line that is neither of a report nor of answers is no line of it.
  public init(_ path: String, output: ByteOutput, progress: ReplayProgress?, isPart: Bool) throws(FileFailure)
  {
    self.output = output
    self.progress = progress
    self.isPart = isPart
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure("read", path, errno) }
    defer { close(descriptor) }
    var reader = LineReader(descriptor, path: path)
    var key: String?
    while let line = try reader.next() {
      if line.first == UInt8(ascii: "{") {
        guard let result = ReplayResult(line: line[...]) else { continue }
        records[result.key] = Record(
          verdict: result.outcome.verdict.word, signature: result.outcome.signature, digest: result.digest)
      } else if line.starts(with: "prog ".utf8) {
        key = String(decoding: line.dropFirst(5), as: UTF8.self)
        if let key { records[key] = Record(answers: []) }
      } else if let key, line.first != UInt8(ascii: "#") {
        records[key]?.answers?.append(String(decoding: line, as: UTF8.self))
      }
    }
    // Neither a report nor answers.
    guard !records.isEmpty else { throw FileFailure("read", path, EINVAL) }
  }

  public func began(_ head: ReplayHead) {}

  public func ended(_ result: ReplayResult, isNew: Bool) {
    guard var record = records[result.key] else {
      added += 1
      return
    }
    record.isMet = true
    let differences = Self.differences(record, result)
    record.answers = record.answers == nil ? nil : []
    records[result.key] = record
    guard !differences.isEmpty else { return }
    changed += 1
    guard changed <= Self.shown else { return }
    progress?.clear()
    for difference in differences { output.write("changed     \(result.label): \(difference)\n") }
  }

  private static func differences(_ record: Record, _ result: ReplayResult) -> [String] {
    var differences: [String] = []
    if let verdict = record.verdict, verdict != result.outcome.verdict.word {
      differences.append("it was \(verdict), and is \(result.outcome.verdict.word)")
    } else if record.verdict != nil, record.signature != result.outcome.signature {
      differences.append(
        "it showed \(record.signature.map { "\($0)" } ?? "nothing"), and shows "
          + (result.outcome.signature.map { "\($0)" } ?? "nothing"))
    }
    if let answers = record.answers {
      let got = result.outcome.answers
      if let index = (0..<max(answers.count, got.count)).first(where: { index in
        index >= answers.count || index >= got.count || answers[index] != got[index]
      }) {
        let old = index < answers.count ? answers[index] : "nothing"
        differences.append(
          "it answered \"\(old)\", and answers \"\(index < got.count ? got[index] : "nothing")\"")
      }
    } else if let digest = record.digest, digest != result.digest {
      differences.append("its answers are others")
    }
    return differences
  }

  public func finished(_ totals: ReplayTotals) {
    progress?.clear()
    missing = isPart || totals.endedEarly != nil ? 0 : records.values.count { !$0.isMet }
    if changed > Self.shown { output.write("            and \(changed - Self.shown) more\n") }
    for (key, _) in records.filter({ !$0.value.isMet }).sorted(by: { $0.key < $1.key }).prefix(
      missing > 0 ? Self.shown : 0)
    {
      output.write("missing     \(key)\n")
    }
    output.write(
      "compared with the recorded run: \(changed) changed, \(added) new, \(missing) missing\n")
  }

  /// It has answers line by line, so the run must bring its own.
  public var needsAnswers: Bool { records.values.contains { $0.answers != nil } }

  /// Whether both runs say the same of what both have.
  public var isSame: Bool { changed == 0 && missing == 0 }
}

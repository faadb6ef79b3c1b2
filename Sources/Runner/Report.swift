// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Language

/// A report for machines: `--report tap|junit|ndjson=FILE`.
///
/// It is kept in memory and written when the run is over, to a temporary file that then takes the name: a
/// crash, a Ctrl-C or a full disk leaves the report of the run before as it was, never half of a new one.
public final class Report: RunEventSink {
  public enum Format: String, CaseIterable, Sendable {
    case tap, junit, ndjson
  }
  public let format: Format
  /// `-` for standard output.
  public let path: String
  private var writer: any ReportWriter

  /// - Parameter timings: whether to say how long each case took, which differs from run to run.
  public init(_ format: Format, path: String, timings: Bool = false) {
    self.format = format
    self.path = path
    switch format {
    case .tap: writer = TAPWriter()
    case .junit: writer = JUnitWriter(timings: timings)
    case .ndjson: writer = NDJSONWriter(timings: timings)
    }
  }

  /// Reads `tap=FILE`.
  public convenience init?(argument: String, timings: Bool) {
    guard let sign = argument.firstIndex(of: "="), let format = Format(rawValue: String(argument[..<sign]))
    else { return nil }
    let path = String(argument[argument.index(after: sign)...])
    guard !path.isEmpty else { return nil }
    self.init(format, path: path, timings: timings)
  }

  public var isStandardOutput: Bool { path == "-" }

  public func receive(_ event: RunEvent) { writer.receive(event) }

  public var text: String { writer.text }

  /// Puts the report where it belongs.
  public func save(standardOutput: ByteOutput) throws(FileFailure) {
    if isStandardOutput {
      standardOutput.write(writer.text)
      standardOutput.flush()
      if let failure = standardOutput.failure { throw failure }
    } else {
      try HostFile.replace(path, with: Array(writer.text.utf8))
    }
  }
}

/// The text of one format.
protocol ReportWriter {
  mutating func receive(_ event: RunEvent)
  var text: String { get }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter

/// How events are written.
public enum TraceFormat: String, CaseIterable, Sendable {
  /// `12: IOAS_MAP size=40 ...`; what a request made happen is indented below it.
  case text
  /// A JSON object on each line, with every field by its name.
  case json

  func line(_ event: TraceEvent) -> String {
    switch self {
    case .text: "\(event.statement): " + (event.level == .request ? "" : "  ") + event.line + "\n"
    case .json: event.json + "\n"
    }
  }

  func begin(_ path: String) -> String {
    switch self {
    case .text: "# \(path)\n"
    case .json: "{\"script\":\(ReportText.quoted(path))}\n"
    }
  }
}

/// The trace of a run in a file of its own, written as it comes.
public final class TraceFile: RunEventSink {
  public let output: ByteOutput
  private let format: TraceFormat

  public init(_ output: ByteOutput, _ format: TraceFormat) {
    self.output = output
    self.format = format
  }

  public func receive(_ event: RunEvent) {
    switch event {
    case .scriptBegan(let path): output.write(format.begin(path))
    case .trace(let event): output.write(format.line(event))
    default: break
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Interpreter
internal import LineEditing
internal import Runner
internal import UAPI

// `iofd run`: scripts in batch.

extension Subcommand {
  static let run = Subcommand(
    name: "run", operands: "PATH...",
    summary: "Runs scripts: files, directories (every *.iofd below), - for standard input.",
    options: [
      OptionRow(
        "--jobs", "-j", value: .required("N"), help: "scripts that run at a time (one for each core)"),
      OptionRow(
        "--filter", value: .required("TEXT"),
        help: "only scripts, tests and labels that contain TEXT; may be repeated"),
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.target, SharedOptions.bug,
      OptionRow("--check", help: "look for broken invariants after every statement"),
      OptionRow(
        "--sweep", value: .optional("FILE"),
        help: "make every call fail at each of its fallible steps before it succeeds; count them in a table"),
      OptionRow(
        "--update", value: .required("no|new|accept|review"),
        help:
          "write clauses that do not hold anew: into FILE.new, into FILE, or into FILE after asking; with CI set only new (no)"
      ),
      OptionRow("--until", value: .required("LINE"), help: "stop behind this line"),
      OptionRow("--trace", value: .optional("FILE"), help: "tell every request, decoded"),
      OptionRow(
        "--trace-level", value: .required("request|model|hardware"),
        help: "also tell what happens in the model, and in the hardware (request)"),
      OptionRow(
        "--trace-format", value: .required("text|json"),
        help: "lines for people, or a JSON object on each (text)"),
      SharedOptions.define,
      OptionRow("--fail-fast", help: "run nothing more after the first failure"),
      OptionRow(
        "--report", value: .required("tap|junit|ndjson=FILE"),
        help: "a report for machines; - is standard output; may be repeated"),
      OptionRow("--timings", help: "tell in reports how long each case took"),
      OptionRow("--time-limit", value: .required("SECONDS"), help: "for each script; 0 for none (60)"),
      OptionRow("--statement-limit", value: .required("N"), help: "for each script (\(1 << 26))"),
      OptionRow(
        "--memory-limit", value: .required("SIZE"), help: "for the process (three quarters of the host's)"),
      OptionRow("--quiet", "-q", help: "tell only what is not good, and the sums"),
      SharedOptions.diagnostics,
    ],
    run: { arguments throws(UsageError) in try BatchRun(arguments).run() })
}

/// A command line of `iofd run`.
private struct BatchRun {
  private var configuration = Runner.Configuration()
  private let paths: [String]
  private let reports: [Report]
  private let tracePath: String?
  private let traceFormat: TraceFormat
  private let arguments: Arguments

  init(_ arguments: Arguments) throws(UsageError) {
    self.arguments = arguments
    paths = arguments.operands
    guard !paths.isEmpty else { throw UsageError(message: "run what?", help: "iofd run PATH...") }
    configuration.rigs = try SharedOptions.rigs(arguments)
    configuration.jobs = try arguments.number("--jobs", minimum: 1).map { min($0, 256) }
    configuration.filter = arguments.all("--filter").filter { !$0.isEmpty }
    configuration.check = arguments.has("--check")
    configuration.sweeps = arguments.has("--sweep")
    configuration.update = try Self.updateMode(arguments, paths)
    configuration.until = try arguments.number("--until", minimum: 1)
    let level = try arguments.choice("--trace-level", TraceLevel.self)
    configuration.trace =
      arguments.has("--trace") || level != nil || arguments.has("--trace-format") ? level ?? .request : nil
    traceFormat = try arguments.choice("--trace-format", TraceFormat.self) ?? .text
    configuration.defines = try SharedOptions.defines(arguments)
    configuration.failFast = arguments.has("--fail-fast")
    if let seconds = try arguments.number("--time-limit", minimum: 0) {
      configuration.secondsLimit = seconds == 0 ? nil : Double(seconds)
    }
    configuration.statementLimit = try arguments.number("--statement-limit", minimum: 1)
    configuration.memoryLimit = try arguments.size("--memory-limit")
    tracePath = arguments.last("--trace").flatMap { $0.isEmpty ? nil : $0 }
    var reports: [Report] = []
    for text in arguments.all("--report") {
      guard let report = Report(argument: text, timings: arguments.has("--timings")) else {
        throw UsageError(message: "--report wants tap=FILE, junit=FILE or ndjson=FILE, not '\(text)'")
      }
      reports.append(report)
    }
    guard reports.count(where: { $0.isStandardOutput }) <= 1 else {
      throw UsageError(message: "only one report can go to standard output")
    }
    self.reports = reports
  }

  /// With `CI` set nothing is changed in place, whatever was asked for.
  private static func updateMode(_ arguments: Arguments, _ paths: [String]) throws(UsageError) -> UpdateMode {
    guard let mode = try arguments.choice("--update", UpdateMode.self), mode != .no else { return .no }
    guard !arguments.has("--sweep") else {
      throw UsageError(message: "--update writes what is answered, and --sweep makes calls fail")
    }
    guard !paths.contains(ScriptTree.standardInput) else {
      throw UsageError(message: "a script from standard input cannot be updated", help: "give a file")
    }
    if let value = getenv("CI").map({ String(cString: $0) }), !["", "0", "false"].contains(value) {
      if mode != .new { Terminal.complain("CI is set, so --update=\(mode.rawValue) only writes FILE.new") }
      return .new
    }
    guard mode != .review || isatty(0) == 1 && isatty(1) == 1 else {
      throw UsageError(
        message: "--update=review asks a person, and there is no terminal",
        help: "--update=new writes FILE.new, to be looked at later")
    }
    return mode
  }

  func run() throws(UsageError) -> ExitStatus {
    // One message instead of one for each script.
    if configuration.rigs.target != .model {
      do throws(Errno) { _ = try configuration.rigs.make() } catch {
        Terminal.complain("cannot open /dev/iommu: \(error.name)", help: SharedOptions.help(for: error))
        return .nothingRan
      }
    }
    let standardOutput = ByteOutput.standardOutput()
    // Where a report goes to standard output, people read standard error.
    let people = reports.contains { $0.isStandardOutput } ? ByteOutput.standardError() : standardOutput
    let terminal = TerminalReport(
      people, renderer: try SharedOptions.renderer(arguments, for: people), isQuiet: arguments.has("--quiet"),
      trace: tracePath == nil ? traceFormat : nil)
    var sinks: [any RunEventSink] = [terminal]
    var table: SweepTable?
    if let path = arguments.last("--sweep"), !path.isEmpty {
      let made = SweepTable(path: path)
      sinks.append(made)
      table = made
    }
    var trace: TraceFile?
    if let tracePath {
      do throws(FileFailure) {
        let file = TraceFile(try ByteOutput(creating: tracePath), traceFormat)
        sinks.append(file)
        trace = file
      } catch {
        Terminal.complain(error.description)
        return .usage
      }
    }
    var configuration = configuration
    if configuration.update == .review {
      let editor = PlainEditor {
        standardOutput.write($0)
        standardOutput.flush()
      }
      let reviewer = Reviewer(output: standardOutput, editor: editor)
      configuration.review = { reviewer.decide($0, $1, $2, $3) }
    }
    let totals = Runner(configuration).run(
      ScriptTree(paths).entries, sinks: sinks + reports, mayGoOn: { people.failure == nil })
    var status = totals.status
    if totals.status == .nothingRan {
      Terminal.complain("nothing ran: there is no script, or none that --filter chooses")
    }
    for report in reports {
      do throws(FileFailure) {
        try report.save(standardOutput: standardOutput)
      } catch {
        status = max(status, error.isClosedPipe ? .interrupted : .usage)
        if !error.isClosedPipe { Terminal.complain(error.description) }
      }
    }
    if let table {
      do throws(FileFailure) { try table.save() } catch {
        status = max(status, .usage)
        Terminal.complain(error.description)
      }
    }
    if let trace { status = Terminal.finish(trace.output, status) }
    return Terminal.finish(people, status)
  }
}

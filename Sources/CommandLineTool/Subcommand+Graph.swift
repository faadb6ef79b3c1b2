// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import Runner
internal import Views

// `iofd graph`: what a script leaves alive, drawn; or how it differs from what it was at an earlier line.

extension Subcommand {
  static let graph = Subcommand(
    name: "graph", operands: "SCRIPT",
    summary:
      "Runs a script and draws what is alive at its end: the objects of /dev/iommu and who needs whom, or IOVA spaces.",
    options: [
      OptionRow(
        "--output", "-o", value: .required("FILE"),
        help: "where to: .svg, .dot, .json or .txt says the format (standard output, text)"),
      OptionRow(
        "--format", value: .required("text|dot|svg|json"), help: "the format, whatever the file is called"),
      OptionRow("--space", help: "IOVA spaces to scale instead of the object graph"),
      OptionRow(
        "--show", value: .required("VIEW"), help: "a view as a table, or as JSON, instead of a drawing"),
      OptionRow(
        "--test", value: .required("NAME"), help: "at the end of this test of the script, on its machine"),
      OptionRow("--until", value: .required("LINE"), help: "behind this line instead of at the end"),
      OptionRow(
        "--since", value: .required("LINE"),
        help: "what came, went and changed since this line, as text or JSON"),
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.define, SharedOptions.diagnostics,
    ],
    run: { arguments throws(UsageError) in try Drawing(arguments).run() })
}

/// A command line of `iofd graph`.
private struct Drawing {
  private enum Subject {
    case objects, space
    case view(View)
    case change(since: Int)
  }

  private let arguments: Arguments
  private let rigs: Rigs
  private let path: String
  private let output: String?
  private let format: GraphDrawing.Format
  private let subject: Subject
  private let test: String?
  private let until: Int?
  private let messages = ByteOutput.standardError()

  init(_ arguments: Arguments) throws(UsageError) {
    self.arguments = arguments
    rigs = try SharedOptions.rigs(arguments)
    guard arguments.operands.count == 1 else {
      throw UsageError(message: "graph which script?", help: "iofd graph SCRIPT -o FILE.svg")
    }
    path = arguments.operands[0]
    output = arguments.last("--output")
    test = arguments.last("--test")
    until = try arguments.number("--until", minimum: 1)
    format = try Self.format(arguments, output)
    subject = try Self.subject(arguments)
    switch (subject, format) {
    case (.space, .dot), (.view, .dot), (.view, .svg), (.change, .dot), (.change, .svg):
      throw UsageError(
        message: "there is no \(format.rawValue) of this", help: "--format text or json\(Self.also(subject))")
    default: break
    }
  }

  private static func also(_ subject: Subject) -> String {
    if case .space = subject { " or svg" } else { "" }
  }

  private static func format(_ arguments: Arguments, _ output: String?) throws(UsageError)
    -> GraphDrawing.Format
  {
    if let format = try arguments.choice("--format", GraphDrawing.Format.self) { return format }
    guard let output else { return .text }
    let suffixes: [(suffix: String, format: GraphDrawing.Format)] = [
      (".svg", .svg), (".dot", .dot), (".gv", .dot), (".json", .json), (".txt", .text),
    ]
    guard let match = suffixes.first(where: { output.hasSuffix($0.suffix) }) else {
      throw UsageError(
        message: "'\(output)' does not say which format",
        help: "end it in .svg, .dot, .json or .txt, or --format")
    }
    return match.format
  }

  private static func subject(_ arguments: Arguments) throws(UsageError) -> Subject {
    var subjects: [Subject] = []
    if arguments.has("--space") { subjects.append(.space) }
    if let name = arguments.last("--show") {
      guard let view = View.named(name) else {
        let names = View.all.map(\.name)
        throw UsageError(
          message: "there is no view '\(name)'",
          help: Suggest.help(for: name, in: names) ?? "one of: " + names.joined(separator: " "))
      }
      subjects.append(.view(view))
    }
    if let line = try arguments.number("--since", minimum: 1) { subjects.append(.change(since: line)) }
    guard subjects.count < 2 else {
      throw UsageError(message: "one of --space, --show and --since, not several")
    }
    return subjects.first ?? .objects
  }

  func run() throws(UsageError) -> ExitStatus {
    let source: SourceFile
    do throws(FileFailure) { source = try ScriptTree.load(path) } catch {
      Terminal.complain(error.description)
      return .invalid
    }
    let renderer = try SharedOptions.renderer(arguments, for: messages)
    let defines = try SharedOptions.defines(arguments)
    var before: Snapshot?
    if case .change(let line) = subject {
      guard let moment = try moment(source, until: line, defines, renderer) else { return .invalid }
      before = moment.snapshot
    }
    guard let moment = try moment(source, until: until, defines, renderer) else { return .invalid }
    let text = text(moment, before)
    let result: ByteOutput
    if let output {
      do throws(FileFailure) { result = try ByteOutput(creating: output) } catch {
        Terminal.complain(error.description)
        return .usage
      }
    } else {
      result = ByteOutput.standardOutput()
    }
    result.write(text)
    return Terminal.finish(result, moment.isGood ? .passed : .failed)
  }

  private func text(_ moment: Moment, _ before: Snapshot?) -> String {
    let snapshot = moment.snapshot
    switch subject {
    case .objects: return GraphDrawing.text(snapshot, as: format)
    case .space:
      let format: SpaceDrawing.Format = format == .svg ? .svg : format == .json ? .json : .text
      return SpaceDrawing.text(snapshot, as: format)
    case .view(let view):
      var input = ViewInput(snapshot)
      input.requests = moment.requests
      return view.text(input, as: format == .json ? .json : .table)
    case .change:
      let diff = SnapshotDiff(from: before ?? snapshot, to: snapshot)
      return format == .json ? FactJSON.text(diff.fact) : diff.text
    }
  }

  private struct Moment {
    let snapshot: Snapshot
    let requests: [RequestRecord]
    /// Everything went as the script expects.
    let isGood: Bool
  }

  /// The machine when the script, or its test, is over. What the script prints is not wanted.
  private func moment(
    _ source: SourceFile, until: Int?, _ defines: [String: String], _ renderer: DiagnosticRenderer
  ) throws(UsageError) -> Moment? {
    var ends: [FrameEnd] = []
    var options = RunOptions()
    options.defines = defines
    options.until = until
    options.atEnd = { ends.append($0) }
    if let test { options.filter = { name, _ in name == test } }
    let result = Interpreter.run(source, loader: DiskLoader(), options: options) { try rigs.make() }
    messages.write(renderer.render(result.allDiagnostics))
    messages.flush()
    if result.verdict == .invalid { return nil }
    if case .skipped(let reason) = result.verdict {
      Terminal.complain("\(path) does not run here: \(reason)")
      return nil
    }
    guard let end = ends.last(where: { $0.test == test }) else {
      throw UsageError(
        message: test.map { "\(path) has no test '\($0)'" } ?? "\(path) did not come to its end",
        help: "iofd run \(path) tells the names of tests")
    }
    let tests = result.cases.filter { !$0.name.isEmpty }
    if test == nil, end.snapshot.nodes.count <= 1, let first = tests.first {
      Terminal.complain(
        "nothing is alive outside of the tests, which have machines of their own",
        help: "--test \"\(first.name)\"")
    }
    return Moment(snapshot: end.snapshot, requests: end.requests, isGood: result.verdict.isGood)
  }
}

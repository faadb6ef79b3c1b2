// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Fuzzing
internal import Runner

// `iofd minimize`: the smallest input that shows the same finding; with --merge the smallest corpus that reaches the same.

extension Subcommand {
  static let minimize = Subcommand(
    name: "minimize", operands: "FILE | --merge=TARGET CORPUS...",
    summary: """
      Makes a failing input small while what is wrong with it stays: a program in bytes, of syzkaller, of raw
      ioctls, or a script. With --merge, makes a corpus of programs in bytes small while what it reaches stays.
      """,
    options: [
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.target, SharedOptions.bug,
      OptionRow(
        "--output", "-o", value: .required("FILE"), help: "where the smallest input goes (standard output)"),
      OptionRow(
        "--merge", value: .required("TARGET"),
        help: "write a small corpus to a directory, or to a database where TARGET ends in .db"),
      OptionRow("--max-bytes", value: .required("SIZE"), help: "most bytes of that corpus (no limit)"),
      OptionRow("--runs", value: .required("N"), help: "most inputs to try (10000)"),
      OptionRow("--timeout", value: .required("DURATION"), help: "longest time for one input (10s)"),
      OptionRow(
        "--memory", value: .required("SIZE"), help: "most memory of the process that tries them (2G)"),
    ],
    run: { arguments throws(UsageError) in try minimize(arguments) })

  private static func minimize(_ arguments: Arguments) throws(UsageError) -> ExitStatus {
    var plan = Minimizer.Plan(try SharedOptions.rigs(arguments))
    plan.worker = TrialCommand.words(arguments)
    if let trials = try arguments.number("--runs", minimum: 1) { plan.trials = trials }
    if let seconds = try arguments.duration("--timeout") { plan.timeout = seconds }
    if let size = try arguments.size("--memory") { plan.memory = size }
    if let target = arguments.last("--merge") {
      guard !arguments.operands.isEmpty else { throw UsageError(message: "merge which corpus?") }
      let most = try arguments.size("--max-bytes") ?? .max
      return merge(arguments.operands, into: target, CorpusMerger(plan, mostBytes: most))
    }
    guard arguments.operands.count == 1 else {
      throw UsageError(message: "minimize which input?", help: "iofd minimize FILE [-o SMALLER]")
    }
    return minimize(arguments.operands[0], into: arguments.last("--output"), plan)
  }

  private static func minimize(_ path: String, into target: String?, _ plan: Minimizer.Plan) -> ExitStatus {
    do {
      let bytes = try HostFile.read(path, limit: longestInput)
      let result = try Minimizer(plan).minimize(bytes, name: path)
      Terminal.complain(
        "\(result.signature)\n  \(result.message)\n  \(result.before) \(result.unit) -> \(result.after), in \(result.trials) trials"
      )
      guard let target else {
        let output = ByteOutput.standardOutput()
        output.write(result.bytes)
        return Terminal.finish(output, .passed)
      }
      try HostFile.replace(target, with: result.bytes)
      return .passed
    } catch let error as FileFailure {
      Terminal.complain("\(error)")
      return error.operation == "read" ? .invalid : .usage
    } catch let error as Minimizer.Failure {
      Terminal.complain("\(path): \(error)")
      if case .passes = error { return .nothingRan }
      return .invalid
    } catch {
      Terminal.complain("\(error)")
      return .invalid
    }
  }

  private static let longestInput = 16 << 20

  private static func merge(_ paths: [String], into target: String, _ merger: CorpusMerger) -> ExitStatus {
    do {
      let result = try merger.merge(paths)
      if target.hasSuffix(".db") {
        var bytes = CorpusDB.header(userVersion: 0)
        for program in result.programs { bytes += try CorpusDB.record(CorpusDB.Entry(program)) }
        try HostFile.replace(target, with: bytes)
      } else {
        try HostFile.makeDirectory(target)
        for program in result.programs {
          try HostFile.replace("\(target)/\(SHA1.of(program))", with: program)
        }
      }
      Terminal.complain(
        "\(result.programs.count) of \(result.tried) programs, "
          + "\(result.programs.reduce(0) { $0 + $1.count }) bytes: \(result.coveredAnswers) of \(result.answers) answers, "
          + "\(result.covered) of \(result.features) features"
          + (result.failing > 0 ? "; \(result.failing) show a finding" : ""))
      if result.tried == 0 { return .nothingRan }
      return result.failing > 0 ? .failed : .passed
    } catch {
      Terminal.complain("\(error)")
      return .usage
    }
  }
}

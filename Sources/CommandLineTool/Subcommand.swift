// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import Runner
internal import UAPI

/// A subcommand: what it is called, what it takes, what it does.
struct Subcommand: Sendable {
  let name: String
  /// `PATH...`
  let operands: String
  let summary: String
  let options: [OptionRow]
  /// The operands are another program's command line: what follows the first of them is not looked at.
  let takesProgram: Bool
  /// Does it, and gives the exit status.
  let run: @Sendable (Arguments) throws(UsageError) -> Int32

  init(
    name: String, operands: String, summary: String, options: [OptionRow],
    run: @escaping @Sendable (Arguments) throws(UsageError) -> ExitStatus
  ) {
    self.name = name
    self.operands = operands
    self.summary = summary
    self.options = options
    takesProgram = false
    self.run = { arguments throws(UsageError) in try run(arguments).rawValue }
  }

  /// One that runs a program, and ends as it does.
  init(
    name: String, program: String, summary: String, options: [OptionRow],
    run: @escaping @Sendable (Arguments) throws(UsageError) -> Int32
  ) {
    self.name = name
    operands = program
    self.summary = summary
    self.options = options
    takesProgram = true
    self.run = run
  }

  /// In the order of the help.
  static let all: [Subcommand] = [
    .run, .exec, .replay, .fuzz, .minimize, .importing, .exporting, .check, .lint, .expand, .format,
    .languageServer, .explain, .graph, .bench, .completions, .generate,
  ]

  /// Those that only the tool itself starts; not in the help.
  private static let hidden: [Subcommand] = [.replayWorker, .trialWorker]

  static func named(_ name: String) -> Subcommand? { (all + hidden).first { $0.name == name } }

  /// The page of `iofd NAME --help`.
  var help: String {
    var text = "usage: iofd \(name)\(options.isEmpty ? "" : " [OPTION...]") \(operands)\n\n\(summary)\n"
    guard !options.isEmpty else { return text }
    let width = options.map { $0.synopsis.count }.max() ?? 0
    text += "\n"
    for option in options {
      let padding = String(repeating: " ", count: width - option.synopsis.count)
      text += "  \(option.synopsis)\(padding)  \(option.help)\n"
    }
    return text
  }
}

/// Options that several subcommands share.
enum SharedOptions {
  static let kernel = OptionRow(
    "--kernel", value: .required("6.12|7.2"), help: "the kernel whose answers to give (7.2)")
  static let backend = OptionRow(
    "--backend", value: .required("KIND[:OPTION,...]"),
    help:
      "the IOMMU hardware: mock, vtd, amd, smmuv3, riscv or s390 (mock); options are those of `iommu kinds`")
  static let target = OptionRow(
    "--target", value: .required(Rigs.Target.allCases.map(\.rawValue).joined(separator: "|")),
    help: "the model, a real kernel, or both in lockstep (model)")
  static let bug = OptionRow(
    "--bug", value: .required("BUG"),
    help: "a mistake that the driver of the machine's IOMMU makes, as the verb bug names it; repeat for more")
  static let define = OptionRow(
    "-D", value: .required("NAME=VALUE"), help: "a value for a script's param; repeat for more")
  static let diagnostics = OptionRow(
    "--diag", value: .required("text|short|json|github"), help: "how diagnostics look (text)")

  static func rigs(_ arguments: Arguments) throws(UsageError) -> Rigs {
    var rigs = Rigs(
      kernel: try arguments.choice("--kernel", Personality.self),
      backend: try backend(arguments),
      target: try arguments.choice("--target", Rigs.Target.self) ?? .model)
    for name in arguments.all("--bug") {
      guard rigs.plant(name) else {
        throw UsageError(
          message: "the driver of \(rigs.backend.name) cannot have the bug '\(name)'",
          help: "one of: " + rigs.possibleBugs.joined(separator: " "))
      }
    }
    return rigs
  }

  /// What conditions of a script that is only read see.
  static func environment(_ arguments: Arguments) throws(UsageError) -> Environment {
    let rigs = try rigs(arguments)
    return Environment(kernel: rigs.kernel.version, backend: rigs.backend.name, hasBench: true)
  }

  private static func backend(_ arguments: Arguments) throws(UsageError) -> Backend {
    guard let text = arguments.last("--backend") else { return .mock }
    do throws(Backend.Unknown) { return try Backend(text) } catch {
      throw UsageError(message: error.message, help: error.help)
    }
  }

  /// What to do about a `/dev/iommu` that cannot be opened.
  static func help(for error: Errno) -> String? {
    switch error {
    case .ENOENT: "this kernel has no iommufd; the model is --target model"
    case .EACCES, .EPERM: "it takes root, or a group that may open it"
    default: nil
    }
  }

  static func defines(_ arguments: Arguments) throws(UsageError) -> [String: String] {
    var defines: [String: String] = [:]
    for text in arguments.all("-D") {
      guard let sign = text.firstIndex(of: "="), sign != text.startIndex else {
        throw UsageError(message: "-D wants NAME=VALUE, not '\(text)'")
      }
      defines[String(text[..<sign])] = String(text[text.index(after: sign)...])
    }
    return defines
  }

  /// Diagnostics for what they are written to: colours only on a terminal, and not where NO_COLOR is set.
  static func renderer(_ arguments: Arguments, for output: ByteOutput) throws(UsageError)
    -> DiagnosticRenderer
  {
    let format = try arguments.choice("--diag", DiagnosticRenderer.Format.self) ?? .text
    return DiagnosticRenderer(format: format, usesColour: Terminal.usesColour(output))
  }
}

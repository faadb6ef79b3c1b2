// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import Runner
internal import UAPI

// `iofd check`: everything about scripts that can be told without running them.

extension Subcommand {
  static let check = Subcommand(
    name: "check", operands: "PATH...",
    summary: "Reads scripts and reports their mistakes without running them.",
    options: [
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.define, SharedOptions.diagnostics,
    ],
    run: { arguments throws(UsageError) in try checkScripts(arguments, withLint: false) })

  /// Reads every script of a command line and prints what there is to say; what the lint finds counts as a failure.
  static func checkScripts(_ arguments: Arguments, withLint: Bool) throws(UsageError) -> ExitStatus {
    guard !arguments.operands.isEmpty else {
      throw UsageError(
        message: withLint ? "lint what?" : "check what?", help: "iofd \(withLint ? "lint" : "check") PATH...")
    }
    let output = ByteOutput.standardOutput()
    let renderer = try SharedOptions.renderer(arguments, for: output)
    let environment = try SharedOptions.environment(arguments)
    let defines = try SharedOptions.defines(arguments)
    let entries = ScriptTree(arguments.operands).entries
    var status = ExitStatus.passed
    for entry in entries where output.failure == nil && !Interrupts.isRaised {
      guard let source = ScriptFiles.load(entry) else {
        status = max(status, .invalid)
        continue
      }
      let index = ScriptIndex(source, loader: DiskLoader(), environment: environment, defines: defines)
      let diagnostics = withLint ? Lint.report(index) : index.diagnostics
      output.write(renderer.render(diagnostics))
      if withLint, !diagnostics.isEmpty { status = max(status, .failed) }
      if index.hasErrors { status = max(status, .invalid) }
    }
    if entries.isEmpty {
      Terminal.complain("there is no script")
      status = .nothingRan
    }
    if Interrupts.isRaised { status = .interrupted }
    return Terminal.finish(output, status)
  }
}

/// Scripts for the commands that only read them.
enum ScriptFiles {
  /// The script, or nil after a message why there is none.
  static func load(_ entry: ScriptTree.Entry) -> SourceFile? {
    if let problem = entry.problem {
      Terminal.complain("\(entry.path): \(problem)")
      return nil
    }
    do throws(FileFailure) {
      return try ScriptTree.load(entry.path)
    } catch {
      Terminal.complain("\(entry.path): cannot read it: \(error.reason)")
      return nil
    }
  }
}

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
    run: { arguments throws(UsageError) in
      guard !arguments.operands.isEmpty else {
        throw UsageError(message: "check what?", help: "iofd check PATH...")
      }
      let output = ByteOutput.standardOutput()
      let renderer = try SharedOptions.renderer(arguments, for: output)
      let rigs = try SharedOptions.rigs(arguments)
      let environment = Environment(
        kernel: rigs.kernel.version, backend: rigs.backend.name, hasBench: true)
      let defines = try SharedOptions.defines(arguments)
      let entries = ScriptTree(arguments.operands).entries
      var status = ExitStatus.passed
      for entry in entries where output.failure == nil && !Interrupts.isRaised {
        guard let source = ScriptFiles.load(entry) else {
          status = max(status, .invalid)
          continue
        }
        let diagnostics = Interpreter.check(
          source, loader: DiskLoader(), environment: environment, defines: defines)
        output.write(renderer.render(diagnostics))
        if diagnostics.contains(where: { $0.severity == .error }) { status = max(status, .invalid) }
      }
      if entries.isEmpty {
        Terminal.complain("there is no script")
        status = .nothingRan
      }
      if Interrupts.isRaised { status = .interrupted }
      return Terminal.finish(output, status)
    })
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

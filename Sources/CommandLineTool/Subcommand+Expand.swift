// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import Runner
internal import UAPI

// `iofd expand`: a script as plain statements.

extension Subcommand {
  static let expand = Subcommand(
    name: "expand", operands: "SCRIPT",
    summary:
      "Prints a script with everything unfolded: includes, loops, procedures, parameters, conditions, computed values. The plain statements pass and make the same requests.",
    options: [
      OptionRow("--output", "-o", value: .required("FILE"), help: "where to (standard output)"),
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.define, SharedOptions.diagnostics,
    ],
    run: { arguments throws(UsageError) in
      guard arguments.operands.count == 1 else {
        throw UsageError(message: "expand which script?", help: "iofd expand SCRIPT")
      }
      let rigs = try SharedOptions.rigs(arguments)
      let defines = try SharedOptions.defines(arguments)
      let messages = ByteOutput.standardError()
      let renderer = try SharedOptions.renderer(arguments, for: messages)
      guard let entry = ScriptTree(arguments.operands).entries.first, let source = ScriptFiles.load(entry)
      else { return .invalid }
      let expansion = Expansion(
        of: source, loader: DiskLoader(),
        environment: Environment(kernel: rigs.kernel.version, backend: rigs.backend.name, hasBench: true),
        defines: defines)
      messages.write(renderer.render(expansion.diagnostics))
      messages.flush()
      guard let text = expansion.text else {
        if let failure = expansion.failure { Terminal.complain("\(source.name): \(failure)") }
        return .invalid
      }
      guard let path = arguments.last("--output") else {
        let output = ByteOutput.standardOutput()
        output.write(text)
        return Terminal.finish(output, .passed)
      }
      do throws(FileFailure) { try HostFile.replace(path, with: text) } catch {
        Terminal.complain(error.description)
        return .usage
      }
      return .passed
    })
}

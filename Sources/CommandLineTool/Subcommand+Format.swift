// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import Runner

// `iofd fmt`: scripts in their one layout.

extension Subcommand {
  static let format = Subcommand(
    name: "fmt", operands: "PATH...",
    summary: "Lays scripts out anew, in place; - reads standard input and writes standard output.",
    options: [
      OptionRow("--check", help: "change nothing; name the files that would change, and exit with 1"),
      SharedOptions.diagnostics,
    ],
    run: { arguments throws(UsageError) in
      guard !arguments.operands.isEmpty else {
        throw UsageError(message: "format what?", help: "iofd fmt PATH...")
      }
      let output = ByteOutput.standardOutput()
      let messages = ByteOutput.standardError()
      let renderer = try SharedOptions.renderer(arguments, for: messages)
      let onlyChecks = arguments.has("--check")
      let entries = ScriptTree(arguments.operands).entries
      var status = ExitStatus.passed
      for entry in entries where output.failure == nil && !Interrupts.isRaised {
        guard let source = ScriptFiles.load(entry) else {
          status = max(status, .invalid)
          continue
        }
        let (text, diagnostics) = Formatter.format(source)
        messages.write(renderer.render(diagnostics))
        guard let text else {
          status = max(status, .invalid)
          continue
        }
        if onlyChecks {
          guard text != source.bytes else { continue }
          output.write("\(source.name)\n")
          status = max(status, .failed)
        } else if entry.path == ScriptTree.standardInput {
          output.write(text)
        } else if text != source.bytes {
          do throws(FileFailure) {
            try HostFile.replace(entry.path, with: text)
          } catch {
            Terminal.complain(error.description)
            status = max(status, .usage)
          }
        }
      }
      if entries.isEmpty {
        Terminal.complain("there is no script")
        status = .nothingRan
      }
      if Interrupts.isRaised { status = .interrupted }
      messages.flush()
      return Terminal.finish(output, status)
    })
}

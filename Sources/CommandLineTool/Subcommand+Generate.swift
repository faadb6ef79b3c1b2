// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import Machine
internal import Publishing
internal import Runner

// `iofd generate`: files for editors, shells, `man` and readers, made from the tables. `iofd completions`: one of them.

extension Subcommand {
  static let generate = Subcommand(
    name: "generate", operands: "[DIR]",
    summary: "Writes files for editors, shells, man and readers, made from the tables (into grammar).",
    options: [
      OptionRow("--check", help: "change nothing; name the files that would change, and exit with 1"),
      OptionRow(
        "--examples", value: .required("DIR"), help: "the scripts that the reference points to (examples)"),
    ],
    run: { arguments throws(UsageError) in
      guard arguments.operands.count <= 1 else {
        throw UsageError(message: "generate into which directory?", help: "iofd generate grammar")
      }
      let directory = arguments.operands.first ?? "grammar"
      guard let examples = examples(arguments.last("--examples") ?? "examples") else { return .invalid }
      let output = ByteOutput.standardOutput()
      let onlyChecks = arguments.has("--check")
      var status = ExitStatus.passed
      for file in GeneratedFiles.all(.standard, examples: examples) where output.failure == nil {
        let path = "\(directory)/\(file.path)"
        if isCurrent(path, file) { continue }
        output.write("\(path)\n")
        if onlyChecks {
          status = max(status, .failed)
          continue
        }
        do throws(FileFailure) {
          try HostFile.makeDirectories(above: path)
          try HostFile.replace(path, with: Array(file.text.utf8))
        } catch {
          Terminal.complain(error.description)
          status = max(status, .usage)
        }
      }
      return Terminal.finish(output, status)
    })

  static let completions = Subcommand(
    name: "completions", operands: ShellCompletion.Shell.allCases.map(\.rawValue).joined(separator: "|"),
    summary: "Prints the completion of this command line for a shell.",
    options: [],
    run: { arguments throws(UsageError) in
      let shells = ShellCompletion.Shell.allCases.map(\.rawValue)
      guard arguments.operands.count == 1, let shell = ShellCompletion.Shell(rawValue: arguments.operands[0])
      else {
        throw UsageError(
          message: "completions for which shell?", help: "one of: " + shells.joined(separator: " "))
      }
      let output = ByteOutput.standardOutput()
      output.write(ShellCompletion.text(shell, .standard))
      return Terminal.finish(output, .passed)
    })

  /// Whether a file has this text. What cannot be read has not.
  private static func isCurrent(_ path: String, _ file: GeneratedFile) -> Bool {
    let bytes = try? HostFile.read(path, limit: file.text.utf8.count + 1)
    return bytes.map { $0.elementsEqual(file.text.utf8) } ?? false
  }

  /// The scripts of a directory, named as the pages name them; nil where one cannot be read, which is said.
  private static func examples(_ directory: String) -> [SourceFile]? {
    let prefix = directory.hasSuffix("/") ? directory : directory + "/"
    var sources: [SourceFile] = []
    for entry in ScriptTree([directory]).entries {
      guard let source = ScriptFiles.load(entry) else { return nil }
      let name = source.name.hasPrefix(prefix) ? source.name.dropFirst(prefix.count) : source.name[...]
      sources.append(SourceFile(name: "examples/\(name)", bytes: source.bytes))
    }
    return sources
  }
}

extension ToolDescription {
  /// This tool and its machine.
  static var standard: ToolDescription {
    // The machine is taken apart with its target.
    let target = ModelTarget()
    let bench = ModelBench(target)
    return ToolDescription(
      version: CommandLineTool.version, date: CommandLineTool.versionDate,
      commands: Subcommand.all.map { command in
        Command(
          name: command.name, operands: command.operands, summary: command.summary,
          options: command.options.map { Option($0) }, takesProgram: command.takesProgram)
      },
      conversation: Conversation.options.map { Option($0) },
      exitStatuses: ExitStatus.allCases.map { ($0.rawValue, $0.meaning) },
      variables: [
        ("NO_COLOR", "Where it is set to anything, nothing is coloured."),
        ("TERM", "With dumb, nothing is coloured, and the prompt has no completion and no hints."),
        ("XDG_STATE_HOME", "Where the history of the prompt is kept, in iofd/history (~/.local/state)."),
        ("TMPDIR", "Where processes that play corpora and programs meet (/tmp)."),
      ],
      iommus: bench.iommuKinds, mistakes: bench.driverBugs)
  }
}

extension ToolDescription.Option {
  init(_ row: OptionRow) {
    let value: Value =
      switch row.value {
      case .none: .none
      case .required(let word): .required(word)
      case .optional(let word): .optional(word)
      }
    self.init(names: row.names, value: value, summary: row.help)
  }
}

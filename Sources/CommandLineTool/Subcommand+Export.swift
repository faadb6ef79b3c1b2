// SPDX-License-Identifier: GPL-3.0-or-later
internal import Conversion
internal import Corpora
internal import Language
internal import Runner
internal import UAPI

// `iofd export`: scripts as syzkaller programs.

extension Subcommand {
  static let exporting = Subcommand(
    name: "export", operands: "PATH...",
    summary:
      "Makes programs of scripts: syzkaller's, with the errnos that the calls get, or a fuzzer's bytes.",
    options: [
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.diagnostics,
      OptionRow(
        "--format", value: .required("syz|bytes"),
        help: "syzkaller's text, or a fuzzer's bytes as far as their records reach (syz)"),
      OptionRow(
        "--output", "-o", value: .required("PLACE"),
        help:
          "a file for one program, a directory for more, a corpus.db where it ends in .db (standard output)"),
    ],
    run: { arguments throws(UsageError) in try Export(arguments).run() })
}

/// A command line of `iofd export`.
private struct Export {
  private enum Format: String, CaseIterable {
    case syz, bytes
  }

  private let rigs: Rigs
  private let paths: [String]
  private let output: String?
  private let format: Format
  private let arguments: Arguments
  private let messages = ByteOutput.standardError()

  private var isDatabase: Bool { output?.hasSuffix(".db") ?? false }

  init(_ arguments: Arguments) throws(UsageError) {
    self.arguments = arguments
    rigs = try SharedOptions.rigs(arguments)
    paths = arguments.operands
    output = arguments.last("--output")
    format = try arguments.choice("--format", Format.self) ?? .syz
    guard !paths.isEmpty else { throw UsageError(message: "export what?", help: "iofd export PATH...") }
    if format == .bytes, output?.hasSuffix(".db") ?? false {
      throw UsageError(message: "a corpus.db holds syzkaller's text", help: "without --format bytes")
    }
  }

  func run() throws(UsageError) -> ExitStatus {
    let renderer = try SharedOptions.renderer(arguments, for: messages)
    let place = ScriptPlace(isDatabase ? nil : output)
    let exporter = Exporter { try rigs.make() }
    var entries: [CorpusDB.Entry] = []
    var status = ExitStatus.passed
    var made = 0
    for entry in ScriptTree(paths).entries where place.isWorking && !Interrupts.isRaised {
      guard let source = ScriptFiles.load(entry) else {
        status = max(status, .invalid)
        continue
      }
      do {
        switch format {
        case .syz: made += try exportText(source, exporter, place, &entries)
        case .bytes: made += try exportBytes(source, exporter, place)
        }
      } catch let error as Exporter.Failure {
        messages.write(renderer.render(error.diagnostics))
        tell(source, error.reason)
        status = max(status, .failed)
      } catch {
        tell(source, "\(error)")
        status = max(status, error is FileFailure ? .usage : .failed)
      }
    }
    if made == 0, status == .passed {
      messages.write("iofd: there is no program\n")
      status = .nothingRan
    }
    if isDatabase, let output, made > 0 { status = max(status, save(entries, output)) }
    messages.flush()
    return Terminal.finish(place.stream, Interrupts.isRaised ? .interrupted : status)
  }

  private func tell(_ source: SourceFile, _ text: String) {
    messages.write("iofd: \(source.name): \(text)\n")
  }

  private func name(_ source: SourceFile) -> String {
    source.name.split(separator: "/").last?.split(separator: ".").first.map(String.init) ?? "program"
  }

  /// - Returns: how many programs the script became.
  private func exportText(
    _ source: SourceFile, _ exporter: Exporter, _ place: ScriptPlace, _ entries: inout [CorpusDB.Entry]
  ) throws -> Int {
    let programs = try exporter.programs(of: source, loader: DiskLoader())
    for exported in programs {
      for text in exported.leftOut { tell(source, "left out: \(text)") }
      if exported.ownCalls > 0 {
        tell(source, "\(exported.ownCalls) calls are described by this tool alone (\(SyzCalls.ownPrefix)...)")
      }
      if isDatabase {
        entries.append(CorpusDB.Entry(Array(exported.text.utf8)))
      } else {
        try place.write(exported.text, name: name(source), suffix: ".syz")
      }
    }
    return programs.count
  }

  private func exportBytes(_ source: SourceFile, _ exporter: Exporter, _ place: ScriptPlace) throws -> Int {
    let programs = try exporter.bytePrograms(of: source, loader: DiskLoader())
    for exported in programs {
      let said = exported.requests.count
      tell(
        source,
        "\(said) requests; left out: "
          + exported.leftOut.map { "\($0.what) \($0.count)" }.joined(separator: ", "))
      try place.write(exported.program.bytes, name: name(source), suffix: ".bytes")
    }
    return programs.count
  }

  private func save(_ entries: [CorpusDB.Entry], _ path: String) -> ExitStatus {
    do {
      try HostFile.replace(path, with: try CorpusDB.file(entries))
      return .passed
    } catch {
      Terminal.complain("\(error)")
      return .usage
    }
  }
}

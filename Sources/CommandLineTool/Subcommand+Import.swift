// SPDX-License-Identifier: GPL-3.0-or-later
internal import Conversion
internal import Corpora
internal import Runner
internal import UAPI

// `iofd import`: programs of fuzzers and recordings as scripts.

extension Subcommand {
  static let importing = Subcommand(
    name: "import", operands: "PATH...",
    summary:
      "Makes scripts of programs: syzkaller text, corpus.db, console logs, recordings, fuzzers' bytes.",
    options: [
      SharedOptions.kernel, SharedOptions.backend,
      OptionRow("--strict", help: "refuse syzkaller programs that would have to be mended"),
      OptionRow(
        "--output", "-o", value: .required("PLACE"),
        help: "a file for one script, a directory for more (standard output)"),
    ],
    run: { arguments throws(UsageError) in try Import(arguments).run() })
}

/// A command line of `iofd import`.
private struct Import {
  private let rigs: Rigs
  private let paths: [String]
  private let output: String?
  private let isStrict: Bool

  init(_ arguments: Arguments) throws(UsageError) {
    isStrict = arguments.has("--strict")
    rigs = try SharedOptions.rigs(arguments)
    paths = arguments.operands
    output = arguments.last("--output")
    guard !paths.isEmpty else { throw UsageError(message: "import what?", help: "iofd import PATH...") }
  }

  func run() throws(UsageError) -> ExitStatus {
    var status = ExitStatus.passed
    var made = 0
    let place = ScriptPlace(output)
    let importer = Importer(isStrict: isStrict) { program in
      guard let program else { return try rigs.make() }
      return try rigs.preferring(program.kernel).preferring(program.scene).make()
    }
    for item in CorpusDirectory(paths.map { HostPath($0) }) {
      guard !Interrupts.isRaised, place.isWorking else { break }
      switch item {
      case .skipped(let path, let reason):
        Terminal.complain("\(path): \(reason)")
        status = max(status, .invalid)
      case .input(let input):
        do {
          for source in try ImportSource.sources(in: input.bytes, label: input.label) {
            guard !Interrupts.isRaised, place.isWorking else { break }
            do {
              let script = try importer.script(of: source)
              tell(script, of: source, &status)
              try place.write(script.text, name: source.name)
              made += 1
            } catch let error as ImportSource.Refusal {
              Terminal.complain(error.description)
              status = max(status, .failed)
            }
          }
        } catch let error as ImportSource.Refusal {
          Terminal.complain(error.description)
          status = max(status, .invalid)
        } catch let error as FileFailure {
          Terminal.complain(error.description)
          return .usage
        } catch {
          Terminal.complain("\(input.label): \(error)")
          status = max(status, .failed)
        }
      }
    }
    if made == 0, status == .passed {
      Terminal.complain("there is no program")
      status = .nothingRan
    }
    return Terminal.finish(place.stream, Interrupts.isRaised ? .interrupted : status)
  }

  /// What people should know of a script besides that it passes.
  private func tell(_ script: ImportedScript, of source: ImportSource, _ status: inout ExitStatus) {
    for repair in script.repairs { Terminal.complain("\(source.label): \(repair), mended") }
    for disagreement in script.disagreements {
      Terminal.complain("\(source.label): \(disagreement)", help: "the script expects what the model answers")
      status = max(status, .failed)
    }
  }
}

/// Where scripts go: to the standard output, into one file, or into a directory under names of their own.
final class ScriptPlace {
  let stream = ByteOutput.standardOutput()
  private let path: String?
  private let isDirectory: Bool
  private var taken: Set<String> = []
  private var count = 0

  init(_ path: String?) {
    self.path = path
    isDirectory = path.map { $0.hasSuffix("/") || HostFile.isDirectory($0) } ?? false
  }

  /// Somebody still reads what is written.
  var isWorking: Bool { stream.failure == nil }

  /// - Throws: `FileFailure` where it cannot be written, or where one file would have to hold two scripts.
  func write(_ text: String, name: String, suffix: String = ".iofd") throws(FileFailure) {
    if path == nil, count > 0 { stream.write("\n") }
    try write(Array(text.utf8), name: name, suffix: suffix)
  }

  /// - Throws: as the other one.
  func write(_ bytes: [UInt8], name: String, suffix: String) throws(FileFailure) {
    count += 1
    guard let path else {
      stream.write(bytes)
      return
    }
    guard isDirectory else {
      guard count == 1 else {
        throw FileFailure("write a second script to", path, 0)
      }
      return try HostFile.replace(path, with: bytes)
    }
    try HostFile.makeDirectory(path)
    var unique = name
    var number = 2
    while !taken.insert(unique).inserted {
      unique = "\(name)-\(number)"
      number += 1
    }
    let separator = path.hasSuffix("/") ? "" : "/"
    try HostFile.replace("\(path)\(separator)\(unique)\(suffix)", with: bytes)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Glibc
internal import JSON
internal import Runner

/// What a run has done, written down while it goes on, so that another one can go on from there.
///
///     {"event":"run-start",...}                       which tool, options and corpus
///     {"event":"input-start","sha1":"..."}            before an input is played
///     {"event":"input-end","sha1":"...",...}          a `ReplayResult`
///     {"event":"input-dropped","sha1":"..."}          the run was ended in good order; it is to be played again
///
/// Each line is appended by whoever plays the input, with one write before it begins: whatever ends the run, an input that
/// has a start and nothing else is one that was being played. A last line that is cut off is left out.
///
/// Source: reference corpora.md section 9.2, after libFuzzer's control file (section 7.1).
final class RunLog {
  /// What must be the same for a run to be gone on with.
  struct Identity: Equatable {
    var tool: String
    /// Kernel, backend, limits: all that an outcome depends on, and the shard.
    var options: String
    var corpus: String
  }

  /// Why a log cannot be gone on with.
  enum Refusal: Error, CustomStringConvertible {
    case file(FileFailure)
    case other(String)

    var description: String {
      switch self {
      case .file(let failure): "\(failure)"
      case .other(let reason): reason
      }
    }
  }

  let descriptor: Int32
  private let path: String
  /// Where in the file the results of inputs are.
  private var results: [SHA1.Digest: (offset: Int, length: Int)] = [:]
  /// Inputs that were being played when the run ended.
  private var open: Set<SHA1.Digest> = []
  /// Why nothing more is written.
  private(set) var failure: FileFailure?

  /// Opens a log to go on with, or begins one where there is no file.
  ///
  /// - Parameter isForced: go on whatever the log's identity is.
  /// - Throws: why not.
  init(_ path: String, _ identity: Identity, isForced: Bool) throws(Refusal) {
    self.path = path
    descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw .file(FileFailure("open", path, errno)) }
    var reader = LineReader(descriptor, path: path)
    var first: [UInt8]?
    var whole = 0
    do throws(FileFailure) {
      first = try reader.next()
      guard let first else {
        try HostFile.writeAll(identity.line, to: descriptor, name: path)
        return
      }
      whole = reader.isWhole ? reader.offset : 0
      if Identity(line: first) != nil {
        while true {
          let offset = reader.offset
          guard let line = try reader.next(), reader.isWhole else { break }
          take(line, at: offset)
          whole = reader.offset
        }
      }
    } catch { throw .file(error) }
    guard let first, let old = Identity(line: first) else { throw .other("\(path) is no log of a run") }
    if !isForced, let reason = identity.difference(from: old) {
      throw .other("\(path) is of another run: \(reason)")
    }
    // Half a line would spoil the next one.
    if ftruncate(descriptor, off_t(whole)) != 0 { throw .file(FileFailure("write", path, errno)) }
  }

  deinit { close(descriptor) }

  private func take(_ line: [UInt8], at offset: Int) {
    guard let value = JSONValue(line[...]), let hash = value["sha1"]?.text.flatMap({ SHA1.Digest($0) }) else {
      return
    }
    switch value["event"]?.text {
    case "input-start": open.insert(hash)
    case "input-end":
      open.remove(hash)
      results[hash] = (offset, line.count)
    case "input-dropped": open.remove(hash)
    default: break
    }
  }

  /// Inputs that were played before.
  var played: Int { results.count }

  /// What an earlier run says of an input: its result, or that the run ended while the input was being played, which is
  /// written down as its result then. Nil for an input that is to be played.
  func result(of input: ReplayInput, index: UInt64) -> ReplayResult? {
    if let place = results[input.hash] {
      var bytes = [UInt8](repeating: 0, count: place.length)
      guard pread(descriptor, &bytes, place.length, off_t(place.offset)) == place.length,
        var result = ReplayResult(line: bytes[...])
      else { return nil }
      // Under which name and in which place it is found today.
      (result.index, result.label, result.container) = (index, input.label, input.container)
      return result
    }
    guard open.remove(input.hash) != nil else { return nil }
    let result = ReplayResult(
      index, input, .dead(.trapped, call: .none, "an earlier run ended while it was being played"))
    add(result)
    return result
  }

  // MARK: Writing

  /// The line that a worker writes before it begins.
  static func start(of input: ReplayInput) -> [UInt8] { line("input-start", input) }

  private static func line(_ event: StaticString, _ input: ReplayInput) -> [UInt8] {
    var line = JSONLine(event: event)
    line.add("sha1", "\(input.hash)")
    return line.finished()
  }

  /// A result that no worker could write down.
  func add(_ result: ReplayResult) { append(result.line(answers: false, times: false)) }

  /// Inputs that nobody is to blame for.
  func drop(_ inputs: [ReplayInput]) {
    append(inputs.flatMap { Self.line("input-dropped", $0) })
  }

  private func append(_ bytes: [UInt8]) {
    guard failure == nil else { return }
    do throws(FileFailure) { try HostFile.writeAll(bytes, to: descriptor, name: path) } catch {
      failure = error
    }
  }
}

extension RunLog.Identity {
  var line: [UInt8] {
    var line = JSONLine(event: "run-start")
    line.add("schema", ReplayResult.schema)
    line.add("tool", tool)
    line.add("options", options)
    line.add("corpus", corpus)
    return line.finished()
  }

  init?(line: [UInt8]) {
    guard let value = JSONValue(line[...]), value["event"]?.text == "run-start",
      let tool = value["tool"]?.text,
      let options = value["options"]?.text, let corpus = value["corpus"]?.text
    else { return nil }
    self.init(tool: tool, options: options, corpus: corpus)
  }

  func difference(from old: Self) -> String? {
    if tool != old.tool { return "iofd \(old.tool) wrote it" }
    if options != old.options { return "its options are \(old.options), not \(options)" }
    return corpus != old.corpus ? "the corpus has changed" : nil
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Runner
internal import Synchronization

/// Where a run leaves what it keeps and what it finds. A disk that is full ends no run: the first failure is kept, to be
/// told at the end.
///
///     CORPUS/SHA1                 a program that reaches something
///     FINDINGS/VERDICT-SHA1        the smallest program that shows a finding
///     FINDINGS/VERDICT-SHA1.iofd   the same as a script
///     FINDINGS/VERDICT-SHA1.txt    its records, and what is wrong
final class FuzzStore: Sendable {
  private struct State {
    var written: Set<String> = []
    var failure: FileFailure?
  }

  private let corpus: String?
  private let findings: String?
  private let state = Mutex(State())

  /// - Parameters: directories, which are made where they are missing, that of findings when there is one; nil keeps nothing.
  /// - Throws: what making the corpus's fails with.
  init(corpus: String?, findings: String?) throws(FileFailure) {
    self.corpus = corpus
    self.findings = findings
    if let corpus { try HostFile.makeDirectory(corpus) }
  }

  var failure: FileFailure? { state.withLock { $0.failure } }

  func keep(_ bytes: [UInt8]) {
    guard let corpus else { return }
    let name = "\(SHA1.of(bytes))"
    guard state.withLock({ $0.written.insert(name).inserted }) else { return }
    put(bytes, at: "\(corpus)/\(name)")
  }

  /// Takes a program away again that this run has written.
  func retire(_ bytes: [UInt8]) {
    guard let corpus else { return }
    let name = "\(SHA1.of(bytes))"
    guard state.withLock({ $0.written.remove(name) != nil }) else { return }
    do throws(FileFailure) { try HostFile.remove("\(corpus)/\(name)") } catch { note(error) }
  }

  func write(_ finding: FuzzFinding) {
    guard let findings else { return }
    do throws(FileFailure) { try HostFile.makeDirectory(findings) } catch { return note(error) }
    let path = "\(findings)/\(Self.name(of: finding))"
    put(finding.smallest, at: path)
    put(Array(finding.script.utf8), at: path + ".iofd")
    put(Array(Self.text(of: finding).utf8), at: path + ".txt")
  }

  /// `violated-SHA1`
  static func name(of finding: FuzzFinding) -> String { "\(finding.verdict)-\(SHA1.of(finding.smallest))" }

  private static func text(of finding: FuzzFinding) -> String {
    var text = "# \(finding.signature)\n# \(finding.message)\n"
    text += "# execution \(finding.execution); the input was \(SHA1.of(finding.input))\n"
    do throws(ByteProgram.UnknownVersion) {
      let program = try ByteProgram(finding.smallest)
      text += "# on \(program.scene.backend)\n\(program.text)"
    } catch { text += "# \(error)\n" }
    for line in finding.details.split(separator: "\n", omittingEmptySubsequences: false) {
      text += line.isEmpty ? "" : "# \(line)\n"
    }
    return text
  }

  private func put(_ bytes: [UInt8], at path: String) {
    do throws(FileFailure) { try HostFile.replace(path, with: bytes) } catch { note(error) }
  }

  private func note(_ failure: FileFailure) {
    state.withLock { if $0.failure == nil { $0.failure = failure } }
  }
}

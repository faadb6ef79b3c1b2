// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Interpreter
import Language
import Testing

@testable import Runner

/// A directory that goes away with the test.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/iofd-test.XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Self.remove(path) }

  private static func remove(_ path: String) {
    if let directory = opendir(path) {
      while let entry = readdir(directory) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) {
          String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard name != "." && name != ".." else { continue }
        if entry.pointee.d_type == UInt8(DT_DIR) {
          remove(path + "/" + name)
        } else {
          unlink(path + "/" + name)
        }
      }
      closedir(directory)
    }
    rmdir(path)
  }

  /// Writes a file and answers its path; directories on the way are made.
  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    makeDirectory(
      String(name.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")))
    let file = path + "/" + name
    try HostFile.replace(file, with: Array(text.utf8))
    return file
  }

  func makeDirectory(_ name: String) {
    var current = path
    for part in name.split(separator: "/") {
      current += "/" + part
      mkdir(current, 0o755)
    }
  }

  func link(_ name: String, to target: String) throws {
    try #require(symlink(target, path + "/" + name) == 0)
  }

  func read(_ name: String) throws -> String {
    String(decoding: try HostFile.read(path + "/" + name, limit: 1 << 20), as: UTF8.self)
  }

  /// Paths below this directory, without its own.
  func relative(_ paths: [String]) -> [String] { paths.map { String($0.dropFirst(path.count + 1)) } }
}

/// Keeps what a run tells.
final class Recorder: RunEventSink {
  var lines: [String] = []
  var cases: [RunCase] = []

  func receive(_ event: RunEvent) {
    switch event {
    case .began(_, _, let scripts): lines.append("began \(scripts)")
    case .scriptBegan(let path): lines.append("script \(path)")
    case .output(let text): lines.append("output \(text)")
    case .trace(let event): lines.append("trace \(event.statement) \(event.line)")
    case .warning(let diagnostic): lines.append("warning \(diagnostic.code.code)")
    case .swept, .updated: break
    case .caseEnded(let result):
      cases.append(result)
      lines.append("\(result.verdict.word) \(result.title)")
    case .ended(let totals): lines.append("ended \(totals.status.rawValue) \(totals.summary)")
    }
  }
}

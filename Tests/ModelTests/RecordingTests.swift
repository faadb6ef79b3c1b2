// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Glibc
import Machine
import Testing
import UAPI

/// What two real kernels answered to 1,618 programs, and 7.2 to 125 more, step by step, against what the model
/// answers.
///
/// `fresh.programs` are those of 60,000 random ones (see `RandomProgram`) that showed the most outcomes which the
/// others do not, and all that the model had once wrong. They were recorded on Linux 7.2.13 in the file's order.
@Suite("Recordings of real kernels")
struct RecordingTests {
  struct Recording: Sendable, CustomTestStringConvertible {
    let programs: String
    let answers: String
    let kernel: Personality
    var testDescription: String { answers }
  }

  static let recordings = [
    Recording(programs: "claims.programs", answers: "claims.linux-7.2", kernel: .v7_2),
    Recording(programs: "claims.programs", answers: "claims.linux-6.12", kernel: .v6_12),
    Recording(programs: "programs", answers: "linux-7.2.expected", kernel: .v7_2),
    Recording(programs: "programs", answers: "linux-6.12.expected", kernel: .v6_12),
    Recording(programs: "fresh.programs", answers: "fresh.linux-7.2", kernel: .v7_2),
  ]

  @Test(arguments: recordings)
  func everyLineIsWhatTheKernelAnswered(_ recording: Recording) throws {
    let programs = try RecordedProgram.parse(Self.read(recording.programs))
    let expected = Self.answers(try Self.read(recording.answers))
    var lines = 0
    var equal = 0
    var wrong: [String] = []
    // One process ran them all, with the list of programs as its descriptor 3; some programs close descriptor
    // 0. On those kernels the pages of the data area were no neighbours.
    let target = ModelTarget(Machine.Configuration(kernel: recording.kernel, frameStride: 2))
    _ = try target.userSpace.createMemFD(length: 0, huge: false)
    let replay = try RecordedReplay(target)
    for program in programs {
      let got = try replay.run(program)
      let want = expected[program.name] ?? []
      lines += want.count
      var differs = false
      for (index, line) in want.enumerated() {
        let mine = index < got.count ? got[index] : "nothing"
        if mine == line {
          equal += 1
        } else if !differs {
          differs = true
          wrong.append("\(program.name): the kernel: \(line) | the model: \(mine)")
        }
      }
      let broken = target.machine.violations()
      if let first = broken.first { wrong.append("\(program.name): broken invariant: \(first)") }
    }
    print("\(recording.answers): \(equal) of \(lines) lines equal, \(wrong.count) programs differ")
    for line in wrong.prefix(20) { print("  \(line)") }
    #expect(lines > 1000)
    #expect(equal == lines)
    #expect(wrong.isEmpty)
  }

  /// A file of the recordings, which lie beside the tests.
  static func read(_ name: String) throws -> [UInt8] {
    let here = #filePath
    let tests = here[..<(here.range(ofLast: "/ModelTests/") ?? here.endIndex)]
    let path = "\(tests)/Recordings/\(name).txt"
    guard let file = fopen(path, "r") else { throw Missing(path: path) }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  struct Missing: Error { let path: String }

  /// The recorded lines by program.
  static func answers(_ bytes: [UInt8]) -> [String: [String]] {
    var result: [String: [String]] = [:]
    var name = ""
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      let text = String(decoding: line, as: UTF8.self)
      if text.hasPrefix("prog ") {
        name = String(text.dropFirst(5))
      } else {
        result[name, default: []].append(text)
      }
    }
    return result
  }
}

extension String {
  /// Where the last occurrence of `needle` begins.
  fileprivate func range(ofLast needle: String) -> Index? {
    var index = endIndex
    while index > startIndex {
      index = self.index(before: index)
      if self[index...].hasPrefix(needle) { return index }
    }
    return nil
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Conversion
import Corpora
import Glibc
import Interpreter
import Language
import Machine
import Testing
import UAPI

enum Machines {
  static func rig(_ kernel: Personality) -> Rig {
    let target = ModelTarget(Machine.Configuration(kernel: kernel))
    return Rig(target: target, bench: ModelBench(target), backend: "mock")
  }

  static func importer(_ kernel: Personality = .v7_2) -> Importer {
    Importer { _ in rig(kernel) }
  }

  static func exporter(_ kernel: Personality = .v7_2) -> Exporter { Exporter { rig(kernel) } }

  /// The calls that a script makes; it has to pass.
  static func calls(ofScript text: String, _ kernel: Personality = .v7_2) throws -> [LoggedCall] {
    var target: LoggingTarget?
    let result = Interpreter.run(SourceFile(name: "test.iofd", text: text), loader: MemoryLoader()) {
      let rig = rig(kernel)
      let logging = LoggingTarget(rig.target)
      target = logging
      return Rig(target: logging, bench: rig.bench, backend: rig.backend)
    }
    #expect(result.verdict == .passed, "\(text)")
    return target?.calls ?? []
  }

  /// The calls that a program makes, and what its annotations say against the answers.
  static func calls(of program: SyzProgram, _ kernel: Personality = .v7_2) throws -> (
    calls: [LoggedCall], differences: [String]
  ) {
    let image = try SyzImage(program)
    let target = LoggingTarget(rig(kernel).target)
    let replay = SyzReplay(target)
    replay.onCall = { if $0 == image.calls.count { target.isOn = false } }
    let answers = try replay.run(image)
    return (target.calls, image.differences(answers).map(\.description))
  }
}

/// A file of this repository.
enum Repository {
  static let root = String(#filePath.split(separator: "/").dropLast(3).reduce("") { $0 + "/" + $1 })

  static func read(_ path: String) throws -> [UInt8] {
    let file = try #require(fopen("\(root)/\(path)", "r"), "\(path)")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }

  static func scripts(in directory: String) throws -> [String] {
    try files(in: directory).filter { $0.hasSuffix(".iofd") }
  }

  static func files(in directory: String) throws -> [String] {
    let stream = try #require(opendir("\(root)/\(directory)"))
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.first != "." { names.append("\(directory)/\(name)") }
    }
    return names.sorted()
  }
}

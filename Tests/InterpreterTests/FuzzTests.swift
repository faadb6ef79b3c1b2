// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Interpreter
import Language
import Testing
import UAPI

/// Any script ends, with a verdict and without a trap; and no script breaks the model.
@Suite struct FuzzTests {
  private func survive(_ text: [UInt8]) {
    var options = RunOptions()
    options.statementLimit = 2000
    options.secondsLimit = 5
    let result = Interpreter.run(
      SourceFile(name: "fuzz.iofd", bytes: text), loader: MemoryLoader(), options: options
    ) { modelRig() }
    let broken = result.allDiagnostics.filter { $0.code.code == "X0105" }
    #expect(
      broken.isEmpty, "\(String(decoding: text, as: UTF8.self))\n\(DiagnosticRenderer().render(broken))")
    _ = DiagnosticRenderer().render(result.allDiagnostics)
  }

  private static let words: [String] =
    VerbTable.all.flatMap { $0.words } + VerbTable.all.flatMap { ($0.operands + $0.options).map { $0.name } }
    + Keywords.all + [
      "$vm", "$dev", "$buf", "$hw", "$q", "$a", "=", "=", "->", "->", "{", "}", "[", "]", "(", ")", ",", ";",
      "\n", "\n",
      "\n", "0", "1", "4K", "0x1000", "max", "id:1", "id:2", "any:3", "!", "?", "|", "...", "++", "\"x\"",
      "hex\"00\"",
      "EINVAL", "ENOENT", "ok", "?x", "$x", "iova=0x1000", "len=4K", "fill(0, 4K)", "seq(8)", "flags=1",
      "size=8",
    ]

  @Test(arguments: 0..<8) func randomWords(seed: Int) {
    var random = Random(seed: UInt64(seed))
    for _ in 0..<60 {
      var text = ""
      for _ in 0..<Int.random(in: 1...60, using: &random) {
        text += (Self.words.randomElement(using: &random) ?? "") + " "
      }
      survive(Array(text.utf8))
    }
  }

  /// Examples of the table, one after the other in one session, with some of their bytes changed: lines that
  /// cannot be read are told so, all others run.
  @Test(arguments: 0..<8) func changedExamples(seed: Int) {
    var random = Random(seed: UInt64(seed) &+ 1000)
    let examples = VerbTable.all.flatMap { $0.examples }
    let alphabet = Array("0123456789abcdefx$=->{}[]()|.,!?\"+*K ".utf8)
    for _ in 0..<8 {
      let rig = modelRig()
      let session = Session(rig: rig, loader: MemoryLoader()) { modelRig() }
      for line in VerbTests.world.split(separator: "\n") { _ = session.run(String(line)) }
      var lines: [String] = []
      for _ in 0..<60 {
        var line = Array((examples.randomElement(using: &random) ?? "").utf8)
        for _ in 0..<Int.random(in: 0...2, using: &random) {
          let place = Int.random(in: 0..<line.count, using: &random)
          line[place] = alphabet.randomElement(using: &random) ?? 0
        }
        lines.append(String(decoding: line, as: UTF8.self))
        let reply = session.run(lines[lines.count - 1])
        _ = DiagnosticRenderer().render(reply.diagnostics)
      }
      let broken = rig.bench?.violations() ?? []
      #expect(broken.isEmpty, "\(lines.joined(separator: "\n"))\n\(broken)")
    }
  }

  /// Requests with fields at random, which the resolver lets through and the model must answer.
  @Test(arguments: 0..<4) func randomFields(seed: Int) {
    var random = Random(seed: UInt64(seed) &+ 2000)
    let values = [
      "0", "1", "2", "3", "4", "0x1000", "max", "0x7fffffff", "$buf", "4K", "$vm", "0xdead", "hex\"0102\"",
    ]
    for _ in 0..<20 {
      var text = "vm = ioas create\nmem alloc 64K as buf\ndev = device add\n? attach $dev to=$vm\n"
      for _ in 0..<30 {
        if Bool.random(using: &random), let op = CommandTable.selftestOps.randomElement(using: &random) {
          text += "? selftest \(op.name)"
          for field in op.fields {
            let name = field.name == "id" ? "id2" : field.name
            text += " \(name)=raw(\(values[..<12].randomElement(using: &random) ?? "0"))"
          }
          text += " id=raw(\(values[..<7].randomElement(using: &random) ?? "0"))\n"
        } else if let row = CommandTable.iommufd.randomElement(using: &random) {
          text += "? request \(row.name)"
          for field in row.fields where !field.name.contains("[") && Bool.random(using: &random) {
            text += " \(field.name)=raw(\(values[..<12].randomElement(using: &random) ?? "0"))"
          }
          text += "\n"
        }
      }
      var options = RunOptions()
      options.check = true
      let result = Interpreter.run(
        SourceFile(name: "fuzz.iofd", text: text), loader: MemoryLoader(), options: options
      ) { modelRig() }
      #expect(result.verdict == .passed, "\(text)\n\(DiagnosticRenderer().render(result.allDiagnostics))")
    }
  }
}

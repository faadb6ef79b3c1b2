// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import Runner

// The language: scripts in memory, from their text or from their first statement.

extension BenchRow {
  static let interpreterRows = [
    BenchRow(name: "interpreter: a loop of simple values", unit: .perSecond, budget: .atLeast(1e6)) {
      Outcome(value: loop($0, "y = ($i + 1)", rounds: $0.rounds(1_000_000), statements: 1))
    },
    BenchRow(name: "interpreter: a loop of requests (unmap, ENOENT)", unit: .perSecond, budget: .atLeast(1e6))
    {
      Outcome(value: loop($0, "unmap $vm 0x1000 len=4K -> ENOENT", rounds: $0.rounds(500_000), statements: 1))
    },
    BenchRow(name: "interpreter: a loop of map and unmap", unit: .perSecond, budget: .atLeast(1e6)) {
      Outcome(
        value: loop(
          $0, "map $vm $buf iova=0x1000\n  unmap $vm 0x1000 len=4K", rounds: $0.rounds(400_000), statements: 2
        ))
    },
    BenchRow(name: "interpreter: straight lines, read and run", unit: .perSecond, budget: nil) {
      straight($0)
    },
  ]

  private static let opening = "vm = ioas create\nbuf = mem alloc 4K\nmap $vm $buf iova=0x100000\n"

  /// Statements a second of a loop's body.
  private static func loop(_ effort: BenchEffort, _ body: String, rounds: Int, statements: Int) -> Double? {
    let text = opening + "for i in 1...\(rounds) {\n  \(body)\n}\n"
    return rate(effort, text, statements: rounds * statements)
  }

  /// The same statement on many lines, beside what other interpreters do with theirs.
  private static func straight(_ effort: BenchEffort) -> Outcome {
    let lines = effort.rounds(200_000)
    func script(_ opening: String, _ line: String, _ closing: String = "") -> String {
      var text = opening
      for _ in 0..<lines { text += line }
      return text + closing
    }
    let text = script(opening, "unmap $vm 0x1000 len=4K -> ENOENT\n")
    var others: [String] = []
    for (name, input) in [
      ("sqlite3", script("create table t(x); begin;\n", "insert into t values(1);\n", "commit;\n")),
      ("tclsh", script("set y 1\n", "set x [expr {$y + 1}]\n")),
    ] {
      guard let time = ChildProcess.milliseconds(effort, [name], input: input) else { continue }
      others.append("\(name) \(BenchTable.text(Double(lines) / time * 1000, .perSecond))")
    }
    return Outcome(value: rate(effort, text, statements: lines), comparison: others.joined(separator: ", "))
  }

  private static func rate(_ effort: BenchEffort, _ text: String, statements: Int) -> Double? {
    let source = SourceFile(name: "bench.iofd", text: text)
    let rigs = Rigs()
    var isGood = true
    let time = effort.median {
      Double(
        BenchClock.nanoseconds {
          let result = Interpreter.run(source, loader: MemoryLoader()) { try rigs.make() }
          if result.verdict != .passed { isGood = false }
        })
    }
    return isGood ? Double(statements) / time * 1e9 : nil
  }
}

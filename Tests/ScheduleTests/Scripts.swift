// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Language
import Runner
import Testing

/// The scripts of `Tests/Schedules`.
enum Scripts {
  static let backends = ["mock", "vtd", "vtd:mode=legacy", "amd", "smmuv3", "riscv:vfio=isolated", "s390"]

  struct Outcome {
    let problems: String
    let passed: Int
    /// Tests of the script that ran.
    let cases: Int
    /// As the notes count them.
    let schedules: Int
  }

  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  static func run(_ name: String, on backend: String, defines: [String: String], only: String? = nil) throws
    -> Outcome
  {
    let source = try ScriptTree.load("\(root)/Tests/Schedules/\(name)")
    let rigs = Rigs(backend: try Backend(backend))
    var options = RunOptions()
    options.check = true
    options.defines = defines
    if let only { options.filter = { name, _ in name == only } }
    let result = Interpreter.run(source, loader: DiskLoader(), options: options) { try rigs.make() }
    let notes = result.cases.flatMap(\.notes).filter { $0.hasSuffix(" schedules") }
    return Outcome(
      problems: DiagnosticRenderer().render(result.allDiagnostics), passed: result.counts.passed,
      cases: result.cases.count { !$0.name.isEmpty },
      schedules: notes.reduce(0) { $0 + (Int($1.split(separator: " ").dropLast().last ?? "") ?? 0) })
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Language
import Runner
import Testing
import UAPI

/// One example, every call of which is made to fail at each of its failure points. `Tests/Sweeps/run` does it with all
/// of them, and with every command on every backend.
@Suite("Failure sweeps")
struct SweepTests {
  @Test func quickstart() throws {
    var options = RunOptions()
    options.sweeps = true
    let source = try ScriptTree.load(ExampleTests.root + "/examples/quickstart.iofd")
    let rigs = Rigs(kernel: .standard)
    let result = Interpreter.run(source, loader: DiskLoader(), options: options) { try rigs.make() }
    let problems = DiagnosticRenderer().render(result.allDiagnostics)
    #expect(problems.isEmpty, "\(problems)")
    #expect(result.verdict == .passed)
    #expect(result.swept.total.points > 100)
    #expect(result.swept.total.late > 5)
    #expect(result.swept.values["IOAS_MAP flags=WRITEABLE"].map { $0.points > 0 } == true)
  }
}

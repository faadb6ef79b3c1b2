// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

// The table of exit statuses, each from a process of its own.
struct ExitStatusTests {
  private func run(_ scripts: [String], _ options: [String] = []) throws -> Tool.Outcome {
    let tool = try Tool()
    let paths = try scripts.enumerated().map { try tool.scratch.write("\($0.offset).iofd", $0.element) }
    return try tool.run(["run"] + options + paths)
  }

  @Test func passed() throws {
    let outcome = try run([
      Script.pass, "require kernel>=99.1\n" + Script.pass, "xfail \"known\"\n" + Script.fail,
    ])
    #expect(outcome.status == 0)
    #expect(outcome.output.hasSuffix("\n1 passed, 0 failed, 1 skipped, 1 xfail\n"))
    #expect(outcome.errors.isEmpty)
  }

  @Test func failed() throws {
    #expect(try run([Script.pass, Script.fail]).status == 1)
    let unexpected = try run(["xfail \"known\"\n" + Script.pass])
    #expect(unexpected.status == 1)
    #expect(unexpected.output.contains("xpass"))
  }

  @Test(arguments: [
    ["run"], ["run", "--nonsense", "x"], ["nonsense"], ["run", "-j", "0", "x"], ["run", "-j"],
    ["run", "--kernel", "1.0", "x"],
    ["run", "--report", "tap", "x"], ["run", "-Dx", "x"], ["run", "--check=yes", "x"], ["explain"],
    ["explain", "nonsense"],
    ["fmt"], ["check"], ["--nonsense"], ["run", "--report", "tap=-", "--report", "junit=-", "x"],
  ])
  func usage(_ words: [String]) throws {
    let outcome = try Tool().run(words)
    #expect(outcome.status == 2)
    #expect(outcome.errors.hasPrefix("iofd: "))
    #expect(outcome.output.isEmpty)
  }

  @Test func invalid() throws {
    let outcome = try run([Script.invalid])
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("0.iofd:1:"))
    #expect(try Tool().run(["run", "/nowhere.iofd"]).status == 3)
    let unreadable = try Tool().run(["run", "/proc/self/mem"])
    #expect(unreadable.status == 3)
    #expect(unreadable.output.contains("cannot read it: Input/output error"))
  }

  @Test func nothingRan() throws {
    let tool = try Tool()
    let outcome = try tool.shell("mkdir empty; iofd run empty")
    #expect(outcome.status == 4)
    #expect(outcome.output == "0 passed, 0 failed\n")
    #expect(outcome.errors.hasPrefix("iofd: nothing ran"))
    #expect(try run([Script.pass], ["--filter", "nonsense"]).status == 4)
  }

  @Test func timeOut() throws {
    #expect(try run([Script.long], ["--time-limit", "1"]).status == 70)
    #expect(try run([Script.long], ["--statement-limit", "1000"]).status == 70)
  }

  @Test func outOfMemory() throws {
    let outcome = try run([Script.long], ["--memory-limit", "1M"])
    #expect(outcome.status == 71)
    #expect(outcome.output.contains("out-of-memory"))
  }

  @Test func trap() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("long.iofd", Script.long)
    let running = try tool.start(["run", script], input: "")
    try running.signal(SIGILL)
    let outcome = try running.wait()
    #expect(outcome.status == 77)
    #expect(outcome.errors == "iofd: internal error, this is a bug; it was running: \(script)\n")
  }

  @Test func interrupted() throws {
    let tool = try Tool()
    let scripts = try ["a", "b", "c"].map { try tool.scratch.write("\($0).iofd", Script.long) }
    try tool.scratch.write("report.tap", "old")
    let running = try tool.start(
      ["run", "-j1", "--report", "tap=\(tool.scratch.path)/report.tap"] + scripts, input: "")
    try running.signal(SIGINT)
    let outcome = try running.wait()
    #expect(outcome.status == 130)
    #expect(outcome.output.contains("not-run \(scripts[2])  (interrupted)"))
    #expect(outcome.output.hasSuffix("\n"))
    // The report is whole, and says what did not run.
    let report = try tool.scratch.read("report.tap")
    #expect(report.contains("not ok 3 - \(scripts[2])"))
    #expect(report.hasSuffix("1..3\nBail out! interrupted\n"))
  }

  @Test func theWorstWins() throws {
    #expect(try run([Script.pass, Script.fail, Script.invalid]).status == 3)
    #expect(try run([Script.fail, Script.long], ["--statement-limit", "1000"]).status == 70)
    #expect(try run([Script.long, Script.invalid], ["--statement-limit", "1000"]).status == 70)
    #expect(try run([Script.fail], ["--report", "tap=/dev/full"]).status == 2)
    #expect(try run([Script.invalid], ["--report", "tap=/dev/full"]).status == 3)
  }
}

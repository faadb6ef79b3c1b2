// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

struct SubcommandTests {
  @Test func scriptOnStandardInput() throws {
    let tool = try Tool()
    for words in [["run", "-"], [], ["--check"], ["--kernel", "6.12"]] {
      let outcome = try tool.run(words, input: Script.pass)
      #expect(outcome.status == 0)
      #expect(outcome.output == "passed  -\n1 passed, 0 failed\n")
    }
    let failed = try tool.run([], input: Script.fail)
    #expect(failed.status == 1)
    #expect(failed.output.hasPrefix("<stdin>:1:"))
  }

  @Test func shebang() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("hello", "#!\(Tool.path) run\n" + Script.pass)
    chmod(script, 0o755)
    // What a process that another test starts right now has open for writing, by inheritance, cannot be executed: the
    // copy is written by a process of its own.
    let outcome = try tool.shell("cp hello copy && ./copy")
    #expect(outcome.status == 0)
    let environment = try tool.scratch.write("again", "#!/usr/bin/env -S iofd run --quiet\n" + Script.pass)
    chmod(environment, 0o755)
    let directory = Tool.path.split(separator: "/").dropLast().joined(separator: "/")
    let second = try tool.shell("PATH=\"/\(directory):$PATH\"; unset -f iofd; cp again copy && ./copy")
    #expect(second.status == 0)
    #expect(second.output == "1 passed, 0 failed\n")
  }

  @Test func layout() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", "vm   =   ioas   create\n")
    chmod(script, 0o640)
    let check = try tool.run(["fmt", "--check", script])
    #expect(check.status == 1)
    #expect(check.output == "\(script)\n")
    #expect(try tool.run(["fmt", script]).status == 0)
    #expect(try tool.scratch.read("a.iofd") == "vm = ioas create\n")
    #expect(try tool.run(["fmt", "--check", script]).status == 0)
    var status = stat()
    #expect(stat(script, &status) == 0 && status.st_mode & 0o777 == 0o640)
    let piped = try tool.run(["fmt", "-"], input: "vm   =   ioas   create\n")
    #expect(piped.output == "vm = ioas create\n")
    let broken = try tool.scratch.write("b.iofd", "vm = (\n")
    #expect(try tool.run(["fmt", broken]).status == 3)
    #expect(try tool.scratch.read("b.iofd") == "vm = (\n")
  }

  @Test func check() throws {
    let tool = try Tool()
    let good = try tool.scratch.write("a.iofd", Script.fail)
    let bad = try tool.scratch.write("b.iofd", Script.invalid)
    #expect(try tool.run(["check", good]).status == 0)
    let outcome = try tool.run(["check", "--diag", "short", good, bad])
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("\(good):1:1: warning["))
    #expect(outcome.output.contains("\(bad):1:11: error[R0001]"))
    #expect(try tool.run(["check", "-"], input: Script.invalid).output.hasPrefix("<stdin>:1:"))
  }

  @Test(arguments: ["EEXIST", "IOAS_MAP", "ioas create", "P0001", "0x85", "MD_CHECK_MAP", "seq"])
  func explain(_ topic: String) throws {
    let outcome = try Tool().run(["explain"] + topic.split(separator: " ").map { String($0) })
    #expect(outcome.status == 0)
    #expect(outcome.output.utf8.count > 40)
  }

  @Test func help() throws {
    for words in [["--help"], ["help"], ["help", "run"], ["run", "--help"], ["--version"]] {
      let outcome = try Tool().run(words)
      #expect(outcome.status == 0)
      #expect(outcome.output.contains("iofd"))
    }
  }

  @Test func reportsGoWhereTheyAreTold() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Script.pass)
    let outcome = try tool.run(["run", "--report", "tap=-", script])
    #expect(outcome.output == "TAP version 14\nok 1 - \(script)\n1..1\n")
    #expect(outcome.errors.hasSuffix("1 passed, 0 failed\n"))
    let trace = try tool.run(["run", "--trace=\(tool.scratch.path)/t", script])
    #expect(!trace.output.contains("IOAS_ALLOC"))
    #expect(try tool.scratch.read("t").contains("IOAS_ALLOC"))
    #expect(try tool.run(["run", "--trace", script]).output.contains("IOAS_ALLOC"))
    #expect(!(try tool.run(["run", "--until", "1", "--trace", script]).output.contains("DESTROY")))
  }

  @Test func includesWhatLiesBeside() throws {
    let tool = try Tool()
    try tool.scratch.write("part.iofd", "vm = ioas create\nexport vm\n")
    let script = try tool.scratch.write("whole.iofd", "include \"part.iofd\"\ndestroy $vm\n")
    let outcome = try tool.run(["run", script])
    #expect(outcome.status == 0, "\(outcome.output)")
    let missing = try tool.scratch.write("missing.iofd", "include \"nowhere.iofd\"\n")
    #expect(try tool.run(["run", missing]).status == 3)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

// Full disks, closed pipes, loops: a clear message, the right status, and nothing half written.
struct BadSurroundingsTests {
  @Test func fullDisk() throws {
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Script.pass)
    for format in ["tap", "junit", "ndjson"] {
      let outcome = try tool.run(["run", "--report", "\(format)=/dev/full", script])
      #expect(outcome.status == 2)
      #expect(outcome.errors == "iofd: cannot write /dev/full: No space left on device\n")
      #expect(outcome.output.hasSuffix("1 passed, 0 failed\n"))
    }
    let output = try tool.shell("iofd run a.iofd > /dev/full")
    #expect(output.status == 2)
    #expect(output.errors == "iofd: cannot write standard output: No space left on device\n")
    let trace = try tool.shell("iofd run --trace=/dev/full a.iofd")
    #expect(trace.status == 2)
  }

  /// A limit of file sizes stands in for a disk that is full: every byte written to a file fails.
  @Test func whatCannotBeWrittenLeavesTheOldFile() throws {
    let tool = try Tool()
    try tool.scratch.write("a.iofd", "vm   = ioas create\n")
    try tool.scratch.write("report.tap", "old")
    let report = try tool.shell(
      "(ulimit -f 0; iofd run --report tap=report.tap a.iofd 2>&1) | cat; exit ${PIPESTATUS[0]}")
    #expect(report.status == 2)
    #expect(report.output.contains("cannot write report.tap: File too large"))
    #expect(try tool.scratch.read("report.tap") == "old")
    let layout = try tool.shell("ulimit -f 0; iofd fmt a.iofd")
    #expect(layout.status == 2)
    #expect(try tool.scratch.read("a.iofd") == "vm   = ioas create\n")
    #expect(tool.scratch.names("a.iofd") == ["a.iofd"])
    #expect(tool.scratch.names("report.tap") == ["report.tap"])
  }

  @Test func closedPipe() throws {
    let tool = try Tool()
    for name in 10..<99 { try tool.scratch.write("\(name).iofd", "vm = ioas create\nshow $vm\n") }
    let outcome = try tool.shell("iofd run . | head -1; echo ${PIPESTATUS[0]} >&2")
    #expect(outcome.output.split(separator: "\n").count == 1)
    // Either everything was written before the reader left, or the run was cut short; never a word about it.
    #expect(["130\n", "0\n"].contains(outcome.errors))
    let closed = try tool.shell("(sleep 1; iofd run .; echo $? >&2) | true")
    #expect(closed.errors == "130\n")
  }

  @Test func directoryLoop() throws {
    let tool = try Tool()
    let outcome = try tool.shell("mkdir d; cp /dev/null d/a.iofd; ln -s . d/loop; iofd run d")
    #expect(outcome.status == 3)
    #expect(outcome.output.contains("directory loop: it leads back to d"))
    #expect(outcome.output.contains("passed  d/a.iofd"))
  }

  @Test func endlessScript() throws {
    let outcome = try Tool().run(["run", "/dev/zero"])
    #expect(outcome.status == 3)
  }
}

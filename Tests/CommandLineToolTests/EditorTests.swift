// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

/// `iofd lint` as a process.
struct EditorTests {
  @Test func lintSaysItWithItsStatus() throws {
    let tool = try Tool()
    let good = try tool.run(["lint", "-"], input: "iofd 1\nioas create\n")
    #expect(good.status == 0 && good.output.isEmpty)
    let text = "iofd 1\nthread a { ioas create }\n"
    let found = try tool.run(["lint", "-"], input: text)
    #expect(found.status == 1 && found.output.contains("warning[L0004]"))
    #expect(try tool.run(["check", "-"], input: text).status == 0)
    let json = try tool.run(["lint", "--diag", "json", "-"], input: text)
    #expect(
      json.output.hasPrefix("{\"severity\":\"warning\",\"code\":\"L0004\",\"file\":\"<stdin>\",\"line\":2,"))
    #expect(try tool.run(["lint", "-"], input: "destroy $vm\n").status == 3)
    #expect(try tool.run(["lint"]).status == 2)
    #expect(try tool.run(["explain", "L0004"]).output.contains("never gets the turn"))
    // What is true under one kernel may not be under another.
    let old = "iofd 1\nvm = ioas create\nrequest OPTION option_id=1 object_id=$vm op=SET val64=0\n"
    #expect(try tool.run(["lint", "--kernel", "6.12", "-"], input: old).status == 1)
  }
}

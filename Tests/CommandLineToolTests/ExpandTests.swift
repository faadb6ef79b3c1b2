// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

/// `iofd expand`, as a person meets it.
struct ExpandCommandTests {
  @Test func expands() throws {
    let tool = try Tool()
    try tool.scratch.write("a.iofd", "param n: int = 2\nfor i in 1...($n) { ioas create }\n")
    let outcome = try tool.shell("iofd expand a.iofd")
    #expect(outcome.output.hasSuffix("\n# i=1\nioas create\n# i=2\nioas create\n"))
    #expect(try tool.shell("iofd expand -D n=3 a.iofd -o b.iofd && iofd run b.iofd").status == 0)
    #expect(try tool.shell("iofd expand -D n=x a.iofd").status == 3)
    #expect(try tool.shell("iofd expand nowhere.iofd").status == 3)
    #expect(try tool.shell("iofd expand").status == 2)
    #expect(try tool.shell("iofd expand -D n=300000 a.iofd").errors.contains("200000 statements"))
  }
}

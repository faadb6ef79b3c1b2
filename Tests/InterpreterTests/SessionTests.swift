// SPDX-License-Identifier: GPL-3.0-or-later

import Interpreter
import Language
import Testing

@Suite struct SessionTests {
  private func session() -> Session {
    Session(rig: modelRig(), loader: MemoryLoader()) { modelRig() }
  }

  @Test func namesStay() {
    let session = session()
    #expect(session.run("vm = ioas create").text == "ok, id=$vm\n")
    #expect(session.run("mem alloc 4K as buf").isGood)
    #expect(session.run("map $vm $buf iova=0x1000").outcome == "ok, iova=0x1000")
    #expect(session.names.contains("buf"))
    #expect(session.run("expect $vm.areas.count = 1").isGood)
  }

  @Test func nothingIsExpectedUnlessWritten() {
    let session = session()
    let reply = session.run("destroy id:9")
    #expect(reply.isGood)
    #expect(reply.outcome == "ENOENT")
    #expect(reply.text.hasPrefix("ENOENT  (no object"))
    #expect(!session.run("destroy id:9 -> EBUSY").isGood)
  }

  @Test func mistakesAreToldAndForgotten() {
    let session = session()
    #expect(session.run("ioas creat").diagnostics.map { $0.code.code } == ["R0001"])
    #expect(session.run("map (").diagnostics.first?.code.code.hasPrefix("P") == true)
    #expect(session.run("vm = ioas create").isGood)
    #expect(session.run("def f(x) { destroy $x }").isGood)
    #expect(session.run("f $vm").isGood)
    #expect(session.run("show").text.contains("kernel: 7.2"))
    #expect(session.run("test \"t\" { vm = ioas create -> id=1 }").isGood)
  }
}

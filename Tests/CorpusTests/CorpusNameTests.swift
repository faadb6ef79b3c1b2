// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import Corpora

/// What the names of inputs say.
struct CorpusNameTests {
  private static let hash = "da39a3ee5e6b4b0d3255bfef95601890afd80709"

  @Test func aflQueue() {
    let name = CorpusName("id:000123,src:000004+000017,time:4711,execs:99,op:splice,rep:4,+cov")
    #expect(name.origin == .afl && name.role == .input && name.id == 123)
    #expect(name.sources == [4, 17] && name.milliseconds == 4711 && name.executions == 99)
    #expect(name.operation == "splice" && name.hasNewCoverage && !name.hasTimedOut)
  }

  @Test func aflImports() {
    let name = CorpusName("id:000000,time:0,execs:0,orig:my,seed.bin,+cov,+tout")
    #expect(name.importedFrom == "my,seed.bin" && name.hasNewCoverage && name.hasTimedOut)
    #expect(CorpusName("id:000002,sync:other,src:000007").importedFrom == "other")
  }

  @Test func aflFindings() {
    let crash = CorpusName("id:000001,sig:11,src:000000,time:1,execs:2,op:flip1,pos:3,val:be:-4.bin")
    #expect(crash.role == .crash && crash.signal == "11" && crash.operation == "flip1")
    let simple = CorpusName("id_000042_06")
    #expect(simple.id == 42 && simple.role == .crash && simple.signal == "06")
    #expect(CorpusName("id_000042").role == .input)
    #expect(CorpusName("id:000042.bin").id == 42)
  }

  @Test func libFuzzer() {
    for (prefix, role) in [
      ("", CorpusName.Role.input), ("crash-", .crash), ("leak-", .leak), ("timeout-", .hang),
      ("oom-", .outOfMemory), ("slow-unit-", .slow), ("minimized-from-", .minimized),
    ] {
      let name = CorpusName(prefix + Self.hash)
      #expect(name.origin == .libFuzzer && name.role == role && name.hash == Self.hash)
    }
  }

  @Test func syzkaller() {
    let name = CorpusName(Self.hash + "-17")
    #expect(name.origin == .syzkaller && name.hash == Self.hash && name.id == 17)
  }

  @Test(arguments: [
    "", "seed", "id:", "id:,,,", "id_", "id:99999999999999999999999", "crash-", "crash-abc", "-",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709-x", "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709-1-2",
  ])
  func othersSayNothing(_ name: String) {
    let name = CorpusName(name)
    #expect(name.origin == .unknown && name.role == .input && name.id == nil && name.hash == nil)
  }

  @Test func garbage() {
    var dice = Dice(6)
    let names = ["id:000123,sig:11,src:000004+000017,op:x,+cov", "SIGSEGV.PC.1.fuzz", Self.hash + "-1"]
    var known = 0
    for round in 0..<5000 {
      let name = String(decoding: dice.mutate(Array(names[round % 3].utf8)), as: UTF8.self)
      if CorpusName(name).origin != .unknown { known += 1 }
    }
    #expect(known > 500)
  }
}

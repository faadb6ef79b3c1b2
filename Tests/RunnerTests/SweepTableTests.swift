// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Runner
import Testing
import UAPI

/// The table that `Tests/Sweeps/run` reads: what nobody sweeps is in it, so it can be missed.
@Suite("The table of a sweep")
struct SweepTableTests {
  private static func rows(_ kernel: Personality) -> [[String]] {
    let table = SweepTable(path: "unused")
    table.receive(.began(kernel: kernel.rawValue, backend: "mock", scripts: 0))
    return table.text.split(separator: "\n").dropFirst().map {
      $0.split(separator: "\t", omittingEmptySubsequences: false).map { String($0) }
    }
  }

  @Test(arguments: Personality.allCases)
  func namesEverything(_ kernel: Personality) {
    let rows = Self.rows(kernel)
    #expect(rows.allSatisfy { $0.count == 7 && $0[0] == kernel.rawValue && $0[1] == "mock" })
    #expect(rows.allSatisfy { $0.dropFirst(3).allSatisfy { $0 == "0" } })
    let names = Set(rows.map { $0[2] })
    #expect(names.count == rows.count)
    for row in CommandTable.all where row.family != .selftest {
      #expect(names.contains(row.name) == row.exists(in: kernel.version), "\(row.name)")
    }
    for op in CommandTable.selftestOps {
      #expect(names.contains("TEST \(op.name)") == op.exists(in: kernel.version), "\(op.name)")
    }
    for verb in VerbTable.all { #expect(names.contains(verb.name) == (verb.requestName == nil)) }
    for type in Names.hwptData.entries {
      #expect(names.contains("HWPT_ALLOC data_type=\(type.name)") == (type.since <= kernel.version))
    }
    #expect(rows.last?[2] == "total")
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

/// Makes the first, second, third ... step that can fail fail, in every request of the tables that succeeds.
///
/// Whatever fails, no invariant breaks, a refused request leaves nothing behind, and the same request
/// succeeds afterwards with the same outputs.
@Suite("Failures on purpose")
struct SweepTests {
  /// No request passes more places where it can fail.
  private static let mostPasses: UInt64 = 400

  /// An event that finds no memory is refused, and counts as lost.
  private static let leavesTraces: Set<String> = ["TRIGGER_VEVENT"]

  /// Tables whose requests pass no place where they can fail.
  private static let cannotFail: Set<String> = [
    "OPTION RLIMIT_MODE", "TEST_CMD", "VFIO_GET_API_VERSION", "VFIO_CHECK_EXTENSION",
    "VFIO_SET_IOMMU", "VFIO_IOMMU_GET_INFO", "MD_CHECK_REFS", "DESTROY_ACCESS_PAGES", "SET_TEMP_MEMORY_LIMIT",
    "DMABUF_REVOKE",
  ]

  @Test("fails cleanly", arguments: RequestTests.items)
  func sweep(_ item: RequestTests.Item) throws {
    var failures: UInt64 = 0
    for (table, wanted, kernel) in item.cases where wanted.answer == "ok" {
      failures += try sweep(table, wanted, kernel)
    }
    #expect((failures == 0) == Self.cannotFail.contains(item.table.name))
  }

  /// - Returns: how often the request could be made to fail.
  private func sweep(_ table: RequestTable, _ wanted: RequestCase, _ kernel: Personality) throws -> UInt64 {
    var clean: Caller.Answer?
    for nth in 0...Self.mostPasses {
      let name: Comment = "\(table.name), \(wanted.title), on \(kernel.rawValue), failure \(nth)"
      let world = try World(kernel)
      try table.world(world)
      try wanted.given(world)
      let before = world.snapshot
      if nth > 0 { world.bench.armFailure(nth: nth) }
      let answer = world.ask(table.row, table.good, wanted.fields)
      let happened = world.bench.disarmFailure()
      let broken = world.bench.violations().map(\.description)
      #expect(broken == [], name)
      guard let reference = clean else {
        #expect(answer.name == "ok", name)
        clean = answer
        continue
      }
      if !happened {
        #expect(answer.name == "ok", name)
        return nth - 1
      }
      guard let errno = answer.errno, broken.isEmpty, !Self.leavesTraces.contains(table.row) else { continue }
      #expect(
        world.snapshot == before,
        "\(table.name), \(wanted.title), on \(kernel.rawValue), failure \(nth): \(errno.reason ?? errno.name)"
      )
      let again = world.ask(table.row, table.good, wanted.fields)
      #expect(again.name == "ok", name)
      #expect(again.result == reference.result, name)
      #expect(again.bytes == reference.bytes, name)
      #expect(world.leftovers() == [], name)
    }
    Issue.record("\(table.name), \(wanted.title): no end of failures")
    return Self.mostPasses
  }
}

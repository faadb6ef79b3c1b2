// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing

/// Programs that check for themselves what they see: see `Programs`.
@Suite("Programs under iofd exec", .enabled(if: Surroundings.canRun))
struct ProgramTests {
  /// With the model's invariants checked after each request.
  @Test(arguments: [
    "descriptors", "exec", "names", "faults", "events", "memory", "rights", "failing", "threads", "killed",
    "pointers",
    "limits",
  ])
  func findsWhatAKernelShows(_ name: String) throws {
    let workshop = try Workshop()
    let program = try workshop.compile(name)
    let outcome = try workshop.execute(["--check", "--", program])
    #expect(outcome == .init(status: 0))
  }

  /// They race, and make too many objects to look at all of them each time.
  @Test(arguments: ["threads", "storm", "killed", "children", "pointers"])
  func staysItselfUnderLoad(_ name: String) throws {
    let workshop = try Workshop()
    let program = try workshop.compile(name)
    let outcome = try workshop.execute([program])
    #expect(outcome == .init(status: 0))
  }

  @Test(arguments: ["descriptors", "exec", "memory", "threads"])
  func needsNoLinker(_ name: String) throws {
    let workshop = try Workshop()
    let program = try workshop.compile(name, .static)
    let outcome = try workshop.execute(["--check", "--kernel", "7.2", "--", program])
    #expect(outcome == .init(status: 0))
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import IOMMUFD
internal import Memory
internal import Synchronization

extension Machine {
  /// Every broken invariant: of each open file, of memory, and of what they share: pin counts and charges.
  public func violations() -> [Violation] {
    let files = kernel.openContexts.map { $0.census() }
    var broken: [Violation] = []
    for file in files { broken += file.violations() }
    broken += kernel.damage.violations
    broken += memory.checkInvariants().map { Violation("physical memory is consistent", $0) }
    for process in allProcesses {
      broken += process.space.checkInvariants().map {
        Violation("a process's memory is consistent", "process \(process.pid): \($0)")
      }
    }
    broken += pinViolations(files) + chargeViolations(files)
    return broken
  }

  /// Pages that one rule lists at most; a page table that was overwritten can break it at every page.
  private static let shown = 8

  /// A page's pin count is the number of (pages object, index) pairs that need it.
  private func pinViolations(_ files: [ObjectCensus]) -> [Violation] {
    var needed = FrameCounts(of: memory)
    for file in files { file.countPins(into: &needed) }
    let rule = "a page's pin count is the number of mappings that need it"
    var broken: [Violation] = []
    var (wrong, pins, total) = (0, 0, 0)
    needed.forEach { frame, count in
      let pinned = memory.pinCount(of: frame)
      pins += pinned
      total += count
      guard count > 0, pinned != count else { return }
      wrong += 1
      guard wrong <= Self.shown else { return }
      broken.append(
        Violation(rule, "frame \(frame.raw) is pinned \(pinned) times and needed \(count) times"))
    }
    if wrong > Self.shown { broken.append(Violation(rule, "and \(wrong - Self.shown) more")) }
    if pins != total {
      broken.append(
        Violation("nothing is pinned that no mapping needs", "\(pins) pins, \(total) needed"))
    }
    return broken
  }

  /// Counters of users and processes are the sums of what mappings charged.
  private func chargeViolations(_ files: [ObjectCensus]) -> [Violation] {
    typealias Charges = ObjectCensus.Charges
    var charges = Charges()
    for file in files { file.addCharges(to: &charges) }
    var broken: [Violation] = []
    func require(_ process: Account, _ name: String, _ now: Int, _ expected: Int) {
      guard now != expected else { return }
      broken.append(
        Violation(
          "counters are the sum of what mappings charged",
          "process \(process.pid): \(name) is \(now) pages, mappings charged \(expected)"))
    }
    for process in accounts {
      let memory = process.memory
      let counters = memory.counters
      require(
        process, "charge of the user", process.user.lockedPages.load(ordering: .relaxed),
        Charges.pages(charges.byUser, of: process.user))
      require(
        process, "VmLck", counters.locked.load(ordering: .relaxed), Charges.pages(charges.locked, of: memory))
      require(
        process, "VmPin",
        counters.pinned.load(ordering: .relaxed) - counters.misplaced.load(ordering: .relaxed),
        Charges.pages(charges.pinned, of: memory))
    }
    return broken
  }
}

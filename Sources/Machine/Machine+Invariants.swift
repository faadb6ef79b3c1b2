// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import IOMMUFD
internal import Memory
internal import Synchronization

extension Machine {
  /// Every broken invariant: of each open file, of memory, and of what they share: pin counts and charges.
  public func violations() -> [Violation] {
    let contexts = kernel.openContexts
    var broken = contexts.flatMap { $0.violations() }
    broken += kernel.damage.violations
    broken += memory.checkInvariants().map { Violation("physical memory is consistent", $0) }
    for process in allProcesses {
      broken += process.space.checkInvariants().map {
        Violation("a process's memory is consistent", "process \(process.pid): \($0)")
      }
    }
    broken += pinViolations(contexts) + chargeViolations(contexts)
    return broken
  }

  /// Pages that one rule lists at most; a page table that was overwritten can break it at every page.
  private static let shown = 8

  /// A page's pin count is the number of (pages object, index) pairs that need it.
  private func pinViolations(_ contexts: [Context]) -> [Violation] {
    var expected: [FrameNumber: Int] = [:]
    for context in contexts { expected.merge(context.pinnedFrames(), uniquingKeysWith: +) }
    let rule = "a page's pin count is the number of mappings that need it"
    let wrong = expected.filter { memory.pinCount(of: $0.key) != $0.value }.sorted { $0.key < $1.key }
    var broken = wrong.prefix(Self.shown).map { frame, count in
      Violation(
        rule, "frame \(frame.raw) is pinned \(memory.pinCount(of: frame)) times and needed \(count) times")
    }
    if wrong.count > Self.shown { broken.append(Violation(rule, "and \(wrong.count - Self.shown) more")) }
    let total = expected.values.reduce(0, +)
    if memory.pinTotals.pins != total {
      broken.append(
        Violation("nothing is pinned that no mapping needs", "\(memory.pinTotals.pins) pins, \(total) needed")
      )
    }
    return broken
  }

  /// Counters of users and processes are the sums of what mappings charged.
  private func chargeViolations(_ contexts: [Context]) -> [Violation] {
    var byUser: [ObjectIdentifier: Int] = [:]
    var locked: [ObjectIdentifier: Int] = [:]
    var pinned: [ObjectIdentifier: Int] = [:]
    for context in contexts {
      let charges = context.charges()
      byUser.merge(charges.byUser, uniquingKeysWith: +)
      locked.merge(charges.locked, uniquingKeysWith: +)
      pinned.merge(charges.pinned, uniquingKeysWith: +)
    }
    var broken: [Violation] = []
    for process in accounts {
      let memory = process.memory
      for (name, now, expected) in [
        (
          "charge of the user", process.user.lockedPages.load(ordering: .relaxed),
          byUser[ObjectIdentifier(process.user)]
        ),
        ("VmLck", memory.counters.locked.load(ordering: .relaxed), locked[ObjectIdentifier(memory)]),
        (
          "VmPin",
          memory.counters.pinned.load(ordering: .relaxed)
            - memory.counters.misplaced.load(ordering: .relaxed),
          pinned[ObjectIdentifier(memory)]
        ),
      ] where now != expected ?? 0 {
        broken.append(
          Violation(
            "counters are the sum of what mappings charged",
            "process \(process.pid): \(name) is \(now) pages, mappings charged \(expected ?? 0)"))
      }
    }
    return broken
  }
}

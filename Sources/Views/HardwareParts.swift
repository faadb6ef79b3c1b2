// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench

// Every IOMMU names its parts as its manual does, so which of them are caches and which are queues is said here, once
// for each kind. A part that is in neither list is seen by `show $io`.

/// Caches and queues among what is known of an IOMMU.
enum HardwareParts {
  /// Paths of lists whose items are cached entries.
  static let caches: [(kind: String, paths: [String])] = [
    (
      "vtd",
      [
        "caches.context", "caches.pasid", "caches.iotlb", "caches.paging-structures",
        "caches.interrupt-entries",
      ]
    ),
    ("amd", ["caches.devices", "caches.pages", "caches.tables", "caches.gcr3", "caches.interrupts"]),
    ("smmuv3", ["STEs", "CDs", "TLB", "walkCache"]),
    (
      "riscv",
      [
        "device contexts", "process contexts", "translations", "first-stage tables", "second-stage tables",
      ]
    ),
    ("s390", ["translations"]),
  ]

  /// Paths of queues: records with entries, or lists of what waits.
  static let queues: [(kind: String, paths: [String])] = [
    ("vtd", ["invalidation-queue", "page-request-queue", "fault-records"]),
    ("amd", ["queues.commands", "queues.events", "queues.pageRequests", "queues.guestInterrupts"]),
    ("smmuv3", ["CMDQ", "EVENTQ", "PRIQ"]),
    ("riscv", ["command queue", "fault queue", "page request queue"]),
    ("s390", ["events"]),
  ]

  static func paths(_ table: [(kind: String, paths: [String])], _ kind: String) -> [String] {
    table.first { $0.kind == kind }?.paths ?? []
  }

  /// The part at `caches.iotlb`.
  static func part(_ path: String, of fact: Fact) -> Fact? {
    path.split(separator: ".").reduce(fact as Fact?) { $0?[String($1)] }
  }
}

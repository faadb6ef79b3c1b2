// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

/// A mistake that a driver half can be told to make, so that a script can watch what hardware does then. Each is one
/// that drivers have made, or that their authors fear.
public enum DriverBug: String, CaseIterable, Sendable {
  case skipUnmapFlush = "skip-unmap-flush"
  case skipDeviceFlush = "skip-device-flush"
  case wrongDomainFlush = "wrong-domain-flush"
  case shortFlush = "short-flush"
  case leafOnlyFlush = "leaf-only-flush"
  case skipSync = "skip-sync"
  case skipContextFlush = "skip-context-flush"
  case reuseTag = "reuse-tag"
  case skipPASIDFlush = "skip-pasid-flush"
  case skipMapFlush = "skip-map-flush"
  case skipDirtyFlush = "skip-dirty-flush"
  case tornContext = "torn-context"

  /// What it does, in a sentence.
  public var summary: String {
    switch self {
    case .skipUnmapFlush: "Unmap leaves the translation cache of the IOMMU alone."
    case .skipDeviceFlush: "Unmap leaves the caches of devices with ATS alone."
    case .wrongDomainFlush: "Unmap flushes another domain's tag: DID, ASID, VMID."
    case .shortFlush: "The first page of a flushed range only."
    case .leafOnlyFlush:
      "Unlinked tables are freed after a flush of leaves only, so walks may go on through them."
    case .skipSync: "Commands are queued and nobody rings the doorbell or waits until somebody else does."
    case .skipContextFlush: "A context structure changes and the hardware's copy of it is not invalidated."
    case .reuseTag: "A tag is given to the next domain without being flushed."
    case .skipPASIDFlush: "A PASID is detached without invalidation of what was cached for it."
    case .skipMapFlush: "Map does not flush although the hardware caches entries that are not present."
    case .skipDirtyFlush:
      "Dirty bits are cleared and the translations that remember them stay cached, so later writes set none."
    case .tornContext: "A context structure becomes valid before all of its words are written."
    }
  }
}

/// The bugs that are switched on; any thread may look.
public final class DriverBugs: Sendable {
  private let bits = Atomic<UInt32>(0)

  public init() {}

  private static func bit(_ bug: DriverBug) -> UInt32 {
    1 << UInt32(DriverBug.allCases.firstIndex(of: bug) ?? 0)
  }

  public func set(_ bug: DriverBug, _ on: Bool) {
    if on {
      bits.bitwiseOr(Self.bit(bug), ordering: .relaxed)
    } else {
      bits.bitwiseAnd(~Self.bit(bug), ordering: .relaxed)
    }
  }

  public var isEmpty: Bool { bits.load(ordering: .relaxed) == 0 }

  /// One load while no bug is on.
  public func has(_ bug: DriverBug) -> Bool {
    let now = bits.load(ordering: .relaxed)
    return now != 0 && now & Self.bit(bug) != 0
  }

  public var all: [DriverBug] { DriverBug.allCases.filter(has) }
}

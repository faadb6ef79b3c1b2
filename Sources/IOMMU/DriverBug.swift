// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

/// A mistake that a driver half can be told to make, so that a script can watch what hardware does then. Each is one
/// that drivers have made, or that their authors fear.
public enum DriverBug: String, CaseIterable, Sendable {
  /// Unmap leaves the translation cache of the IOMMU alone.
  case skipUnmapFlush = "skip-unmap-flush"
  /// Unmap leaves the caches of devices with ATS alone.
  case skipDeviceFlush = "skip-device-flush"
  /// Unmap flushes another domain's tag: DID, ASID, VMID.
  case wrongDomainFlush = "wrong-domain-flush"
  /// The first page of a flushed range only.
  case shortFlush = "short-flush"
  /// Unlinked tables are freed after a flush of leaves only, so walks may go on through them.
  case leafOnlyFlush = "leaf-only-flush"
  /// Commands are queued and nobody rings the doorbell or waits until somebody else does.
  case skipSync = "skip-sync"
  /// A context structure changes and the hardware's copy of it is not invalidated.
  case skipContextFlush = "skip-context-flush"
  /// A tag is given to the next domain without being flushed.
  case reuseTag = "reuse-tag"
  /// A PASID is detached without invalidation of what was cached for it.
  case skipPASIDFlush = "skip-pasid-flush"
  /// Map does not flush although the hardware caches entries that are not present.
  case skipMapFlush = "skip-map-flush"
  /// Dirty bits are cleared and the translations that remember them stay cached, so later writes set none.
  case skipDirtyFlush = "skip-dirty-flush"
  /// A context structure becomes valid before all of its words are written.
  case tornContext = "torn-context"
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

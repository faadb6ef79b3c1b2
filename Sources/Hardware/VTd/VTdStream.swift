// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// What root, context and PASID structures say about one requester and PASID, in the form that walks want it.
///
/// The unit keeps a few of these in front of its context-cache and PASID-cache; every invalidation of either
/// empties them, so they show nothing that the two caches do not hold.
struct VTdStream: BitwiseCopyable, Sendable {
  enum Translation: UInt8, BitwiseCopyable, Sendable { case firstStage, secondStage, nested, passThrough }

  struct Flags: OptionSet, BitwiseCopyable, Sendable {
    let rawValue: UInt32
    static let legacy = Flags(rawValue: 1 << 0)
    static let fpd = Flags(rawValue: 1 << 1)
    /// Translation requests and translated requests are allowed.
    static let deviceTLB = Flags(rawValue: 1 << 2)
    static let pageRequests = Flags(rawValue: 1 << 3)
    /// Requests without PASID are the supervisor's.
    static let ridPriv = Flags(rawValue: 1 << 4)
    static let ssade = Flags(rawValue: 1 << 5)
    static let pwsnp = Flags(rawValue: 1 << 6)
    static let pgsnp = Flags(rawValue: 1 << 7)
    static let sre = Flags(rawValue: 1 << 8)
    static let ere = Flags(rawValue: 1 << 9)
    static let wpe = Flags(rawValue: 1 << 10)
    static let nxe = Flags(rawValue: 1 << 11)
    static let smep = Flags(rawValue: 1 << 12)
    static let eafe = Flags(rawValue: 1 << 13)
  }

  var translation: Translation
  /// Levels of the second stage, and of the first.
  var secondStageLevels: UInt8 = 0
  var firstStageLevels: UInt8 = 0
  var did: UInt16
  /// PASID that tags first-stage translations: the request's, or RID_PASID.
  var pasid: UInt32 = 0
  var flags: Flags
  var secondStageRoot: UInt64 = 0
  /// A guest-physical address for nested translation.
  var firstStageRoot: UInt64 = 0
  /// The last address that the second stage, or pass-through, takes.
  var limit: UInt64 = 0

  var fpd: Bool { flags.contains(.fpd) }
  var usesFirstStage: Bool { translation == .firstStage || translation == .nested }

  /// Tag of its translations. VT-d section 6.2.4.
  var tag: UInt64 { usesFirstStage ? Self.firstStageTag(did, pasid) : secondStageTag }
  var secondStageTag: UInt64 { Self.secondStageTag(did) }

  /// Second-stage and pass-through translations are tagged with the domain.
  static func secondStageTag(_ did: UInt16) -> UInt64 { UInt64(did) << 32 | 0xFFFF_FFFF }
  /// First-stage and nested translations are tagged with the domain and the PASID.
  static func firstStageTag(_ did: UInt16, _ pasid: UInt32) -> UInt64 { UInt64(did) << 32 | UInt64(pasid) }
}

/// A line of the context-cache: the entry, or that there is none. VT-d section 6.2.2.
struct VTdCachedContext: Sendable {
  var first: UInt64
  var second: UInt64
  /// The legacy entry's domain; 0 in scalable mode, and for what was not present.
  var did: UInt16
  /// Not present, with this reason; 0 for an entry.
  var missing: UInt8 = 0
  var fpd: Bool
}

/// A line of the PASID-cache. VT-d section 6.2.3.
struct VTdCachedPASIDEntry: Sendable {
  var first: UInt64
  var second: UInt64
  var third: UInt64
  var did: UInt16
  var missing: UInt8 = 0
  /// Set in the directory entry or in the PASID entry.
  var fpd: Bool
}

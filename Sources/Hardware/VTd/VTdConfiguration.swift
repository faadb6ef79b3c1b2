// SPDX-License-Identifier: GPL-3.0-or-later
public import HardwareSpecs

/// What a VT-d unit is able to do, how it caches, and where it departs from the manual.
///
/// The capability registers say which features exist; whatever they leave out behaves as the manual says for a
/// unit without it. Advanced fault logging, posted interrupts, performance counters and the virtual command
/// interface are not modelled: their bits may be set and have no registers behind them.
public struct VTdConfiguration: Sendable {
  /// VER: major version 7:4, minor 3:0.
  public var version: UInt32
  /// CAP, VT-d section 11.4.2.
  public var cap: UInt64
  /// ECAP, VT-d section 11.4.3.
  public var ecap: UInt64
  /// HAW: physical address bits that the platform has, 32 to 52; the others are reserved in every pointer.
  public var hostAddressWidth: UInt64
  /// PCI segment of the unit: bits 31:16 of every source that it names to its fabric.
  public var segment: UInt32
  public var cachePolicy: VTdCachePolicy
  /// There are paging-structure caches. VT-d section 6.2.5: a unit may do without.
  public var cachesTables = true
  public var quirks: VTdQuirks

  public init(
    profile: VTd.Profile = .full, hostAddressWidth: UInt64 = 46, segment: UInt32 = 0,
    cachePolicy: VTdCachePolicy = .infinite, quirks: VTdQuirks = VTdQuirks()
  ) {
    version = profile.version
    cap = profile.cap
    ecap = profile.ecap
    self.hostAddressWidth = hostAddressWidth
    self.segment = segment
    self.cachePolicy = cachePolicy
    self.quirks = quirks
  }
}

/// How long translations stay. Hit policy and replacement are the implementation's freedom (VT-d section 6.2);
/// software has to be right under all of them.
public enum VTdCachePolicy: Hashable, Sendable {
  /// Nothing is cached: every request walks.
  case none
  /// A translation stays until another one takes its slot, of `1 << capacityLg2`.
  case direct(capacityLg2: Int)
  /// A translation stays until it is invalidated: the worst case for software that forgets to. After
  /// `VTdCache.limit` entries beyond its slots the cache forgets those and starts over.
  case infinite
  /// Fills are dropped and the cache is emptied by chance, the same for the same seed.
  case random(seed: UInt64)
}

/// Deviations and points on which sources differ. The defaults are the manual, or the better founded reading.
public struct VTdQuirks: Sendable {
  public init() {}

  /// Second-stage faults in scalable mode use the legacy codes 04, 05, 06 and 0C.
  public var legacySecondStageCodes = false
  /// A second-stage entry without permissions gives 79, and a missing permission 85 or 86; off, both give 79.
  public var splitsSecondStageFaults = true
  /// Bit 11 of a second-stage table entry is reserved.
  public var snoopReservedInTables = false
  /// The execute bit alone makes a second-stage entry present.
  public var executeMakesPresent = false
  /// Accessed bits of upper levels are set although the request faults further down.
  public var setsAccessedOnFault = false
  /// Accessed and dirty bits that are to be set by a walk that does not snoop are a fault: 7C and 90.
  public var faultsOnUnsnoopedUpdate = true
  /// Memory refuses the atomic operation that sets accessed and dirty bits: 7C and 91.
  public var atomicsUnsupported = false
  /// Erratum 772415: first-stage tables in read-only second-stage pages have their accessed and dirty bits
  /// written all the same, instead of fault 77.
  public var errata772415 = false
  /// With caching mode, what was found not present stays so until it is invalidated; off, it answers once more.
  public var negativeCacheSticky = true
  /// A cached translation without the permission that is asked for faults without another look at memory.
  public var cachesPermissionFaults = false
  /// PASID-based IOTLB invalidations also remove pass-through entries, on which software relies.
  public var pasidInvalidationReachesPassThrough = true
  /// An address mask above MAMV in a PASID-based IOTLB invalidation is an error, as in the other kind.
  public var checksPASIDInvalidationMask = false
  /// The last request of a group that finds the page request queue full is answered with success.
  public var answersOverflowingRequests = true
  /// Missing pages and permissions are recorded for translation requests too.
  public var recordsTranslationRequestFaults = false
  /// A fault of a requester that has one pending is not recorded again.
  public var collapsesFaults = false
  /// ITESID names the device whose invalidation timed out; old hardware leaves it 0.
  public var namesTimedOutDevice = true
  /// Setting and clearing TE empties all caches.
  public var dropsCachesOnEnable = false
}

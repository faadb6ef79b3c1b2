// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// What each invalidation removes, and what it leaves. VT-d section 6.5.

/// An aligned power-of-two range of addresses, as an address mask (AM) names it.
struct VTdRange {
  let first: UInt64
  let last: UInt64

  /// `4 KiB << mask` bytes; the low bits of the address do not count.
  init(_ address: UInt64, mask: UInt64) {
    let ones = mask >= 52 ? UInt64.max : 1 << (mask + 12) - 1
    first = address & ~ones
    last = first | ones
  }

  func meets(_ address: UInt64, sizeLg2: UInt64) -> Bool {
    let ones = sizeLg2 >= 64 ? UInt64.max : 1 << sizeLg2 - 1
    return address & ~ones <= last && first <= address | ones
  }

  func meets(_ leaf: VTdLeaf, at address: UInt64) -> Bool { meets(address, sizeLg2: UInt64(leaf.sizeLg2)) }

  /// Whether the addresses that a line of the paging-structure caches serves are among these.
  func meetsTable(_ prefix: UInt64, _ tag: UInt64) -> Bool {
    let shift = VTdTranslator.shift(Int(truncatingIfNeeded: tag >> 48))
    return meets((prefix >> 12) << shift, sizeLg2: shift)
  }
}

extension VTdTranslator {
  private static func did(_ tag: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: tag >> 32) }
  /// The tag without the level of a paging-structure cache line.
  private static func stream(_ tag: UInt64) -> UInt64 { tag & (1 << 48 - 1) }

  // MARK: Context-cache and PASID-cache

  mutating func forgetContexts(where condition: (UInt16, VTdCachedContext) -> Bool) {
    contexts = contexts.filter { !condition($0.key, $0.value) }
    streams.removeAll()
    quickStreams.removeAll()
  }

  mutating func forgetPASIDEntries(where condition: (_ pasid: UInt32, VTdCachedPASIDEntry) -> Bool) {
    pasidEntries = pasidEntries.filter {
      !condition(UInt32(truncatingIfNeeded: $0.key & 0xF_FFFF), $0.value)
    }
    streams.removeAll()
    quickStreams.removeAll()
  }

  /// VT-d section 6.5.2.1. In scalable mode a context entry names no domain, so a domain-selective request
  /// removes everything and a device-selective one goes by the source-id alone.
  mutating func invalidateContexts(_ granularity: UInt64, did: UInt16, sid: UInt16, functionMask: UInt64) {
    typealias Granularity = VTd.Descriptor.Granularity
    let scalable = mode == VTd.TranslationTableMode.scalable
    let ignored = UInt16(VTd.Descriptor.functionMasks[Int(functionMask & 3)])
    switch granularity {
    case Granularity.global: forgetContexts { _, _ in true }
    case Granularity.domain: forgetContexts { scalable || $1.did == did }
    default:
      forgetContexts { ($0 ^ sid) & ~ignored == 0 && (scalable || $1.did == did) }
    }
  }

  /// VT-d section 6.5.2.2. What was not present is tagged with domain 0; a request for its PASID reaches it
  /// whatever the domain, since software cannot know a better one.
  mutating func invalidatePASIDCache(_ granularity: UInt64, did: UInt16, pasid: UInt32) {
    typealias Granularity = VTd.Descriptor.PASIDCacheGranularity
    switch granularity {
    case Granularity.global: forgetPASIDEntries { _, _ in true }
    case Granularity.domain: forgetPASIDEntries { $1.did == did }
    default: forgetPASIDEntries { $0 == pasid && ($1.did == did || $1.missing != 0) }
    }
  }

  // MARK: IOTLB and paging-structure caches

  /// VT-d section 6.5.2.3, global and domain-selective.
  mutating func invalidateIOTLB(did: UInt16?) {
    guard let did else {
      iotlb.removeAll()
      tables.removeAll()
      return
    }
    iotlb.remove { _, tag, _ in Self.did(tag) == did }
    tables.remove { _, tag, _ in Self.did(tag) == did }
  }

  /// VT-d section 6.5.2.3, page-selective within a domain: the address is one of the second stage. What went
  /// through a first stage cannot be found by it, and goes altogether.
  mutating func invalidateIOTLB(did: UInt16, _ range: VTdRange, keepsTables: Bool) {
    let secondStage = VTdStream.secondStageTag(did)
    iotlb.remove { address, tag, leaf in
      Self.did(tag) == did && (tag != secondStage || range.meets(leaf, at: address))
    }
    guard !keepsTables else { return }
    tables.remove { prefix, tag, _ in
      Self.did(tag) == did && (Self.stream(tag) != secondStage || range.meetsTable(prefix, tag))
    }
  }

  /// VT-d section 6.5.2.4: all of a PASID within a domain, or a range of it.
  mutating func invalidatePASIDIOTLB(did: UInt16, pasid: UInt32, _ range: VTdRange?, keepsTables: Bool) {
    let wanted = VTdStream.firstStageTag(did, pasid)
    let secondStage = VTdStream.secondStageTag(did)
    let passThrough = limits.quirks.pasidInvalidationReachesPassThrough
    iotlb.remove { address, tag, leaf in
      let tagged = tag == wanted || passThrough && tag == secondStage && leaf.flags.contains(.passThrough)
      return tagged && (range?.meets(leaf, at: address) ?? true)
    }
    guard range == nil || !keepsTables else { return }
    tables.remove { prefix, tag, _ in
      Self.stream(tag) == wanted && (range?.meetsTable(prefix, tag) ?? true)
    }
  }
}

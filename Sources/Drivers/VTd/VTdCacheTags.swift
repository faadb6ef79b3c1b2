// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// Who may have cached what a domain says. Every attachment leaves a tag for the unit's translation cache and, with
// ATS, one for the function's; a nested attachment leaves both with the second stage as well. A flush walks the list:
//
//     tag of the unit      second stage: pages of the domain ID        first stage, nested: pages of ID and PASID
//     tag of a function    its device-TLB, with the PASID
//     nesting tags         the unit's by second-stage address; the function's altogether, since nobody knows
//                          which of its addresses go through one
//
// Tags of one unit stand together in the list, so that their descriptors are submitted together.
//
// Source: `drivers/iommu/intel/cache.c`; reference backends-x86.md A7.7.

/// The cache tags of a domain: `domain->cache_tags`.
final class VTdCacheTags: @unchecked Sendable {
  enum Kind: Sendable { case iotlb, deviceTLB, nestingIOTLB, nestingDeviceTLB }

  private struct Tag {
    let kind: Kind
    let unit: VTdIOMMU
    let id: UInt16
    /// For the tags of a function's own cache.
    let device: VTdDevice?
    let pasid: UInt32
    var users = 1
  }

  /// What a flush is for.
  enum Cause: Sendable { case unmap, dirty, user }

  /// Descriptors that are submitted together at most: QI_MAX_BATCHED_DESC_COUNT.
  private static let batchSize = 16

  /// The domain's translations are tagged with a PASID: a first stage, or one below a guest's.
  private let usesPASIDs: Bool
  private let failures: FailurePoints
  private let lock = Lock(.vtdCacheTags)
  // Guarded by `lock`.
  private var tags: [Tag] = []
  private var batch: [VTdDescriptor] = []

  init(usesPASIDs: Bool, _ failures: FailurePoints) {
    self.usesPASIDs = usesPASIDs
    self.failures = failures
    batch.reserveCapacity(Self.batchSize)
  }

  var isEmpty: Bool { lock.withLock { tags.isEmpty } }

  // MARK: The list

  /// The tags of an attachment: the unit's, and the function's while its ATS is on. `__cache_tag_assign_domain` and
  /// `__cache_tag_assign_parent_domain`.
  ///
  /// - Throws: ENOMEM, and no tag is left.
  func assign(_ device: VTdDevice, _ pasid: UInt32, id: UInt16, nesting: Bool) throws(Errno) {
    try assign(nesting ? .nestingIOTLB : .iotlb, device, pasid, id)
    guard device.atsEnabled else { return }
    do throws(Errno) {
      try assign(nesting ? .nestingDeviceTLB : .deviceTLB, device, pasid, id)
    } catch {
      unassign(nesting ? .nestingIOTLB : .iotlb, device, pasid, id)
      throw error
    }
  }

  func unassign(_ device: VTdDevice, _ pasid: UInt32, id: UInt16, nesting: Bool) {
    unassign(nesting ? .nestingIOTLB : .iotlb, device, pasid, id)
    if device.atsEnabled { unassign(nesting ? .nestingDeviceTLB : .deviceTLB, device, pasid, id) }
  }

  /// `cache_tag_assign`: a new tag goes behind the last one of its unit, and in front of all without one.
  private func assign(_ kind: Kind, _ device: VTdDevice, _ pasid: UInt32, _ id: UInt16) throws(Errno) {
    try failures.pass(.allocation, "a cache tag")
    lock.withLock {
      if let index = index(kind, device, pasid, id) {
        tags[index].users += 1
        return
      }
      let behind = tags.lastIndex { $0.unit === device.unit }
      let isOfDevice = kind == .deviceTLB || kind == .nestingDeviceTLB
      tags.insert(
        Tag(kind: kind, unit: device.unit, id: id, device: isOfDevice ? device : nil, pasid: pasid),
        at: behind.map { $0 + 1 } ?? 0)
    }
  }

  private func unassign(_ kind: Kind, _ device: VTdDevice, _ pasid: UInt32, _ id: UInt16) {
    lock.withLock {
      guard let index = index(kind, device, pasid, id) else { return }
      tags[index].users -= 1
      if tags[index].users == 0 { tags.remove(at: index) }
    }
  }

  private func index(_ kind: Kind, _ device: VTdDevice, _ pasid: UInt32, _ id: UInt16) -> Int? {
    tags.firstIndex {
      $0.kind == kind && $0.unit === device.unit && $0.id == id && $0.pasid == pasid
        && ($0.device == nil || $0.device === device)
    }
  }

  // MARK: Flushing

  /// Makes everybody forget a range. `cache_tag_flush_range`.
  ///
  /// - Parameter keepsTables: only leaves have changed.
  func flush(_ first: UInt64, _ last: UInt64, keepsTables: Bool, for cause: Cause) {
    lock.withLock {
      var window = VTdWindow(first, last)
      var unit: VTdIOMMU?
      for tag in tags {
        if let unit, unit !== tag.unit { submit(to: unit) }
        unit = tag.unit
        let bugs = cause == .unmap && !tag.unit.bugs.isEmpty ? tag.unit.bugs : nil
        switch tag.kind {
        case .iotlb, .nestingIOTLB:
          if let bugs {
            addWrongly(tag, window, first, keepsTables: keepsTables, bugs)
          } else {
            add(tag.unit, translations(tag, tag.id, window, keepsTables: keepsTables))
          }
        case .deviceTLB, .nestingDeviceTLB:
          var range = window
          if tag.kind == .nestingDeviceTLB {
            range = .everything
            // The kernel since 6.19 loses the range for the tags that follow.
            if tag.unit.isModern { window = range }
          }
          guard bugs?.has(.skipDeviceFlush) != true else { continue }
          if bugs?.has(.shortFlush) == true { range = VTdWindow(first, first) }
          addDevice(tag, range)
        }
      }
      if let unit { submit(to: unit) }
    }
  }

  /// The mistakes that a driver can make with the caches of its unit.
  private func addWrongly(
    _ tag: Tag, _ window: VTdWindow, _ first: UInt64, keepsTables: Bool, _ bugs: DriverBugs
  ) {
    guard !bugs.has(.skipUnmapFlush) else { return }
    let id = bugs.has(.wrongDomainFlush) ? tag.id ^ 1 : tag.id
    let window = bugs.has(.shortFlush) ? VTdWindow(first, first) : window
    add(tag.unit, translations(tag, id, window, keepsTables: keepsTables || bugs.has(.leafOnlyFlush)))
  }

  /// Something was mapped where hardware may know that nothing was. `cache_tag_flush_range_np`.
  func flushAfterMap(_ first: UInt64, _ last: UInt64) {
    lock.withLock {
      let window = VTdWindow(first, last)
      var unit: VTdIOMMU?
      for tag in tags {
        if let unit, unit !== tag.unit { submit(to: unit) }
        unit = tag.unit
        guard tag.unit.features.cachesMissing, !usesPASIDs else {
          tag.unit.flushWriteBuffer()
          continue
        }
        guard tag.kind == .iotlb || tag.kind == .nestingIOTLB, !tag.unit.bugs.has(.skipMapFlush) else {
          continue
        }
        add(tag.unit, translations(tag, tag.id, window, keepsTables: false))
      }
      if let unit { submit(to: unit) }
    }
  }

  /// `cache_tag_flush_iotlb`: without page-selective invalidation, or for too large a window, the whole domain.
  private func translations(_ tag: Tag, _ id: UInt16, _ window: VTdWindow, keepsTables: Bool) -> VTdDescriptor
  {
    if usesPASIDs { return .pasidPages(id, tag.pasid, window, keepsTables: keepsTables) }
    let cap = tag.unit.features.cap
    guard VTd.Cap.psi.of(cap) != 0, window.order <= VTd.Cap.mamv.of(cap) else { return .domain(id, cap: cap) }
    return .pages(id, window, keepsTables: keepsTables, cap: cap)
  }

  private func addDevice(_ tag: Tag, _ window: VTdWindow) {
    guard let device = tag.device, tag.unit.isTranslating else { return }
    let descriptor: VTdDescriptor =
      tag.pasid == 0 ? .deviceTLB(device, window) : .pasidDeviceTLB(device, tag.pasid, window)
    add(tag.unit, descriptor)
    if tag.unit.options.doubledDeviceFlushes { add(tag.unit, descriptor) }
  }

  private func add(_ unit: VTdIOMMU, _ descriptor: VTdDescriptor) {
    batch.append(descriptor)
    if batch.count == Self.batchSize { submit(to: unit) }
  }

  private func submit(to unit: VTdIOMMU) {
    guard !batch.isEmpty else { return }
    unit.submitBatch(batch)
    batch.removeAll(keepingCapacity: true)
  }
}

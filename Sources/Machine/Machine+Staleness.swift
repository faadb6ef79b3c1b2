// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Hardware
internal import IOMMU
internal import Memory

// What a driver must never let happen: that hardware goes on translating to a page which is no longer mapped. After
// each request the caches of every IOMMU and of every device are asked what they would answer, and memory is asked the
// same. Where a guest owns the first stage it may be behind with its own flushes, so there only the page that is reached
// counts: it must still be one of the parent's.

extension Machine {
  /// Translations that outlived their mapping, and copies of context structures that are out of date.
  public func staleTranslations() -> [Violation] {
    var broken: [Violation] = []
    for unit in allIOMMUs {
      let endpoints = unit.allEndpoints
      let candidates = Set(unit.withHardware { $0.cachedAddresses })
      for endpoint in endpoints {
        var found: [Violation] = []
        for candidate in candidates.sorted(by: { ($0.pasid ?? 0, $0.address) < ($1.pasid ?? 0, $1.address) })
        {
          // Two candidates may be one translation, with its PASID and without.
          for pasid in pasids(of: endpoint, candidate) where found.count < Self.shown {
            for violation in check(endpoint, candidate.address, pasid, unit)
            where !found.contains(where: { $0.evidence == violation.evidence }) {
              found.append(violation)
            }
          }
        }
        broken += found
        broken += checkOwnCache(of: endpoint, unit)
      }
      broken += unit.withHardware { $0.staleStructures }.map {
        Violation("hardware's copy of a structure is what memory holds", "\(unit.name): \($0)")
      }
    }
    return broken
  }

  /// Cached translations that one violation lists at most: the first says enough.
  private static let shown = 8

  private func pasids(of endpoint: Endpoint, _ candidate: CachedAddress) -> [UInt32?] {
    if let pasid = candidate.pasid, pasid != 0 { return [pasid] }
    return [nil] + (endpoint.device.group?.attachedPASIDs.filter { $0 != 0 } ?? [])
  }

  private func check(_ endpoint: Endpoint, _ address: UInt64, _ pasid: UInt32?, _ unit: IOMMUUnit)
    -> [Violation]
  {
    for access in [Transaction.Access.read, .write] {
      let transaction = Transaction(source: endpoint.source, pasid: pasid, address: address, access: access)
      guard case .translated(let cached)? = unit.withHardware({ $0.cachedAnswer(transaction) }),
        cached.interrupt == nil
      else { continue }
      if isCurrent(cached, transaction, endpoint, pasid, unit) { continue }
      return [violation(endpoint, "the IOMMU", address, pasid, cached.address)]
    }
    return []
  }

  private func checkOwnCache(of endpoint: Endpoint, _ unit: IOMMUUnit) -> [Violation] {
    var broken: [Violation] = []
    for (pasid, address, cached) in endpoint.cached where broken.count < Self.shown {
      let access: Transaction.Access = cached.writable ? .write : .read
      let transaction = Transaction(source: endpoint.source, pasid: pasid, address: address, access: access)
      if isCurrent(cached, transaction, endpoint, pasid, unit) { continue }
      broken.append(violation(endpoint, "its own cache", address, pasid, cached.address))
    }
    return broken
  }

  private func isCurrent(
    _ cached: Translation, _ transaction: Transaction, _ endpoint: Endpoint, _ pasid: UInt32?,
    _ unit: IOMMUUnit
  ) -> Bool {
    let fresh = unit.withHardware { $0.walk(transaction) }.answer
    if case .translated(let now) = fresh, now.address & ~4095 == cached.address & ~4095 { return true }
    guard
      let nested = endpoint.device.group?.handle(at: pasid ?? 0)?.domain as? any NestedDomain
        ?? endpoint.device.group?.handle(at: 0)?.domain as? any NestedDomain,
      let parent = nested.parentDomain
    else { return false }
    var isReachable = false
    parent.forEachLeaf(in: .everything) { leaf in
      let size: UInt64 = 1 << UInt64(min(63, leaf.sizeLg2))
      if cached.address >= leaf.physical.raw, cached.address - leaf.physical.raw < size { isReachable = true }
    }
    return isReachable
  }

  private func violation(
    _ endpoint: Endpoint, _ cache: String, _ address: UInt64, _ pasid: UInt32?, _ physical: UInt64
  ) -> Violation {
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    let tag = pasid.map { " with PASID \($0)" } ?? ""
    return Violation(
      "no cache outlives a mapping",
      "stale translation: device \(endpoint.function.address) still reaches page \(hex(physical & ~4095)) "
        + "through \(cache) at IOVA \(hex(address & ~4095))\(tag), where nothing maps it any more")
  }
}

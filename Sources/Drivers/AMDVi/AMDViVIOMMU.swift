// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Seams
public import UAPI

/// A guest's IOMMU: one parent, and for each domain ID of the guest one of the host, which all nested domains with
/// that ID share. Source: `drivers/iommu/amd/iommufd.c`, `nested.c`.
public final class AMDViVIOMMU: VIOMMUNesting, @unchecked Sendable {
  /// `struct guest_domain_mapping_info`.
  final class DomainMapping: @unchecked Sendable {
    let guestID: UInt16
    let hostID: UInt16
    /// Nested domains. Guarded by the vIOMMU's lock.
    fileprivate(set) var users = 1

    fileprivate init(guestID: UInt16, hostID: UInt16) {
      self.guestID = guestID
      self.hostID = hostID
    }
  }

  let unit: AMDViIOMMU
  let parent: AMDViHostDomain
  private let lock = Lock(.amdGuestDomainIDs)
  // Guarded by `lock`.
  private var mappings: [UInt16: DomainMapping] = [:]

  init(_ unit: AMDViIOMMU, _ parent: AMDViHostDomain) {
    self.unit = unit
    self.parent = parent
    parent.add(self)
  }

  public func destroy() { parent.remove(self) }

  /// Flags are not looked at. `amd_iommu_alloc_domain_nested`.
  ///
  /// - Throws: EOPNOTSUPP for other data; EINVAL; EFAULT; ENOSPC without a free domain ID; ENOMEM.
  public func allocateNested(flags: UInt32, data: UserData) throws(Errno) -> any NestedDomain {
    guard data.type == AMDViNestedDomain.dataType else {
      throw .EOPNOTSUPP("data of another driver", UInt64(data.type))
    }
    try unit.failures.pass(.allocation, "a nested domain")
    let bytes = try data.copyIn(
      type: AMDViNestedDomain.dataType, minimum: AMDViNestedDomain.dataSize,
      kernelSize: AMDViNestedDomain.dataSize)
    let entry = (0..<4).map { word in
      bytes[word * 8..<word * 8 + 8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }
    try AMDViNestedDomain.check(entry, of: unit.amd)
    return try AMDViNestedDomain(self, entry)
  }

  // MARK: Domain IDs

  func mapping(of guestID: UInt16) throws(Errno) -> DomainMapping {
    try lock.withLock { () throws(Errno) -> DomainMapping in
      try unit.failures.pass(.allocation, "a guest's domain ID")
      if let known = mappings[guestID] {
        known.users += 1
        return known
      }
      try unit.failures.pass(.allocation, "the place of a guest's domain ID")
      try unit.failures.pass(.allocation, "a domain ID for a guest's")
      guard let hostID = unit.amd.domainIDs.allocate() else { throw .ENOSPC("no domain ID is free") }
      let mapping = DomainMapping(guestID: guestID, hostID: hostID)
      mappings[guestID] = mapping
      return mapping
    }
  }

  /// With the last user the ID goes, and what is cached under it.
  func release(_ mapping: DomainMapping) {
    let isLast = lock.withLock {
      mapping.users -= 1
      if mapping.users == 0 { mappings[mapping.guestID] = nil }
      return mapping.users == 0
    }
    guard isLast else { return }
    if !unit.bugs.has(.reuseTag) { unit.invalidateDomain(mapping.hostID) }
    unit.amd.domainIDs.free(mapping.hostID)
  }

  func forEachHostID(_ body: (UInt16) -> Void) {
    let ids = lock.withLock { mappings.values.map(\.hostID).sorted() }
    for id in ids { body(id) }
  }
}

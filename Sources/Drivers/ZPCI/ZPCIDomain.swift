// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
internal import Memory
internal import PageTables
internal import Seams
internal import Synchronization
public import UAPI

/// A paging domain of s390's PCI: `struct s390_domain`. Tables, and the functions that are to hear of their changes.
///
/// A function that joins a domain with something in it is told of none of it, and under a hypervisor that mirrors
/// tables it finds nothing there; that is Linux's doing.
public final class ZPCIDomain: TableDomain, @unchecked Sendable {
  private let zpci: ZPCIDriver
  /// Levels of region tables.
  private let regions: Int

  private let lock = Lock(.zpciDomain)
  // Guarded by `lock`.
  private var devices: [ZPCIDevice] = []

  private let mapped = Atomic<UInt64>(0)
  private let unmapped = Atomic<UInt64>(0)
  private let synced = Atomic<UInt64>(0)
  private let syncedMaps = Atomic<UInt64>(0)

  /// - Throws: ENOMEM.
  init(regions: Int, of driver: ZPCIDriver) throws(Errno) {
    let origins: [ZPCITable.Origin] = [.segment, .regionThird, .regionSecond, .regionFirst]
    let table = try ZPCITable(
      driver.memory, ZPCITable.Configuration(origins[regions]), failures: driver.failures)
    zpci = driver
    self.regions = regions
    super.init(table, driver: driver, failures: driver.failures)
  }

  /// What Linux reports of a function's domain: `struct zpci_iommu_ctrs`.
  public struct Counters: Hashable, Sendable {
    public var mappedPages: UInt64
    public var unmappedPages: UInt64
    /// RPCITs after unmapping, and after mapping.
    public var syncs: UInt64
    public var mapSyncs: UInt64
  }

  public var counters: Counters {
    Counters(
      mappedPages: mapped.load(ordering: .relaxed), unmappedPages: unmapped.load(ordering: .relaxed),
      syncs: synced.load(ordering: .relaxed), mapSyncs: syncedMaps.load(ordering: .relaxed))
  }

  /// IOTA for these tables.
  var anchor: UInt64 { ZPCIDevice.anchor(table.root.address.raw, regions: regions) }

  // MARK: Functions

  public override func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? ZPCIDevice else { throw .EINVAL("not a function of s390's PCI") }
    let window = device.window
    guard aperture.first <= window.last, aperture.last >= window.first else {
      throw .EINVAL("the tables hold nothing that the function may address", window.first, aperture.last)
    }
    try zpci.move(device, to: self, anchor: anchor)
    lock.withLock { devices.append(device) }
  }

  func remove(_ device: ZPCIDevice) { lock.withLock { devices.removeAll { $0 === device } } }

  // MARK: Refreshing

  /// `s390_iommu_iotlb_sync_map`. A failure of one function is forgotten when a later one succeeds.
  override func didMap(_ range: Span64) throws(Errno) {
    let bytes = range.last &- range.first &+ 1
    mapped.add(bytes >> 12, ordering: .relaxed)
    var failure: Errno?
    for device in lock.withLock({ devices }) where device.needsRefresh {
      guard !device.host.bugs.has(.skipMapFlush) else { continue }
      syncedMaps.add(1, ordering: .relaxed)
      failure = device.host.refresh(device.handle, range.first, bytes)
      // The hypervisor has no room: it may find entries that are no more, and so make some.
      if failure == .ENOMEM {
        let window = device.window
        failure = device.host.refresh(device.handle, window.first, window.last &- window.first &+ 1)
        if failure != nil { break }
      }
    }
    if let failure { throw failure }
  }

  /// `s390_iommu_iotlb_sync`. How it ends is not asked.
  override func flush(_ gather: borrowing TableGather) {
    guard let range = gather.range else { return }
    let bytes = range.last &- range.first &+ 1
    unmapped.add(bytes >> 12, ordering: .relaxed)
    for device in lock.withLock({ devices }) {
      synced.add(1, ordering: .relaxed)
      device.host.refreshUnmapped(device, range.first, bytes)
    }
  }
}

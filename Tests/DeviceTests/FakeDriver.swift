// SPDX-License-Identifier: GPL-3.0-or-later
import IOMMU
import IOMMUFD
import Memory
import Seams
import UAPI

/// A driver with the obligatory operations only; what a test wants besides is added by subclasses.
class PlainDriver: IOMMUDriver, @unchecked Sendable {
  /// Every attach, as "device -> domain".
  var log: [String] = []
  /// Devices that refuse the domain of this name.
  var refuses: [String: (domain: String, errno: Errno)] = [:]
  private var made = 0

  var name: String { "plain" }
  var blockedDomain: (any Domain)? { nil }

  func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain {
    FakeDomain(self, "default")
  }

  func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    made += 1
    return FakeDomain(self, "paging\(made)")
  }

  func attach(_ device: Device, to domain: String) throws(Errno) {
    if let refusal = refuses[device.name], refusal.domain == domain { throw refusal.errno }
    log.append("\(device.name) -> \(domain)")
  }
}

/// A driver with a static blocked domain, PASIDs and page requests.
class FullDriver: PlainDriver, PageResponding, @unchecked Sendable {
  private(set) var answers: [(device: String, request: PageRequest, code: PageResponse)] = []
  private lazy var blocked = FakePASIDDomain(self, "blocked")
  private var count = 0

  override var blockedDomain: (any Domain)? { blocked }

  override func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    count += 1
    return FakePASIDDomain(self, "paging\(count)")
  }

  func respond(to request: PageRequest, from device: Device, with code: PageResponse) {
    answers.append((device.name, request, code))
  }
}

/// A paging domain that keeps pages in a dictionary.
class FakeDomain: CoherencyEnforcingDomain, @unchecked Sendable {
  let fake: PlainDriver
  let label: String
  var faultHandler: (any PageFaultHandler)?
  var pages: [UInt64: UInt64] = [:]
  var promisesCoherency = true

  init(_ driver: PlainDriver, _ label: String) {
    fake = driver
    self.label = label
  }

  var driver: any IOMMUDriver { fake }
  var aperture: Span64 { Span64(0, (1 << 48) - 1) }
  var pageSizes: UInt64 { 4096 }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    try fake.attach(device, to: label)
  }

  func map(_ iova: IOVA, to physical: PhysAddr, length: UInt64, protection: Protection) throws(Errno) {
    for offset in stride(from: UInt64(0), to: length, by: 4096) {
      pages[iova.raw + offset] = physical.raw + offset
    }
  }

  func unmap(_ iova: IOVA, length: UInt64) -> UInt64 {
    for offset in stride(from: UInt64(0), to: length, by: 4096) { pages[iova.raw + offset] = nil }
    return length
  }

  func translate(_ iova: IOVA) -> PhysAddr? {
    pages[iova.raw & ~4095].map { PhysAddr($0 + iova.raw & 4095) }
  }

  func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void) {
    for (iova, physical) in pages.sorted(by: { $0.key < $1.key }) where range.contains(iova) {
      body(
        Leaf(
          iova: IOVA(iova), physical: PhysAddr(physical), sizeLg2: 12, protection: [.read, .write],
          dirty: false))
    }
  }

  func enforceCacheCoherency() -> Bool { promisesCoherency }
}

final class FakePASIDDomain: FakeDomain, PASIDDomain, @unchecked Sendable {
  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try fake.attach(device, to: "\(label)@\(pasid)")
  }
}

/// A group with devices behind one IOMMU.
struct Group {
  let driver: PlainDriver
  let core: CoreGroup
  let devices: [Device]

  init(
    _ driver: PlainDriver = FullDriver(), members: Int = 2, id: Int = 0,
    capabilities: DeviceCapabilities = [.cacheCoherency, .isolatedMSI, .ats], maxPASIDs: UInt32 = 64,
    regions: [ReservedRegion] = []
  ) throws {
    self.driver = driver
    core = CoreGroup(id: id)
    let instance = IOMMUInstance(name: "iommu0", driver: driver)
    let names = ["A", "B", "C", "D"]
    devices = (0..<members).map {
      Device(
        name: names[$0], instance: instance, capabilities: capabilities, maxPASIDs: maxPASIDs,
        reservedRegions: regions)
    }
    for device in devices { try core.add(device) }
    driver.log = []
  }
}

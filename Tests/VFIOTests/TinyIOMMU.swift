// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Hardware
import IOMMU
import Memory
import Seams
import UAPI

@testable import Machine

// An IOMMU of which nothing is real but the order in which its driver is called: each attach is a line of a log.

/// Hardware without registers that translates nothing.
final class NoHardware: IOMMUHardware {
  func readRegister(_ offset: UInt64, width: Int) -> UInt64 { 0 }
  func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {}
  func translate(_ transaction: Transaction) -> TranslationAnswer { .stalled(tag: 0) }
  func pageRequest(_ request: Hardware.PageRequest) {}
  func walk(_ transaction: Transaction) -> WalkReport {
    WalkReport(steps: [], answer: .stalled(tag: 0))
  }
  func facts() -> Fact { .none }
  var cachedAddresses: [CachedAddress] { [] }
  func cachedAnswer(_ transaction: Transaction) -> TranslationAnswer? { nil }
  var staleStructures: [String] { [] }
}

/// A driver that takes every function and writes down what it is asked for: `1 -> paging1`, `1 -> blocked@3`.
final class TinyDriver: PCIDriver, FlaggedAllocation, @unchecked Sendable {
  let capabilities: DeviceCapabilities
  private(set) lazy var blocked = TinyDomain(self, "blocked")
  private let lock = Lock(.frontEnd)
  private var lines: [String] = []
  private var made = 0
  /// What the next attach to a domain of this name gets.
  var refusals: [String: Errno] = [:]

  init(_ capabilities: DeviceCapabilities) { self.capabilities = capabilities }

  var name: String { "tiny" }
  var blockedDomain: (any Domain)? { blocked }
  var possibleBugs: Set<DriverBug> { [] }

  /// What was written since the last look.
  func log() -> [String] {
    lock.withLock {
      defer { lines = [] }
      return lines
    }
  }
  func write(_ line: String) { lock.withLock { lines.append(line) } }

  func probe(_ function: PCIFunction, behind iommu: IOMMUInstance) throws(Errno) -> PCIDevice {
    PCIDevice(function, behind: iommu, capabilities: capabilities, maxPASIDs: 64)
  }
  func release(_ device: PCIDevice) { write("release \(device.function.requesterID)") }

  func makeDefaultDomain(for device: Device) throws(Errno) -> any Domain { TinyDomain(self, "default") }
  func allocatePaging(for device: Device) throws(Errno) -> any PagingDomain {
    made += 1
    return TinyDomain(self, "paging\(made)")
  }
  func allocatePaging(for device: Device, flags: UInt32, data: UserData?) throws(Errno) -> any PagingDomain {
    try allocatePaging(for: device)
  }
}

final class TinyDomain: PASIDDomain, PagingDomain, @unchecked Sendable {
  let tiny: TinyDriver
  let label: String
  var faultHandler: (any PageFaultHandler)?

  init(_ driver: TinyDriver, _ label: String) {
    tiny = driver
    self.label = label
  }

  var driver: any IOMMUDriver { tiny }
  var aperture: Span64 { Span64(0, (1 << 48) - 1) }
  var pageSizes: UInt64 { 4096 }

  func attach(_ device: Device, from old: (any Domain)?) throws(Errno) { try note(device, label) }
  func setPASID(_ pasid: UInt32, of device: Device, from old: (any Domain)?) throws(Errno) {
    try note(device, "\(label)@\(pasid)")
  }
  private func note(_ device: Device, _ domain: String) throws(Errno) {
    if let errno = tiny.refusals.removeValue(forKey: label) { throw errno }
    tiny.write("\((device as? PCIDevice)?.function.requesterID ?? 0) -> \(domain)")
  }

  func map(_ iova: IOVA, to physical: PhysAddr, length: UInt64, protection: Protection) throws(Errno) {}
  func unmap(_ iova: IOVA, length: UInt64) -> UInt64 { length }
  func translate(_ iova: IOVA) -> PhysAddr? { nil }
  func forEachLeaf(in range: Span64, _ body: (Leaf) -> Void) {}
}

extension IOMMUKind {
  /// A kind with one driver, which the caller keeps.
  static func tiny(_ driver: TinyDriver) -> IOMMUKind {
    IOMMUKind(
      name: "tiny", summary: "writes down what it is asked for", options: [],
      makeHardware: { _ in NoHardware() },
      bringUp: { site, port in HardwareIOMMU(name: site.name, driver: driver, port: port) },
      connect: { _, _ in })
  }
}

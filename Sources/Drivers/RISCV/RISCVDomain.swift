// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import PageTables
internal import Seams
public import UAPI

/// A paging domain: a first-stage table with a PSCID. `struct riscv_iommu_domain`.
///
/// The domain knows which devices are on it, by IOMMU, so that an unmap reaches every IOMMU that may have cached
/// something. A device is linked before its context names the domain and unlinked after it names another.
public final class RISCVDomain: TableDomain, @unchecked Sendable {
  /// Tag of all that hardware caches of this domain, on every IOMMU.
  public let pscid: UInt32
  private let riscv: RISCVDriver
  private let mode: RISCVTable.Mode

  private struct Bond {
    let device: ObjectIdentifier
    let iommu: RISCVInstance
  }
  private let bondLock = Lock(.riscvBonds)
  // Guarded by `bondLock`. Devices of one IOMMU are neighbours.
  private var bonds: [Bond] = []
  private var instances: [RISCVInstance] = []

  init(_ table: RISCVTable, _ mode: RISCVTable.Mode, pscid: UInt32, of driver: RISCVDriver) {
    self.pscid = pscid
    self.mode = mode
    riscv = driver
    super.init(table, driver: driver, failures: driver.failures)
  }

  deinit { riscv.free(pscid: pscid) }

  /// `riscv_iommu_attach_paging_domain`.
  public override func attach(_ device: Device, from old: (any Domain)?) throws(Errno) {
    guard let device = device as? RISCVDevice else { throw .EINVAL("not a device of the RISC-V IOMMU") }
    let iommu = device.iommu
    guard iommu.has(RISCVDriver.capability(mode)) else {
      throw .ENODEV("the IOMMU of the device does not have the page table's mode", UInt64(mode.rawValue))
    }
    try riscv.failures.pass(.allocation, "the bond of domain and device")
    link(device)
    // Sv39, Sv48 and Sv57 are 8, 9 and 10.
    let modeField = UInt64(mode.rawValue) - 3 + RISCV.TablePointer.sv39OrSv32
    let fsc = modeField << RISCV.TablePointer.modeShift | table.root.address.raw >> RISCV.pageShift
    iommu.setContext(of: device.deviceID, fsc: fsc, pscid: pscid, valid: true)
    device.domain?.unlink(device)
    device.domain = self
  }

  /// `riscv_iommu_bond_link`.
  private func link(_ device: RISCVDevice) {
    let bond = Bond(device: ObjectIdentifier(device), iommu: device.iommu)
    bondLock.withLock {
      if let place = bonds.firstIndex(where: { $0.iommu === bond.iommu }) {
        bonds.insert(bond, at: place + 1)
      } else {
        bonds.insert(bond, at: 0)
      }
      noteInstances()
    }
  }

  /// The last device of an IOMMU takes with it what that IOMMU has cached. `riscv_iommu_bond_unlink`.
  func unlink(_ device: RISCVDevice) {
    let iommu = device.iommu
    let isLast = bondLock.withLock { () -> Bool in
      if let place = bonds.firstIndex(where: { $0.device == ObjectIdentifier(device) }) {
        bonds.remove(at: place)
      }
      noteInstances()
      return !bonds.contains { $0.iommu === iommu }
    }
    guard isLast, !iommu.bugs.has(.reuseTag) else { return }
    iommu.send(.forget(pscid: pscid))
    iommu.synchronize()
  }

  /// With `bondLock` held.
  private func noteInstances() {
    instances = []
    for bond in bonds where instances.last !== bond.iommu { instances.append(bond.iommu) }
  }

  /// All IOMMUs get their commands, then each is waited for. `riscv_iommu_iotlb_inval`.
  override func flush(_ gather: borrowing TableGather) {
    let targets = bondLock.withLock { instances }
    guard !targets.isEmpty else { return }
    let invalidation = RISCVInvalidation(gather)
    for iommu in targets { invalidation.send(to: iommu, pscid: pscid) }
    for iommu in targets where !iommu.bugs.has(.skipSync) { iommu.synchronize() }
  }
}

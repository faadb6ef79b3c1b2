// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
public import UAPI

// A driver half meets its hardware half only here: registers, memory, interrupts. It never imports the other, and
// learns what the hardware did by reading what the hardware wrote into memory.

/// The registers of an IOMMU, as a driver reaches them: `readl`, `writeq`, ... An access returns when the hardware
/// has done what it asked for. A driver may hold its own locks over an access: no access calls back into a driver.
public protocol RegisterPort: AnyObject, Sendable {
  /// `offset` is a multiple of the width.
  func read32(_ offset: UInt64) -> UInt32
  func read64(_ offset: UInt64) -> UInt64
  func write32(_ offset: UInt64, _ value: UInt32)
  func write64(_ offset: UInt64, _ value: UInt64)
}

/// How an IOMMU calls its driver.
public enum HardwareInterrupt: Hashable, Sendable {
  /// The message that the driver put into the hardware's registers.
  case message(address: UInt64, data: UInt32)
  case wire(UInt32)
}

/// A DMA fault that a driver read out of its hardware's registers or event queue, and would have put into the log.
public struct FaultRecord: Hashable, Sendable {
  /// Segment and requester ID, or StreamID.
  public var source: UInt32
  public var pasid: UInt32?
  public var address: UInt64
  /// The manual's number and name.
  public var code: UInt32
  public var name: String
  public var isWrite: Bool

  public init(
    source: UInt32, pasid: UInt32? = nil, address: UInt64, code: UInt32, name: String, isWrite: Bool = false
  ) {
    self.source = source
    self.pasid = pasid
    self.address = address
    self.code = code
    self.name = name
    self.isWrite = isWrite
  }
}

/// A physical IOMMU with registers: drivers subclass it.
open class HardwareIOMMU: IOMMUInstance, @unchecked Sendable {
  public let port: any RegisterPort
  /// Mistakes that the driver makes on this IOMMU; see `DriverBug`.
  public let bugs = DriverBugs()

  private let recordLock = Lock(.faultRecords)
  private var records: [FaultRecord] = []
  private var complaintList: [String] = []
  private static let kept = 1024

  public init(name: String, driver: any IOMMUDriver, port: any RegisterPort) {
    self.port = port
    super.init(name: name, driver: driver)
  }

  /// The hardware interrupts: the driver reads what is new in queues and fault registers. Called by the machine with
  /// no lock held.
  open func handle(_ interrupt: HardwareInterrupt) {}

  /// Faults that the driver saw, oldest first; the last 1024.
  public var faults: [FaultRecord] { recordLock.withLock { records } }

  public func record(_ fault: FaultRecord) {
    recordLock.withLock {
      if records.count == Self.kept { records.removeFirst() }
      records.append(fault)
    }
  }

  /// Anything else that the driver would have complained of in the log: a command error, a queue overflow.
  public var complaints: [String] { recordLock.withLock { complaintList } }

  public func complain(_ text: String) {
    recordLock.withLock {
      if complaintList.count == Self.kept { complaintList.removeFirst() }
      complaintList.append(text)
    }
  }

  /// What the driver has given out and must get back, by name: identifiers of domains and guests, entries of tables.
  /// Where all units share a set of identifiers, each tells of the whole set.
  open var holdings: [(name: String, count: Int)] { [] }
  /// Whether a device that cannot be attached to a new domain stays blocked, rather than on its old one.
  open var blocksOnFailure: Bool { false }

  public func forgetFaults() {
    recordLock.withLock {
      records = []
      complaintList = []
    }
  }
}

/// A driver of IOMMUs in front of PCI functions.
public protocol PCIDriver: IOMMUDriver {
  /// Takes a function behind one of its IOMMUs: `probe_device`. Enables what the driver enables at probe.
  ///
  /// - Throws: what the driver refuses.
  func probe(_ function: PCIFunction, behind iommu: IOMMUInstance) throws(Errno) -> PCIDevice
  /// The function is unplugged; its group has put it on no domain. `release_device`.
  func release(_ device: PCIDevice)
  /// The bugs that this driver can be told to have.
  var possibleBugs: Set<DriverBug> { get }
}

/// An IOMMU whose driver keeps a table of the interrupts that devices may raise: the `irq_domain` of interrupt remapping.
public protocol InterruptRemapping: HardwareIOMMU {
  /// A new interrupt of `device` that arrives as `vector` at `destination`.
  ///
  /// - Returns: the address and data that the device must write.
  /// - Throws: EOPNOTSUPP while the IOMMU remaps no interrupts; ENOSPC when the table is full; ENOMEM.
  func remapInterrupt(of device: PCIDevice, vector: UInt8, destination: UInt32) throws(Errno) -> (
    address: UInt64, data: UInt32
  )
}

/// A PCI function that an IOMMU driver has taken. Drivers subclass it for what they keep per device.
open class PCIDevice: Device, @unchecked Sendable {
  public let function: PCIFunction
  /// What the hardware knows it by: segment and requester ID, unless the driver learns of another number, as a
  /// function handle.
  open var hardwareSource: UInt32 { function.source }

  public init(
    _ function: PCIFunction, behind instance: IOMMUInstance, capabilities: DeviceCapabilities,
    maxPASIDs: UInt32 = 0, reservedRegions: [ReservedRegion] = []
  ) {
    self.function = function
    super.init(
      name: function.address, instance: instance, capabilities: capabilities, maxPASIDs: maxPASIDs,
      reservedRegions: reservedRegions)
  }
}

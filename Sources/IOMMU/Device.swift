// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams

/// What a device together with the IOMMU in front of it can do: `enum iommu_cap`, and the PCI facts that
/// iommufd reads.
public struct DeviceCapabilities: OptionSet, Hashable, Sendable {
  public let rawValue: UInt16
  public init(rawValue: UInt16) { self.rawValue = rawValue }
  /// DMA snoops the caches. iommufd binds no device without it.
  public static let cacheCoherency = DeviceCapabilities(rawValue: 1)
  /// The IOMMU can make no-snoop DMA snoop.
  public static let enforceCacheCoherency = DeviceCapabilities(rawValue: 2)
  public static let dirtyTracking = DeviceCapabilities(rawValue: 4)
  /// The device may use address translation services.
  public static let ats = DeviceCapabilities(rawValue: 8)
  /// The PASID capability is enabled with the execute, and with the privileged, permission.
  public static let pasidExecute = DeviceCapabilities(rawValue: 16)
  public static let pasidPrivileged = DeviceCapabilities(rawValue: 32)
  /// The device can raise only the interrupts that are its own: `msi_device_has_isolated_msi`.
  public static let isolatedMSI = DeviceCapabilities(rawValue: 64)
  public static let virtualFunction = DeviceCapabilities(rawValue: 128)
  /// The page request interface is there, on a virtual function that of its physical one.
  public static let pageRequests = DeviceCapabilities(rawValue: 256)
}

/// A range of IOVAs in front of a device that is not for mapping: `struct iommu_resv_region`.
public struct ReservedRegion: Hashable, Sendable {
  public enum Kind: String, Sendable {
    /// Firmware needs it mapped one to one, always.
    case direct
    /// As `direct`, and the device's driver may drop it.
    case directRelaxable = "direct-relaxable"
    case reserved
    /// A hardware window for message-signalled interrupts.
    case msi
    /// Where software maps the interrupt doorbell.
    case softwareMSI = "msi-sw"
  }
  public let first: UInt64
  public let last: UInt64
  public let kind: Kind

  /// - Precondition: `first <= last`.
  public init(_ first: UInt64, _ last: UInt64, _ kind: Kind) {
    precondition(first <= last)
    self.first = first
    self.last = last
    self.kind = kind
  }
}

/// A device that can do DMA, as the IOMMU subsystem knows it: `struct device` with its `struct dev_iommu`.
///
/// It belongs to one group for life. Drivers keep their own state in `driverData`, or subclass.
open class Device: @unchecked Sendable {
  public let name: String
  /// The physical IOMMU in front of it; nil for a device that reaches memory directly.
  public let instance: IOMMUInstance?
  public let capabilities: DeviceCapabilities
  /// PASIDs 1 ..< maxPASIDs may be attached; 0 for a device that cannot send a PASID.
  public let maxPASIDs: UInt32
  private let fixedRegions: [ReservedRegion]
  /// The selftest's own devices: exempt from interrupt isolation, and no reason to keep a file open.
  public let isMock: Bool
  /// What the device's IOMMU driver keeps for it: `dev_iommu_priv_get`.
  public var driverData: (any AnyObject & Sendable)?
  public internal(set) var group: CoreGroup?
  let faults = DeviceFaults()

  public init(
    name: String, instance: IOMMUInstance?, capabilities: DeviceCapabilities, maxPASIDs: UInt32 = 0,
    reservedRegions: [ReservedRegion] = [], isMock: Bool = false
  ) {
    self.name = name
    self.instance = instance
    self.capabilities = capabilities
    self.maxPASIDs = maxPASIDs
    fixedRegions = reservedRegions
    self.isMock = isMock
  }

  public var driver: (any IOMMUDriver)? { instance?.driver }

  /// `get_resv_regions`. A driver overrides it where the answer depends on the domain that the device is on.
  open var reservedRegions: [ReservedRegion] { fixedRegions }

  /// Firmware demands a one-to-one mapping, which a blocked domain cannot give. `require_direct`.
  var requiresDirectMapping: Bool { reservedRegions.contains { $0.kind == .direct } }
}

/// Numbers that are taken lowest first and given back: `struct ida`.
public struct NumberAllocator: Sendable {
  private var taken: [Bool] = []
  private var lowestFree = 0
  private let first: Int

  public init(first: Int = 0) { self.first = first }

  public mutating func allocate() -> Int {
    var index = lowestFree
    while index < taken.count, taken[index] { index += 1 }
    if index == taken.count { taken.append(true) } else { taken[index] = true }
    lowestFree = index + 1
    return first + index
  }

  /// Numbers that are taken.
  public var count: Int { taken.count { $0 } }

  public mutating func free(_ number: Int) {
    taken[number - first] = false
    lowestFree = min(lowestFree, number - first)
  }
}

/// Numbers of the groups of one machine, whatever driver their devices have.
public final class GroupNumbers: @unchecked Sendable {
  private let lock = Lock(.groupNumbers)
  private var numbers = NumberAllocator()

  public init() {}
  public func allocate() -> Int { lock.withLock { numbers.allocate() } }
  public func free(_ number: Int) { lock.withLock { numbers.free(number) } }
  /// Numbers that are taken.
  public var count: Int { lock.withLock { numbers.count } }
}

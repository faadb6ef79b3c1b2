// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
public import Memory
internal import Seams
internal import Synchronization
public import UAPI

/// A guest's share of a physical IOMMU: `struct iommufd_viommu`. It stands on a nesting parent and lasts
/// no longer than that; the device it was made through may go.
///
/// Source: `drivers/iommu/iommufd/viommu.c`, `driver.c`; reference devices-hwpt-viommu.md section 5.
public final class VIOMMU: Object, VIOMMUCore, @unchecked Sendable {
  public let type: UInt32
  public let instance: IOMMUInstance
  public let parent: PagingHWPT
  /// The driver's half; nil until the driver has made it.
  public private(set) var driver: (any VIOMMUDriver)?

  private let lock = Lock(.virtualDevices)
  /// By virtual ID; nil for one whose driver is still being asked. Guarded by `lock`.
  private var devices: [UInt64: VDevice?] = [:]

  /// Guards `eventQueues`. `veventqs_rwsem`.
  let eventQueuesLock = ReaderWriterLock(.eventQueues)
  var eventQueues: [VEventQ] = []

  /// Live mappings of the vIOMMU's windows.
  let mappings = Atomic<Int>(0)

  init(type: UInt32, instance: IOMMUInstance, parent: PagingHWPT, in context: Context) {
    self.type = type
    self.instance = instance
    self.parent = parent
    super.init(.viommu, in: context)
    parent.addUser()
  }

  public override var references: [Object] { [parent] }
  public override var externalUsers: Int { mappings.load(ordering: .relaxed) }

  public override var details: [(name: String, value: Fact)] {
    [
      ("viommu-type", .hex(UInt64(type))),
      ("iommu", .text(instance.name)),
      ("parent", .id(parent.id)),
      ("vdevices", .list(vdevices.map { .id($0.id) })),
      ("veventqs", .list(eventQueuesLock.withShared { eventQueues.map { .id($0.id) } })),
      ("mappings", .number(UInt64(externalUsers))),
    ]
  }

  /// Has the driver make its half. `viommu_init`.
  func start(_ provider: any VIOMMUProviding, data: UserData?) throws(Errno) {
    driver = try provider.makeVIOMMU(
      type: type, on: instance, core: self, parent: parent.pagingDomain, data: data)
  }

  /// `iommufd_viommu_destroy`.
  public override func destroy() {
    driver?.destroy()
    parent.dropUser()
  }

  // MARK: vDEVICEs

  /// - Throws: EEXIST when the virtual ID is taken.
  func reserve(virtualID: UInt64) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard devices[virtualID] == nil else { throw .EEXIST("the virtual ID is taken", virtualID) }
      devices[virtualID] = .some(nil)
    }
  }

  func set(_ device: VDevice?, virtualID: UInt64) {
    lock.withLock { if let device { devices[virtualID] = device } else { devices[virtualID] = nil } }
  }

  /// The vDEVICEs, by virtual ID, ascending.
  public var vdevices: [VDevice] {
    lock.withLock { devices.sorted { $0.key < $1.key }.compactMap(\.value) }
  }

  public func device(virtualID: UInt64) -> Device? {
    lock.withLock { (devices[virtualID] ?? nil)?.device.device }
  }

  public func virtualID(of device: Device) throws(Errno) -> UInt64 {
    try lock.withLock { () throws(Errno) -> UInt64 in
      for case let vdevice? in devices.values where vdevice.device.device === device {
        return vdevice.virtualID
      }
      throw .ENOENT("the device has no vDEVICE on this vIOMMU", UInt64(id))
    }
  }

  // MARK: Events

  public func report(type: UInt32, payload: [UInt8]) throws(Errno) {
    try eventQueuesLock.withShared { () throws(Errno) in
      guard let queue = eventQueues.first(where: { $0.type == type }) else {
        throw .EOPNOTSUPP("the vIOMMU has no queue for the event", UInt64(type))
      }
      try queue.report(payload)
    }
  }

  // MARK: Windows

  public func makeWindow(at physical: PhysAddr, length: UInt64) throws(Errno) -> UInt64 {
    try context.devices.makeWindow(
      .memory(physical), length: length, owner: self, context.kernel.failures)
  }

  public func makeWindow(onto registers: any RegisterWindow, length: UInt64) throws(Errno) -> UInt64 {
    try context.devices.makeWindow(
      .registers(registers), length: length, owner: self, context.kernel.failures)
  }

  public func destroyWindow(at offset: UInt64) { context.devices.destroyWindow(at: offset) }
}

/// A device's place on a vIOMMU: `struct iommufd_vdevice`. A device has at most one, on whatever vIOMMU.
///
/// Nothing refers to it, so it can always be destroyed; when its device is unbound it dies and its ID stays a
/// tombstone.
public final class VDevice: Object, @unchecked Sendable {
  public let virtualID: UInt64
  public let viommu: VIOMMU
  public let device: DeviceObject
  /// The virtual ID is this vDEVICE's, and the driver knows of it.
  private var isPlaced = false

  init(_ virtualID: UInt64, on viommu: VIOMMU, for device: DeviceObject) {
    self.virtualID = virtualID
    self.viommu = viommu
    self.device = device
    super.init(.vdevice, in: viommu.context)
  }

  public override var references: [Object] { [viommu, device] }

  public override var details: [(name: String, value: Fact)] {
    [("viommu", .id(viommu.id)), ("device", .id(device.id)), ("virtual-id", .hex(virtualID))]
  }

  /// Takes the virtual ID, after asking the driver. The device's group is locked.
  ///
  /// - Throws: EEXIST, and what the driver refuses.
  func place() throws(Errno) {
    viommu.addUser()
    device.vdevice = self
    try context.kernel.failures.pass(.allocation, "a virtual ID")
    try viommu.reserve(virtualID: virtualID)
    do throws(Errno) {
      try (viommu.driver as? any VIOMMUDevices)?.addDevice(device.device, virtualID: virtualID)
    } catch {
      viommu.set(nil, virtualID: virtualID)
      throw error
    }
    viommu.set(self, virtualID: virtualID)
    isPlaced = true
  }

  /// Undoes `place`, however far it came. `iommufd_vdevice_abort`; the device's group is locked.
  func leave() {
    if isPlaced {
      (viommu.driver as? any VIOMMUDevices)?.removeDevice(device.device, virtualID: virtualID)
      viommu.set(nil, virtualID: virtualID)
    }
    viommu.dropUser()
    device.vdevice = nil
  }

  /// `iommufd_vdevice_destroy`.
  public override func destroy() {
    device.group.lock.withLock { leave() }
    context.objects.put(device)
  }
}

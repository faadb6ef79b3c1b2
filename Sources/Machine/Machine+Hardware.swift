// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
public import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import Synchronization
public import UAPI
internal import VFIO

// The hardware of a machine: IOMMUs by name, PCI functions behind them.

extension Machine {
  /// Plugs an IOMMU in and brings it up.
  ///
  /// - Throws: EEXIST for a name that is taken; EINVAL for choices that no such hardware has; what bringing up
  ///   throws.
  public func addIOMMU(_ name: String, _ kind: IOMMUKind, _ choices: IOMMUKind.Choices = IOMMUKind.Choices())
    throws(Errno) -> IOMMUUnit
  {
    try hardware.lock.withLock { () throws(Errno) -> IOMMUUnit in
      guard !hardware.order.contains(where: { $0.name == name }) else {
        throw .EEXIST("an IOMMU has this name")
      }
      let site = IOMMUKind.Site(
        name: name, memory: memory, failures: kernel.failures, personality: kernel.personality,
        choices: choices,
        driver: { [hardware] make in
          if let driver = hardware.drivers[kind.name] { return driver }
          let driver = make()
          hardware.drivers[kind.name] = driver
          return driver
        })
      let unit = try IOMMUUnit(kind, site)
      hardware.order.append(unit)
      hardware.isPresent.store(true, ordering: .relaxed)
      return unit
    }
  }

  /// IOMMUs in the order in which they were plugged in.
  public var allIOMMUs: [IOMMUUnit] { hardware.lock.withLock { hardware.order } }

  /// Plugs a PCI function in behind an IOMMU, in the group of `companion` or one of its own. It has a VFIO device
  /// file from then on, whose number is the lowest that is free.
  ///
  /// - Throws: EEXIST when the name or the requester ID is taken; what the driver refuses.
  public func addFunction(
    _ name: String, _ function: PCIFunction, behind unit: IOMMUUnit, groupOf companion: Endpoint? = nil
  ) throws(Errno) -> Endpoint {
    try hardware.lock.withLock { () throws(Errno) -> Endpoint in
      let present = hardware.present
      guard !present.contains(where: { $0.name == name }) else { throw .EEXIST("a device has this name") }
      guard !present.contains(where: { $0.function.source == function.source }) else {
        throw .EEXIST("a device has this requester ID", UInt64(function.source))
      }
      guard let driver = unit.software.driver as? any PCIDriver else {
        throw .ENODEV("the IOMMU takes no PCI functions")
      }
      try unit.plug(function)
      let device: PCIDevice
      do throws(Errno) { device = try driver.probe(function, behind: unit.software) } catch {
        unit.unplug(function)
        throw error
      }
      let vfio = VFIODevice(index: hardware.vfioNumbers.allocate(), device, kernel)
      let endpoint = Endpoint(name, function, device, on: unit, memory, vfio)
      unit.add(endpoint)
      let group = companion?.device.group ?? CoreGroup(id: groupNumbers.allocate())
      do throws(Errno) {
        if companion == nil { try kernel.failures.pass(.allocation, "a group") }
        try kernel.failures.pass(.allocation, "the device's place in the group")
        try kernel.failures.pass(.allocation, "a VFIO device")
        try group.add(device)
      } catch {
        driver.release(device)
        unit.unplug(function)
        unit.remove(endpoint)
        hardware.vfioNumbers.free(vfio.index)
        if group.members.isEmpty { groupNumbers.free(group.id) }
        throw error
      }
      hardware.functions.append(endpoint)
      return endpoint
    }
  }

  /// Unplugs a PCI function: it leaves its group, on the domain in which no DMA works where its driver has one, and
  /// the driver lets go of it. Linux waits for whoever uses the device; here that is refused.
  /// `vfio_unregister_group_dev`, `iommu_deinit_device`.
  ///
  /// - Throws: ENOENT when it is not plugged in; EBUSY while its VFIO file is open, or an iommufd has bound it.
  public func removeFunction(_ endpoint: Endpoint) throws(Errno) {
    try hardware.lock.withLock { () throws(Errno) in
      guard let number = hardware.functions.firstIndex(where: { $0 === endpoint }) else {
        throw .ENOENT("the device is not plugged in")
      }
      let device = endpoint.device
      for context in kernel.openContexts {
        for case let object as DeviceObject in context.objects.all where object.device === device {
          throw .EBUSY("an iommufd has bound the device", UInt64(object.id))
        }
      }
      try endpoint.vfio.unregister()
      if let group = device.group {
        let domain = group.domain
        group.remove(device)
        if let blocked = device.driver?.blockedDomain, blocked !== domain {
          try? blocked.attach(device, from: domain)
        }
        if group.members.isEmpty { groupNumbers.free(group.id) }
      }
      (device.driver as? any PCIDriver)?.release(device)
      endpoint.unit.remove(endpoint)
      endpoint.unit.unplug(endpoint.function)
      hardware.functions[number] = nil
      hardware.vfioNumbers.free(endpoint.vfio.index)
    }
  }

  /// Takes everything apart when nobody uses the machine any more: units, drivers and devices know each other, and
  /// would keep each other and the memory for ever.
  func dismantle() {
    for endpoint in allFunctions {
      // Without processes nobody has it open or bound; one that is all the same stays.
      do throws(Errno) { try removeFunction(endpoint) } catch { continue }
    }
    let units = hardware.lock.withLock {
      defer {
        hardware.order = []
        hardware.drivers = [:]
      }
      return hardware.order
    }
    for unit in units { unit.takeDown() }
  }

  /// The device behind a VFIO device file.
  func vfioDevice(at path: String) -> VFIODevice? {
    guard let index = VFIODevice.index(of: path) else { return nil }
    return hardware.lock.withLock { hardware.present.first { $0.vfio.index == index }?.vfio }
  }

  public func endpoint(_ name: String) -> Endpoint? {
    hardware.lock.withLock { hardware.present.first { $0.name == name } }
  }

  /// Functions by requester ID.
  public var allFunctions: [Endpoint] {
    hardware.lock.withLock { hardware.present.sorted { $0.function.source < $1.function.source } }
  }

  /// Functions that were ever plugged in: the next one's number.
  public var functionCount: Int { hardware.lock.withLock { hardware.functions.count } }

  /// The function that was plugged in as the n-th, counted from 0; nil when it is gone.
  public func function(number: Int) -> Endpoint? {
    hardware.lock.withLock {
      number >= 0 && number < hardware.functions.count ? hardware.functions[number] : nil
    }
  }

  /// The lowest free device of bus 0, from 00:01.0.
  ///
  /// - Throws: ENOSPC when all 31 are taken.
  func freeRequesterID() throws(Errno) -> UInt32 {
    let taken = Set(allFunctions.map(\.function.source))
    for device in UInt32(1)..<32 where !taken.contains(device << 3) { return device << 3 }
    throw .ENOSPC("bus 0 has no free device")
  }

  /// Delivers what IOMMUs have to say to their drivers. Holds no lock.
  public func settle() {
    guard hardware.isPresent.load(ordering: .relaxed) else { return }
    for unit in allIOMMUs { unit.settle() }
  }
}

/// What is plugged into a machine.
final class InstalledHardware: @unchecked Sendable {
  let lock = Lock(.hardware)
  // Guarded by `lock`.
  var drivers: [String: any PCIDriver] = [:]
  var order: [IOMMUUnit] = []
  /// By number; nil where one was unplugged.
  var functions: [Endpoint?] = []
  /// Those that are plugged in.
  var present: [Endpoint] { functions.compactMap { $0 } }

  /// Whether there is any IOMMU: what a request without hardware pays for it.
  let isPresent = Atomic<Bool>(false)

  var vfioNumbers = NumberAllocator()
}

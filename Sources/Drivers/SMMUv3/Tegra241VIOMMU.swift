// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// A vIOMMU with a virtual interface of Tegra241: its owner maps page 0 of the interface's queues and lets the guest
/// ring their doorbells, so invalidations need no kernel. `struct tegra241_vintf`.
final class Tegra241VIOMMU: SMMUv3VIOMMU, VIOMMUDevices, VIOMMUQueues, @unchecked Sendable {
  override class var type: UInt32 { 2 }
  private static let eventType: UInt32 = 2
  private static let queueType: UInt32 = 1
  private static let windowLength: UInt64 = 0x1_0000
  /// SID_MATCH has 20 bits for a guest's StreamID.
  private static let largestVirtualID: UInt64 = 0xF_FFFF

  private let front: Tegra241Front
  private var interface: UInt32 = 0
  private var window: UInt64?
  private let lock = Lock(.cmdqvInterface)
  // Guarded by `lock`.
  private var queues: [UInt32: Tegra241Queue] = [:]
  private var slots = NumberAllocator()
  private var slotOfDevice: [ObjectIdentifier: Int] = [:]

  /// `tegra241_cmdqv_init_vintf_user`.
  ///
  /// - Throws: EINVAL without a place for the answer; ENOSPC, ENOMEM, EFAULT.
  init(core: any VIOMMUCore, parent: SMMUv3Domain, _ front: Tegra241Front, _ data: UserData?) throws(Errno) {
    self.front = front
    super.init(core: core, parent: parent)
    guard let data else { throw .EINVAL("the vIOMMU needs room to say where its window is") }
    _ = try data.copyIn(type: Self.type, minimum: 16, kernelSize: 16)
    interface = try front.addGuest(self)
    front.enable(interface, vmid: parent.id, owned: false)
    do throws(Errno) {
      let offset = try core.makeWindow(onto: front.window(interface), length: Self.windowLength)
      window = offset
      try data.copyOut(SMMUv3Bytes.longs([offset, Self.windowLength]), type: Self.type, minimum: 16)
    } catch {
      destroy()
      throw error
    }
  }

  override func destroy() {
    if let window { core.destroyWindow(at: window) }
    window = nil
    front.disable(interface)
    front.removeGuest(interface)
  }

  /// `tegra241_vintf_user_handle_error`.
  func report(_ errors: [UInt64]) {
    try? core.report(type: Self.eventType, payload: SMMUv3Bytes.longs(errors))
  }

  // MARK: Devices

  /// `tegra241_vintf_init_vsid`.
  func addDevice(_ device: Device, virtualID: UInt64) throws(Errno) {
    guard let device = device as? SMMUv3Device, virtualID <= Self.largestVirtualID else {
      throw .EINVAL("the virtual StreamID has more than 20 bits", virtualID)
    }
    try unit.failures.pass(.allocation, "a stream of a virtual interface")
    try lock.withLock { () throws(Errno) in
      let slot = slots.allocate()
      guard slot < front.streamsPerInterface else {
        slots.free(slot)
        throw .ENOSPC("the interface has no room for another stream", UInt64(front.streamsPerInterface))
      }
      slotOfDevice[ObjectIdentifier(device)] = slot
      front.setStream(interface, slot, virtual: UInt32(virtualID), physical: device.stream)
    }
  }

  /// `tegra241_vintf_destroy_vsid`.
  func removeDevice(_ device: Device, virtualID: UInt64) {
    lock.withLock {
      guard let slot = slotOfDevice.removeValue(forKey: ObjectIdentifier(device)) else { return }
      front.setStream(interface, slot, virtual: nil, physical: 0)
      slots.free(slot)
    }
  }

  // MARK: Queues

  func supportsQueue(type: UInt32) -> Bool { type == Self.queueType }

  /// `tegra241_vintf_alloc_lvcmdq_user`: queues come in ascending order and go in descending.
  func makeQueue(
    type: UInt32, index: UInt32, iova: IOVA, length: UInt64, physical: PhysAddr, core: any HardwareQueueCore
  ) throws(Errno) -> any HardwareQueueDriver {
    guard index < front.queuesPerInterface else {
      throw .EINVAL("the interface has no such queue", UInt64(index), UInt64(front.queuesPerInterface))
    }
    return try lock.withLock { () throws(Errno) -> Tegra241Queue in
      guard queues[index] == nil else { throw .EEXIST("the queue exists", UInt64(index)) }
      let previous = index > 0 ? queues[index - 1] : nil
      guard index == 0 || previous != nil else {
        throw .EIO("the queue before it does not exist", UInt64(index))
      }
      let largest = UInt64(1) << UInt64(unit.features.idr[1][SMMU.IDR1.commandQueueSize] + 4)
      guard length.nonzeroBitCount == 1, length >= 32, length <= largest else {
        throw .EINVAL("the queue's length is no power of two that the SMMU takes", length, largest)
      }
      guard physical.raw & ~(Tegra241.Queue.baseMask & ~0x1F) == 0, physical.raw & (length - 1) == 0 else {
        throw .EINVAL("the queue is not aligned to its length", physical.raw, length)
      }
      if let previous { try core.depend(on: previous.core) }
      let queue = Tegra241Queue(self, index: index, core: core, previous: previous)
      queues[index] = queue
      front.prepareQueue(
        interface, index,
        base: SMMUv3Unit.virtualBase(physical.raw, UInt32(length.trailingZeroBitCount - 4)))
      return queue
    }
  }

  func remove(_ queue: Tegra241Queue) {
    lock.withLock {
      front.releaseQueue(interface, queue.index)
      queues[queue.index] = nil
      if let previous = queue.previous { queue.core.undepend(from: previous.core) }
    }
  }
}

/// A queue whose entries are a guest's memory. `struct tegra241_vcmdq`.
final class Tegra241Queue: HardwareQueueDriver, @unchecked Sendable {
  private let viommu: Tegra241VIOMMU
  let index: UInt32
  unowned let core: any HardwareQueueCore
  let previous: Tegra241Queue?

  init(_ viommu: Tegra241VIOMMU, index: UInt32, core: any HardwareQueueCore, previous: Tegra241Queue?) {
    self.viommu = viommu
    self.index = index
    self.core = core
    self.previous = previous
  }

  func destroy() { viommu.remove(self) }
}

/// Registers of a virtual interface, as a process has them mapped.
final class Tegra241Window: RegisterWindow, @unchecked Sendable {
  private let port: any RegisterPort
  private let base: UInt64

  init(_ port: any RegisterPort, at base: UInt64) {
    self.port = port
    self.base = base
  }

  func load32(_ offset: UInt64) -> UInt32 { port.read32(base &+ offset) }
  func load64(_ offset: UInt64) -> UInt64 { port.read64(base &+ offset) }
  func store32(_ offset: UInt64, _ value: UInt32) { port.write32(base &+ offset, value) }
  func store64(_ offset: UInt64, _ value: UInt64) { port.write64(base &+ offset, value) }
}

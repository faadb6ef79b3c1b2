// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// One SMMU as its driver has it: what it can do, its queues and tables, the VMIDs it gives out, and the devices behind
// it by StreamID.

/// An SMMUv3 that the driver has brought up: `struct arm_smmu_device`.
public final class SMMUv3Unit: HardwareIOMMU, @unchecked Sendable {
  let smmu: SMMUv3Driver
  let features: SMMUv3Features
  let memory: PhysicalMemory
  let failures: FailurePoints
  let streamTable: SMMUv3StreamTable
  let commands: SMMUv3CommandQueue
  let events: SMMUv3EventQueue
  let requests: SMMUv3EventQueue?
  /// The virtual command queues in front of it.
  private(set) var front: Tegra241Front?

  private let streamsLock = Lock(.smmuStreams)
  // Guarded by `streamsLock`.
  private var devices: [UInt32: SMMUv3Device] = [:]
  private let idLock = Lock(.smmuVMIDs)
  /// Guarded by `idLock`; 0 is for streams without stage 2.
  private var vmids = NumberAllocator(first: 1)

  /// Finds the SMMU through its registers and makes what it shares with software; `bringUp` does the rest.
  ///
  /// - Throws: ENXIO for an SMMU that the driver does not take, ENOMEM.
  init(
    _ name: String, _ driver: SMMUv3Driver, _ port: any RegisterPort, _ platform: SMMUv3Platform
  ) throws(Errno) {
    smmu = driver
    let features = try SMMUv3Features(port, platform, driver.version)
    self.features = features
    memory = driver.memory
    failures = driver.failures
    typealias R = SMMU.Register
    let page1: UInt64 = platform.page0Only ? R.page1 : 0
    let complaints = SMMUv3Complaints()
    let (idr1, memory, failures) = (features.idr[1], driver.memory, driver.failures)
    let (buffer, sizeLg2) = try Self.makeQueue(
      idr1[SMMU.IDR1.commandQueueSize], SMMU.Queue.commandBytesLg2, memory, failures)
    commands = SMMUv3CommandQueue(
      buffer, sizeLg2: sizeLg2,
      .init(prod: R.commandQueueProd, cons: R.commandQueueCons, gerror: R.gerror, gerrorN: R.gerrorN),
      features.syncMessages ? .message : .event, port, complain: complaints.add)
    let (eventBuffer, eventLg2) = try Self.makeQueue(
      idr1[SMMU.IDR1.eventQueueSize], SMMU.Queue.eventBytesLg2, memory, failures)
    events = SMMUv3EventQueue(
      eventBuffer, sizeLg2: eventLg2, bytesLg2: SMMU.Queue.eventBytesLg2, prod: R.eventQueueProd - page1,
      cons: R.eventQueueCons - page1, port)
    if features.pri {
      let (requestBuffer, requestLg2) = try Self.makeQueue(
        idr1[SMMU.IDR1.priQueueSize], SMMU.Queue.pageRequestBytesLg2, memory, failures)
      requests = SMMUv3EventQueue(
        requestBuffer, sizeLg2: requestLg2, bytesLg2: SMMU.Queue.pageRequestBytesLg2,
        prod: R.pageRequestQueueProd - page1, cons: R.pageRequestQueueCons - page1, port)
    } else {
      requests = nil
    }
    streamTable = try SMMUv3StreamTable(features, memory, failures)
    super.init(name: name, driver: driver, port: port)
    complaints.owner = self
    driver.reserveASIDs(platform.asidsInUse)
    try bringUp()
    if let block = platform.cmdqv {
      let front = try Tegra241Front(self, at: block)
      self.front = front
      front.bringUp()
    }
  }

  /// A queue as large as the SMMU and one allocation can have it: 4 MiB; half of it when there is no room, and so on.
  /// `arm_smmu_init_one_queue`.
  static func makeQueue(
    _ largestLg2: UInt32, _ bytesLg2: Int, _ memory: PhysicalMemory, _ failures: FailurePoints
  ) throws(Errno) -> (SMMUv3Buffer, UInt32) {
    var sizeLg2 = min(largestLg2, UInt32(22 - bytesLg2))
    while true {
      let mayShrink = Int(sizeLg2) + bytesLg2 > Int(Page.shift)
      do throws(Errno) {
        let bytes = 1 << (Int(sizeLg2) + bytesLg2)
        return (try SMMUv3Buffer(bytes, memory, failures, mayShrink ? .spare : .allocation), sizeLg2)
      } catch {
        guard mayShrink else { throw error }
        sizeLg2 -= 1
      }
    }
  }

  public override func handle(_ interrupt: HardwareInterrupt) { take(interrupt) }

  // MARK: Commands

  /// The queue that commands of the driver go to: `arm_smmu_get_cmdq`.
  private var queue: SMMUv3CommandQueue { front?.hostQueue ?? commands }

  /// Queues commands, and waits until they have happened.
  func issue(_ list: [SMMUv3Command]) { queue.submit(list, waiting: true) }

  /// Queues commands for which nobody waits.
  func post(_ list: [SMMUv3Command]) { queue.submit(list, waiting: false) }

  /// Queues invalidations as `issue` does, unless a bug says otherwise. Where an erratum forbids a batch that fills up
  /// without a CMD_SYNC, there is one after 63 commands. `arm_smmu_cmdq_batch_submit`.
  func invalidate(_ list: [SMMUv3Command]) {
    guard !list.isEmpty else { return }
    if bugs.has(.skipSync) {
      queue.submit(list, waiting: false, announcing: false)
      return
    }
    let limit = features.forcesSync ? SMMUv3CommandQueue.batchSize - 1 : Int.max
    var rest = list[...]
    while rest.count > limit {
      queue.submit(rest.prefix(limit), waiting: true)
      rest = rest.dropFirst(limit)
    }
    queue.submit(rest, waiting: true)
  }

  // MARK: Devices by stream

  /// - Throws: EINVAL when the stream is another device's.
  func add(_ device: SMMUv3Device) throws(Errno) {
    try streamsLock.withLock { () throws(Errno) in
      guard devices[device.stream] == nil else {
        throw .EINVAL("another device has the stream", UInt64(device.stream))
      }
      try streamTable.prepare(device.stream)
      devices[device.stream] = device
    }
  }

  func remove(_ device: SMMUv3Device) {
    streamsLock.withLock { devices[device.stream] = nil }
  }

  func withDevice<Result>(_ stream: UInt32, _ body: (SMMUv3Device?) -> Result) -> Result {
    streamsLock.withLock { body(devices[stream]) }
  }

  /// Sets what a device is on a vIOMMU; events look at it.
  func setPlace(_ place: SMMUv3VirtualPlace?, of device: SMMUv3Device) {
    streamsLock.withLock { device.place = place }
  }

  // MARK: VMIDs

  /// - Throws: ENOSPC.
  func allocateVMID() throws(Errno) -> UInt32 {
    try failures.pass(.allocation, "a VMID")
    return try idLock.withLock { () throws(Errno) -> UInt32 in
      let id = vmids.allocate()
      guard id < 1 << features.vmidBits else {
        vmids.free(id)
        throw .ENOSPC("every VMID is in use")
      }
      return UInt32(id)
    }
  }

  func freeVMID(_ id: UInt32) { idLock.withLock { vmids.free(Int(id)) } }

  public override var holdings: [(name: String, count: Int)] {
    [
      ("asids", smmu.asidsTaken), ("vmids", idLock.withLock { vmids.count }),
      ("streams", streamsLock.withLock { devices.count }), ("interfaces", front?.interfacesTaken ?? 0),
    ]
  }
}

/// Where a queue complains before its owner exists.
final class SMMUv3Complaints: @unchecked Sendable {
  weak var owner: SMMUv3Unit?
  func add(_ text: String) { owner?.complain(text) }
}

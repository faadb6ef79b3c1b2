// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Seams
internal import UAPI

// Virtual command queues of NVIDIA's Tegra241 (Grace), in front of an SMMU. Queues belong to virtual interfaces:
// interface 0 is the kernel's, and from then on all its commands go there; each further one can be a guest's.
// Source: `tegra241-cmdqv.c`; reference backends-arm-riscv-s390.md A5.7.

/// The block as its driver has it: `struct tegra241_cmdqv`.
final class Tegra241Front: @unchecked Sendable {
  static let informationType: UInt32 = 3

  unowned let unit: SMMUv3Unit
  private let block: UInt64
  private let version: UInt32
  private let queuesLg2: UInt32
  private let interfacesLg2: UInt32
  private let streamsLg2: UInt32

  private let lock = Lock(.cmdqvFront)
  // Guarded by `lock`. Interface 0 is taken.
  private var numbers = NumberAllocator(first: 1)
  private var guests: [UInt32: Tegra241VIOMMU] = [:]

  /// The kernel's queues; a processor uses one of them, and here there is one processor.
  private var hostQueues: [SMMUv3CommandQueue] = []
  private(set) var hostQueue: SMMUv3CommandQueue?

  /// - Throws: ENOMEM.
  init(_ unit: SMMUv3Unit, at block: UInt64) throws(Errno) {
    self.unit = unit
    self.block = block
    let parameters = unit.port.read32(block + Tegra241.Register.param)
    version = parameters[Tegra241.Param.version]
    queuesLg2 = parameters[Tegra241.Param.cmdqsLg2]
    interfacesLg2 = parameters[Tegra241.Param.vintfsLg2]
    streamsLg2 = parameters[Tegra241.Param.sidsLg2]
    for logical in 0..<queuesPerInterface {
      let page = Self.page(0) + Tegra241.Register.queueStride * UInt64(logical)
      let (buffer, sizeLg2) = try SMMUv3Unit.makeQueue(
        unit.features.idr[1][SMMU.IDR1.commandQueueSize], SMMU.Queue.commandBytesLg2, unit.memory,
        unit.failures)
      hostQueues.append(
        SMMUv3CommandQueue(
          buffer, sizeLg2: sizeLg2,
          .init(
            prod: block + page + Tegra241.Queue.prod, cons: block + page + Tegra241.Queue.cons,
            gerror: block + page + Tegra241.Queue.gerror, gerrorN: block + page + Tegra241.Queue.gerrorN),
          .polled, unit.port, complain: { [unowned unit] in unit.complain($0) }))
    }
  }

  var queuesPerInterface: UInt32 { queuesLg2 > interfacesLg2 ? 1 << (queuesLg2 - interfacesLg2) : 1 }
  var streamsPerInterface: Int { 1 << Int(streamsLg2) }

  /// Where page 0 of an interface's queues is, in the block.
  static func page(_ interface: UInt32) -> UInt64 {
    Tegra241.Register.vintfPages + Tegra241.Register.vintfPagesStride * UInt64(interface)
  }

  /// `struct iommu_hw_info_tegra241_cmdqv`.
  var information: [UInt8] {
    let queues = UInt32(queuesPerInterface.trailingZeroBitCount)
    return SMMUv3Bytes.words([0, version | queues << 8 | streamsLg2 << 16])
  }

  // MARK: Registers

  func write(_ offset: UInt64, _ value: UInt32) { unit.port.write32(block + offset, value) }
  func write64(_ offset: UInt64, _ value: UInt64) { unit.port.write64(block + offset, value) }
  func read(_ offset: UInt64) -> UInt32 { unit.port.read32(block + offset) }

  static func interface(_ number: UInt32) -> UInt64 {
    Tegra241.Register.vintf + Tegra241.Register.vintfStride * UInt64(number)
  }

  /// `tegra241_cmdqv_hw_reset`.
  func bringUp() {
    write(Tegra241.Register.config, 0)
    write(Tegra241.Register.config, Tegra241.enable)
    enable(0, vmid: 0, owned: true)
    for logical in 0..<queuesPerInterface {
      let queue = hostQueues[Int(logical)]
      prepareQueue(0, logical, base: SMMUv3Unit.virtualBase(queue.buffer.base, queue.sizeLg2))
      queue.reset()
      write(Self.queue(0, logical) + Tegra241.Queue.config, Tegra241.enable)
    }
    hostQueue = hostQueues.first
  }

  /// `tegra241_vintf_hw_init`.
  func enable(_ interface: UInt32, vmid: UInt32, owned: Bool) {
    let config = Self.interface(interface) + Tegra241.VINTF.config
    write(config, 0)
    var value = UInt64(owned ? Tegra241.VINTF.hypervisorOwned : 0)
    value[Tegra241.VINTF.vmid] = UInt64(vmid)
    write(config, UInt32(truncatingIfNeeded: value))
    write(config, UInt32(truncatingIfNeeded: value) | Tegra241.enable)
  }

  /// `tegra241_vintf_hw_deinit`.
  func disable(_ interface: UInt32) {
    write(Self.interface(interface) + Tegra241.VINTF.config, 0)
    for slot in 0..<streamsPerInterface { setStream(interface, slot, virtual: nil, physical: 0) }
  }

  /// A guest's name for a stream.
  func setStream(_ interface: UInt32, _ slot: Int, virtual: UInt32?, physical: UInt32) {
    let place = Self.interface(interface) + 4 * UInt64(slot)
    let match = virtual.map { $0 << 1 | Tegra241.VINTF.matchEnable } ?? 0
    if virtual == nil {
      write(place + Tegra241.VINTF.sidMatch, 0)
      write(place + Tegra241.VINTF.sidReplace, 0)
    } else {
      write(place + Tegra241.VINTF.sidReplace, physical)
      write(place + Tegra241.VINTF.sidMatch, match)
    }
  }

  // MARK: Queues

  static func queue(_ interface: UInt32, _ logical: UInt32) -> UInt64 {
    page(interface) + Tegra241.Register.queueStride * UInt64(logical)
  }

  /// Makes a physical queue the logical one of an interface, and sets its base. `tegra241_vcmdq_hw_init`.
  func prepareQueue(_ interface: UInt32, _ logical: UInt32, base: UInt64) {
    var allocation = UInt64(Tegra241.Allocation.allocated)
    allocation[Tegra241.Allocation.logical] = UInt64(logical)
    allocation[Tegra241.Allocation.vintf] = UInt64(interface)
    write(allocationRegister(interface, logical), UInt32(truncatingIfNeeded: allocation))
    clearQueue(interface, logical)
    write64(Self.queue(interface, logical) + Tegra241.Register.pageSize + Tegra241.Queue.base, base)
  }

  /// `tegra241_vcmdq_hw_deinit`: stops a queue. A SYNC through the SMMU's own queue takes what a device's
  /// invalidation may still have to say.
  private func clearQueue(_ interface: UInt32, _ logical: UInt32) {
    let page0 = Self.queue(interface, logical)
    let page1 = page0 + Tegra241.Register.pageSize
    write(page0 + Tegra241.Queue.config, 0)
    unit.commands.submit([SMMUv3Command(SMMU.Command.sync)], waiting: true)
    write(page0 + Tegra241.Queue.prod, 0)
    write(page0 + Tegra241.Queue.cons, 0)
    write64(page1 + Tegra241.Queue.base, 0)
    write64(page1 + Tegra241.Queue.consIndexBase, 0)
    let gerror = read(page0 + Tegra241.Queue.gerror)
    if gerror != read(page0 + Tegra241.Queue.gerrorN) { write(page0 + Tegra241.Queue.gerrorN, gerror) }
  }

  /// `tegra241_vintf_free_lvcmdq`.
  func releaseQueue(_ interface: UInt32, _ logical: UInt32) {
    clearQueue(interface, logical)
    write(allocationRegister(interface, logical), 0)
  }

  private func allocationRegister(_ interface: UInt32, _ logical: UInt32) -> UInt64 {
    Tegra241.Register.cmdqAllocation + 4 * UInt64(interface * queuesPerInterface + logical)
  }

  // MARK: Guests

  /// - Throws: ENOSPC.
  func addGuest(_ guest: Tegra241VIOMMU) throws(Errno) -> UInt32 {
    try unit.failures.pass(.allocation, "a virtual interface")
    return try lock.withLock { () throws(Errno) -> UInt32 in
      let number = numbers.allocate()
      guard number < 1 << Int(interfacesLg2) else {
        numbers.free(number)
        throw .ENOSPC("every virtual interface is in use")
      }
      guests[UInt32(number)] = guest
      return UInt32(number)
    }
  }

  /// Virtual interfaces that guests have.
  var interfacesTaken: Int { lock.withLock { numbers.count } }

  func removeGuest(_ number: UInt32) {
    lock.withLock {
      guests[number] = nil
      numbers.free(Int(number))
    }
  }

  /// The registers that a guest's owner may map: page 0 of the interface's queues.
  func window(_ interface: UInt32) -> Tegra241Window {
    Tegra241Window(unit.port, at: block + Self.page(interface))
  }

  // MARK: Errors

  /// `tegra241_cmdqv_isr`: the kernel's own queues are mended, a guest hears of its.
  func handleErrors() {
    var map = UInt64(read(Tegra241.Register.vintfErrorMap))
    map |= UInt64(read(Tegra241.Register.vintfErrorMap + 4)) << 32
    if map & 1 != 0 { for queue in hostQueues { queue.handleError() } }
    for number in UInt32(1)..<64 where map >> UInt64(number) & 1 != 0 {
      let errors = (0..<2).map { word -> UInt64 in
        let place = Self.interface(number) + Tegra241.VINTF.errorMap + 8 * UInt64(word)
        return UInt64(read(place)) | UInt64(read(place + 4)) << 32
      }
      unit.complain("VINTF\(number): LVCMDQ error 0x\(String(errors[0], radix: 16))")
      lock.withLock { guests[number] }?.report(errors)
    }
  }
}

extension SMMUv3Unit {
  /// BASE of a virtual queue.
  static func virtualBase(_ base: UInt64, _ sizeLg2: UInt32) -> UInt64 {
    base & (Tegra241.Queue.baseMask & ~0x1F) | UInt64(sizeLg2)
  }
}

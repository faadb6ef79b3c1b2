// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

/// A guest's stage 1 on a nesting parent. The guest's memory is 4 MiB at intermediate address 0x4000_0000; its context
/// descriptor and tables lie there.
final class Guest {
  static let base: UInt64 = 0x4000_0000
  static let stream: UInt64 = 0x33
  let rig: Rig
  let device: DeviceObject
  let ioas: UInt32
  let parent: UInt32
  let viommu: UInt32
  let memory: UInt64
  private(set) var window: UInt64 = 0

  init(
    _ flags: [String: UInt64] = [:], type: UInt32 = 1, named: Bool = true, ats: Bool = false,
    pasidBits: Int = 0
  )
    throws
  {
    rig = try Rig(flags, function: .init(ats: ats, pasidBits: pasidBits))
    device = try rig.context.bind(rig.endpoint.device)
    ioas = try rig.makeIOAS()
    memory = try rig.map(ioas, Self.base, 4 << 20, huge: true)
    parent = try rig.makeHWPT(device, on: ioas, flags: 1)
    let data: [UInt32] = type == 2 ? [16, 0] + Rig.pair(rig.room) : [0, 0, 0, 0]
    viommu = try rig.call("VIOMMU_ALLOC", [40, 0, type, device.id, parent, 0] + data)[5]
    if type == 2 {
      let answer = try rig.get(rig.room, 4)
      window = UInt64(answer[0]) | UInt64(answer[1]) << 32
      #expect(answer[2] == 0x1_0000)
    }
    if named { try nameDevice() }
    try writeTables()
  }

  func nameDevice() throws {
    try rig.call("VDEVICE_ALLOC", [24, viommu, device.id, 0] + Rig.pair(Self.stream))
  }

  func put(_ offset: UInt64, _ value: UInt64) throws { try rig.put(Rig.pair(value), at: memory + offset) }

  /// Context descriptor at 0: 39 bits from level 1 at 0x1000; one page, virtual 0x5000 at 0x10_0000 of the memory.
  private func writeTables() throws {
    // T0SZ 25, 4K, V, IPS 48 bits, AA64, R, A, ASET, ASID 5.
    try put(0, 0x0005_E205_C000_3519)
    try put(8, Self.base + 0x1000)
    try put(24, 0xFF)
    try put(0x1000, Self.base + 0x2000 | 3)
    try put(0x2000, Self.base + 0x3000 | 3)
    try mapPage(0x10_0000)
  }

  /// Makes 0x5000 lead to an offset of the memory.
  func mapPage(_ offset: UInt64) throws { try put(0x3028, (Self.base + offset) | 0xF43) }

  static let translating: [UInt64] = [base | 0xB, 0xD6]

  @discardableResult
  func attach(_ ste: [UInt64], fault: UInt32 = 0) throws -> UInt32 {
    var page = try rig.makeHWPT(device, on: viommu, ste: ste)
    let attached = device.hwpt(at: 0) != nil
    if attached { try device.replace(with: &page) } else { try device.attach(to: &page) }
    return page
  }

  func invalidate(_ commands: [UInt64], type: UInt32 = 1) throws(Errno) -> UInt32 {
    try rig.put(commands.flatMap(Rig.pair), at: rig.room)
    return try rig.call(
      "HWPT_INVALIDATE",
      [32, viommu] + Rig.pair(rig.room) + [type, 16, UInt32(commands.count / 2), 0])[6]
  }
}

@Suite("SMMUv3 driver: vIOMMUs")
struct NestedTests {
  @Test func staleUntilInvalidated() throws {
    let guest = try Guest()
    try guest.attach(Guest.translating)
    try guest.rig.fill(guest.memory + 0x10_0000, [1])
    try guest.rig.fill(guest.memory + 0x11_0000, [2])
    #expect(guest.rig.read(0x5000, 1).bytes == [1])
    try guest.mapPage(0x11_0000)
    #expect(guest.rig.read(0x5000, 1).bytes == [1], "cached")
    // TLBI_NH_VA of ASID 5, with a VMID that is not the guest's to choose; TLBI_NSNH_ALL; CFGI_CD of its stream.
    #expect(try guest.invalidate([0x0005_0077_0000_0012, 0x5001]) == 1)
    #expect(guest.rig.read(0x5000, 1).bytes == [2])
    try guest.mapPage(0x10_0000)
    #expect(try guest.invalidate([0x30, 0, 0x0000_0033_0000_0005, 1]) == 2)
    #expect(guest.rig.read(0x5000, 1).bytes == [1])
    // The parent's unmapping takes stage 1 along.
    try guest.rig.unmap(guest.ioas, Guest.base, 4 << 20)
    #expect(guest.rig.read(0x5000, 1).code == 0x10)
    #expect(guest.rig.unit.software.complaints.isEmpty)
    #expect(guest.rig.hardware { $0.staleStructures }.isEmpty)
  }

  @Test func refusedCommands() throws {
    let guest = try Guest()
    try guest.attach(Guest.translating)
    // CFGI_STE, SYNC, S12_VMALL, S2_IPA, EL2, RESUME, PREFETCH, and the stream of somebody else.
    let refused: [UInt64] = [0x3, 0x46, 0x28, 0x2A, 0x20, 0x44, 0x1, 0x0000_0034_0000_0005]
    for command in refused {
      #expect(throws: Errno.EIO, "command 0x\(String(command, radix: 16))") {
        try guest.invalidate([command, 0])
      }
    }
    #expect(throws: Errno.EINVAL) { try guest.invalidate([0x30, 0], type: 0) }
    #expect(throws: Errno.EINVAL) { try guest.invalidate([]) }
    // 62 good ones before a bad one are counted and dropped.
    try guest.rig.put(
      ([UInt64](repeating: 0, count: 124).enumerated().map { $0.offset % 2 == 0 ? 0x30 : 0 } + [0x46, 0])
        .flatMap(Rig.pair), at: guest.rig.room)
    #expect(throws: Errno.EIO) {
      try guest.rig.call(
        "HWPT_INVALIDATE", [32, guest.viommu] + Rig.pair(guest.rig.room) + [1, 16, 63, 0])
    }
  }

  @Test func entries() throws {
    let guest = try Guest(named: false)
    #expect(throws: Errno.ENOENT) { try guest.attach(Guest.translating) }
    // Not valid, abort and bypass need no vDEVICE.
    try guest.attach([0, .max])
    #expect(guest.rig.read(Guest.base, 1).code == 0)
    try guest.attach([9, 0])
    #expect(guest.rig.read(Guest.base, 1).isDone, "bypass is the parent")
    try guest.attach([1, 0])
    #expect(guest.rig.read(Guest.base, 1).code == 0)
    // Stage 2, a bit that is not the guest's, split ATS.
    for ste: [UInt64] in [[0xD, 0], [0xB, 1 << 44], [0xB, 2 << 28], [1 << 55 | 0xB, 0]] {
      #expect(throws: Errno.EIO) { try guest.attach(ste) }
    }
    #expect(throws: Errno.EOPNOTSUPP) { try guest.rig.makeHWPT(guest.device, on: guest.parent, ste: [1, 0]) }
    try guest.nameDevice()
    try guest.attach(Guest.translating)
    #expect(guest.rig.read(0x5000, 1).isDone)
  }

  @Test func needsHardware() throws {
    for flags in [["fwb": 0], ["s1": 0], ["s2": 0]] as [[String: UInt64]] {
      #expect(throws: Errno.EOPNOTSUPP) { _ = try Guest(flags) }
    }
    _ = try Guest(["fwb": 0, "canwbs": 1])
  }

  @Test func events() throws {
    let guest = try Guest()
    try guest.attach(Guest.translating)
    let queue = try guest.rig.call("VEVENTQ_ALLOC", [32, 0, guest.viommu, 1, 8, 0, 0, 0])
    #expect(guest.rig.read(0x7000).code == 0x10)
    let file = Int32(bitPattern: queue[6])
    #expect(try guest.rig.target.read(file, guest.rig.room, 256) == 40)
    let event = try guest.rig.get(guest.rig.room, 10)
    #expect(event[2] == 0x10)
    #expect(event[3] == 0x33, "the guest's name for the device")
    #expect(UInt64(event[7]) << 32 | UInt64(event[6]) == 0x7000)
    #expect(guest.rig.unit.software.faults.isEmpty)
    // A fault of stage 2 is the host's.
    try guest.put(0x3038, 0x9000_0000 | 0xF43)
    _ = guest.rig.read(0x7000)
    #expect(guest.rig.unit.software.faults.count == 1)
  }

  @Test(arguments: [true, false])
  func deviceCaches(trusted: Bool) throws {
    let guest = try Guest(ats: true)
    var ste = Guest.translating
    if trusted { ste[1] |= 1 << 28 }
    try guest.attach(ste)
    #expect(guest.rig.endpoint.function.control.ats == trusted)
    #expect(guest.rig.read(0x5000, 1).isDone)
    try guest.mapPage(0x11_0000)
    try guest.rig.fill(guest.memory + 0x11_0000, [2])
    #expect(try guest.invalidate([0x30, 0]) == 1)
    if trusted {
      #expect(guest.rig.read(0x5000, 1).bytes == [0], "the device still has it")
      #expect(try guest.invalidate([0x0000_0033_0000_0040, 52]) == 1)
    }
    #expect(guest.rig.read(0x5000, 1).bytes == [2])
  }

  // MARK: Tegra241

  @Test func virtualQueue() throws {
    let guest = try Guest(["cmdqv": 1], type: 2)
    try guest.attach(Guest.translating)
    let rig = guest.rig
    try rig.fill(guest.memory + 0x10_0000, [1])
    try rig.fill(guest.memory + 0x11_0000, [2])
    #expect(rig.read(0x5000, 1).bytes == [1])
    // Queues in order, of a length that is a power of two, neighbours in memory.
    func queue(_ index: UInt32, _ offset: UInt64, _ length: UInt64) throws(Errno) -> UInt32 {
      try rig.call(
        "HW_QUEUE_ALLOC",
        [40, 0, guest.viommu, 1, index, 0] + Rig.pair(Guest.base + offset) + Rig.pair(length))[5]
    }
    #expect(throws: Errno.EIO) { try queue(1, 0x20_0000, 0x1000) }
    #expect(throws: Errno.EINVAL) { try queue(2, 0x20_0000, 0x1000) }
    #expect(throws: Errno.EINVAL) { try queue(0, 0x20_0000, 0x1800) }
    #expect(throws: Errno.EINVAL) { try queue(0, 0x20_0800, 0x1000) }
    let first = try queue(0, 0x20_0000, 0x1000)
    #expect(throws: Errno.EEXIST) { try queue(0, 0x20_1000, 0x1000) }
    let second = try queue(1, 0x20_1000, 0x1000)
    #expect(throws: Errno.EBUSY) { try rig.call("DESTROY", [8, first]) }
    try rig.call("DESTROY", [8, second])

    // The owner maps the interface's page, and the guest rings for itself.
    let page = try rig.target.mmap(
      rig.fd, length: 0x1_0000, offset: guest.window, flags: [.read, .write, .shared])
    func register(_ offset: UInt64) throws -> UInt32 { try rig.get(page + offset, 1)[0] }
    try rig.put([1], at: page + 8)
    #expect(try register(0xC) == 1)
    try guest.mapPage(0x11_0000)
    #expect(rig.read(0x5000, 1).bytes == [1], "cached")
    try guest.put(0x20_0000, 0x0005_0000_0000_0011)
    try guest.put(0x20_0008, 0)
    try guest.put(0x20_0010, 0x46)
    try guest.put(0x20_0018, 0)
    try rig.put([2], at: page + 4)
    #expect(try register(0) == 2, "consumed")
    #expect(rig.read(0x5000, 1).bytes == [2])

    // A command that is not a guest's stops the queue, and the owner hears of it.
    let events = try rig.call("VEVENTQ_ALLOC", [32, 0, guest.viommu, 2, 8, 0, 0, 0])
    try guest.put(0x20_0020, 0x28)
    try rig.put([3], at: page + 4)
    #expect(try register(0) >> 24 == 1)
    rig.machine.settle()
    #expect(try rig.target.read(Int32(bitPattern: events[6]), rig.room, 256) == 24)
    #expect(try rig.get(rig.room, 4)[2] == 1)
    // Not by bytes.
    #expect(throws: Errno.EFAULT) { try rig.fill(page + 1, [1]) }

    #expect(throws: Errno.EBUSY) { try rig.call("DESTROY", [8, guest.viommu]) }
    try rig.target.process.space.unmap(page, length: 0x1_0000)
    #expect(rig.machine.violations().isEmpty)
  }

  @Test func interfacesAndStreams() throws {
    let guest = try Guest(["cmdqv": 1, "cmdqv-interfaces-lg2": 1, "cmdqv-streams-lg2": 0], type: 2)
    let rig = guest.rig
    #expect(throws: Errno.ENOSPC) {
      try rig.call(
        "VIOMMU_ALLOC", [40, 0, 2, guest.device.id, guest.parent, 0, 16, 0] + Rig.pair(rig.room))
    }
    #expect(throws: Errno.EINVAL) {
      try rig.call("VIOMMU_ALLOC", [40, 0, 2, guest.device.id, guest.parent, 0, 0, 0, 0, 0])
    }
    let other = try rig.machine.addFunction("other", PCIFunction(requesterID: 0x210), behind: rig.unit)
    let device = try rig.context.bind(other.device)
    #expect(throws: Errno.ENOSPC) {
      try rig.call("VDEVICE_ALLOC", [24, guest.viommu, device.id, 0] + Rig.pair(5))
    }
    #expect(throws: Errno.EINVAL) {
      try rig.call("VDEVICE_ALLOC", [24, guest.viommu, device.id, 0] + Rig.pair(1 << 20))
    }
  }
}

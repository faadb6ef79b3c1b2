// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

/// Stage 2, PASIDs, dirty pages, page requests, and what user space is told.
@Suite("SMMUv3 driver: what else domains do")
struct StageTests {
  @Test(arguments: [true, false])
  func hugePages(stage2: Bool) throws {
    let rig = try Rig()
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    var page = try rig.makeHWPT(device, on: ioas, flags: stage2 ? 1 : 0)
    try device.attach(to: &page)
    let buffer = try rig.map(ioas, 0x4000_0000, 4 << 20, huge: true)
    for offset: UInt64 in [0, 0x1F_FFFC, 0x20_0000, 0x3F_FFFC] {
      #expect(rig.write(0x4000_0000 + offset, [7, UInt8(offset >> 16 & 0xFF)]).isDone)
      #expect(try rig.bytes(buffer + offset, 2) == [7, UInt8(offset >> 16 & 0xFF)])
    }
    let leaves = rig.leafSizes(of: device)
    #expect(leaves == [21, 21])
    try rig.unmap(ioas, 0x4000_0000, 4 << 20)
    #expect(rig.read(0x4000_0000).code == (rig.endpoint.function.control.ats ? 0 : 0x10))
    #expect(rig.unit.software.complaints.isEmpty)
  }

  /// An SMMU without 4K tables: the kernel's own domains have larger pages, and iommufd takes none of those.
  @Test(arguments: [14, 16])
  func otherGranules(granule: Int) throws {
    let rig = try Rig(["gran4k": 0, "gran16k": granule == 14 ? 1 : 0], function: .init())
    let group = try #require(rig.endpoint.device.group)
    let domain = try #require(group.domain as? any PagingDomain)
    #expect(domain.pageSizes & 0xF_FFFF == 1 << UInt64(granule))
    try domain.map(
      IOVA(0x40_0000), to: PhysAddr(0x80_0000), length: 0x4_0000, protection: [.read, .write, .cache])
    #expect(rig.write(0x40_FFF0, [1, 2, 3]).isDone)
    #expect(rig.machine.memory.load32(at: PhysAddr(0x80_FFF0)) == 0x30201)
    #expect(domain.unmap(IOVA(0x40_0000), length: 0x4_0000) == 0x4_0000)
    #expect(rig.read(0x40_FFF0).code == 0x10)

    let device = try rig.context.bind(rig.endpoint.device)
    var page = try rig.makeIOAS()
    #expect(throws: Errno.EINVAL) { try device.attach(to: &page) }
  }

  @Test(arguments: [20, 4])
  func pasids(bits: Int) throws {
    let rig = try Rig(function: .init(ats: true, pasidBits: bits))
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    let other = try rig.makeIOAS()
    let first = try rig.map(ioas, 0x10000, 0x1000)
    let second = try rig.map(other, 0x10000, 0x1000)
    try rig.fill(first, [1])
    try rig.fill(second, [2])
    let pasid: UInt32 = bits == 20 ? 0x1_2345 : 9
    // The RID is blocked, and has none of its own.
    var page = try rig.makeHWPT(device, on: other, flags: 8)
    try device.attach(pasid: pasid, to: &page)
    #expect(rig.read(0x10000, 1, pasid: pasid).bytes == [2])
    #expect(!rig.read(0x10000, 1).isDone)
    var own = try rig.makeHWPT(device, on: ioas, flags: 8)
    try device.attach(to: &own)
    #expect(rig.read(0x10000, 1).bytes == [1])
    #expect(rig.read(0x10000, 1, pasid: pasid).bytes == [2])
    // A stage 2 has no room for them.
    var parent = try rig.makeHWPT(device, on: ioas, flags: 1)
    #expect(throws: Errno.EINVAL) { try device.replace(with: &parent) }
    try device.replace(pasid: pasid, with: &own)
    #expect(rig.read(0x10000, 1, pasid: pasid).bytes == [1])
    device.detach(pasid: pasid)
    #expect(!rig.read(0x10000, 1, pasid: pasid).isDone)
    #expect(rig.read(0x10000, 1).bytes == [1])
    device.detach()
    #expect(rig.unit.software.complaints.isEmpty)
    #expect(rig.hardware { $0.staleStructures }.isEmpty)
  }

  @Test func dirtyPages() throws {
    let rig = try Rig(function: .init())
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    var page = try rig.makeHWPT(device, on: ioas, flags: 2)
    try rig.map(ioas, 0x100000, 0x4000)
    try device.attach(to: &page)
    try rig.call("HWPT_SET_DIRTY_TRACKING", [16, 1, page, 0])
    func dirty() throws -> UInt32 {
      try rig.put([0, 0], at: rig.room)
      try rig.call(
        "HWPT_GET_DIRTY_BITMAP",
        [48, page, 0, 0] + Rig.pair(0x100000) + Rig.pair(0x4000) + Rig.pair(0x1000) + Rig.pair(rig.room))
      return try rig.get(rig.room, 1)[0]
    }
    #expect(try dirty() == 0, "from clean entries")
    #expect(rig.write(0x101000, [1]).isDone)
    #expect(rig.read(0x102000).isDone)
    #expect(try dirty() == 0b0010)
    #expect(try dirty() == 0)
    #expect(rig.write(0x101004, [1]).isDone)
    #expect(rig.write(0x103000, [1]).isDone)
    #expect(try dirty() == 0b1010)
    // As the kernel's sources read, the clearing is not followed by an invalidation.
    rig.unit.software.bugs.set(.skipDirtyFlush, true)
    #expect(rig.write(0x101004, [1]).isDone)
    #expect(try dirty() == 0b0010)
    #expect(rig.write(0x101008, [1]).isDone)
    #expect(try dirty() == 0, "the translation still knows the page as dirty")
  }

  @Test(arguments: [true, false])
  func stalledFault(resolved: Bool) throws {
    let rig = try Rig(["can-stall": 1], function: .init())
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    let queue = try rig.call("FAULT_QUEUE_ALLOC", [16, 0, 0, 0])
    var page = try rig.makeHWPT(device, on: ioas, flags: 4, fault: queue[2])
    try device.attach(to: &page)
    guard case .held = rig.write(0x10008, [5]) else {
      Issue.record("a fault does not wait")
      return
    }
    let file = Int32(bitPattern: queue[3])
    #expect(try rig.target.read(file, rig.room, 400) == 40)
    let fault = try rig.get(rig.room, 10)
    #expect(fault[0] == 2, "the last of its group, without a PASID")
    #expect(fault[4] == 2, "a write")
    #expect(UInt64(fault[7]) << 32 | UInt64(fault[6]) == 0x10008)
    let buffer = resolved ? try rig.map(ioas, 0x10000, 0x1000) : 0
    try rig.put([fault[9], resolved ? 0 : 1], at: rig.room)
    #expect(try rig.target.write(file, rig.room, 8) == 8)
    rig.machine.settle()
    let outcome = try #require(rig.endpoint.takeFinished())
    #expect(outcome.isDone == resolved)
    if resolved { #expect(try rig.bytes(buffer + 8, 1) == [5]) }
    #expect(rig.unit.software.faults.isEmpty)
  }

  @Test func information() throws {
    let rig = try Rig(["cmdqv": 1])
    let device = try rig.context.bind(rig.endpoint.device)
    let words = try rig.call(
      "GET_HW_INFO", [40, 0, device.id, 64] + Rig.pair(rig.room) + [0, 0, 0, 0])
    #expect(words[6] == 2)
    #expect(words[3] == 40)
    #expect(words[8] & 1 == 1, "tracks dirty pages")
    let data = try rig.get(rig.room, 10)
    #expect(data[2] == rig.unit.read32(0))
    #expect(data[7] == rig.unit.read32(0x14))
    #expect(data[9] == 1)
    let front = try rig.call(
      "GET_HW_INFO", [40, 1, device.id, 64] + Rig.pair(rig.room) + [3, 0, 0, 0])
    #expect(front[3] == 8)
    #expect(try rig.get(rig.room, 2) == [0, 1 | 1 << 8 | 4 << 16])
    #expect(throws: Errno.EOPNOTSUPP) {
      try rig.call("GET_HW_INFO", [40, 1, device.id, 64] + Rig.pair(rig.room) + [1, 0, 0, 0])
    }
    let old = try Rig(kernel: .v6_12)
    let oldDevice = try old.context.bind(old.endpoint.device)
    #expect(
      try old.call("GET_HW_INFO", [40, 0, oldDevice.id, 64] + Rig.pair(old.room) + [0, 0, 0, 0])[6] == 0)
  }

  @Test func messageWindow() throws {
    let rig = try Rig(function: .init())
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    #expect(device.device.reservedRegions == [ReservedRegion(0x800_0000, 0x80F_FFFF, .softwareMSI)])
    var page = ioas
    try device.attach(to: &page)
    #expect(throws: Errno.EINVAL) { try rig.map(ioas, 0x800_0000, 0x1000) }
    let iova = try #require(try device.composeMSI(doorbell: .init(0x809_0040)))
    #expect(iova.raw == 0x800_0000)
    let leaf = rig.leaves(of: device).first
    #expect(leaf?.physical.raw == 0x809_0000)
    #expect(rig.write(0x800_0040, [1, 0, 0, 0]).isDone)
  }

  /// Flags that go together, on both kernels.
  @Test(arguments: Personality.allCases)
  func flags(kernel: Personality) throws {
    let rig = try Rig(kernel: kernel)
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    var accepted: [UInt32] = []
    for flags: UInt32 in [0, 1, 2, 3, 8, 9, 10, 11] {
      do throws(Errno) {
        _ = try rig.makeHWPT(device, on: ioas, flags: flags)
        accepted.append(flags)
      } catch { #expect(error == .EOPNOTSUPP) }
    }
    #expect(accepted == (kernel == .v6_12 ? [0, 2] : [0, 1, 2, 8, 10]))
  }

  /// The kernel of 6.12 flushes an ID with its domain, that of 7.2 with its last device.
  @Test(arguments: Personality.allCases)
  func tagsAreClean(kernel: Personality) throws {
    let rig = try Rig(kernel: kernel, function: .init())
    let device = try rig.context.bind(rig.endpoint.device)
    for round in UInt8(0)..<4 {
      let ioas = try rig.makeIOAS()
      let buffer = try rig.map(ioas, 0x10000, 0x1000)
      try rig.fill(buffer, [round])
      var page = ioas
      try device.attach(to: &page)
      #expect(rig.read(0x10000, 1).bytes == [round])
      device.detach()
      try rig.call("DESTROY", [8, ioas])
    }
  }
}

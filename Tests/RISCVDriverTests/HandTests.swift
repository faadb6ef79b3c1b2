// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import HardwareSpecs
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import PageTables
internal import Testing
internal import UAPI

@testable internal import Machine

// What the hardware can do and Linux's driver does not use, set up by hand: the bench writes the device's context and
// the structures that it names into memory, and sends commands through the driver's queue.

/// A device whose context is the bench's.
final class HandRig {
  let rig: DriverRig
  let device: Endpoint
  let context: UInt64
  var id: UInt32 { device.function.source }

  init(_ capabilities: PCIFunction.Capabilities = .init(), _ numbers: [String: UInt64] = [:]) throws {
    rig = try DriverRig(numbers)
    device = try rig.device(5, capabilities)
    try rig.claim(device)
    context = try #require(rig.software.contextAddress(of: 5))
  }

  var memory: PhysicalMemory { rig.memory }

  func put(_ address: UInt64, _ words: UInt64...) {
    for (index, word) in words.enumerated() {
      _ = memory.store64(word, at: PhysAddr(address + UInt64(index) * 8))
    }
  }

  /// Writes tc last, and makes the hardware forget what it had.
  func setContext(
    tc: UInt64, iohgatp: UInt64 = 0, ta: UInt64 = 0, fsc: UInt64 = 0, msiptp: UInt64 = 0, mask: UInt64 = 0,
    pattern: UInt64 = 0
  ) {
    put(context + 8, iohgatp, ta, fsc, msiptp, mask, pattern)
    put(context, tc)
    send(3 | 1 << 33 | UInt64(id) << 40)
  }

  func send(_ word0: UInt64, _ word1: UInt64 = 0) {
    rig.software.send(RISCVCommand(word0, word1))
    rig.software.synchronize()
  }

  static func iosatp(_ table: RISCVTable, mode: UInt64 = 8) -> UInt64 {
    mode << 60 | table.root.address.raw >> 12
  }

  func firstStage() throws -> RISCVTable { try RISCVTable(memory, .init(.sv39)) }
  func secondStage() throws -> RISCVTable { try RISCVTable(memory, .init(.sv39, isSecondStage: true)) }
}

extension RISCVTable {
  /// Maps without a flush.
  func put(_ iova: UInt64, _ physical: UInt64, _ length: UInt64 = 4096) throws {
    var gather = TableGather()
    defer { gather.release() }
    try map(IOVA(iova), to: PhysAddr(physical), length: length, [.read, .write, .cache], gather: &gather)
  }

  func remove(_ iova: UInt64, _ length: UInt64 = 4096) {
    var gather = TableGather()
    _ = unmap(IOVA(iova), length: length, gather: &gather)
    gather.release()
  }
}

@Suite struct HandTests {
  /// A guest's first stage in guest memory, on a second stage that the host keeps.
  @Test func twoStages() throws {
    let hand = try HandRig()
    let second = try hand.secondStage()
    let first = try hand.firstStage()
    // The guest sees its tables at GPA 100000 and on, in the order of the frames.
    var guest: [UInt64: UInt64] = [:]
    func gpa(of frame: UInt64) throws -> UInt64 {
      if let known = guest[frame] { return known }
      let address = 0x10_0000 + UInt64(guest.count) << 12
      guest[frame] = address
      try second.put(address, frame)
      return address
    }
    let page = try hand.rig.page(0x5A)
    let other = try hand.rig.page(0x77)
    try second.put(0x8000_0000, page.raw)
    try first.put(0x4020_1000, 0x8000_0000)
    // Pointers become guest addresses.
    first.forEachEntry { entry, _ in
      guard entry.kind == .table else { return }
      let next = (entry.raw >> 10) << 12
      do {
        hand.put(entry.address.raw, try gpa(of: next) >> 2 | 1)
      } catch { Issue.record(error) }
    }
    let root = try gpa(of: first.root.address.raw)
    hand.setContext(
      tc: 1, iohgatp: 8 << 60 | 3 << 44 | second.root.address.raw >> 12, ta: 7 << 12,
      fsc: 8 << 60 | root >> 12)
    #expect(hand.device.perform(.read(0x4020_1000, 1)).bytes == [0x5A])
    #expect(hand.device.perform(.write(0x4020_1001, [9])).bytes == [])
    #expect(hand.rig.byte(PhysAddr(page.raw + 1)) == 9)
    // The host moves the guest's page: stale until IOTINVAL.GVMA of it.
    second.remove(0x8000_0000)
    try second.put(0x8000_0000, other.raw)
    #expect(hand.device.perform(.read(0x4020_1000, 1)).bytes == [0x5A])
    hand.send(1 << 7 | 1 | 1 << 33 | 3 << 44 | 1 << 10, 0x8_0000 << 10)
    #expect(hand.device.perform(.read(0x4020_1000, 1)).bytes == [0x77])
    // The guest unmaps: stale until IOTINVAL.VMA of its address space.
    let leaf = try #require(first.walkToLeaf(0x4020_1000, in: guest, hand.memory))
    hand.put(leaf, 0)
    #expect(hand.device.perform(.read(0x4020_1000, 1)).bytes == [0x77])
    hand.send(1 | 1 << 33 | 3 << 44 | 1 << 32 | 7 << 12)
    #expect(hand.device.perform(.read(0x4020_1000, 1)).fault?.code == 13)
    // A GPA without a page.
    hand.put(leaf, 0x9000_0000 >> 2 | 0xDF)
    #expect(hand.device.perform(.write(0x4020_1000, [1])).fault?.code == 23)
    #expect(hand.rig.software.faults.map(\.code) == [13, 23])
    #expect(hand.rig.unit.withHardware { $0.staleStructures } == [])
  }

  /// Two processes, and DMA without one that is process 0's.
  @Test func processes() throws {
    let hand = try HandRig(.init(pasidBits: 20, pasidPrivileged: true))
    let one = try hand.firstStage()
    let two = try hand.firstStage()
    let pages = [try hand.rig.page(1), try hand.rig.page(2)]
    try one.put(0x1000, pages[0].raw)
    try two.put(0x1000, pages[1].raw)
    let directory = try hand.rig.page().raw
    let leaf = try hand.rig.page().raw
    // PD17: process 0x101 is entry 1 of the second leaf table.
    hand.put(directory + 8, leaf >> 2 | 1)
    hand.put(leaf + 16, 1 | 11 << 12, HandRig.iosatp(two))
    let zero = try hand.rig.page().raw
    hand.put(directory, zero >> 2 | 1)
    hand.put(zero, 1 | 10 << 12, HandRig.iosatp(one))
    hand.setContext(tc: 1 | 1 << 5 | 1 << 9, fsc: 2 << 60 | directory >> 12)
    #expect(hand.device.perform(.read(0x1000, 1)).bytes == [1])
    #expect(hand.device.perform(.read(0x1000, 1, pasid: 0x101)).bytes == [2])
    let missing = hand.device.perform(.read(0x1000, 1, pasid: 0x102)).fault
    #expect(missing?.code == 266)
    #expect(hand.device.perform(.read(0x1000, 1, pasid: 0x2_0000)).fault?.code == 260)
    var privileged = DMARequest.read(0x1000, 1, pasid: 0x101)
    privileged.privileged = true
    #expect(hand.device.perform(privileged).fault?.code == 260)
    #expect(hand.rig.software.faults.map(\.pasid) == [0x102, 0x2_0000, 0x101])
    // A process that ends: stale until IODIR.INVAL_PDT and IOTINVAL.VMA.
    hand.put(leaf + 16, 0)
    #expect(hand.device.perform(.read(0x1000, 1, pasid: 0x101)).bytes == [2])
    #expect(
      hand.rig.unit.withHardware { $0.staleStructures } == [
        "device 5, process 257: a process context is cached, and memory has fault 266"
      ])
    let candidates = hand.rig.unit.withHardware { $0.cachedAddresses }
    #expect(candidates.contains(CachedAddress(0x1000, pasid: 0x101)))
    hand.send(3 | 1 << 7 | 1 << 33 | 5 << 40 | 0x101 << 12)
    #expect(hand.device.perform(.read(0x1000, 1, pasid: 0x101)).fault?.code == 266)
    #expect(hand.rig.unit.withHardware { $0.staleStructures } == [])
  }

  /// Messages of a device to a guest's interrupt files: to a real file, and to one in memory.
  @Test func messages() throws {
    let hand = try HandRig()
    let second = try hand.secondStage()
    let page = try hand.rig.page(0x42)
    try second.put(0x5000, page.raw)
    let files = try hand.rig.page().raw
    let file = try hand.rig.page().raw
    let resident = try hand.rig.page().raw
    let notice = try hand.rig.page().raw
    hand.put(files + 3 * 16, file >> 2 | 7, 0)
    hand.put(files + 4 * 16, (resident >> 9) << 7 | 3, notice >> 2 | 0x12)
    hand.setContext(
      tc: 1, iohgatp: 8 << 60 | 3 << 44 | second.root.address.raw >> 12, msiptp: 1 << 60 | files >> 12,
      mask: 0xFF, pattern: 0x28_0000)
    #expect(hand.device.perform(.read(0x5000, 1)).bytes == [0x42])
    #expect(hand.device.perform(.write(0x2_8000_3000, [0x21, 0, 0, 0])).bytes == [])
    #expect(hand.rig.byte(PhysAddr(file)) == 0x21)
    guard
      case .interrupt(let address, let data) = hand.device.perform(.write(0x2_8000_4000, [0x21, 0, 0, 0]))
    else {
      Issue.record("no interrupt")
      return
    }
    #expect(address == notice && data == 0x12)
    #expect(hand.device.perform(.write(0x2_8000_5000, [1, 0, 0, 0])).fault?.code == 262)
    var execute = DMARequest.read(0x2_8000_3000, 4)
    execute.execute = true
    #expect(hand.device.perform(execute).fault?.code == 1)
    // Outside of the pattern it is the second stage's.
    #expect(hand.device.perform(.write(0x2_8010_0000, [1, 0, 0, 0])).fault?.code == 23)
    // A file that moves: IOTINVAL.GVMA of its address.
    hand.put(files + 3 * 16, notice >> 2 | 7, 0)
    #expect(hand.device.perform(.write(0x2_8000_3000, [0x22, 0, 0, 0])).bytes == [])
    #expect(hand.rig.byte(PhysAddr(file)) == 0x22)
    hand.send(1 << 7 | 1 | 1 << 33 | 3 << 44 | 1 << 10, 0x28_0003 << 10)
    #expect(hand.device.perform(.write(0x2_8000_3000, [0x23, 0, 0, 0])).bytes == [])
    #expect(hand.rig.byte(PhysAddr(notice)) == 0x23)
  }

  /// The device's own cache is coherent only after ATS.INVAL.
  @Test func translationServices() throws {
    let hand = try HandRig(.init(ats: true))
    let first = try hand.firstStage()
    let page = try hand.rig.page(1)
    let other = try hand.rig.page(2)
    try first.put(0x1000, page.raw)
    hand.setContext(tc: 1 | 1 << 1, ta: 9 << 12, fsc: HandRig.iosatp(first))
    hand.device.function.configure { $0.ats = true }
    #expect(hand.device.perform(.read(0x1000, 1)).bytes == [1])
    #expect(hand.device.cached.map(\.address) == [0x1000])
    first.remove(0x1000)
    try first.put(0x1000, other.raw)
    hand.send(1 | 1 << 32 | 9 << 12)
    #expect(hand.device.perform(.read(0x1000, 1)).bytes == [1])
    hand.send(4 | 5 << 40, 0x1000)
    #expect(hand.device.cached.isEmpty)
    #expect(hand.device.perform(.read(0x1000, 1)).bytes == [2])
    // Where there is no device nobody answers; the fence tells, and the driver reports it.
    hand.send(4 | 6 << 40, 0x1000)
    hand.rig.machine.settle()
    #expect(hand.rig.software.complaints == ["Queue #0 error; fault:0 timeout:1 illegal:0 fence_w_ip:0"])
    // The interrupt let the queue go on.
    #expect(hand.rig.unit.read32(RISCV.Register.cqh) == hand.rig.unit.read32(RISCV.Register.cqt))
  }

  /// T2GPA: the device is told guest addresses, and only the second stage is left for it.
  @Test func translationToGuestAddresses() throws {
    let hand = try HandRig(.init(ats: true))
    let second = try hand.secondStage()
    let page = try hand.rig.page(0x66)
    try second.put(0x9000, page.raw)
    hand.setContext(
      tc: 1 | 1 << 1 | 1 << 3, iohgatp: 8 << 60 | 3 << 44 | second.root.address.raw >> 12)
    hand.device.function.configure { $0.ats = true }
    #expect(hand.device.perform(.read(0x9000, 1)).bytes == [0x66])
    #expect(hand.device.cached.map { $0.translation.address & ~4095 } == [0x9000])
    var forged = DMARequest.read(0xA000, 1)
    forged.isTranslated = true
    #expect(hand.device.perform(forged).fault?.code == 21)
  }

  /// A page request in the queue, the page mapped, the answer at the device.
  @Test func pageRequests() throws {
    let hand = try HandRig(.init(ats: true, pri: true, pasidBits: 8))
    let first = try hand.firstStage()
    let queue = try hand.rig.page().raw
    hand.rig.unit.write64(RISCV.Register.pqb, queue >> 2 | 7)
    hand.rig.unit.write32(RISCV.Register.pqcsr, 3)
    #expect(hand.rig.unit.read32(RISCV.Register.pqcsr) == 0x10003)
    hand.setContext(tc: 1 | 1 << 1 | 1 << 2, ta: 9 << 12, fsc: HandRig.iosatp(first))
    hand.device.function.configure {
      $0.ats = true
      $0.pri = true
    }
    #expect(hand.device.perform(.write(0x1000, [1])).fault != nil)
    try hand.device.requestPage(
      0x1000, pasid: nil, read: true, write: true, execute: false, privileged: false, last: true, group: 0x21)
    #expect(hand.rig.unit.read32(RISCV.Register.pqt) == 1)
    #expect(hand.memory.load64(at: PhysAddr(queue)) == 5 << 40)
    #expect(hand.memory.load64(at: PhysAddr(queue + 8)) == 0x1000 | 0x21 << 3 | 7)
    let page = try hand.rig.page()
    try first.put(0x1000, page.raw)
    hand.rig.unit.write32(RISCV.Register.pqh, 1)
    hand.send(4 | 1 << 7 | 5 << 40, 0x21 << 32)
    #expect(hand.device.responses.map(\.group) == [0x21])
    #expect(hand.device.responses.map(\.code) == ["success"])
    #expect(hand.device.perform(.write(0x1000, [0xEE])).bytes == [])
    #expect(hand.rig.byte(page) == 0xEE)
    // Not asked for any more: hardware refuses it itself.
    hand.setContext(tc: 1 | 1 << 1, ta: 9 << 12, fsc: HandRig.iosatp(first))
    try hand.device.requestPage(
      0x2000, pasid: nil, read: true, write: false, execute: false, privileged: false, last: true, group: 1)
    #expect(hand.device.responses.count == 2)
    #expect(hand.device.responses.last?.code == "invalidRequest")
  }

  /// Hardware that writes A and D: what Linux's driver leaves off.
  @Test func accessedAndDirty() throws {
    let hand = try HandRig()
    let first = try hand.firstStage()
    let page = try hand.rig.page()
    try first.put(0x1000, page.raw)
    var leaf: UInt64 = 0
    first.forEachEntry { entry, _ in if entry.kind == .leaf { leaf = entry.address.raw } }
    let clean = try #require(hand.memory.load64(at: PhysAddr(leaf))) & ~0xC0
    hand.put(leaf, clean)
    hand.setContext(tc: 1, ta: 9 << 12, fsc: HandRig.iosatp(first))
    #expect(hand.device.perform(.read(0x1000, 1)).fault?.code == 13)
    hand.setContext(tc: 1 | 1 << 8, ta: 9 << 12, fsc: HandRig.iosatp(first))
    #expect(hand.device.perform(.read(0x1000, 1)).bytes == [0])
    #expect(hand.memory.load64(at: PhysAddr(leaf)) == clean | 0x40)
    #expect(hand.device.perform(.write(0x1000, [1])).bytes == [])
    #expect(hand.memory.load64(at: PhysAddr(leaf)) == clean | 0xC0)
    // Cleared without a flush, the next write does not set it.
    hand.put(leaf, clean | 0x40)
    #expect(hand.device.perform(.write(0x1000, [1])).bytes == [])
    #expect(hand.memory.load64(at: PhysAddr(leaf)) == clean | 0x40)
    hand.send(1 | 1 << 32 | 9 << 12)
    #expect(hand.device.perform(.write(0x1000, [1])).bytes == [])
    #expect(hand.memory.load64(at: PhysAddr(leaf)) == clean | 0xC0)
  }
}

extension RISCVTable {
  /// Where the leaf entry of an IOVA is, of tables whose pointers were made guest addresses.
  func walkToLeaf(_ iova: UInt64, in guest: [UInt64: UInt64], _ memory: PhysicalMemory) -> UInt64? {
    let host = Dictionary(uniqueKeysWithValues: guest.map { ($1, $0) })
    var table = root.address.raw
    for level in [2, 1] as [UInt64] {
      let slot = table + (iova >> (12 + 9 * level) & 511) * 8
      guard let entry = memory.load64(at: PhysAddr(slot)), let next = host[(entry >> 10) << 12] else {
        return nil
      }
      table = next
    }
    return table + (iova >> 12 & 511) * 8
  }
}

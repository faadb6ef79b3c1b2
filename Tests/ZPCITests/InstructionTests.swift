// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct InstructionTests {
  static func error(_ status: UInt8) -> ZPCIIOMMU.Completion { .condition(1, status: status) }
  static let invalidHandle = ZPCIIOMMU.Completion.condition(3, status: 0)

  /// Registering, again, and giving it up.
  @Test func registration() {
    typealias Operation = ZPCI.Operation
    let rig = Rig()
    rig.tables()
    #expect(rig.modify(Operation.deregisterIOAT) == Self.error(24))
    #expect(rig.modify(Operation.reregisterIOAT) == Self.error(24))
    #expect(rig.register(0x10804, base: 0x1_0000_0123, limit: 0x1_FFFF_0000) == .ok)
    #expect(rig.controls == 0x90)
    let (_, block) = rig.iommu.storeControls(UInt64(rig.handle) << 32)
    #expect(block?.base == 0x1_0000_0000 && block?.limit == 0x1_FFFF_0FFF && block?.anchor == 0x10804)
    #expect(rig.register(0x10804) == Self.error(24))
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000)
    // Another anchor by REREG: nothing of the old one is left.
    let other = ZPCIInformationBlock(limit: .max, anchor: 0x14800)
    #expect(rig.iommu.modifyControls(rig.request(Operation.reregisterIOAT), other) == .ok)
    #expect(rig.go(0x30_2000).address == 0x1234_5000)
    #expect(rig.modify(Operation.deregisterIOAT) == .ok)
    #expect(rig.controls == 0x80)
    #expect(rig.go(0x30_2000).name == "INVALAS")
    // Other address spaces than 0, other formats and operations.
    for operation in [Operation.registerIOAT, Operation.deregisterIOAT, Operation.reregisterIOAT] {
      #expect(rig.iommu.modifyControls(rig.request(operation, dmaas: 1), other) == Self.error(28))
    }
    #expect(rig.iommu.modifyControls(rig.request(4), ZPCIInformationBlock(format: 1)) == .operandException)
    for operation: UInt8 in [0, 1, 8, 10, 16, 17, 255] { #expect(rig.modify(operation) == .operandException) }
    #expect(rig.iommu.modifyControls(99 << 32 | 4, other) == Self.invalidHandle)
    #expect(rig.iommu.storeControls(1 << 16).0 == Self.error(28))
  }

  /// What a registration may ask for.
  @Test func limits() {
    func answer(
      _ base: UInt64, _ limit: UInt64, _ anchor: UInt64 = 0x10804, type: UInt8 = 0,
      _ change: (inout ZPCIIOMMU.Configuration) -> Void = { _ in }
    ) -> ZPCIIOMMU.Completion {
      var configuration = ZPCIIOMMU.Configuration()
      change(&configuration)
      let rig = Rig(configuration, firstDMA: 0x1_0000_0000, lastDMA: 0x1_FFFF_FFFF, type: type)
      return rig.register(anchor, base: base, limit: limit)
    }
    #expect(answer(0x1_0000_0000, 0x1_FFFF_FFFF) == .ok)
    #expect(answer(0x1_8000_0000, 0x1_7FFF_FFFF) == .operandException)
    #expect(answer(0xFFFF_F000, 0x1_FFFF_FFFF) == .operandException)
    #expect(answer(0x1_0000_0000, 0x2_0000_0000) == .operandException)
    #expect(answer(0x1_0000_0000, 0x2_0000_0000) { $0.strictRegistration = false } == .ok)
    #expect(answer(0x1_0000_0000, 0x2_0000_0FFF, type: ZPCI.CLP.typeISM) == .ok)
    #expect(answer(0x1_0000_0000, 0x2_0000_1000, type: ZPCI.CLP.typeISM) == .operandException)
    #expect(
      answer(0x1_0000_0000, 0x2_0000_0FFF, type: ZPCI.CLP.typeISM) { $0.acceptsISMLimit = false }
        == .operandException)
    for anchor: UInt64 in [0x10800, 0x10808, 0x1080C, 0x10810, 0x1081C, 0] {
      #expect(answer(0x1_0000_0000, 0x1_FFFF_FFFF, anchor) == .operandException)
    }
    #expect(answer(0x1_0000_0000, 0x1_FFFF_FFFF, 0x10808) { $0.group.designations = 0x20 } == .ok)
    #expect(answer(0x1_0000_0000, 0x1_FFFF_FFFF, 0) { $0.group.relaxedTranslation = true } == .ok)
  }

  /// Bugs 4 and 5: a designation that does not work shows when it is used.
  @Test func designationsInUse() {
    for (anchor, name): (UInt64, String) in [
      (0x10800, "INVALTF"), (0x10810, "INVALTF"), (0x1081C, "INVALTF"), (0x14804, "INVALTL"),
    ] {
      var configuration = ZPCIIOMMU.Configuration()
      configuration.strictRegistration = false
      let rig = Rig(configuration)
      rig.tables()
      rig.put(0x14000, 0x18000)
      #expect(rig.register(anchor) == .ok)
      #expect(rig.go(0x1000).name == name)
    }
  }

  /// Bug 10: the error state lasts until it is reset, in one step or in two.
  @Test func recovery() {
    let rig = Rig()
    rig.tables()
    rig.register(0x10804)
    #expect(rig.modify(ZPCI.Operation.resetError) == Self.error(24))
    #expect(rig.modify(ZPCI.Operation.resetBlock) == Self.error(24))
    #expect(rig.go(0x2_0030_2ABC, .write).name == "INVALTE")
    #expect(rig.fabric.wires == [0])
    #expect(rig.controls == 0xF0)
    let event = rig.iommu.takeEvent()
    #expect(
      event?.bytes == [
        0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0x42, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0x30, 0x2A, 0xBC, 0, 0, 0, 0, 0,
        0, 0, 7,
      ])
    #expect(rig.go(0x1_0030_2000).abort == Abort(code: 0, name: "function is error", recorded: false))
    #expect(rig.iommu.takeEvent() == nil)
    #expect(rig.refresh(0x1_0000_0000, 0x1000) == Self.error(40))
    #expect(rig.modify(ZPCI.Operation.resetBlock) == .ok)
    #expect(rig.controls == 0xD0)
    #expect(rig.go(0x1_0030_2000).name == "function is blocked")
    #expect(rig.modify(ZPCI.Operation.resetError) == .ok)
    #expect(rig.controls == 0x90)
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000)
    _ = rig.go(0x2_0030_2ABC)
    #expect(rig.modify(ZPCI.Operation.resetError) == .ok)
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000)
    // As under QEMU, blocked may translate.
    var configuration = Rig.permissive
    configuration.blockedMayTranslate = true
    let other = Rig(configuration)
    other.tables()
    other.register(0x10804)
    _ = other.go(0)
    other.modify(ZPCI.Operation.resetBlock)
    #expect(other.go(0x1_0030_2000).address == 0x1234_5000)
  }

  /// CLP: handles change with the state, and old ones are dead.
  @Test func functions() {
    let rig = Rig()
    #expect(rig.handle == 0x8000_0000)
    #expect(rig.iommu.setFunction(rig.handle, enabled: true).response == ZPCI.CLP.alreadyInState)
    #expect(rig.iommu.queryFunction(rig.handle).data?.id == 0x42)
    #expect(rig.iommu.queryGroup(0x20).data?.designations == 0xF0)
    #expect(rig.iommu.queryGroup(0x21).response == ZPCI.CLP.unknownGroup)
    let second = rig.iommu.plug(id: 7)
    #expect(second == 1 && rig.iommu.listFunctions() == [0x8000_0000, 1])
    #expect(rig.iommu.takeEvent()?.code == ZPCI.Event.configured)
    #expect(rig.iommu.translate(Transaction(source: 1, address: 0)).name == "function is disabled")
    #expect(rig.iommu.modifyControls(1 << 32 | 4, ZPCIInformationBlock()) == Self.invalidHandle)
    #expect(rig.iommu.storeControls(1 << 32).1 == ZPCIInformationBlock())
    rig.tables()
    rig.register(0x10804)
    _ = rig.go(0x1_0030_2000)
    let disabled = rig.iommu.setFunction(rig.handle, enabled: false)
    #expect(disabled.response == ZPCI.CLP.ok && disabled.handle == 0)
    #expect(rig.go(0x1_0030_2000).name == "no such function handle")
    #expect(rig.refresh(0, 0x1000) == Self.invalidHandle)
    #expect(rig.iommu.setFunction(rig.handle, enabled: true).response == ZPCI.CLP.badHandle)
    #expect(rig.iommu.setFunction(0, enabled: false).response == ZPCI.CLP.alreadyInState)
    // Enabled again it has no address space, and nothing is cached.
    #expect(rig.iommu.setFunction(0, enabled: true).handle == rig.handle)
    #expect(rig.go(0x1_0030_2000).name == "INVALAS")
    #expect(rig.iommu.unplug(rig.handle))
    #expect(rig.iommu.events.last?.code == ZPCI.Event.removed)
    #expect(rig.iommu.queryFunction(rig.handle).response == ZPCI.CLP.badHandle)
    #expect(!rig.iommu.unplug(rig.handle))
    #expect(rig.iommu.breakDown(1))
    #expect(rig.iommu.events.last?.code == ZPCI.Event.permanentError)
    #expect(rig.iommu.setFunction(1, enabled: true).response == ZPCI.CLP.permanentError)
    #expect(rig.iommu.storeControls(1 << 32).0 == Self.error(8))
  }

  @Test func busyAnswers() {
    var configuration = Rig.permissive
    configuration.busyAnswers = 3
    let rig = Rig(configuration)
    let busy = ZPCIIOMMU.Completion.condition(2, status: 0)
    #expect(rig.register(0x10804) == busy)
    #expect(rig.register(0x10804) == busy)
    #expect(rig.refresh(0, 0x1000) == busy)
    #expect(rig.register(0x10804) == .ok)
  }

  /// The information block in storage.
  @Test func informationBlocks() {
    var block = ZPCIInformationBlock(
      base: 0x1_0000_0000, limit: 0x1_FFFF_FFFF, anchor: 0x10804, interrupts: 0x3008_0185, bitVector: 0x5000,
      summary: 0x6000)
    block.controls = 0x90
    let bytes = block.bytes
    #expect(bytes.count == 128 && bytes[8] == 0x90 && bytes[16..<24].elementsEqual([0, 0, 0, 1, 0, 0, 0, 0]))
    #expect(ZPCIInformationBlock(bytes: bytes) == block)
    #expect(ZPCIInformationBlock(bytes: [1]).format == 1)
  }

  /// Interrupts: bits in storage, a summary, and what is no interrupt.
  @Test func messages() {
    let rig = Rig()
    rig.tables()
    rig.register(0x10804)
    let write = Transaction(source: rig.handle, address: ZPCI.messageAddress, access: .write)
    func post(_ vector: UInt32) -> ZPCIIOMMU.MessageOutcome { rig.iommu.writeMessage(write, data: vector) }
    func code(_ outcome: ZPCIIOMMU.MessageOutcome) -> UInt32? {
      if case .aborted(let abort) = outcome { abort.code } else { nil }
    }
    #expect(rig.go(ZPCI.messageAddress, .write).translation?.interrupt != nil)
    #expect(code(post(3)) == 0x10)
    #expect(rig.iommu.takeEvent()?.code == 0x10)
    // ISC 3, 16 vectors from bit 4, summary at bit 5.
    let block = ZPCIInformationBlock(interrupts: 0x3010_0485, bitVector: 0x5000, summary: 0x6000)
    #expect(rig.iommu.modifyControls(rig.request(2), block) == .ok)
    #expect(rig.iommu.modifyControls(rig.request(2), block) == Self.error(24))
    let stored = rig.iommu.storeControls(UInt64(rig.handle) << 32).1
    #expect(stored?.interrupts == 0x3010_0485 && stored?.bitVector == 0x5000 && stored?.summary == 0x6000)
    rig.fabric.wires = []
    #expect(post(3) == .posted(true))
    #expect(post(4) == .posted(false), "the summary was set")
    #expect(rig.fabric.wires == [4])
    #expect(rig.memory.bytes(at: PhysAddr(0x5000), count: 2).map { [UInt8]($0) } == [1, 0x80])
    #expect(rig.memory.bytes(at: PhysAddr(0x6000), count: 1).map { [UInt8]($0) } == [4])
    #expect(code(post(16)) == 0x11)
    #expect(rig.iommu.takeEvent()?.flags == 0x10_0001)
    #expect(rig.controls == 0x90, "it goes on")
    #expect(
      rig.iommu.writeMessage(Transaction(source: rig.handle, address: 0x1_0030_2000), data: 0)
        == .written(PhysAddr(0x1234_5000)))
    #expect(rig.modify(3) == .ok)
    #expect(rig.modify(3) == Self.error(24))
    #expect(
      rig.iommu.modifyControls(
        rig.request(2), ZPCIInformationBlock(interrupts: 0x3010_0000, bitVector: 1 << 60)) == .ok)
    #expect(code(post(0)) == 0x13)
  }

  /// What zPCI has not: registers, page requests, ATS, PASIDs.
  @Test func absentFeatures() {
    let rig = Rig()
    rig.tables()
    rig.register(0x10804)
    rig.iommu.writeRegister(0, width: 8, ~0)
    #expect(rig.iommu.readRegister(0, width: 8) == 0)
    rig.iommu.pageRequest(PageRequest(source: rig.handle, address: 0x1000, last: false))
    rig.iommu.pageRequest(PageRequest(source: rig.handle, address: 0x1000, group: 3))
    #expect(rig.fabric.responses == [PageResponse(source: rig.handle, group: 3, code: .failure)])
    for transaction in [
      Transaction(source: rig.handle, address: 0x1_0030_2000, kind: .translated),
      Transaction(source: rig.handle, pasid: 1, address: 0x1_0030_2000),
    ] {
      #expect(rig.iommu.translate(transaction).abort?.recorded == false)
    }
  }

  /// Events wait for software, up to a number.
  @Test func lostEvents() {
    var configuration = Rig.permissive
    configuration.eventCapacity = 3
    let rig = Rig(configuration)
    for _ in 0..<5 {
      _ = rig.go(0)
      rig.modify(ZPCI.Operation.resetError)
    }
    #expect(rig.iommu.events.count == 3 && rig.iommu.lostEvents == 2)
    #expect(rig.iommu.facts()["lost events"]?.number == 2)
  }
}

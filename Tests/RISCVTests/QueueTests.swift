// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct QueueTests {
  /// The fault queue: full, overflow, records lost until the bit is cleared, and the wrap. Driver bug 13.
  @Test func faultOverflow() {
    let rig = Rig()
    rig.set(RISCV.Register.fqcsr, 3)
    for _ in 0..<127 { _ = rig.go(0) }
    #expect(rig.get(RISCV.Register.fqt) == 127)
    #expect(rig.get(RISCV.Register.fqcsr) == 0x10003)
    _ = rig.go(0)
    #expect(rig.get(RISCV.Register.fqcsr) == 0x10203)
    #expect(rig.get(RISCV.Register.fqt) == 127)
    // Room alone does not help.
    rig.set(RISCV.Register.fqh, 127)
    _ = rig.go(0)
    #expect(rig.get(RISCV.Register.fqt) == 127)
    rig.set(RISCV.Register.fqcsr, 0x203)
    #expect(rig.get(RISCV.Register.fqcsr) == 0x10003)
    _ = rig.go(0x123)
    #expect(rig.get(RISCV.Register.fqt) == 0, "it wraps")
    #expect(rig.word(Rig.faults + 127 * 32 + 16) == 0x123)
    // All that time one interrupt was pending, and was sent once.
    #expect(rig.fabric.messages.count == 1)
    #expect(rig.get(RISCV.Register.ipsr) == 2)
  }

  @Test func faultMemory() {
    let rig = Rig()
    rig.set(RISCV.Register.fqcsr, 0)
    rig[RISCV.Register.fqb] = 0x3F_FFFF_FFFF << 10 | 6
    rig.set(RISCV.Register.fqcsr, 1)
    #expect(rig.go(0).abort?.recorded == true)
    #expect(rig.get(RISCV.Register.fqcsr) == 0x10101)
    #expect(rig.get(RISCV.Register.fqt) == 0)
    rig.set(RISCV.Register.fqcsr, 0)
    #expect(rig.go(0).abort?.recorded == false, "the queue is off")
  }

  static func ask(
    _ address: UInt64 = 0x1000, pid: UInt32? = nil, read: Bool = true, write: Bool = false, last: Bool = true
  ) -> PageRequest {
    PageRequest(
      source: 5, pasid: pid, address: address, read: read, write: write, execute: true, privileged: true,
      last: last,
      group: 0x155)
  }

  @Test func pageRequests() {
    let rig = Rig()
    rig.set(RISCV.Register.pqcsr, 3)
    rig.place(Context(tc: 7))
    rig.iommu.pageRequest(Self.ask(0xABCD_E000, write: true))
    rig.iommu.pageRequest(Self.ask(0x1000, pid: 9, last: false))
    #expect(rig.requestRecords == [[0x500_0000_0000, 0xABCD_EAAF], [0x507_0000_9000, 0x1AA9]])
    #expect(rig.get(RISCV.Register.ipsr) == 8)
    #expect(rig.fabric.messages.count == 1 && rig.fabric.responses.isEmpty)
  }

  struct Response: Sendable {
    var name: String
    var prepare: @Sendable (Rig) -> Void
    var code: PageResponse.Code
    var hasPASID: Bool
    var cause: UInt64?
  }

  static let responses: [Response] = [
    Response(
      name: "off", prepare: { $0[RISCV.Register.ddtp] = 0 }, code: .failure, hasPASID: true, cause: 256),
    Response(
      name: "bare", prepare: { $0[RISCV.Register.ddtp] = 1 }, code: .invalidRequest, hasPASID: false,
      cause: 260),
    Response(name: "no context", prepare: { _ in }, code: .failure, hasPASID: true, cause: 258),
    Response(
      name: "misconfigured", prepare: { $0.place(Context(last: 1)) }, code: .failure, hasPASID: true,
      cause: 259),
    Response(
      name: "load fault", prepare: { $0.iommu.refuse(Span64(0x10000, 0x10FFF)) }, code: .failure,
      hasPASID: true,
      cause: 257),
    Response(
      name: "PRI off", prepare: { $0.place(Context()) }, code: .invalidRequest, hasPASID: false, cause: 260),
    Response(
      name: "PRI off, DTF", prepare: { $0.place(Context(tc: 0x11)) }, code: .invalidRequest, hasPASID: false),
    Response(
      name: "queue off",
      prepare: {
        $0.place(Context(tc: 7))
        $0.set(RISCV.Register.pqcsr, 0)
      }, code: .failure, hasPASID: true),
    Response(
      name: "memory",
      prepare: {
        $0.place(Context(tc: 7))
        $0.iommu.refuse(Span64(Rig.requests, Rig.requests + 0xFFF))
      }, code: .failure, hasPASID: true),
    Response(
      name: "full",
      prepare: { rig in
        rig.place(Context(tc: 0x47))
        for _ in 0..<255 { rig.iommu.pageRequest(ask(last: false)) }
      }, code: .success, hasPASID: true),
  ]

  /// What the IOMMU answers itself: section 3.7.
  @Test func automaticResponses() {
    for row in Self.responses {
      let rig = Rig()
      row.prepare(rig)
      // Neither of these is answered.
      rig.iommu.pageRequest(Self.ask(last: false))
      rig.iommu.pageRequest(Self.ask(pid: 9, read: false))
      #expect(rig.fabric.responses.isEmpty, "\(row.name)")
      rig.iommu.pageRequest(Self.ask(pid: 9))
      let expected = PageResponse(source: 5, pasid: row.hasPASID ? 9 : nil, group: 0x155, code: row.code)
      #expect(rig.fabric.responses == [expected], "\(row.name)")
      // PV, PRIV and TTYP 9, process 9, device 5.
      let identity: UInt64 = 0x527_0000_9000
      if let cause = row.cause {
        #expect(rig.faults.last?[0] == identity | cause, "\(row.name)")
        #expect(rig.faults.last?[2] == 4, "the message code")
      } else {
        #expect(rig.faults.isEmpty, "\(row.name)")
      }
    }
    // Without PRPR a success has no PASID either.
    let rig = Rig()
    rig.place(Context(tc: 7))
    for _ in 0..<256 { rig.iommu.pageRequest(Self.ask(last: false)) }
    #expect(rig.get(RISCV.Register.pqcsr) == 0x10201)
    rig.iommu.pageRequest(Self.ask(pid: 9))
    #expect(rig.fabric.responses == [PageResponse(source: 5, group: 0x155, code: .success)])
    rig.set(RISCV.Register.pqh, 255)
    rig.set(RISCV.Register.pqcsr, 0x201)
    rig.iommu.pageRequest(Self.ask(0x5000))
    #expect(rig.get(RISCV.Register.pqt) == 0, "it wraps")
  }

  /// MSIs: the vector's entry, masking, and a message that cannot be sent.
  @Test func messages() {
    let rig = Rig()
    rig[RISCV.Register.icvec] = 0x5210
    #expect(rig[RISCV.Register.icvec] == 0x5210)
    rig[RISCV.Register.msiCfgTbl + 16] = 0x70003
    #expect(rig[RISCV.Register.msiCfgTbl + 16] == 0x70000)
    rig.set(RISCV.Register.msiCfgTbl + 24, 0xCAFE)
    rig.set(RISCV.Register.msiCfgTbl + 28, 1)
    rig.set(RISCV.Register.fqcsr, 3)
    _ = rig.go(0)
    #expect(rig.get(RISCV.Register.ipsr) == 2)
    #expect(rig.fabric.messages.isEmpty)
    rig.set(RISCV.Register.msiCfgTbl + 28, 0)
    #expect(rig.fabric.messages == [InterruptMessage(address: 0x70000, data: 0xCAFE)])
    #expect(rig.memory.load32(at: PhysAddr(0x70000)) == 0xCAFE)
    rig.set(RISCV.Register.ipsr, 2)
    #expect(rig.get(RISCV.Register.ipsr) == 0, "the record is old news")
    // Beyond the physical address space: fault 273.
    rig[RISCV.Register.msiCfgTbl + 16] = 0x80_0000_0000_0000
    _ = rig.go(0)
    #expect(rig.faults.last == [273, 0, 0x80_0000_0000_0000, 0])
    #expect(rig.fabric.messages.count == 1)
  }

  /// Bases are aligned to what there is, indices to the size.
  @Test func registers() {
    let rig = Rig()
    #expect(rig[RISCV.Register.capabilities] == 0x0000_01F2_C7EE_8E10)
    rig[RISCV.Register.capabilities] = 0
    #expect(rig.get(RISCV.Register.capabilities) == 0xC7EE_8E10)
    #expect(rig.get(RISCV.Register.capabilities + 4) == 0x1F2)
    // A queue that is on keeps its base.
    rig[RISCV.Register.cqb] = 0
    #expect(rig[RISCV.Register.cqb] == Rig.commands >> 2 | 7)
    rig.set(RISCV.Register.cqcsr, 0)
    rig[RISCV.Register.cqb] = ~0
    #expect(rig[RISCV.Register.cqb] == 0x3F_FFFF_FFFF << 10 | 19)
    rig.set(RISCV.Register.cqt, 0xFFFF_FFFF)
    #expect(rig.get(RISCV.Register.cqt) == 0xF_FFFF)
    rig.set(RISCV.Register.cqb, 2)
    #expect(rig[RISCV.Register.cqb] == 0xFFFF_0000_0002)
    rig.set(RISCV.Register.cqh, 1)
    #expect(rig.get(RISCV.Register.cqh) == 0)
    // fctl: nothing here can be switched, and nothing while the IOMMU is on.
    rig.set(RISCV.Register.fctl, 7)
    #expect(rig.get(RISCV.Register.fctl) == 0)
    // ddtp: from one directory to another only by way of Off or Bare.
    rig[RISCV.Register.ddtp] = 0x8003
    #expect(rig[RISCV.Register.ddtp] == 0x4002)
    rig[RISCV.Register.ddtp] = 0x8001
    rig[RISCV.Register.ddtp] = 0x8003
    #expect(rig[RISCV.Register.ddtp] == 0x8003)
    rig[RISCV.Register.ddtp] = 5
    #expect(rig[RISCV.Register.ddtp] == 0x8003)
    // What is not there.
    for offset: UInt64 in [0xC, 0x274, 0x278, 0x2F0, 0x400, 0x1000, ~3] {
      rig.set(offset, ~0)
      #expect(rig.get(offset) == 0)
    }
    // Two narrow registers at once.
    rig[RISCV.Register.fqh] = 5 | 99 << 32
    #expect(rig[RISCV.Register.fqh] == 5)
  }

  @Test func directoryPointerSwitches() {
    var configuration = RISCVIOMMU.Configuration()
    configuration.maxDirectoryLevels = 2
    configuration.bareAtReset = true
    configuration.directoryBusyReads = 2
    let rig = Rig(configuration, ddtp: 0x4004)
    #expect(rig[RISCV.Register.ddtp] == 1, "three levels do not stick")
    rig[RISCV.Register.ddtp] = 0x4003
    rig[RISCV.Register.ddtp] = 0
    #expect(rig[RISCV.Register.ddtp] == 0x4013)
    #expect(rig[RISCV.Register.ddtp] == 0x4013)
    #expect(rig[RISCV.Register.ddtp] == 0x4003)
  }

  @Test func facts() {
    let rig = Rig()
    rig.firstStage()
    _ = rig.go(0x40201000)
    _ = rig.go(0)
    let facts = rig.iommu.facts()
    #expect(facts["registers"]?["ddtp"]?.number == 0x4002)
    #expect(facts["fault queue"]?["waiting"]?.number == 1)
    #expect(facts["translations"]?["count"]?.number == 1)
    #expect(facts["device contexts"]?["count"]?.number == 1)
    #expect(facts["first-stage tables"]?["count"]?.number == 1)
  }

  /// A walk for people names each structure.
  @Test func walkSteps() {
    let rig = Rig()
    rig.twoStages()
    let report = rig.iommu.walk(Transaction(source: 5, address: 0x40201ABC))
    #expect(report.answer.address == 0x7010_3ABC)
    let guest = [2, 1, 0].map { "second stage level \($0)" }
    let first = [2, 1, 0].map { "first stage level \($0)" }
    #expect(
      report.steps.map(\.structure) == ["DC"] + guest + [first[0]] + guest + [first[1]] + guest + [first[2]]
        + guest)
    #expect(report.steps.first?.address == 0x10140)
    #expect(report.steps.last?.words == [0x1C04_0CD7])
    #expect(report.steps.last?.fields.first { $0.name == "PPN" }?.value.number == 0x70103)
    #expect(rig.iommu.facts()["translations"]?["count"]?.number == 0)
  }
}

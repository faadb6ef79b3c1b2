// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct FaultTests {
  struct Case: Sendable {
    var cause: UInt32
    var prepare: @Sendable (Rig) -> Void
    var access: Transaction
  }

  static func at(
    _ address: UInt64, _ access: Transaction.Access = .read, execute: Bool = false, pid: UInt32? = nil
  ) -> Transaction {
    Transaction(source: 5, pasid: pid, address: address, access: access, execute: execute)
  }

  /// Every cause that a transaction can have.
  static let cases: [Case] = [
    Case(
      cause: 1,
      prepare: {
        $0.firstStage()
        $0.put(0x20018, 0xFFF_FFFF_FFFF << 10 | 1)
      }, access: at(0xC0201000, execute: true)),
    Case(cause: 5, prepare: { $0.place(Context(ta: 0x7000, fsc: 8 << 60 | 0xFFF_FFFF_FFFF)) }, access: at(0)),
    Case(
      cause: 7, prepare: { $0.place(Context(ta: 0x7000, fsc: 8 << 60 | 0x50_0000)) }, access: at(0, .write)),
    Case(cause: 12, prepare: { $0.firstStage() }, access: at(0x40201000, execute: true)),
    Case(cause: 13, prepare: { $0.firstStage() }, access: at(0)),
    Case(cause: 15, prepare: { $0.firstStage() }, access: at(0, .atomic)),
    Case(cause: 20, prepare: { $0.secondStage() }, access: at(0, execute: true)),
    Case(cause: 21, prepare: { $0.secondStage() }, access: at(0)),
    Case(cause: 23, prepare: { $0.secondStage() }, access: at(0, .write)),
    Case(cause: 256, prepare: { $0[RISCV.Register.ddtp] = 0 }, access: at(0)),
    Case(
      cause: 257,
      prepare: {
        $0[RISCV.Register.ddtp] = 0
        $0[RISCV.Register.ddtp] = 0x3FFF_FFFF << 10 | 2
      }, access: at(0)),
    Case(cause: 258, prepare: { _ in }, access: at(0)),
    Case(cause: 259, prepare: { $0.place(Context(last: 1)) }, access: at(0)),
    Case(cause: 260, prepare: { $0.place(Context()) }, access: at(0, pid: 1)),
    Case(
      cause: 261,
      prepare: {
        $0.messages()
        $0.iommu.refuse(Span64(0x50000, 0x50FFF))
      }, access: at(0x2_8000_3000, .write)),
    Case(cause: 262, prepare: { $0.messages() }, access: at(0x2_8000_4000, .write)),
    Case(cause: 263, prepare: { $0.messages() }, access: at(0x2_8000_5000, .write)),
    Case(
      cause: 265, prepare: { $0.place(Context(tc: 0x21, fsc: 1 << 60 | 0x50_0000)) }, access: at(0, pid: 1)),
    Case(cause: 266, prepare: { $0.processes() }, access: at(0, pid: 1)),
    Case(cause: 267, prepare: { $0.processes(ta: 0x9009) }, access: at(0, pid: 9)),
    Case(
      cause: 268,
      prepare: {
        $0.place(Context())
        $0.iommu.poison(Span64(0x10140, 0x1017F))
      }, access: at(0)),
    Case(
      cause: 269,
      prepare: {
        $0.processes()
        $0.iommu.poison(Span64(0x30098, 0x3009F))
      }, access: at(0, pid: 9)),
    Case(
      cause: 270,
      prepare: {
        $0.messages()
        $0.iommu.poison(Span64(0x50000, 0x50FFF))
      }, access: at(0x2_8000_3000, .write)),
    Case(
      cause: 274,
      prepare: {
        $0.firstStage()
        $0.iommu.poison(Span64(0x20000, 0x20FFF))
      }, access: at(0x40201000)),
  ]

  @Test func everyCause() {
    var reached: Set<UInt32> = []
    for item in Self.cases {
      let rig = Rig()
      item.prepare(rig)
      let answer = rig.iommu.translate(item.access)
      #expect(answer.code == item.cause)
      #expect(rig.faults.map { UInt32($0[0] & 0xFFF) } == [item.cause])
      #expect(answer.abort?.recorded == true)
      #expect(answer.abort?.name == RISCVIOMMU.name(of: item.cause))
      if answer.code == item.cause { reached.insert(item.cause) }
    }
    // MRIF faults and the IOMMU's own messages have their own tests. Nothing here is ever misaligned, and the data
    // path has no errors.
    let elsewhere: Set<UInt32> = [264, 271, 273]
    let never: Set<UInt32> = [4, 6, 272]
    #expect(reached.union(elsewhere).union(never) == Set(RISCV.Cause.all.map(\.code)))
  }

  /// The causes that DTF does not silence are those of the directory and of the IOMMU.
  @Test func disabledTranslationFaults() {
    for (tc, expected): (UInt64, Int) in [(1, 1), (0x11, 0)] {
      let rig = Rig()
      rig.place(Context(tc: tc))
      #expect(rig.go(0, pid: 1).code == 260)
      #expect(rig.faults.count == expected)
    }
  }

  /// MRIF: a read knows of it too; the pending bit, the notice, and what is no MSI; 264 and 271 when the file cannot be written.
  @Test func interruptFilesInMemory() {
    let rig = Rig(memorySize: 8 << 30)
    rig.messages()
    let write = Transaction(source: 5, address: 0x2_8000_6000, access: .write)
    let notice = InterruptMessage(address: 0xABCD_E000, data: 0x412)
    #expect(rig.go(0x2_8000_6000).translation?.interrupt == notice)
    #expect(rig.iommu.writeMessage(write, data: 2047) == .stored(notice: notice))
    #expect(rig.word(0x1_2345_6000 + 31 * 16) == 1 << 63)
    #expect(rig.iommu.writeMessage(write, data: 0) == .stored(notice: notice))
    #expect(rig.word(0x1_2345_6000) == 1)
    #expect(rig.iommu.writeMessage(write, data: 2048) == .discarded)
    var other = write
    other.address += 4
    #expect(rig.iommu.writeMessage(other, data: UInt32(65).byteSwapped) == .stored(notice: notice))
    #expect(rig.word(0x1_2345_6010) == 2)
    other.address += 4
    #expect(rig.iommu.writeMessage(other, data: 1) == .discarded)
    var basic = write
    basic.address = 0x2_8000_3000
    #expect(rig.iommu.writeMessage(basic, data: 1) == .written(PhysAddr(0xDEAD_B000)))
    rig.iommu.poison(Span64(0x1_2345_6000, 0x1_2345_6000))
    for cause: UInt32 in [271, 264] {
      guard case .aborted(let abort) = rig.iommu.writeMessage(write, data: 3) else {
        Issue.record("stored")
        continue
      }
      #expect(abort.code == cause && rig.faults.last?[0] == 0x50C_0000_0000 | UInt64(cause))
      rig.iommu.refuse(Span64(0x1_2345_6000, 0x1_2345_6FFF))
    }
  }

  /// Section 3.1.4, each rule broken alone.
  @Test func misconfiguredDevices() {
    let guest: UInt64 = 0x8000_3000_0000_0040
    let broken: [Context] =
      [12, 23, 32, 63].map { Context(tc: 1 | 1 << $0) }  // reserved in tc
      + [0, 11, 32, 39].map { Context(ta: 1 << $0) }  // reserved in ta
      + [40, 52].map { Context(ta: 1 << $0) }  // RCID and MCID without QOSID
      + [44, 59].map { Context(fsc: 8 << 60 | 1 << $0) }  // reserved in iosatp
      + [Context(tc: 0x21, fsc: 1 << 60 | 1 << 44)]  // reserved in pdtp
      + [Context(last: 1), Context(mask: 1 << 47), Context(pattern: 1 << 52)]  // reserved, extended format
      + [Context(iohgatp: guest, msiptp: 1 << 60 | 1 << 44), Context(iohgatp: guest, msiptp: 2 << 60)]
      + [Context(tc: 0x9, iohgatp: guest), Context(tc: 0x5), Context(tc: 0x43)]  // T2GPA, PRI, PRPR alone
      + [Context(tc: 0xB)]  // T2GPA without a second stage
      + [Context(tc: 0x21, fsc: 4 << 60), Context(fsc: 7 << 60), Context(fsc: 11 << 60)]  // modes
      + [Context(tc: 0x201)]  // DPE without PDTV
      + [Context(iohgatp: 7 << 60), Context(iohgatp: 11 << 60)]
      + [Context(msiptp: 1 << 60)]  // MSI without a second stage
      + [Context(iohgatp: guest | 1), Context(iohgatp: guest | 2)]  // alignment
      + [Context(tc: 0x401), Context(tc: 0x801)]  // SBE and SXL
    for context in broken {
      let rig = Rig()
      rig.place(context)
      #expect(rig.go(0x1000).code == 259, "\(context)")
      // It was not kept.
      rig.place(Context())
      #expect(rig.go(0x1000).address == 0x1000)
    }
    let fine = [
      Context(tc: 1 | 0xFF << 24), Context(tc: 3), Context(tc: 7), Context(tc: 0x47), Context(tc: 0x21),
      Context(tc: 0x221), Context(tc: 0x181),
    ]
    for context in fine {
      let rig = Rig()
      rig.place(context)
      #expect(rig.go(0x1000).address == 0x1000, "\(context)")
    }
  }

  /// Without its capability a feature is a misconfiguration.
  @Test func missingCapabilities() {
    typealias Cap = RISCV.Capability
    let guest: UInt64 = 3 << 44 | 0x40
    let table: [(UInt64, Context)] = [
      (Cap.ats, Context(tc: 3)), (Cap.ats, Context(tc: 0x47)),
      (Cap.t2gpa, Context(tc: 0xB, iohgatp: 8 << 60 | guest)),
      (Cap.amoHWAD, Context(tc: 0x81)), (Cap.amoHWAD, Context(tc: 0x101)), (Cap.sv39, Context(fsc: 8 << 60)),
      (Cap.sv48, Context(fsc: 9 << 60)), (Cap.sv57, Context(fsc: 10 << 60)),
      (Cap.sv39x4, Context(iohgatp: 8 << 60 | guest)), (Cap.sv48x4, Context(iohgatp: 9 << 60 | guest)),
      (Cap.sv57x4, Context(iohgatp: 10 << 60 | guest)), (Cap.pd8, Context(tc: 0x21, fsc: 1 << 60)),
      (Cap.pd17, Context(tc: 0x21, fsc: 2 << 60)), (Cap.pd20, Context(tc: 0x21, fsc: 3 << 60)),
    ]
    for (capability, context) in table {
      for present in [true, false] {
        var configuration = RISCVIOMMU.Configuration()
        if !present { configuration.capabilities &= ~capability }
        let rig = Rig(configuration)
        rig.place(context)
        #expect((rig.go(0x1000).code == 259) != present, "\(capability) \(context)")
      }
    }
    // Process contexts are checked in the same way.
    var configuration = RISCVIOMMU.Configuration()
    configuration.capabilities &= ~Cap.sv39
    let rig = Rig(configuration)
    rig.processes()
    #expect(rig.go(0, pid: 9).code == 267)
  }

  /// A base-format directory has 32-byte contexts and other index bits.
  @Test func baseFormat() {
    var configuration = RISCVIOMMU.Configuration()
    configuration.capabilities &= ~(RISCV.Capability.msiFlat | RISCV.Capability.msiMRIF)
    let rig = Rig(configuration, ddtp: 0x4004)
    // Device 12345 is {1, 46, 45}.
    rig.put(0x10008, 0x4401)
    rig.put(0x11230, 0x4801)
    rig.put(0x12000 + 0x45 * 32, 1, 0, 0, 0, ~0)
    #expect(rig.go(0x1234, device: 0x12345).address == 0x1234)
    #expect(rig.go(0x1234, device: 0x100_0000).code == 260)
  }
}

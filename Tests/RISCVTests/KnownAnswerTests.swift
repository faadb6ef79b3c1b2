// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

/// What a known answer expects.
enum Expected {
  case address(UInt64)
  /// Size of the page, base-2 logarithm, as well.
  case page(UInt64, UInt8)
  case fault(UInt32, record: UInt64? = nil, iotval2: UInt64? = nil)
}

/// One access of a known answer.
struct KnownAnswer: Sendable {
  var name: String
  var scene: @Sendable (Rig) -> Void
  var access: Transaction
  var expected: Expected
}

@Suite struct KnownAnswerTests {
  static func row(
    _ name: String, _ scene: @escaping @Sendable (Rig) -> Void, _ address: UInt64,
    access: Transaction.Access = .read,
    device: UInt32 = 5, pid: UInt32? = nil, execute: Bool = false, privileged: Bool = false,
    kind: Transaction.Kind = .untranslated, _ expected: Expected
  ) -> KnownAnswer {
    KnownAnswer(
      name: name, scene: scene,
      access: Transaction(
        source: device, pasid: pid, address: address, access: access, execute: execute,
        privileged: privileged,
        kind: kind), expected: expected)
  }

  static let first: @Sendable (Rig) -> Void = { $0.firstStage() }
  static let sade: @Sendable (Rig) -> Void = { $0.firstStage(tc: 0x101) }
  static let sv48: @Sendable (Rig) -> Void = {
    $0.firstStage(fsc: 0x9000_0000_0000_0020)
    $0.put(0x20008, 0x8C01)
    $0.put(0x23008, 0x8401)
  }
  static let sv57: @Sendable (Rig) -> Void = {
    $0.firstStage(fsc: 0xA000_0000_0000_0020)
    $0.put(0x20008, 0x9001)
    $0.put(0x24008, 0x8C01)
    $0.put(0x23008, 0x8401)
  }
  static let refusedTable: @Sendable (Rig) -> Void = {
    $0.firstStage()
    $0.put(0x20018, 0x9401)
    $0.iommu.refuse(Span64(0x25008, 0x2500F))
  }
  static let poisonedTable: @Sendable (Rig) -> Void = {
    $0.firstStage()
    $0.put(0x20018, 0x9401)
    $0.iommu.poison(Span64(0x25008, 0x2500F))
  }

  static let firstStage: [KnownAnswer] = [
    row("R1", first, 0x40201ABC, .page(0x87654ABC, 12)),
    row("R1", first, 0x40201ABC, access: .write, .address(0x87654ABC)),
    row("R2", first, 0x40201ABC, execute: true, .fault(12, record: 0x0000_0504_0000_000C)),
    row("R3", first, 0x40202ABC, .fault(13, record: 0x0000_0508_0000_000D)),
    row("R3", first, 0x40202ABC, access: .write, .fault(15, record: 0x0000_050C_0000_000F)),
    row("R4", first, 0x40_0000_0000, .fault(13)),
    row("R5", first, 0x40412345, access: .write, .page(0x80212345, 21)),
    row("R6", first, 0x40612345, .fault(13)),
    row("R7", first, 0x81234567, .page(0xC1234567, 30)),
    row("R8", first, 0x40212ABC, .page(0x87652ABC, 16)),
    row("R9", first, 0x40220000, .fault(13)), row("R9", first, 0x40800000, .fault(13)),
    row("R10", first, 0x40230000, access: .write, .fault(15)), row("R10", first, 0x40231000, .fault(13)),
    row("R10", first, 0x40232000, .fault(13)), row("R10", first, 0x40233000, .fault(13)),
    row("R11", first, 0x40234000, .fault(13)), row("R11", sade, 0x40234000, .address(0x12345000)),
    row("R12", first, 0x40235000, access: .write, .fault(15)),
    row("R12", first, 0x40235000, .address(0x12345000)),
    row("R13", first, 0x40236000, .address(0x12345000)), row("R13", first, 0x40237000, .fault(13)),
    row("R14", first, 0x40238000, .fault(13)), row("R14", first, 0x40A01000, .fault(13)),
    row("R15", refusedTable, 0xC0201000, .fault(5)), row("R15", poisonedTable, 0xC0201000, .fault(274)),
    row("R16", sv48, 0x80_4020_1ABC, .address(0x87654ABC)),
    row("R17", sv57, 0x1_0080_4020_1ABC, .address(0x87654ABC)),
    row("R18", sv57, 0xFF00_0080_4020_1ABC, .fault(13)),
  ]

  static let second: @Sendable (Rig) -> Void = { $0.secondStage() }
  static let gade: @Sendable (Rig) -> Void = { $0.secondStage(tc: 0x81) }
  static let both: @Sendable (Rig) -> Void = { $0.twoStages() }
  static let readOnlyTable: @Sendable (Rig) -> Void = {
    $0.twoStages(tc: 0x101)
    $0.put(0x6010_2018, 0x40C17)
    $0.put(0x45810, 0x1804_0853)
  }
  static let sv48x4: @Sendable (Rig) -> Void = {
    $0.secondStage(iohgatp: 0x9000_3000_0000_0040)
    $0.put(0x43008, 0x11801)
    $0.put(0x46008, 0x11001)
  }
  static let t2gpa: @Sendable (Rig) -> Void = { $0.twoStages(tc: 0xB) }

  static let secondStage: [KnownAnswer] = [
    row("R19", second, 0x180_4020_1ABC, .address(0x9ABCDABC)),
    row("R19", second, 0x180_4020_1ABC, access: .write, .address(0x9ABCDABC)),
    row("R20", second, 0x200_0000_0000, .fault(21, iotval2: 0x200_0000_0000)),
    row("R20", second, 0x200_0000_0000, access: .write, .fault(23, iotval2: 0x200_0000_0000)),
    row("R21", second, 0x180_4020_2ABC, .fault(21, iotval2: 0x180_4020_2ABC)),
    row("R22", second, 0x41234567, access: .write, .page(0x1_0123_4567, 30)),
    row("R23", second, 0x180_4020_3000, access: .write, .fault(23)),
    row("R24", second, 0x180_4020_4000, access: .write, .fault(23)),
    row("R24", gade, 0x180_4020_4000, access: .write, .address(0x9ABCD000)),
    row("R25", { $0.secondStage(iohgatp: 0x8000_3000_0000_0041) }, 0, .fault(259)),
    row("R25", { $0.secondStage(iohgatp: 0x1000_3000_0000_0040) }, 0, .fault(259)),
    row("R26", sv48x4, 0x3_0080_4020_1ABC, .address(0x9ABCDABC)),
    row("R27", both, 0x40201ABC, .page(0x70103ABC, 12)),
    row("R27", both, 0x40201ABC, access: .write, .address(0x70103ABC)),
    row("R28", both, 0x40202ABC, .fault(21, iotval2: 0x1FFABC)),
    row("R28", both, 0x40202ABC, access: .write, .fault(23, iotval2: 0x1FFABC)),
    row("R29", both, 0x40401000, .fault(21, iotval2: 0x150001)),
    row("R29", both, 0x40401000, access: .write, .fault(23, iotval2: 0x150001)),
    row("R30", readOnlyTable, 0x40203000, .fault(21, iotval2: 0x102003)),
    row("R31", t2gpa, 0x40201000, kind: .translationRequest(noWrite: false), .address(0x103000)),
    row("R31", t2gpa, 0x103456, kind: .translated, .address(0x70103456)),
    row("R32", t2gpa, 0x107457, kind: .translated, .fault(21, iotval2: 0x107454)),
  ]

  static let threeLevels: @Sendable (Rig) -> Void = {
    $0[RISCV.Register.ddtp] = 0
    $0[RISCV.Register.ddtp] = 0x4004
    $0.put(0x10010, 0x4401)
    $0.put(0x10018, 0x4403)
    $0.put(0x11468, 0x4801)
    $0.put(0x12140, 1, 0, 0, 0, 0, 0, 0, 0)
  }
  static let identity: @Sendable (Rig) -> Void = { $0.place(Context()) }
  static let processes: @Sendable (Rig) -> Void = { $0.processes() }
  static let supervisor: @Sendable (Rig) -> Void = {
    $0.processes(ta: 0x9003)
    $0.put(0x22010, 0x21D9_54C7)
  }
  static let pd20: @Sendable (Rig) -> Void = {
    $0.place(Context(tc: 0x21, fsc: 0x3000_0000_0000_0030))
    $0.put(0x30028, 0xC401)
    $0.put(0x315E0, 0xC801)
    $0.put(0x32DE0, 1, 0)
  }
  static let messages: @Sendable (Rig) -> Void = { $0.messages() }

  static let directories: [KnownAnswer] = [
    row("R33", { $0[RISCV.Register.ddtp] = 0 }, 0x1234, .fault(256)),
    row("R33", { $0[RISCV.Register.ddtp] = 1 }, 0x1234, .address(0x1234)),
    row("R33", { $0[RISCV.Register.ddtp] = 1 }, 0x1234, kind: .translated, .fault(260)),
    row("R34", identity, 0, device: 0x145, .fault(260)),
    row("R35", threeLevels, 0xDEAD_BEEF_123, device: 0x12345, .address(0xDEAD_BEEF_123)),
    row("R36", threeLevels, 0, device: 0x22345, .fault(258, record: 0x0223_4508_0000_0102)),
    row("R37", threeLevels, 0, device: 0x1A345, .fault(259)),
    row("R38", threeLevels, 0, device: 0x12346, .fault(258)),
    row("R39", identity, 0, kind: .translated, .fault(260)),
    row("R39", identity, 0, pid: 9, .fault(260, record: 0x0000_0509_0000_9104)),
    row("R40", { $0.place(Context(tc: 0x1001)) }, 0, .fault(259)),
    row("R42", processes, 0x40201ABC, pid: 9, .address(0x87654ABC)),
    row("R43", processes, 0x40201ABC, pid: 8, .fault(266, record: 0x0000_0509_0000_810A)),
    row("R43", processes, 0, pid: 0x109, .fault(260)),
    row("R44", processes, 0x40201ABC, .address(0x40201ABC)),
    row(
      "R44",
      {
        $0.processes(tc: 0x221)
        $0.put(0x30000, 0x9001, 0x8000_0000_0000_0020)
      }, 0x40201ABC, .address(0x87654ABC)),
    row("R45", processes, 0x40201ABC, pid: 9, privileged: true, .fault(260)),
    row("R45", supervisor, 0x40201ABC, pid: 9, privileged: true, .fault(13, record: 0x0000_050B_0000_900D)),
    row("R45", supervisor, 0x40202ABC, pid: 9, privileged: true, .address(0x87655ABC)),
    row("R45", { $0.processes(ta: 0x9007) }, 0x40201ABC, pid: 9, privileged: true, .address(0x87654ABC)),
    row("R46", { $0.processes(ta: 0x9009) }, 0x40201ABC, pid: 9, .fault(267)),
    row("R47", pd20, 0x123456, pid: 0xABCDE, .address(0x123456)),
    row("R48", messages, 0x2_8000_3000, access: .write, .address(0xDEADB000)),
    row("R48", messages, 0x2_8000_3000, .address(0xDEADB000)),
    row("R49", messages, 0x2_8000_3000, execute: true, .fault(1)),
    row("R49", messages, 0x2_8000_4000, access: .write, .fault(262)),
    row("R49", messages, 0x2_8000_5000, access: .write, .fault(263)),
    row("R51", messages, 0x2_8010_0000, access: .write, .fault(23)),
    row(
      "R51",
      {
        $0.messages()
        $0.iommu.refuse(Span64(0x50030, 0x5003F))
      }, 0x2_8000_3000, access: .write, .fault(261)),
  ]

  static let all = firstStage + secondStage + directories

  @Test func everyAccess() {
    for known in Self.all {
      let rig = Rig()
      known.scene(rig)
      let walked = rig.iommu.walk(known.access)
      // A walk has no effects.
      #expect(rig.faults.isEmpty, "\(known.name)")
      let answer = rig.iommu.translate(known.access)
      #expect(walked.answer == answer, "\(known.name) walked")
      switch known.expected {
      case .address(let address): #expect(answer.address == address, "\(known.name)")
      case .page(let address, let sizeLg2):
        #expect(answer.address == address, "\(known.name)")
        #expect(answer.translation?.sizeLg2 == sizeLg2, "\(known.name)")
      case .fault(let cause, let record, let iotval2):
        #expect(answer.code == cause, "\(known.name)")
        #expect(answer.abort?.completion == .unsupportedRequest, "\(known.name)")
        guard let last = rig.faults.last else {
          Issue.record("\(known.name) left no record")
          continue
        }
        #expect(last[0] & 0xFFF == UInt64(cause), "\(known.name)")
        if let record { #expect(last[0] == record, "\(known.name)") }
        #expect(last[1] == 0 && last[2] == known.access.address, "\(known.name)")
        if let iotval2 { #expect(last[3] == iotval2, "\(known.name)") }
      }
    }
    print("RISC-V: \(Self.all.count) known accesses of R1 to R51")
  }

  /// R11 and R24: what hardware writes back.
  @Test func accessedAndDirty() {
    let first = Rig()
    first.firstStage(tc: 0x101)
    _ = first.go(0x40234000)
    #expect(first.word(0x221A0) == 0x048D_1457)
    _ = first.go(0x40234000, .write)
    #expect(first.word(0x221A0) == 0x048D_14D7)
    let second = Rig()
    second.secondStage(tc: 0x81)
    _ = second.go(0x180_4020_4000, .write)
    #expect(second.word(0x45020) == 0x26AF_34D7)
  }

  /// R13: the memory type, which only the debug interface tells.
  @Test func memoryType() {
    let rig = Rig()
    rig.firstStage()
    rig[RISCV.Register.trReqIOVA] = 0x40236000
    rig[RISCV.Register.trReqCtl] = 5 << 40 | 0x9
    #expect(rig[RISCV.Register.trResponse] == 0x12345 << 10 | 1 << 7)
  }

  /// R41: DTF.
  @Test func suppressedFault() {
    let rig = Rig()
    rig.firstStage(tc: 0x11)
    let answer = rig.go(0x40202ABC)
    #expect(answer.code == 13)
    #expect(answer.abort?.recorded == false)
    #expect(rig.faults.isEmpty)
  }

  /// R50: a memory-resident interrupt file.
  @Test func memoryResidentInterruptFile() {
    let rig = Rig()
    rig.messages()
    let answer = rig.go(0x2_8000_6000, .write)
    let notice = InterruptMessage(address: 0xABCDE000, data: 0x412)
    #expect(answer.address == 0x1_2345_6000)
    #expect(answer.translation?.interrupt == notice)
  }

  /// R52 to R55: commands.
  @Test func commands() {
    let rig = Rig()
    #expect(rig.command((0xCAFE_BABE_0000_0402, 0x1C000)))
    #expect(rig.memory.load32(at: PhysAddr(0x70000)) == 0xCAFE_BABE)
    #expect(rig.get(RISCV.Register.cqh) == 1)
    #expect(rig.command((0x3002, 0)))
    #expect(rig.iommu.facts()["ordered reads"]?.number == 1)
    #expect(rig.iommu.facts()["ordered writes"]?.number == 1)
    #expect(rig.command((0x0000_0001_0000_7401, 0x0000_0000_1008_0400)))
    rig.set(RISCV.Register.cqcsr, 3)
    #expect(!rig.command((0x0000_0000_0000_0081 | 1 << 32, 0)))
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10403)
    #expect(rig.get(RISCV.Register.cqh) == 3)
  }

  /// R56: translation requests. R57: what they gave comes back.
  @Test func translationServices() {
    let rig = Rig()
    rig.firstStage(tc: 3)
    rig.put(0x22010, 0x21D9_5053)
    let ask = Transaction.Kind.translationRequest(noWrite: false)
    let full = rig.go(0x40201000, kind: ask).translation
    #expect(full?.address == 0x87654000)
    #expect(full?.readable == true && full?.writable == true && full?.executable == false)
    let readOnly = rig.go(0x40202000, kind: ask).translation
    #expect(readOnly?.readable == true && readOnly?.writable == false)
    let none = rig.go(0x40203000, kind: ask).translation
    #expect(none?.readable == false && none?.writable == false)
    #expect(rig.faults.isEmpty)
    let stranger = rig.go(0x40203000, device: 6, kind: ask)
    #expect(stranger.code == 258 && stranger.abort?.completion == .unsupportedRequest)
    #expect(rig.faults.map { $0[0] } == [0x0000_0620_0000_0102])
    #expect(rig.go(0x87654123, kind: .translated).address == 0x87654123)
  }

  /// R58: a global page outlives an invalidation of one address space.
  @Test func globalPage() {
    let rig = Rig()
    rig.firstStage()
    rig.put(0x22008, 0x21D9_50F7)
    #expect(rig.go(0x40201ABC).address == 0x87654ABC)
    rig.put(0x22008, 0)
    rig.command((0x0000_0001_0000_7001, 0))
    #expect(rig.go(0x40201ABC).address == 0x87654ABC)
    rig.command((1, 0))
    #expect(rig.go(0x40201ABC).code == 13)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

/// A way to each fault reason.
struct FaultCase: CustomStringConvertible, Sendable {
  enum Base: Sendable { case legacy, secondStage, firstStage, nested, interrupts }

  var code: UInt32
  var base: Base
  var change = ""
  var access: Transaction.Access = .read
  var address = iova
  var pasid: UInt32?
  var execute = false
  var privileged = false
  var kind: Transaction.Kind = .untranslated
  var configure: @Sendable (inout VTdConfiguration) -> Void = { _ in }
  /// Root table address instead of the usual one.
  var rtaddr: UInt64?
  /// Data of an interrupt request.
  var data: UInt32 = 0

  var description: String { "\(hex(UInt64(code))) \(change)" }
}

@Suite struct FaultTests {
  // 3ff000000000 is an address below HAW that memory does not have.
  static let cases: [FaultCase] = [
    // Legacy mode.
    .init(code: 0x01, base: .legacy, change: "[13a0]=0"),
    .init(code: 0x02, base: .legacy, change: "[2290]=0"),
    .init(code: 0x03, base: .legacy, change: "[2290]=1000d"),
    .init(code: 0x03, base: .legacy, change: "[2298]=501"),
    .init(code: 0x03, base: .legacy, change: "[2298]=500"),
    .init(code: 0x03, base: .legacy, change: "[2290]=9") { $0.setExtended(VTd.ECap.pt, 0) },
    .init(code: 0x03, base: .legacy, change: "[2290]=10005") { $0.setExtended(VTd.ECap.dt, 0) },
    .init(code: 0x04, base: .legacy, address: 1 << 48),
    .init(code: 0x04, base: .legacy, change: "[2290]=9", address: 1 << 48),
    .init(code: 0x05, base: .legacy, change: "[13a28]=abcde001", access: .atomic),
    .init(code: 0x05, base: .legacy, change: "[13a28]=0", access: .write),
    .init(code: 0x06, base: .legacy, change: "[13a28]=abcde002", access: .atomic),
    .init(code: 0x06, base: .legacy, change: "[13a28]=abcde004"),
    .init(code: 0x07, base: .legacy, change: "[12488]=3ff000000003"),
    .init(code: 0x07, base: .legacy, change: "[2290]=3ff000000001"),
    .init(code: 0x08, base: .legacy, rtaddr: 0x3FF0_0000_0000),
    .init(code: 0x09, base: .legacy, change: "[13a0]=3ff000000001"),
    .init(code: 0x0A, base: .legacy, change: "[13a0]=2003"),
    .init(code: 0x0A, base: .legacy, change: "[13a0]=400000002001"),
    .init(code: 0x0A, base: .legacy, change: "[13a8]=1"),
    .init(code: 0x0B, base: .legacy, change: "[2290]=10011"),
    .init(code: 0x0B, base: .legacy, change: "[2298]=582"),
    .init(code: 0x0B, base: .legacy, change: "[2298]=1000502"),
    .init(code: 0x0B, base: .legacy, change: "[2290]=400000010001"),
    .init(code: 0x0C, base: .legacy, change: "[13a28]=abcde803") { $0.setExtended(VTd.ECap.sc, 0) },
    .init(code: 0x0C, base: .legacy, change: "[13a28]=40000000abcde003") { $0.setExtended(VTd.ECap.dt, 0) },
    .init(code: 0x0D, base: .legacy, kind: .translationRequest(noWrite: false)),
    .init(code: 0x0E, base: .legacy, address: 0xFEE0_1000),
    .init(code: 0x0E, base: .legacy, change: "[2290]=9", access: .atomic, address: 0xFEE0_1000),
    // Interrupt remapping.
    .init(
      code: 0x20, base: .interrupts, access: .write, address: 0xFEE0_0018, data: 0x1_0000),
    .init(code: 0x21, base: .interrupts, access: .write, address: 0xFEEF_FFF0),
    .init(code: 0x22, base: .interrupts, access: .write, address: 0xFEE0_0030),
    .init(code: 0x23, base: .interrupts, access: .write, address: 0xFEE0_0010),
    .init(code: 0x24, base: .interrupts, change: "[c000]=1001", access: .write, address: 0xFEE0_0010),
    .init(code: 0x24, base: .interrupts, change: "[c000]=8001", access: .write, address: 0xFEE0_0010),
    .init(code: 0x24, base: .interrupts, change: "[c008]=c0000", access: .write, address: 0xFEE0_0010),
    .init(code: 0x24, base: .interrupts, change: "[c008]=100000", access: .write, address: 0xFEE0_0010),
    .init(code: 0x24, base: .interrupts, change: "[c000]=100000001", access: .write, address: 0xFEE0_0010),
    .init(code: 0x25, base: .interrupts, access: .write, address: 0xFEE0_0000),
    .init(code: 0x26, base: .interrupts, change: "[c008]=43a28", access: .write, address: 0xFEE0_0010),
    .init(code: 0x26, base: .interrupts, change: "[c008]=80039", access: .write, address: 0xFEE0_0010),
    // Root table address.
    .init(code: 0x30, base: .secondStage, rtaddr: 0x1800),
    .init(code: 0x30, base: .secondStage, rtaddr: 0x4000_0000_1400),
    .init(code: 0x30, base: .legacy, rtaddr: 0x4000_0000_1000),
    .init(code: 0x30, base: .secondStage, rtaddr: 0x1C00),
    .init(code: 0x30, base: .secondStage, configure: { $0.setExtended(VTd.ECap.smts, 0) }),
    .init(code: 0x31, base: .legacy, pasid: 1),
    // Scalable mode: root and context.
    .init(code: 0x38, base: .secondStage, rtaddr: 0x3FF0_0000_0400),
    .init(code: 0x39, base: .secondStage, change: "[13a0]=2000"),
    .init(code: 0x3A, base: .secondStage, change: "[13a0]=2801"),
    .init(code: 0x3A, base: .secondStage, change: "[13a0]=400000002001"),
    .init(code: 0x40, base: .secondStage, change: "[13a0]=3ff000000001"),
    .init(code: 0x41, base: .secondStage, change: "[2520]=0"),
    .init(code: 0x42, base: .secondStage, change: "[2528]=200000"),
    .init(code: 0x42, base: .secondStage, change: "[2530]=1"),
    .init(code: 0x42, base: .secondStage, change: "[2538]=1"),
    .init(code: 0x42, base: .secondStage, change: "[2520]=400000004001"),
    .init(code: 0x43, base: .secondStage, change: "[2528]=100000"),
    .init(code: 0x43, base: .secondStage, configure: { $0.setExtended(VTd.ECap.dt, 0) }),
    .init(code: 0x43, base: .secondStage, configure: { $0.setExtended(VTd.ECap.pasid, 0) }),
    .init(code: 0x43, base: .secondStage, configure: { $0.setExtended(VTd.ECap.prs, 0) }),
    .init(code: 0x43, base: .secondStage, change: "[2528]=1") { $0.setExtended(VTd.ECap.rps, 0) },
    .init(
      code: 0x44, base: .secondStage, change: "[2520]=4019", kind: .translationRequest(noWrite: false)),
    .init(code: 0x44, base: .secondStage, change: "[2520]=4019", kind: .translated),
    .init(code: 0x45, base: .secondStage, change: "[2520]=4015", pasid: 0),
    .init(code: 0x46, base: .secondStage, pasid: 0x2000),
    .init(code: 0x48, base: .secondStage, change: "[2528]=2000"),
    // PASID structures.
    .init(code: 0x50, base: .secondStage, change: "[2520]=3ff00000001d"),
    .init(code: 0x51, base: .secondStage, pasid: 0x100),
    .init(code: 0x52, base: .secondStage, change: "[4000]=5005"),
    .init(code: 0x52, base: .secondStage, change: "[4000]=400000005001"),
    .init(code: 0x58, base: .secondStage, change: "[4000]=3ff000000001"),
    .init(code: 0x59, base: .secondStage, pasid: 1),
    .init(code: 0x5A, base: .secondStage, change: "[5000]=10489"),
    .init(code: 0x5A, base: .secondStage, change: "[5008]=10123"),
    .init(code: 0x5A, base: .secondStage, change: "[5010]=100"),
    .init(code: 0x5A, base: .secondStage, change: "[5018]=1"),
    .init(code: 0x5A, base: .secondStage, change: "[5038]=8000000000000000"),
    .init(code: 0x5A, base: .secondStage, configure: { $0.setExtended(VTd.ECap.smpwcs, 0) }),
    .init(code: 0x5A, base: .firstStage, change: "[5008]=1800124") { $0.setExtended(VTd.ECap.sc, 0) },
    .init(code: 0x5A, base: .firstStage, change: "[5008]=2800124") { $0.setExtended(VTd.ECap.mts, 0) },
    .init(code: 0x5A, base: .firstStage, change: "[5010]=20002"),
    .init(code: 0x5A, base: .firstStage, change: "[5010]=20001") { $0.setExtended(VTd.ECap.srs, 0) },
    .init(code: 0x5A, base: .firstStage, change: "[5010]=20010") { $0.setExtended(VTd.ECap.nwfs, 0) },
    .init(code: 0x5A, base: .firstStage, change: "[5010]=20080") { $0.setExtended(VTd.ECap.eafs, 0) },
    .init(code: 0x5B, base: .secondStage, change: "[5000]=10149"),
    .init(code: 0x5B, base: .secondStage, change: "[5000]=10085"),
    .init(code: 0x5B, base: .secondStage, change: "[5000]=10289") { $0.setExtended(VTd.ECap.ssads, 0) },
    .init(code: 0x5B, base: .secondStage, configure: { $0.setExtended(VTd.ECap.ssts, 0) }),
    .init(code: 0x5B, base: .firstStage, configure: { $0.setExtended(VTd.ECap.fsts, 0) }),
    .init(code: 0x5B, base: .firstStage, change: "[5010]=20008"),
    .init(code: 0x5B, base: .firstStage, change: "[5010]=20004") { $0.set(VTd.Cap.fs5lp, 0) },
    .init(code: 0x5B, base: .nested, configure: { $0.setExtended(VTd.ECap.nest, 0) }),
    .init(code: 0x5B, base: .secondStage, change: "[5000]=109") { $0.setExtended(VTd.ECap.pt, 0) },
    .init(code: 0x5B, base: .secondStage, change: "[5000]=105"),
    .init(code: 0x5C, base: .firstStage, pasid: 0, execute: true),
    .init(code: 0x5D, base: .firstStage, pasid: 0, privileged: true),
    .init(code: 0x5D, base: .firstStage, change: "[2528]=100000") { $0.setExtended(VTd.ECap.rprivs, 1) },
    // First stage.
    .init(code: 0x70, base: .firstStage, change: "[22488]=3ff000000027"),
    .init(code: 0x71, base: .firstStage, change: "[22488]=0"),
    .init(code: 0x72, base: .firstStage, change: "[21000]=800000022027"),
    .init(code: 0x72, base: .firstStage, change: "[21000]=e7") { $0.set(VTd.Cap.fs1gp, 0) },
    .init(code: 0x73, base: .firstStage, change: "[5010]=3ff000000000"),
    .init(code: 0x73, base: .firstStage, change: "[5010]=400000020000"),
    .init(code: 0x80, base: .firstStage, address: 0xFFFF_7000_0000_0000),
    .init(code: 0x80, base: .firstStage, change: "[5010]=20004", address: 1 << 57),
    .init(code: 0x81, base: .firstStage, change: "[20000]=21023"),
    .init(
      code: 0x82, base: .firstStage, change: "[5010]=20022 [23a28]=80000000abcde067", pasid: 0,
      execute: true
    ) { $0.setExtended(VTd.ECap.ers, 1) },
    .init(
      code: 0x82, base: .firstStage, change: "[5010]=20043", pasid: 0, execute: true, privileged: true
    ) { $0.setExtended(VTd.ECap.ers, 1) },
    .init(code: 0x85, base: .firstStage, change: "[20000]=21025", access: .write),
    .init(
      code: 0x85, base: .firstStage, change: "[5010]=20011 [23a28]=abcde065", access: .write, pasid: 0,
      privileged: true),
    .init(code: 0x87, base: .firstStage, change: "[23a28]=fee00067"),
    .init(code: 0x90, base: .firstStage, change: "[5008]=124 [23a28]=abcde007"),
    .init(
      code: 0x91, base: .firstStage, change: "[23a28]=abcde007",
      configure: { $0.quirks.atomicsUnsupported = true }),
    // Nested.
    .init(code: 0x74, base: .nested, change: "[5010]=1000000000000"),
    .init(code: 0x75, base: .nested, change: "[5010]=200000"),
    .init(code: 0x76, base: .nested, change: "[40021000]=600027"),
    .init(code: 0x76, base: .nested, change: "[12008]=40000082 [40021000]=200027"),
    .init(code: 0x77, base: .nested, change: "[12000]=40000081 [40021000]=22007"),
    .init(code: 0x78, base: .nested, change: "[11000]=3ff000000003"),
    .init(code: 0x7A, base: .nested, change: "[12000]=40001083"),
    .init(code: 0x7B, base: .nested, change: "[5000]=3ff0000000c9"),
    .init(code: 0x7C, base: .nested, change: "[5000]=102c9 [5008]=125"),
    .init(code: 0x79, base: .nested, change: "[40023a28]=200067"),
    .init(code: 0x84, base: .nested, change: "[40023a28]=1000000000067"),
    .init(code: 0x85, base: .nested, change: "[12008]=40000081 [40023a28]=200067", access: .write),
    .init(code: 0x86, base: .nested, change: "[12008]=40000082 [40023a28]=200067"),
    .init(code: 0x87, base: .nested, change: "[12008]=fee00083 [40023a28]=200067") {
      $0.set(VTd.Cap.sslps, 3)
    },
    // Second stage.
    .init(code: 0x78, base: .secondStage, change: "[12488]=3ff000000003"),
    .init(code: 0x79, base: .secondStage, change: "[12488]=0", access: .write),
    .init(code: 0x7A, base: .secondStage, change: "[10000]=11083"),
    .init(code: 0x7B, base: .secondStage, change: "[5000]=3ff000000089"),
    .init(code: 0x7B, base: .secondStage, change: "[5000]=400000010089"),
    .init(code: 0x7C, base: .secondStage, change: "[5000]=10289 [5008]=123"),
    .init(
      code: 0x7C, base: .secondStage, change: "[5000]=10289",
      configure: { $0.quirks.atomicsUnsupported = true }),
    .init(code: 0x83, base: .secondStage, change: "[5000]=109", address: 1 << 46),
    .init(code: 0x84, base: .secondStage, address: .max),
    .init(code: 0x85, base: .secondStage, change: "[13a28]=abcde001", access: .atomic),
    .init(code: 0x86, base: .secondStage, change: "[13a28]=abcde002", access: .atomic),
    .init(code: 0x87, base: .secondStage, change: "[5000]=109", address: 0xFEE0_0000, pasid: 0),
    .init(code: 0x87, base: .secondStage, address: 0xFEE0_0000),
    .init(code: 0x87, base: .secondStage, address: 0xFEE0_0000, kind: .translated),
  ]

  @Test(arguments: cases) func isReached(_ wanted: FaultCase) {
    let rig = Self.rig(wanted)
    let transaction = Transaction(
      source: sid, pasid: wanted.pasid, address: wanted.address, access: wanted.access,
      execute: wanted.execute, privileged: wanted.privileged, kind: wanted.kind)
    for _ in 0..<2 {
      let answer = rig.unit.translate(transaction, data: wanted.data)
      guard let abort = answer.abort else {
        Issue.record("\(answer)")
        return
      }
      #expect(abort.code == wanted.code, "\(hex(UInt64(abort.code)))")
      #expect(abort.recorded)
    }
    let record = rig.record(0)
    #expect(record.high >> 32 & 0xFF == UInt64(wanted.code))
    #expect(record.high & 0xFFFF == UInt64(sid))
    #expect(rig.fsts == 2)
    if wanted.base != .interrupts {
      #expect(record.low == wanted.address & ~0xFFF)
      #expect(rig.unit.walk(transaction).answer.abort?.code == wanted.code, "walk")
    }
  }

  static func rig(_ wanted: FaultCase) -> Rig {
    var configuration = Rig.configuration
    wanted.configure(&configuration)
    let rig = Rig(configuration)
    let scalable: UInt64 = 0x1400
    switch wanted.base {
    case .legacy:
      rig.put(SecondStageVectorTests.base)
      rig.startLegacy(0x10001, 0x502)
    case .secondStage:
      rig.put(SecondStageVectorTests.base)
      rig.startScalable(SecondStageVectorTests.plain)
    case .firstStage:
      rig.put(FirstStageVectorTests.base)
      rig.startScalable(FirstStageVectorTests.plain)
    case .nested:
      rig.put(NestedVectorTests.base)
      rig.startScalable(NestedVectorTests.plain)
    case .interrupts:
      rig.put("[c000]=1 [c008]=0")
      rig.start(rtaddr: scalable)
      // Four entries.
      let table: UInt64 = wanted.code == 0x23 ? 0x3FF0_0000_0001 : 0xC001
      rig.write(VTd.Register.irta, table, width: 8)
      rig.command(VTd.GlobalCommand.sirtp)
      rig.command(VTd.GlobalCommand.ire)
    }
    rig.put(wanted.change)
    if let rtaddr = wanted.rtaddr { rig.start(rtaddr: rtaddr) }
    return rig
  }

  /// The page request's own code, and the table's completeness: every reason of the manual has a case.
  @Test func allAreReached() {
    let rig = Rig()
    rig.startLegacy(0x10001, 0x502)
    rig.unit.pageRequest(PageRequest(source: sid, address: 0x1000))
    #expect(rig.record(0).high >> 32 & 0xFF == 0x32)
    // 47 is in the structure vectors.
    let reached = Set(Self.cases.map(\.code)).union([0x32, 0x47])
    let all = Set(VTd.faultReasons.map { UInt32($0.code) })
    #expect(all.subtracting(reached) == [])
    #expect(reached.subtracting(all) == [])
    print("VT-d fault reasons: \(all.count), cases: \(Self.cases.count)")
  }
}

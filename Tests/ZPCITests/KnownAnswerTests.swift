// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct KnownAnswerTests {
  struct Row: Sendable {
    var name: String
    var anchor: UInt64 = 0x10804
    var limit: UInt64 = .max
    var address: UInt64
    var access = Transaction.Access.read
    /// Where it goes, and the size of the frame there.
    var address64: UInt64?
    var sizeLg2: UInt8 = 12
    /// The event otherwise.
    var event: (code: UInt16, name: String)?
  }

  static func found(
    _ name: String, _ address: UInt64, _ access: Transaction.Access = .read, at target: UInt64,
    sizeLg2: UInt8 = 12,
    anchor: UInt64 = 0x10804
  ) -> Row {
    Row(name: name, anchor: anchor, address: address, access: access, address64: target, sizeLg2: sizeLg2)
  }

  static func event(
    _ name: String, _ address: UInt64, access: Transaction.Access = .read, _ code: UInt16, _ short: String,
    limit: UInt64 = .max, anchor: UInt64 = 0x10804
  ) -> Row {
    Row(name: name, anchor: anchor, limit: limit, address: address, access: access, event: (code, short))
  }

  static let rows: [Row] = [
    found("Z1", 0x1_0030_2ABC, at: 0x1234_5ABC), found("Z1", 0x1_0030_2ABC, .write, at: 0x1234_5ABC),
    found("Z2", 0x1_0030_3000, at: 0x1234_6000), event("Z2", 0x1_0030_3000, access: .write, 4, "TPROTE"),
    event("Z3", 0x1_0030_4000, 4, "TPROTE"), event("Z3", 0x1_0060_0000, access: .write, 4, "TPROTE"),
    found("Z4", 0x1_0041_2345, at: 0x41_2345, sizeLg2: 20),
    found("Z4", 0x1_0041_2345, .write, at: 0x41_2345, sizeLg2: 20),
    found("Z5", 0x1_0051_2345, at: 0x51_2345, sizeLg2: 20),
    event("Z5", 0x1_0051_2345, access: .write, 4, "TPROTE"),
    event("Z6", 0x1_8030_2ABC, 4, "TPROTE"), event("Z6", 0x2_0030_2ABC, 7, "INVALTE"),
    event("Z7", 0x2_8030_2ABC, 8, "INVALTL"), event("Z7", 0x3_8030_2ABC, 8, "INVALTL"),
    event("Z8", 0x3_0030_2ABC, 9, "TT"), event("Z8", 0x4_0030_2ABC, 9, "TT"),
    event("Z9", 0x2_0000_0000, 2, "OORANGE", limit: 0x1_FFFF_FFFF),
    found("Z11", 0xC01_0030_2ABC, at: 0x1234_5ABC, anchor: 0x20808),
    found("Z12", 0x20_0C01_0030_2ABC, at: 0x1234_5ABC, anchor: 0x3080C),
    found("Z13", 0x30_2ABC, at: 0x1234_5ABC, anchor: 0x14800),
  ]

  @Test func everyAccess() {
    for row in Self.rows {
      let rig = Rig()
      rig.tables()
      #expect(rig.register(row.anchor, limit: row.limit) == .ok)
      let access = Transaction(source: rig.handle, address: row.address, access: row.access)
      let walked = rig.iommu.walk(access)
      #expect(rig.iommu.events.isEmpty, "a walk has no effects")
      let answer = rig.iommu.translate(access)
      #expect(walked.answer == answer, "\(row.name)")
      if let event = row.event {
        #expect(answer.abort == Abort(code: UInt32(event.code), name: event.name), "\(row.name)")
        let record = rig.iommu.takeEvent()
        #expect(
          record?.code == event.code && record?.address == row.address && record?.id == 0x42, "\(row.name)")
        // Now nothing works until it is reset.
        #expect(rig.go(row.address).abort?.code == 0)
      } else {
        #expect(answer.address == row.address64 && answer.translation?.sizeLg2 == row.sizeLg2, "\(row.name)")
        #expect(rig.iommu.events.isEmpty)
      }
    }
    print("zPCI: \(Self.rows.count) known accesses of Z1 to Z13")
  }

  /// The bytes of Z1's page entry are big-endian.
  @Test func bytesInMemory() {
    let rig = Rig()
    rig.tables()
    let bytes = rig.memory.bytes(at: PhysAddr(0x18010), count: 8).map { [UInt8]($0) }
    #expect(bytes == [0, 0, 0, 0, 0x12, 0x34, 0x50, 0])
  }

  /// Z10: no address space, and an anchor without translation that no group allows.
  @Test func noAddressSpace() {
    let rig = Rig()
    #expect(rig.go(0x1000).name == "INVALAS")
    var configuration = Rig.permissive
    configuration.strictRegistration = false
    let other = Rig(configuration)
    #expect(other.register(0) == .ok)
    #expect(other.go(0x1000).name == "INVALAS")
  }

  /// Z14 to Z16: what a driver leaves in a page entry, and what it says to have it seen.
  @Test func mapAndUnmap() {
    let rig = Rig()
    rig.tables()
    rig.register(0x10804)
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000)
    rig.put(0x18010, 0x1234_5400)
    #expect(rig.go(0x1_0030_2000).address == 0x1234_5000, "still cached")
    #expect(rig.refresh(0x1_0030_2000, 0x1000) == .ok)
    #expect(rig.go(0x1_0030_2000).name == "TPROTE")
    rig.modify(ZPCI.Operation.resetError)
    rig.put(0x18010, 0x1234_5200)
    #expect(rig.go(0x1_0030_2000).translation?.writable == false)
    #expect(rig.iommu.facts()["functions"]?["count"]?.number == 1)
  }

  /// What a walk shows.
  @Test func walkSteps() {
    let rig = Rig()
    rig.tables()
    rig.register(0x3080C)
    let report = rig.iommu.walk(Transaction(source: rig.handle, address: 0x20_0C01_0030_2ABC))
    #expect(
      report.steps.map(\.structure) == [
        "region-first entry", "region-second entry", "region-third entry", "segment entry", "page entry",
      ])
    #expect(report.steps.map(\.address) == [0x30008, 0x20018, 0x10010, 0x14018, 0x18010])
    #expect(report.steps.last?.words == [0x1234_5000])
  }
}

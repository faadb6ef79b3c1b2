// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
@_exported public import HardwareTestSupport
internal import Memory
internal import Testing

@testable internal import Hardware

/// What the SMMU did to the machine around it.
final class Fabric: HardwareFabric {
  var messages: [InterruptMessage] = []
  var wires: [UInt32] = []
  var invalidations: [DeviceTLBInvalidation] = []
  var responses: [PageResponse] = []
  var resumed: [(tag: UInt32, retry: Bool)] = []
  var devicesAnswer = true

  func interrupt(_ message: InterruptMessage) { messages.append(message) }
  func interrupt(wire: UInt32) { wires.append(wire) }
  func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool {
    invalidations.append(invalidation)
    return devicesAnswer
  }
  func respond(_ response: PageResponse) { responses.append(response) }
  func resume(tag: UInt32, retry: Bool) { resumed.append((tag, retry)) }
}

/// An SMMU with 4 GiB of memory, its queues, and the two-level stream table of vector A35: StreamIDs of 16
/// bits, those of 0x200...0x2FF in a table at `0x11000000`.
final class Rig {
  typealias Words = [UInt64]
  static let sid: UInt32 = 0x208
  static let commandBase: UInt64 = 0x0200_0000
  static let eventBase: UInt64 = 0x0210_0000
  static let requestBase: UInt64 = 0x0220_0000
  static let queueLg2: UInt32 = 4
  static let streamTable: UInt64 = 0x1000_0000
  static let contextTable: UInt64 = 0x1200_0000

  let memory = PhysicalMemory(size: 4 << 30)
  let fabric = Fabric()
  let smmu: SMMUv3

  init(_ configuration: SMMUv3.Configuration = .init(), enabled: Bool = true) {
    smmu = SMMUv3(configuration, memory: memory)
    smmu.fabric = fabric
    put(Self.streamTable + 0x10, 0x1100_0009)
    write(0x80, 8, Self.streamTable)
    write(0x88, 4, 0x10210)
    write(0x90, 8, Self.commandBase | UInt64(Self.queueLg2))
    write(0xA0, 8, Self.eventBase | UInt64(Self.queueLg2))
    write(0xC0, 8, Self.requestBase | UInt64(Self.queueLg2))
    write(0x2C, 4, 2)
    write(0x50, 4, 7)
    if enabled { write(0x20, 4, 0x1F) }
  }

  // MARK: Bytes and registers

  func put(_ address: UInt64, _ value: UInt64) { _ = memory.store64(value, at: PhysAddr(address)) }
  func put(_ table: [UInt64: UInt64]) { for (address, value) in table { put(address, value) } }
  func get(_ address: UInt64) -> UInt64 { memory.load64(at: PhysAddr(address)) ?? .max }
  func write(_ offset: UInt64, _ width: Int, _ value: UInt64) {
    smmu.writeRegister(offset, width: width, value)
  }
  func read(_ offset: UInt64, _ width: Int = 4) -> UInt64 { smmu.readRegister(offset, width: width) }

  // MARK: Structures

  /// Writes the STE of a stream of 0x200...0x2FF, without telling the SMMU.
  func ste(_ words: UInt64..., sid: UInt32 = Rig.sid) {
    let place = 0x1100_0000 + UInt64(sid & 0xFF) << 6
    for index in 0..<8 { put(place + UInt64(index) * 8, index < words.count ? words[index] : 0) }
  }

  func cd(_ words: UInt64..., at place: UInt64 = Rig.contextTable) {
    for index in 0..<8 { put(place + UInt64(index) * 8, index < words.count ? words[index] : 0) }
  }

  static func cdWord(
    t0sz: UInt64 = 16, tg0: UInt64 = 0, ips: UInt64 = 5, asid: UInt64 = 1, extra: UInt64 = 0
  ) -> UInt64 {
    // EPD1, V, AA64, R, A.
    t0sz | tg0 << 6 | 1 << 30 | 1 << 31 | ips << 32 | 1 << 41 | 1 << 45 | 1 << 46 | asid << 48 | extra
  }

  /// Config = stage 1 with a single CD at `contextTable`.
  func stage1(_ cd: UInt64 = Rig.cdWord(), ttb0: UInt64 = 0x4000_0000, dw1: UInt64 = 0, sid: UInt32 = Rig.sid)
  {
    ste(Self.contextTable | 0xB, dw1, sid: sid)
    self.cd(cd, ttb0, 0, 0xFF)
  }

  /// S2AA64, S2PTW, S2R; 40 bits, 4K, start level 1, VMID 5: vector A25.
  static let stage2Word: UInt64 = 0x044C_3558_0000_0005
  func stage2(
    _ dw2: UInt64 = Rig.stage2Word, s2ttb: UInt64 = 0x4000_0000, dw1: UInt64 = 0, sid: UInt32 = Rig.sid
  ) {
    ste(0xD, dw1, dw2, s2ttb, sid: sid)
  }

  /// The tables of section A8.1.
  func tables4K() {
    put([
      0x4000_0008: 0x4000_1003, 0x4000_1008: 0x4000_2003, 0x4000_1018: 0xC000_0F45,
      0x4000_2018: 0x4000_3003, 0x4000_2020: 0x8020_0F45, 0x4000_2030: 0x4000_0000_4000_6003,
      0x4000_0010: 0x0000_0F45, 0x4000_3020: 0x1234_5F47, 0x4000_3028: 0x1234_6FC7,
      0x4000_3060: 0x1234_7B47, 0x4000_3068: 0x0008_0000_1234_8FC7, 0x4000_3070: 0x1234_9F07,
      0x4000_3078: 0x1234_AF45, 0x4000_6000: 0x1234_5F47,
    ])
  }

  /// The tables of section A8.3, stage 2 alone.
  func tablesStage2() {
    put([
      0x4000_1008: 0x4000_2003, 0x4000_1010: 0x8000_07FD, 0x4000_2018: 0x4000_3003,
      0x4000_3020: 0x1234_57FF, 0x4000_3028: 0x1234_6657,
    ])
  }

  /// The nested tables of section A8.3, with a stream whose CD table is in the stage 2 block.
  func nested(dw1: UInt64 = 0, sid: UInt32 = Rig.sid) {
    put([
      0x5000_1008: 0x5000_2003, 0x5000_2000: 0x6000_07FD, 0x6000_0008: 0x80_4000_1003,
      0x6000_1018: 0x80_4000_2003, 0x6000_2020: 0x80_4008_0F47, 0x6000_2028: 0x80_4020_0F47,
      0x6000_1020: 0x80_4100_0003,
    ])
    ste(0x80_4010_0000 | 0xF, dw1, Self.stage2Word, 0x5000_0000, sid: sid)
    cd(Self.cdWord(t0sz: 25), 0x80_4000_0000, 0, 0xFF, at: 0x6010_0000)
  }

  // MARK: Queues

  /// Queues commands and lets them run; true when all were consumed.
  @discardableResult
  func command(_ commands: (UInt64, UInt64)...) -> Bool {
    for (word0, word1) in commands {
      let prod = UInt32(read(0x98))
      let place = Self.commandBase + UInt64(prod & 15) << 4
      put(place, word0)
      put(place + 8, word1)
      write(0x98, 4, UInt64((prod + 1) & 31))
    }
    return read(0x98) == read(0x9C) & 0xFFFFF
  }

  var commandError: UInt32 { UInt32(read(0x9C) >> 24) & 0x7F }
  func active(_ error: UInt32) -> Bool { UInt32(read(0x60) ^ read(0x64)) & error != 0 }
  func acknowledgeErrors() { write(0x64, 4, read(0x60)) }
  func sync() { command((0x46, 0)) }
  /// Forgets everything.
  func forget() { command((0x04, 0x1F), (0x30, 0), (0x20, 0), (0x46, 0)) }

  /// Takes the oldest event record.
  func event() -> Words? {
    let prod = UInt32(read(0x100A8))
    let cons = UInt32(read(0x100AC))
    guard (prod ^ cons) & 31 != 0 else { return nil }
    let place = Self.eventBase + UInt64(cons & 15) << 5
    defer { write(0x100AC, 4, UInt64(cons & 0x8000_0000 | (cons + 1) & 31)) }
    return (0..<4).map { get(place + UInt64($0) * 8) }
  }

  func events() -> [Words] {
    var all: [Words] = []
    while let next = event() { all.append(next) }
    return all
  }

  func pageRequestRecord() -> Words? {
    let prod = UInt32(read(0x100C8))
    let cons = UInt32(read(0x100CC))
    guard (prod ^ cons) & 31 != 0 else { return nil }
    let place = Self.requestBase + UInt64(cons & 15) << 4
    defer { write(0x100CC, 4, UInt64(cons & 0x8000_0000 | (cons + 1) & 31)) }
    return [get(place), get(place + 8)]
  }

  // MARK: Transactions

  func dma(
    _ access: Transaction.Access, _ address: UInt64, sid: UInt32 = Rig.sid, pasid: UInt32? = nil,
    execute: Bool = false, privileged: Bool = false, kind: Transaction.Kind = .untranslated
  ) -> TranslationAnswer {
    smmu.translate(
      Transaction(
        source: sid, pasid: pasid, address: address, access: access, execute: execute,
        privileged: privileged, kind: kind))
  }

  func reads(_ address: UInt64, sid: UInt32 = Rig.sid, pasid: UInt32? = nil) -> UInt64? {
    dma(.read, address, sid: sid, pasid: pasid).physical
  }
}

extension TranslationAnswer {
  var physical: UInt64? { if case .translated(let translation) = self { translation.address } else { nil } }
}

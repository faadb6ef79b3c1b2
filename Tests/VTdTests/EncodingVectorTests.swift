internal import HardwareSpecs
internal import Testing

// SPDX-License-Identifier: GPL-3.0-or-later
@testable internal import Hardware

// Known answers for fault records, registers and descriptors.

@Suite struct RecordVectorTests {
  /// Legacy or scalable, PASID, access, address of the leaf's word, its value, expected record.
  @Test func legacyRecords() {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startLegacy(0x10001, 0x502)
    rig.put("[12488]=0")
    #expect(rig.dma(.read, iova).brief == "-6")
    #expect(rig.record(0) == (0x1234_5000, 0xC000_0006_0000_3A29))
    #expect(rig.dma(.write, iova).brief == "-5")
    #expect(rig.record(1) == (0x1234_5000, 0x8000_0005_0000_3A29))
  }

  @Test func scalableRecords() {
    let rig = Rig()
    rig.put(FirstStageVectorTests.base)
    rig.put("[23a28]=abcde065")
    rig.startScalable([0x49, 0x80_0124, 0x20000], pasid: 0x47)
    rig.put("[5000]=0")
    #expect(rig.dma(.write, iova, pasid: 0x47).brief == "-85")
    #expect(rig.record(0) == (0x1234_5000, 0x8000_4785_8000_3A29))
    #expect(rig.dma(.read, iova).brief == "-59")
    #expect(rig.record(1) == (0x1234_5000, 0xC000_0059_0000_3A29))
    #expect(rig.dma(.read, iova, pasid: 0x2000).brief == "-46")
    #expect(rig.record(2) == (0x1234_5000, 0xC020_0046_8000_3A29))
    #expect(rig.dma(.read, 0x8000_1234_5678, pasid: 0x47).brief == "-80")
    #expect(rig.record(3) == (0x8000_1234_5000, 0xC000_4780_8000_3A29))
    print("VT-d record vectors: 6")
  }

  /// Kinds of requests in a record: T1, T2, AT, EXE, PRIV.
  @Test func requestKinds() {
    let rig = Rig()
    rig.startScalable([0, 0], context: 0x400D)
    _ = rig.dma(.atomic, iova, pasid: 0, execute: true, privileged: true)
    #expect(rig.record(0).high == 0xC000_0059_F000_3A29)
    _ = rig.ats(iova)
    #expect(rig.record(1).high == 0x9000_0059_0000_3A29)
    _ = rig.ats(iova, noWrite: true)
    #expect(rig.record(2).high == 0xD000_0059_0000_3A29)
    rig.unit.pageRequest(PageRequest(source: sid, pasid: 3, address: 0x5000))
    #expect(rig.record(3).low == 0x5000)
    #expect(rig.record(3).high == 0x8000_0347_9000_3A29)
  }

  /// Invalidation registers: the words of the reference, accepted, with the granularity that was done.
  @Test(arguments: [
    (VTd.Register.ccmd, 0xE000_0000_3A29_0005 as UInt64, 0x7800_0000_3A29_0005 as UInt64),
    (0x508, 0x9000_0000_0000_0000, 0x1200_0000_0000_0000),
    (0x508, 0xA003_0005_0000_0000, 0x2403_0005_0000_0000),
  ]) func invalidationRegisters(offset: UInt64, value: UInt64, after: UInt64) {
    let rig = Rig()
    rig.startLegacy(0x10001, 0x502)
    rig.write(offset, value, width: 8)
    #expect(rig.read(offset, width: 8) == after)
  }
}

@Suite struct DescriptorVectorTests {
  /// What the queue does with a descriptor: a message to a device, or the lines that a cache loses.
  struct Vector: CustomStringConvertible, Sendable {
    var name: String
    var first: UInt64
    var second: UInt64
    /// Lines that are left of the crowd (see `crowd`), as `cache: numbers`; nil for all of them.
    var left: String?
    var message: DeviceTLBInvalidation?
    var response: PageResponse?
    var legacy = false
    var description: String { name }
  }

  private static func device(_ address: UInt64, _ lg2: UInt8, pasid: UInt32? = nil) -> DeviceTLBInvalidation {
    DeviceTLBInvalidation(source: sid, pasid: pasid, address: address, sizeLg2: lg2)
  }

  private static func answer(_ code: PageResponse.Code) -> PageResponse {
    PageResponse(source: sid, pasid: 0x47, group: 0x12, code: code)
  }

  static let all = "contexts 0 1 2 3 | pasid 0 1 2 3 | iotlb 0 1 2 3 4 5 6 7 | tables 0 1 2 3"

  static let vectors: [Vector] = [
    .init(
      name: "context device", first: 0x0000_3A29_0005_0031, second: 0,
      left: "contexts 1 2 3 | pasid 0 1 2 3 | iotlb 0 1 2 3 4 5 6 7 | tables 0 1 2 3", legacy: true),
    .init(
      name: "context global", first: 0x11, second: 0,
      left: "contexts | pasid 0 1 2 3 | iotlb 0 1 2 3 4 5 6 7 | tables 0 1 2 3"),
    .init(
      name: "context domain", first: 0x50021, second: 0,
      left: "contexts 3 | pasid 0 1 2 3 | iotlb 0 1 2 3 4 5 6 7 | tables 0 1 2 3", legacy: true),
    .init(
      name: "IOTLB global", first: 0xD2, second: 0, left: "contexts 0 1 2 3 | pasid 0 1 2 3 | iotlb | tables"),
    .init(
      name: "IOTLB domain", first: 0x500E2, second: 0,
      left: "contexts 0 1 2 3 | pasid 0 1 2 3 | iotlb 6 7 | tables 3"),
    .init(
      name: "IOTLB page, IH, drain", first: 0x500F2, second: 0x1234_4042,
      left: "contexts 0 1 2 3 | pasid 0 1 2 3 | iotlb 1 6 7 | tables 0 1 2 3"),
    .init(
      name: "IOTLB page", first: 0x50032, second: 0x1234_5000,
      left: "contexts 0 1 2 3 | pasid 0 1 2 3 | iotlb 1 6 7 | tables 1 3"),
    .init(
      name: "device-TLB 4K", first: 0x3A29_0010_0003, second: 0x1234_5000, message: device(0x1234_5000, 12)),
    .init(
      name: "device-TLB 16K", first: 0x3A29_0010_0003, second: 0x1234_5001, message: device(0x1234_4000, 14)),
    .init(
      name: "device-TLB all", first: 0x3A29_0010_0003, second: 0x7FFF_FFFF_FFFF_F001, message: device(0, 64)),
    .init(
      name: "device-TLB PFSID", first: 0x3A20_3A29_0010_8003, second: 0x1234_5000,
      message: device(0x1234_5000, 12)),
    .init(
      name: "PIOTLB all", first: 0x47_0005_0026, second: 0,
      left: "contexts 0 1 2 3 | pasid 0 1 2 3 | iotlb 0 1 3 4 6 7 | tables 0 1 3"),
    .init(
      name: "PIOTLB page, IH", first: 0x47_0005_0036, second: 0x1234_4042,
      left: "contexts 0 1 2 3 | pasid 0 1 2 3 | iotlb 0 1 3 4 6 7 | tables 0 1 2 3"),
    .init(
      name: "PASID cache PASID", first: 0x47_0005_0017, second: 0,
      left: "contexts 0 1 2 3 | pasid 1 2 3 | iotlb 0 1 2 3 4 5 6 7 | tables 0 1 2 3"),
    .init(
      name: "PASID cache domain", first: 0x50007, second: 0,
      left: "contexts 0 1 2 3 | pasid 2 3 | iotlb 0 1 2 3 4 5 6 7 | tables 0 1 2 3"),
    .init(
      name: "PASID cache global", first: 0x37, second: 0,
      left: "contexts 0 1 2 3 | pasid | iotlb 0 1 2 3 4 5 6 7 | tables 0 1 2 3"),
    .init(
      name: "PASID devTLB 4K", first: 0x47_3A29_0108, second: 0x1234_5000,
      message: device(0x1234_5000, 12, pasid: 0x47)),
    .init(
      name: "PASID devTLB 16K", first: 0x47_3A29_0108, second: 0x1234_5800,
      message: device(0x1234_4000, 14, pasid: 0x47)),
    .init(
      name: "PASID devTLB 2M", first: 0x47_3A29_0108, second: 0x122F_F800,
      message: device(0x1220_0000, 21, pasid: 0x47)),
    .init(
      name: "PASID devTLB all", first: 0x47_3A29_0108, second: 0x7FFF_FFFF_FFFF_F800,
      message: device(0, 64, pasid: 0x47)),
    .init(name: "response", first: 0x47_3A29_0019, second: 0x94, response: answer(.success)),
    .init(name: "response invalid", first: 0x47_3A29_1019, second: 0x94, response: answer(.invalidRequest)),
    .init(name: "response failure", first: 0x47_3A29_F019, second: 0x90, response: answer(.failure)),
  ]

  /// Fills the caches with lines that differ in one point each from what the vectors name.
  private func crowd(_ unit: VTdUnit) {
    let context = { (did: UInt16) in VTdCachedContext(first: 1, second: 0, did: did, fpd: false) }
    unit.translator.contexts = [
      0x3A29: context(5), 0x3A28: context(5), 0x3B29: context(5), 0x3A21: context(6),
    ]
    let entry = { (did: UInt16) in
      VTdCachedPASIDEntry(first: 1, second: 0, third: 0, did: did, fpd: false)
    }
    typealias T = VTdTranslator
    unit.translator.pasidEntries = [
      T.pasidKey(0x3A29, 0x47): entry(5), T.pasidKey(0x3A29, 0x48): entry(5),
      T.pasidKey(0x3A28, 0x47): entry(6), T.pasidKey(0x3A28, 0x49): entry(6),
    ]
    let ss = VTdStream.secondStageTag(5)
    let fs = VTdStream.firstStageTag(5, 0x47)
    for (index, line) in Self.lines(ss, fs).enumerated() {
      // The number of a line is where its page is, far away.
      let leaf = VTdLeaf(address: UInt64(index) << 40, sizeLg2: line.2, flags: [.read])
      unit.translator.iotlb.insert(leaf, for: line.0, line.1)
    }
    for (index, line) in Self.tables(ss, fs).enumerated() {
      unit.translator.tables.insert(
        VTdTablePointer(table: UInt64(index) << 40, permissions: 3), for: T.prefix(line.0, 2),
        T.pagingTag(line.1, 2))
    }
  }

  private static func lines(_ ss: UInt64, _ fs: UInt64) -> [(UInt64, UInt64, UInt8)] {
    [
      (0x1234_5000, ss, 12), (0x1244_8000, ss, 12), (0x1234_5000, fs, 12), (0x1234_5000, fs + 1, 12),
      (0x4_0000, fs + 1, 12), (0x1234_6000, fs, 21), (0x1234_5000, ss + 1 << 32, 12),
      (0x1234_5000, VTdStream.firstStageTag(6, 0x47), 12),
    ]
  }

  private static func tables(_ ss: UInt64, _ fs: UInt64) -> [(UInt64, UInt64)] {
    [(0x1234_5000, ss), (0x1254_5000, ss), (0x1234_5000, fs), (0x1234_5000, VTdStream.secondStageTag(6))]
  }

  private func left(_ unit: VTdUnit) -> String {
    let contexts = [0x3A29, 0x3A28, 0x3B29, 0x3A21].enumerated()
      .filter { unit.translator.contexts[$0.element] != nil }.map(\.offset)
    typealias T = VTdTranslator
    let pasids = [
      T.pasidKey(0x3A29, 0x47), T.pasidKey(0x3A29, 0x48), T.pasidKey(0x3A28, 0x47), T.pasidKey(0x3A28, 0x49),
    ].enumerated().filter { unit.translator.pasidEntries[$0.element] != nil }.map(\.offset)
    let lines = unit.translator.iotlb.entries.map { Int($0.entry.address >> 40) }.sorted()
    let tables = unit.translator.tables.entries.map { Int($0.entry.table >> 40) }.sorted()
    return [("contexts", contexts), ("pasid", pasids), ("iotlb", lines), ("tables", tables)]
      .map { name, numbers in ([name] + numbers.map(String.init)).joined(separator: " ") }
      .joined(separator: " | ")
  }

  @Test(arguments: vectors) func descriptor(_ vector: Vector) {
    let rig = Rig()
    rig.start(rtaddr: 0x1000 | (vector.legacy ? 0 : 1 << 10))
    rig.startQueue(wide: !vector.legacy)
    crowd(rig.unit)
    #expect(left(rig.unit) == Self.all)
    rig.submit([(vector.first, vector.second)])
    #expect(rig.queueError == nil)
    #expect(rig.read(VTd.Register.iqh, width: 8) == (vector.legacy ? 16 : 32))
    #expect(left(rig.unit) == vector.left ?? Self.all)
    #expect(rig.fabric.invalidations == (vector.message.map { [$0] } ?? []))
    #expect(rig.fabric.responses == (vector.response.map { [$0] } ?? []))
  }

  /// Wait descriptors: plain, with drain, a fence alone.
  @Test(arguments: [(0x2_0000_0025 as UInt64, true), (0x2_0000_00A5, true), (0x2_0000_0045, false)])
  func wait(first: UInt64, writes: Bool) {
    let rig = Rig()
    rig.start(rtaddr: 0x1000 | 1 << 10)
    rig.startQueue(wide: true)
    rig.submit([(first, 0x9010)])
    #expect(rig.queueError == nil)
    #expect(rig[0x9010] == (writes ? 2 : 0))
    #expect(rig.fabric.interrupts == [])
  }

  /// Page requests as the unit writes them.
  @Test func pageRequests() {
    let rig = Rig()
    rig.startScalable([0x49, 0x80_0124, 0x20000], pasid: 0x47)
    rig.write(VTd.Register.pqa, 0xA000, width: 8)
    rig.unit.pageRequest(
      PageRequest(source: sid, pasid: 0x47, address: 0x7F12_3456_7000, write: true, group: 0x12))
    #expect(rig.differences("[a000]=473a290101 [a008]=7f1234567097 [a010]=0 [a018]=0") == [])
    rig.unit.pageRequest(PageRequest(source: sid, pasid: 0x47, address: 0, read: false))
    #expect(rig.differences("[a020]=473a290101 [a028]=4") == [])
    #expect(rig.read(VTd.Register.pqt, width: 8) == 0x40)
    #expect(rig.fabric.responses == [])
  }

  @Test func count() {
    print("VT-d descriptor and register vectors: \(Self.vectors.count + 3 + 2 + 3)")
    #expect(Self.vectors.count == 23)
  }
}

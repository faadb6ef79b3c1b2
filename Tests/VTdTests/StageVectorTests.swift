// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

// Known answers for page tables: each vector is a change of a base, a request, and what becomes of it.

/// One vector: words over the base, request, result (`-code` for a fault), memory afterwards.
struct StageVector: CustomStringConvertible, Sendable {
  var name: String
  var change = ""
  var write = false
  var address = iova
  /// In legacy mode; empty where the vector exists in scalable mode only.
  var legacy = ""
  var scalable: String
  var after = ""
  var pasidEntry: [UInt64]
  var fiveLevels = false
  var sslps: UInt64 = 3

  var description: String { name }

  var configuration: VTdConfiguration {
    var configuration = Rig.configuration
    if fiveLevels { configuration.set(VTd.Cap.mgaw, 56) }
    configuration.set(VTd.Cap.sslps, sslps)
    return configuration
  }

  /// Runs the request cold and warm; both must give the same, and `walk` too.
  func check(_ rig: Rig, _ expected: String) {
    let access: Transaction.Access = write ? .write : .read
    let walked = rig.unit.walk(Transaction(source: sid, address: address, access: access))
    #expect(walked.answer.brief == expected, "walk")
    let cold = rig.dma(access, address)
    #expect(cold.brief == expected, "cold")
    #expect(cold.translation?.fromCache ?? false == false)
    #expect(rig.differences(after) == [])
    let warm = rig.dma(access, address)
    #expect(warm.brief == expected, "warm")
    if warm.translation != nil { #expect(warm.translation?.fromCache == true) }
  }
}

@Suite struct SecondStageVectorTests {
  static let base = "[10000]=11003 [11000]=12003 [12488]=13003 [13a28]=abcde003"
  static let plain: [UInt64] = [0x10089, 0x800123]
  static let tracking: [UInt64] = [0x10289, 0x800123]

  static let vectors: [StageVector] = [
    .init(name: "SS1", legacy: "abcde678", scalable: "abcde678", pasidEntry: plain),
    .init(
      name: "SS2", change: "[12488]=40000883", write: true, legacy: "40145678", scalable: "40145678",
      pasidEntry: plain),
    .init(
      name: "SS3", change: "[11008]=1c0000083", address: 0x7FFF_FFFF, legacy: "1ffffffff",
      scalable: "1ffffffff", pasidEntry: plain),
    .init(
      name: "SS4", change: "[13a28]=abcde001", write: true, legacy: "-5", scalable: "-85", pasidEntry: plain),
    .init(name: "SS5", change: "[12488]=0", legacy: "-6", scalable: "-79", pasidEntry: plain),
    .init(name: "SS6", change: "[12488]=40001083", legacy: "-c", scalable: "-7a", pasidEntry: plain),
    .init(name: "SS7", address: 1 << 48, legacy: "-4", scalable: "-84", pasidEntry: plain),
    .init(
      name: "SS8", change: "[10000]=11001", write: true, legacy: "-5", scalable: "-85", pasidEntry: plain),
    .init(
      name: "SS9", write: true, scalable: "abcde678",
      after: "[10000]=11103 [11000]=12103 [12488]=13103 [13a28]=abcde303", pasidEntry: tracking),
    .init(
      name: "SS9r", scalable: "abcde678",
      after: "[10000]=11103 [11000]=12103 [12488]=13103 [13a28]=abcde103", pasidEntry: tracking),
    .init(
      name: "SS10", change: "[13a28]=fee00003", write: true, legacy: "-e", scalable: "-87",
      pasidEntry: plain),
    .init(
      name: "SS11", change: "[13a28]=00004000abcde003", legacy: "-c", scalable: "-7a", pasidEntry: plain),
    .init(
      name: "SS12", change: "[18008]=10003 [10918]=11003 [111a0]=12003 [12b38]=13003 [13450]=5555003",
      address: 0x1918D_2CE8_A0BC, legacy: "55550bc", scalable: "55550bc",
      pasidEntry: [0x1808D, 0x800123], fiveLevels: true),
    .init(name: "SS13", change: "[10000]=11083", legacy: "-c", scalable: "-7a", pasidEntry: plain),
    .init(
      name: "SS14", change: "[11008]=1c0000083", address: 0x7FFF_FFFF, legacy: "-c", scalable: "-7a",
      pasidEntry: plain, sslps: 1),
  ]

  @Test(arguments: vectors) func scalable(_ vector: StageVector) {
    let rig = Rig(vector.configuration)
    rig.put(Self.base)
    rig.put(vector.change)
    rig.startScalable(vector.pasidEntry)
    vector.check(rig, vector.scalable)
  }

  @Test(arguments: vectors.filter { $0.legacy != "" }) func legacy(_ vector: StageVector) {
    let rig = Rig(vector.configuration)
    rig.put(Self.base)
    rig.put(vector.change)
    if vector.fiveLevels { rig.startLegacy(0x18001, 0x503) } else { rig.startLegacy(0x10001, 0x502) }
    vector.check(rig, vector.legacy)
  }

  @Test func count() {
    print("VT-d second-stage vectors: \(Self.vectors.count)")
    #expect(Self.vectors.count == 15)
  }
}

@Suite struct FirstStageVectorTests {
  static let base = "[20000]=21027 [21000]=22027 [22488]=23027 [23a28]=abcde067"
  static let plain: [UInt64] = [0x49, 0x800124, 0x20000]
  static let unused = "[20000]=21007 [21000]=22007 [22488]=23007"

  static let vectors: [StageVector] = [
    .init(name: "FS1", scalable: "abcde678", pasidEntry: plain),
    .init(name: "FS2", change: "[22488]=400000e7", write: true, scalable: "40145678", pasidEntry: plain),
    .init(
      name: "FS3", change: "[21008]=1c00000e7", address: 0x7FFF_FFFF, scalable: "1ffffffff",
      pasidEntry: plain),
    .init(name: "FS4", address: 0x8000_0000_0000, scalable: "-80", pasidEntry: plain),
    .init(
      name: "FS5", change: "[20800]=21027 [21000]=22027 [22000]=23027 [23008]=777067", write: true,
      address: 0xFFFF_8000_0000_1ABC, scalable: "777abc", pasidEntry: plain),
    .init(name: "FS6", change: "[23a28]=0", scalable: "-71", pasidEntry: plain),
    .init(name: "FS7", change: "[22488]=23023", scalable: "-81", pasidEntry: plain),
    .init(name: "FS8", change: "[23a28]=abcde065", write: true, scalable: "-85", pasidEntry: plain),
    .init(name: "FS9", change: "[22488]=400020e7", write: true, scalable: "-72", pasidEntry: plain),
    .init(
      name: "FS10", change: unused + " [23a28]=abcde007", write: true, scalable: "abcde678",
      after: "[20000]=21027 [21000]=22027 [22488]=23027 [23a28]=abcde067", pasidEntry: plain),
    .init(
      name: "FS11", change: unused + " [23a28]=abcde005", scalable: "abcde678",
      after: "[20000]=21027 [23a28]=abcde025", pasidEntry: plain),
    .init(
      name: "FS12", change: "[28008]=20027 [20918]=21027 [211a0]=22027 [22b38]=23027 [23450]=5555067",
      address: 0x1918D_2CE8_A0BC, scalable: "55550bc", pasidEntry: [0x4D, 0x180_0124, 0x28004],
      fiveLevels: true),
    .init(name: "FS13", change: "[20000]=210a7", scalable: "-72", pasidEntry: plain),
  ]

  @Test(arguments: vectors) func scalable(_ vector: StageVector) {
    let rig = Rig(vector.configuration)
    rig.put(Self.base)
    rig.put(vector.change)
    rig.startScalable(vector.pasidEntry)
    vector.check(rig, vector.scalable)
  }

  @Test func count() {
    print("VT-d first-stage vectors: \(Self.vectors.count)")
    #expect(Self.vectors.count == 13)
  }
}

@Suite struct NestedVectorTests {
  static let base = """
    [10000]=11003 [11000]=12003 [12000]=40000083 [40020000]=21027 [40021000]=22027 [40022488]=23027 \
    [40023a28]=100067
    """
  static let plain: [UInt64] = [0x100C9, 0x800125, 0x20000]
  static let tracking: [UInt64] = [0x102C9, 0x800125, 0x20000]

  static let vectors: [StageVector] = [
    .init(name: "N1", write: true, scalable: "40100678", pasidEntry: plain),
    .init(name: "N2", change: "[40020000]=400027", scalable: "-76", pasidEntry: plain),
    .init(name: "N3", scalable: "-75", pasidEntry: [0x100C9, 0x800125, 0x400000]),
    .init(name: "N4", change: "[40023a28]=400067", scalable: "-79", pasidEntry: plain),
    .init(
      name: "N5", change: "[40023a28]=200067 [12008]=50000081", write: true, scalable: "-85",
      pasidEntry: plain),
    .init(
      name: "N6", change: "[12000]=40000081 [40020000]=21007", scalable: "-77", pasidEntry: plain),
    .init(name: "N7", change: "[40023a28]=0", scalable: "-71", pasidEntry: plain),
    .init(name: "N8", change: "[40020000]=0001000000000027", scalable: "-74", pasidEntry: plain),
    .init(
      name: "N9", write: true, scalable: "40100678",
      after: "[10000]=11103 [11000]=12103 [12000]=40000383", pasidEntry: tracking),
    .init(
      name: "N10", change: "[40023a28]=100007", write: true, scalable: "40100678",
      after: "[10000]=11103 [11000]=12103 [12000]=40000383 [40023a28]=100067", pasidEntry: tracking),
    .init(name: "N11", change: "[40023a28]=100065", write: true, scalable: "-85", pasidEntry: plain),
  ]

  @Test(arguments: vectors) func scalable(_ vector: StageVector) {
    let rig = Rig(vector.configuration)
    rig.put(Self.base)
    rig.put(vector.change)
    rig.startScalable(vector.pasidEntry)
    vector.check(rig, vector.scalable)
  }

  @Test func count() {
    print("VT-d nested vectors: \(Self.vectors.count)")
    #expect(Self.vectors.count == 11)
  }
}

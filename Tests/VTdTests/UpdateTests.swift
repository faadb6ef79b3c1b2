// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

// Accessed and dirty bits, supervisor and execute permissions, and the switches about them.

@Suite struct UpdateTests {
  private static let untouched = "[20000]=21007 [21000]=22007 [22488]=23007 [23a28]=abcde007"

  private func firstStage(
    _ third: UInt64 = 0x20000, _ configure: (inout VTdConfiguration) -> Void = { _ in }
  ) -> Rig {
    var configuration = Rig.configuration
    configure(&configuration)
    let rig = Rig(configuration)
    rig.put(Self.untouched)
    rig.startScalable([0x49, 0x80_0124, third])
    return rig
  }

  private func secondStage(_ configure: (inout VTdConfiguration) -> Void = { _ in }) -> Rig {
    var configuration = Rig.configuration
    configure(&configuration)
    let rig = Rig(configuration)
    rig.put(SecondStageVectorTests.base)
    rig.startScalable(SecondStageVectorTests.tracking)
    rig.startQueue(wide: true)
    return rig
  }

  /// D comes with the first write, also of a page whose translation was cached by a read.
  @Test func dirtyAfterCachedRead() {
    let rig = secondStage()
    _ = rig.dma(.read, iova)
    #expect(rig.differences("[13a28]=abcde103") == [])
    #expect(rig.dma(.read, iova).translation?.fromCache == true)
    #expect(rig.dma(.write, iova).translation?.fromCache == false)
    #expect(rig.differences("[10000]=11103 [13a28]=abcde303") == [])
    #expect(rig.dma(.write, iova).translation?.fromCache == true)
    // Cleared by software without an invalidation: the next write is not seen.
    rig.put("[13a28]=abcde103")
    _ = rig.dma(.write, iova)
    #expect(rig.differences("[13a28]=abcde103") == [])
    rig.submit([(0x123_0032, 0x1234_5040)])
    _ = rig.dma(.write, iova)
    #expect(rig.differences("[13a28]=abcde303") == [])
  }

  @Test func firstStageDirtyAfterCachedRead() {
    let rig = firstStage()
    _ = rig.dma(.read, iova)
    #expect(rig.differences("[20000]=21027 [21000]=22027 [22488]=23027 [23a28]=abcde027") == [])
    _ = rig.dma(.atomic, iova)
    #expect(rig.differences("[20000]=21027 [23a28]=abcde067") == [])
  }

  /// A denied request sets nothing, unless the switch says that upper levels are set first.
  @Test func denied() {
    let quiet = firstStage()
    quiet.put("[23a28]=abcde005")
    #expect(quiet.dma(.write, iova).brief == "-85")
    #expect(quiet.differences(Self.untouched.replacing("abcde007", "abcde005")) == [])
    let loud = firstStage { $0.quirks.setsAccessedOnFault = true }
    loud.put("[23a28]=abcde005")
    #expect(loud.dma(.write, iova).brief == "-85")
    #expect(loud.differences("[20000]=21027 [21000]=22027 [22488]=23027 [23a28]=abcde005") == [])
  }

  /// A large page is marked in its own entry.
  @Test func largePages() {
    let rig = secondStage()
    rig.put("[12488]=40000083")
    _ = rig.dma(.write, iova)
    #expect(rig.differences("[10000]=11103 [11000]=12103 [12488]=40000383") == [])
    let first = firstStage()
    first.put("[22488]=40000087")
    _ = first.dma(.write, iova)
    #expect(first.differences("[22488]=400000e7") == [])
  }

  @Test func extendedAccessed() {
    let rig = firstStage(0x20080)
    _ = rig.dma(.write, iova)
    #expect(rig.differences("[20000]=21427 [21000]=22427 [22488]=23427 [23a28]=abcde467") == [])
  }

  @Test func unsnooped() {
    let second = secondStage { $0.quirks.faultsOnUnsnoopedUpdate = false }
    second.put("[5008]=123")
    #expect(second.dma(.write, iova).brief == "abcde678")
    #expect(second.differences("[13a28]=abcde303") == [])
    let first = firstStage { $0.quirks.faultsOnUnsnoopedUpdate = false }
    first.put("[5008]=124")
    #expect(first.dma(.write, iova).brief == "abcde678")
    #expect(first.differences("[23a28]=abcde067") == [])
  }

  /// Nested: all entries of both stages that were used are accessed; only what was written is dirty.
  @Test func nested() {
    let rig = Rig()
    rig.put(
      """
      [10000]=11003 [11000]=12003 [12000]=13003 [40020000]=21007 [40021000]=22007 [40022488]=23007 \
      [40023a28]=100007 [13100]=40020003 [13108]=40021003 [13110]=40022003 [13118]=40023003 [13800]=55555003
      """)
    rig.startScalable(NestedVectorTests.tracking)
    #expect(rig.dma(.read, iova).brief == "55555678")
    #expect(
      rig.differences(
        """
        [10000]=11103 [11000]=12103 [12000]=13103 [40020000]=21027 [40021000]=22027 [40022488]=23027 \
        [40023a28]=100027 [13100]=40020303 [13108]=40021303 [13110]=40022303 [13118]=40023303 [13800]=55555103
        """) == [])
    // Dirty later, by the leaf alone, although upper tables come from a cache.
    #expect(rig.dma(.write, iova).brief == "55555678")
    #expect(rig.differences("[40023a28]=100067 [13800]=55555303") == [])
  }

  /// Erratum 772415: bits of a first-stage table are written through a read-only mapping.
  @Test func erratum() {
    var configuration = Rig.configuration
    configuration.quirks.errata772415 = true
    let rig = Rig(configuration)
    rig.put(NestedVectorTests.base)
    rig.put("[12000]=40000081 [40020000]=21007")
    rig.startScalable(NestedVectorTests.plain)
    #expect(rig.dma(.read, iova).brief == "40100678")
    #expect(rig.differences("[40020000]=21027 [12000]=40000081") == [])
    #expect(rig.unit.updatesOfReadOnlyPages == 1)
  }

  // MARK: Supervisor and execute

  @Test func supervisor() {
    // SRE: a supervisor reaches supervisor pages, and writes read-only ones unless WPE is set.
    let rig = firstStage(0x20001)
    rig.put("[23a28]=abcde003")
    #expect(rig.dma(.write, iova, pasid: 0, privileged: true).brief == "abcde678")
    #expect(rig.dma(.write, iova, pasid: 0).brief == "-81")
    #expect(rig.dma(.write, iova).brief == "-81")
    let readOnly = firstStage(0x20001)
    readOnly.put("[23a28]=abcde005")
    #expect(readOnly.dma(.write, iova, pasid: 0).brief == "-85")
    #expect(readOnly.dma(.write, iova, pasid: 0, privileged: true).brief == "abcde678")
    #expect(readOnly.differences("[23a28]=abcde065") == [])
    #expect(readOnly.dma(.write, iova, pasid: 0, privileged: true).translation?.fromCache == true)
    #expect(readOnly.dma(.write, iova, pasid: 0).brief == "-85")
  }

  /// RID_PRIV makes requests without PASID the supervisor's.
  @Test func ridPriv() {
    let rig = firstStage(0x20001) { $0.setExtended(VTd.ECap.rprivs, 1) }
    rig.put("[2528]=100000 [23a28]=abcde003")
    #expect(rig.dma(.read, iova).brief == "abcde678")
    #expect(rig.dma(.read, iova).translation?.fromCache == true)
    #expect(rig.dma(.read, iova, pasid: 0).brief == "-81")
  }

  @Test func execute() {
    let rig = firstStage(0x20022) { $0.setExtended(VTd.ECap.ers, 1) }
    #expect(rig.dma(.read, iova, pasid: 0, execute: true).translation?.executable == true)
    rig.put("[23a28]=80000000abcde067")
    rig.startQueue(wide: true)
    rig.submit([(0x12, 0)])
    #expect(rig.dma(.read, iova, pasid: 0, execute: true).brief == "-82")
    #expect(rig.dma(.read, iova, pasid: 0).translation?.executable == false)
    // Without NXE the bit does not count.
    let lax = firstStage(0x20002) { $0.setExtended(VTd.ECap.ers, 1) }
    lax.put("[23a28]=80000000abcde067")
    #expect(lax.dma(.read, iova, pasid: 0, execute: true).brief == "abcde678")
    // SMEP: a supervisor does not execute what is a user's at all levels.
    let smep = firstStage(0x20043) { $0.setExtended(VTd.ECap.ers, 1) }
    #expect(smep.dma(.read, iova, pasid: 0, execute: true).brief == "abcde678")
    #expect(smep.dma(.read, iova, pasid: 0, execute: true, privileged: true).brief == "-82")
    smep.put("[23a28]=abcde003")
    smep.startQueue(wide: true)
    smep.submit([(0x12, 0)])
    #expect(smep.dma(.read, iova, pasid: 0, execute: true, privileged: true).brief == "abcde678")
  }

  // MARK: Switches of second-stage entries

  @Test func switches() {
    let snoop = secondStage { $0.quirks.snoopReservedInTables = true }
    snoop.put("[11000]=12803")
    #expect(snoop.dma(.read, iova).brief == "-7a")
    let ignored = secondStage()
    ignored.put("[11000]=4000000000012803")
    #expect(ignored.dma(.read, iova).brief == "abcde678")
    let execute = secondStage { $0.quirks.executeMakesPresent = true }
    execute.put("[13a28]=abcde004")
    #expect(execute.dma(.read, iova).brief == "-86")
    let codes = secondStage { $0.quirks.legacySecondStageCodes = true }
    codes.put("[13a28]=abcde001")
    #expect(codes.dma(.write, iova).brief == "-5")
    #expect(codes.dma(.write, 1 << 48).brief == "-4")
    #expect(codes.dma(.read, 0).brief == "-6")
    codes.put("[13000]=7ffffffff003")
    #expect(codes.dma(.read, 0x1220_0000).brief == "-c")
    let joined = secondStage { $0.quirks.splitsSecondStageFaults = false }
    joined.put("[13a28]=abcde001")
    #expect(joined.dma(.write, iova).brief == "-79")
  }

  /// Bits that hardware ignores make no difference: software bits 10, 61:52 and 63, EMT and IPAT.
  @Test func ignoredBits() {
    for bit in [2, 3, 4, 5, 6, 10] + Array(52...61) + [63] {
      let rig = Rig()
      rig.put(SecondStageVectorTests.base)
      for at: UInt64 in [0x10000, 0x11000, 0x12488, 0x13A28] { rig[at] |= 1 << UInt64(bit) }
      rig.startScalable(SecondStageVectorTests.plain)
      #expect(rig.dma(.write, iova).brief == "abcde678", "second-stage bit \(bit)")
    }
    for bit in [3, 4, 8, 9, 10, 11] + Array(52...63) {
      let rig = Rig()
      rig.put(FirstStageVectorTests.base)
      for at: UInt64 in [0x20000, 0x21000, 0x22488, 0x23A28] { rig[at] |= 1 << UInt64(bit) }
      rig.startScalable(FirstStageVectorTests.plain)
      #expect(rig.dma(.write, iova).brief == "abcde678", "first-stage bit \(bit)")
    }
  }

  /// Every single bit of the structures, flipped in turn: the unit faults or ignores it, by this list.
  @Test func everyBitOfAPASIDEntry() {
    var codes: [String: [String]] = [:]
    for word in 0..<8 {
      for bit in 0..<64 {
        let rig = Rig()
        rig.put(SecondStageVectorTests.base)
        rig.startScalable(SecondStageVectorTests.plain)
        rig[0x5000 + 8 * UInt64(word)] ^= 1 << UInt64(bit)
        codes[rig.dma(.read, iova).brief, default: []].append("\(word).\(bit)")
      }
    }
    #expect(
      codes["-5a"]?.filter { !["3", "4", "5", "6", "7"].contains($0.prefix(1)) }
        == ["0.5", "0.10", "0.11"] + (16...22).map { "1.\($0)" } + (8...11).map { "2.\($0)" })
    #expect(codes["-5a"]?.filter { ["3", "4", "5", "6", "7"].contains($0.prefix(1)) }.count == 5 * 64)
    #expect(codes["-59"] == ["0.0"])
    // AW 3 is supported and has one level more, where nothing is; AW 0 and 6 are not; PGTT 0, 3 and 6.
    #expect(codes["-5b"] == ["0.3", "0.4", "0.7", "0.8"])
    #expect(
      Set(codes.keys).subtracting(["abcde678", "-5a", "-59", "-5b", "-79", "-7b", "-78", "-75", "-71"])
        == [])
  }
}

extension String {
  fileprivate func replacing(_ old: String, _ new: String) -> String {
    split(separator: " ").map { $0.hasSuffix("=" + old) ? $0.dropLast(old.count) + new : String($0) }
      .joined(separator: " ")
  }
}

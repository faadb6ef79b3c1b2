// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import Corpora

/// Seed archives: one that another program wrote, and what may be wrong with it.
struct ZipReaderTests {
  /// `seed/`, `seed/one` stored, `seed/two` deflated, `.hidden`, `../out`, and `seed/bz` by another method.
  static let archive = hex(
    """
    504b03041400000000000000215000000000000000000000000005000000736565642f504b03041400000000000000215086
    a61036050000000500000008000000736565642f6f6e6568656c6c6f504b030414000000080000002150d165587c08000000
    9600000008000000736565642f74776f4b4c4a4e1c7c0800504b0304140000000000000021508316dc8c0100000001000000
    070000002e68696464656e78504b0304140000000000000021508316dc8c0100000001000000060000002e2e2f6f75747850
    4b03042e0000000c000000215086a61036290000000500000007000000736565642f627a425a68393141592653591931653d
    00000081000244a000219a68334d07338bb9229c28480c98b29e80504b010214031400000000000000215000000000000000
    0000000000050000000000000000000000800100000000736565642f504b010214031400000000000000215086a610360500
    000005000000080000000000000000000000800123000000736565642f6f6e65504b0102140314000000080000002150d165
    587c080000009600000008000000000000000000000080014e000000736565642f74776f504b010214031400000000000000
    21508316dc8c010000000100000007000000000000000000000080017c0000002e68696464656e504b010214031400000000
    00000021508316dc8c01000000010000000600000000000000000000008001a20000002e2e2f6f7574504b01022e032e0000
    000c000000215086a6103629000000050000000700000000000000000000008001c7000000736565642f627a504b05060000
    0000060006003d010000150100000000
    """)
  /// Where the directory's entries of `seed/one` and `seed/two` begin, and the end record.
  private static let one = 328
  private static let two = 382
  private static let end = 594
  /// Where the local header of `seed/one` is.
  private static let header = 35

  private func archive(_ changes: [Int: UInt8]) -> [UInt8] {
    var bytes = Self.archive
    for (place, byte) in changes { bytes[place] = byte }
    return bytes
  }

  private func names(_ zip: ZipReader) -> [String] {
    zip.members.map { String(decoding: $0.name, as: UTF8.self) }
  }

  @Test func members() throws {
    let zip = ZipReader(Self.archive)
    #expect(zip.damage == nil)
    #expect(names(zip) == ["seed/one", "seed/two"])
    #expect(zip.ignored == 2)
    #expect(zip.refused.map { $0.reason } == ["its name points out of the archive", "compression method 12"])
    #expect(try zip.contents(of: zip.members[0]) == Array("hello".utf8))
    #expect(try zip.contents(of: zip.members[1]) == Array(String(repeating: "abc", count: 50).utf8))
  }

  @Test func anEmptyArchive() {
    let bytes = Array("PK".utf8) + [5, 6] + [UInt8](repeating: 0, count: 18)
    #expect(ZipReader.isOne(bytes))
    #expect(ZipReader(bytes).damage == nil && ZipReader(bytes).members.isEmpty)
  }

  @Test func aCommentMayFollow() {
    let comment = Array("PK and so on".utf8)
    let bytes = Array(Self.archive.prefix(Self.archive.count - 2)) + [UInt8(comment.count), 0] + comment
    #expect(names(ZipReader(bytes)) == ["seed/one", "seed/two"])
  }

  @Test func sixtyFourBitSizesAreRefused() {
    let whole = ZipReader(archive([Self.end + 10: 0xFF, Self.end + 11: 0xFF]))
    #expect(whole.damage?.reason == "an archive with 64-bit sizes")
    let size = (24..<28).reduce(into: [Int: UInt8]()) { $0[Self.one + $1] = 0xFF }
    let zip = ZipReader(archive(size))
    #expect(names(zip) == ["seed/two"])
    #expect(zip.refused.first?.reason == "it has 64-bit sizes")
  }

  @Test func encryptedMembersAreRefused() {
    let zip = ZipReader(archive([Self.one + 8: 1]))
    #expect(names(zip) == ["seed/two"] && zip.refused.first?.reason == "it is encrypted")
  }

  @Test(arguments: ["/abs", "a/../b", "..", "a\\..\\b", "nul\0"])
  func namesThatPointOut(_ name: String) {
    // The name of `seed/one` has eight bytes.
    let padded = Array(name.utf8) + Array("/aaaaaaaa".utf8).prefix(8 - name.utf8.count)
    var changes: [Int: UInt8] = [:]
    for (index, byte) in padded.enumerated() { changes[Self.one + 46 + index] = byte }
    let zip = ZipReader(archive(changes))
    #expect(zip.refused.first?.reason == "its name points out of the archive")
    #expect(names(zip) == ["seed/two"])
  }

  @Test func contentsAreChecked() {
    for (place, reason) in [
      (Self.one + 16, "the checksum is another one"), (Self.one + 24, "5 bytes where the directory says"),
      (Self.header + 30 + 8, "the checksum is another one"), (Self.header, "here should be a member"),
      (Self.header + 27, "the archive ends in its data"), (Self.one + 22, "the archive ends in its data"),
    ] {
      let zip = ZipReader(archive([place: Self.archive[place] ^ 0x40]))
      do throws(ZipReader.Damage) {
        _ = try zip.contents(of: zip.members[0])
        Issue.record("\(reason) is not found")
      } catch { #expect(error.reason.contains(reason), "\(error)") }
    }
  }

  /// A member inflates to what the directory says, and all of them to no more than the limit.
  @Test func bombs() throws {
    let zip = ZipReader(archive([Self.two + 24: 10]))
    do throws(ZipReader.Damage) {
      _ = try zip.contents(of: zip.members[1])
      Issue.record("it inflates to more than it says")
    } catch { #expect(error.reason == "inflates to more than 10 bytes") }
    var limits = ZipReader.Limits()
    limits.member = 149
    let reasons = ZipReader(Self.archive, limits: limits).refused.map { $0.reason }
    #expect(reasons.contains("150 bytes are more than 149"))
    limits.member = 150
    limits.total = 154
    let small = ZipReader(Self.archive, limits: limits)
    #expect(names(small) == ["seed/one"])
    #expect(small.refused[0].reason == "the archive inflates to more than 154 bytes")
  }

  @Test func truncationAtEveryByte() {
    for count in 0..<Self.archive.count {
      let zip = ZipReader(Array(Self.archive.prefix(count)))
      #expect(zip.damage != nil && zip.members.isEmpty, "\(count) bytes")
    }
  }

  @Test func garbage() {
    var dice = Dice(5)
    var read = 0
    for _ in 0..<10000 {
      let zip = ZipReader(dice.mutate(Self.archive))
      for member in zip.members {
        do throws(ZipReader.Damage) {
          #expect(try zip.contents(of: member).count == member.size)
          read += 1
        } catch {}
      }
    }
    #expect(read > 1000)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers

// Expected words come from the reference's vectors and from recordings, not from the code.

@Suite("AMD-Vi driver: commands and ranges")
struct EncodingTests {
  @Test func rangesAsRecorded() {
    func field(_ first: UInt64, _ length: UInt64) -> UInt64 {
      AMDViRange(covering: Span64(first, first + (length - 1))).field
    }
    #expect(field(0x1_0000, 0x1000) == 0x1_0000)
    #expect(field(0x2_0000, 0x2000) == 0x2_0001)
    #expect(field(0x20_0000, 0x20_0000) == 0x2F_F001)
    #expect(field(0x41_0000, 0x1_0000) == 0x41_7001)
    #expect(field(0x4000_0000, 0x4000) == 0x4000_1001)
    #expect(field(0x1000, 0x2000) == 0x1001, "two pages that need 16 KiB")
    #expect(field(0, 1 << 52) == 0x7_FFFF_FFFF_F001)
    #expect(field(0, 1 << 53) == 0x7FFF_FFFF_FFFF_F001)
    #expect(AMDViRange(covering: .everything).field == 0x7FFF_FFFF_FFFF_F001)
  }

  @Test func piecesAsRecorded() {
    func pieces(_ first: UInt64, _ length: UInt64) -> [UInt64] {
      AMDViRange.pieces(of: Span64(first, first + (length - 1))).map { $0.field }
    }
    #expect(pieces(0x74_4000, 0xC000) == [0x74_5001, 0x74_B001])
    #expect(
      pieces(0x80_1000, 0x20_0000) == [
        0x80_1000, 0x80_2001, 0x80_5001, 0x80_B001, 0x81_7001, 0x82_F001, 0x85_F001, 0x8B_F001, 0x97_F001,
        0xA0_0000,
      ])
    #expect(
      pieces(0x112_A000, 0x10_0000) == [
        0x112_A001, 0x112_D001, 0x113_7001, 0x115_F001, 0x11B_F001, 0x120_F001, 0x122_3001, 0x122_8001,
      ])
  }

  /// Every piece is aligned, they follow each other, and cover the span: over edges and sizes.
  @Test func piecesCoverTheirSpan() {
    let edges: [UInt64] = [0, 0x1000, 0x7FFF_F000, 1 << 47, 1 << 63, .max - 0xFFF, .max - 0x1FFF]
    for first in edges {
      for pages: UInt64 in [1, 2, 3, 7, 512, 513] {
        let (sum, overflow) = first.addingReportingOverflow(pages << 12 - 1)
        let span = Span64(first, overflow ? .max : sum)
        let pieces = AMDViRange.pieces(of: span)
        #expect(pieces.count <= 104)
        var next = span.first
        for piece in pieces {
          let sized = piece.field & 1 != 0
          let zero = UInt64((~(piece.field | 0xFFF)).trailingZeroBitCount)
          let size: UInt64 = sized ? 2 << zero : 4096
          #expect(piece.field & ~0xFFF & ~(size - 1) == next)
          #expect(next & (size - 1) == 0)
          next &+= size
        }
        #expect(next == span.last &+ 1)
      }
    }
    #expect(AMDViRange.pieces(of: .everything).count == 2)
  }

  @Test func commandsAsRecorded() {
    let all = AMDViCommandWords.pages(.everything, domain: 7, tables: true)
    #expect(all.low == 0x3000_0007_0000_0000)
    #expect(all.high == 0x7FFF_FFFF_FFFF_F003)
    #expect(AMDViCommandWords.entry(of: 0x20).low == 0x2000_0000_0000_0020)
    let wait = AMDViCommandWords.wait(storing: 0x1B, at: 0x208_2000)
    #expect(wait.low == 0x1000_0000_0208_2001)
    #expect(wait.high == 0x1B)
    #expect(AMDViCommandWords.everything.low == 0x8000_0000_0000_0000)
    let guest = AMDViCommandWords.pages(
      AMDViRange(covering: Span64(0x5000, 0x5FFF)), domain: 9, pasid: 0x1_2345, tables: false)
    #expect(guest.low == 0x3000_0009_0001_2345)
    #expect(guest.high == 0x5004)
    let cache = AMDViCommandWords.deviceCache(
      of: 0x3A29, queueDepth: 32, AMDViRange(covering: Span64(0x5000, 0x5FFF)), pasid: 0x1234)
    #expect(cache.low == 0x4034_3A29_2012_3A29)
    #expect(cache.high == 0x5004)
    let response = AMDViCommandWords.response(to: 0x21, of: 0x18, pasid: 3, status: 0xF)
    #expect(response.low == 0x7000_0003_0000_0018)
    #expect(response.high == 0x0000_F021_0000_0004)
  }

  /// The lowest free one; what others have is not given; all of them, and no more.
  @Test func domainIDs() {
    let ids = AMDViDomainIDs(takenElsewhere: 0b101_1100)
    #expect(ids.allocate() == 1)
    #expect(ids.allocate() == 5)
    #expect(ids.allocate() == 7)
    ids.free(5)
    #expect(ids.allocate() == 5)
    var given = 0
    while ids.allocate() != nil { given += 1 }
    #expect(given == 65535 - 7)
    #expect(AMDViDomainIDs(takenElsewhere: 0).allocate() == 1)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import Corpora

/// The DEFLATE reader, against streams that another program wrote, and against every stream that is none.
struct InflateTests {
  /// What `dynamic` is: 60 lines of syzkaller's text.
  static let text: [UInt8] = (0..<60).flatMap { index -> [UInt8] in
    let digits = String(index * index * 37 % 0xFFFFFF, radix: 16)
    let address = String(repeating: "0", count: 6 - digits.count) + digits
    return Array("ioctl$IOMMU_IOAS_MAP(r\(index % 7), 0x3b85, &(0x7f0000\(address)))\n".utf8)
  }

  /// One block with codes of its own.
  static let dynamic = hex(
    """
    9596b16a03311044fb7c858b106c70b123ed4aa7d2a50be340486d4eb72730180221853f3fba265554ccf5c3a1a7d1dbbd7f
    2d3f8fd7f3f572f9bc9dafa78fdbe5f4beff96e34e9eb14e76dcbdede5999bfc7d87c3cbfddf0c469960c34c18658a0e3371
    9081fa30a3834cb0f1796c908965fc9f34c8581c9f67c43ac368d64585665dabd1acd7ac2c6b203bcbba5fa9b0ac31256759
    633165590799e85ef7ba09cb3a94c558d661756559470d74affb531096756cd559d66a4d59d6ba64bad7fd990acbda663396
    75425596752a46f7ba2b84f6752e93b3aca700dad7d3bcd2bdee7aa37d5d3c19cb7acea07d5d2174afbb7a695f2fe6ceb276
    a9b4afbd3addeb3e16685fb7d08c65ddd6c6fa1a5223dbeb6d64b1be46d099dd431041fb1ab129dbeb6d9cb2be865561f710
    7457b1be46ce2bdbeb6dd4b3be46b1c6ee21982db3be46b5c8f67a5b43585fc3adb07b08d614595fa3656cdc7e01
    """)

  private func inflate(_ bytes: [UInt8], limit: Int = 1 << 20) throws(Inflate.Failure) -> [UInt8] {
    try Inflate.bytes(bytes[...], limit: limit)
  }

  @Test func fixedCode() throws {
    #expect(
      try inflate(hex("4bcec92f4ed530a84843039a5c00")) == Array("close(0xffffffffffffffff)\n".utf8))
  }

  @Test func codesOfItsOwn() throws { #expect(try inflate(Self.dynamic) == Self.text) }

  @Test func distanceCodeOfOneWord() throws {
    let stream =
      hex("edc13101000000c2a0aceb5fc21a1e4001") + [UInt8](repeating: 0, count: 96) + hex("af06")
    #expect(try inflate(stream) == [UInt8](repeating: 97, count: 100_000))
  }

  @Test(arguments: [0, 1, 65535, 65536, 200_000])
  func storedBlocks(_ count: Int) throws {
    var dice = Dice(1)
    let bytes = dice.bytes(count)
    let stream = Deflate.stored(bytes)
    #expect(try inflate(stream) == bytes)
    #expect(stream.count == count + max(1, (count + 65534) / 65535) * 5)
  }

  @Test func whatFollowsTheStreamIsIgnored() throws {
    #expect(try inflate(Self.dynamic + [1, 2, 3]) == Self.text)
    #expect(try inflate(Deflate.stored([7]) + [1, 2, 3]) == [7])
  }

  /// A stream that is cut off is never mistaken for a whole one.
  @Test func everyPrefixIsTruncated() {
    for stream in [Self.dynamic, Deflate.stored(Self.text), hex("4bcec92f4ed530a84843039a5c00")] {
      for count in 0..<stream.count {
        #expect(throws: Inflate.Failure.self) { try inflate(Array(stream.prefix(count))) }
      }
    }
  }

  @Test(arguments: [
    ("07", "type 3"), ("010000ffff00", nil), ("010100ffff00", "complement"), ("4b0400", nil),
    // A distance to before the beginning, a length of code 286, a distance of code 30.
    ("030200", "before the beginning"), ("1b03", "code 286"), ("4b04fe0000", nil),
    // Too many codes; a code with room left over; one with too many words.
    ("fdffffff", "too many codes"), ("05c00100000000000000", nil),
    ("05e0ffffffffffffffffffff", "code lengths"),
  ])
  func malformed(_ stream: String, _ reason: String?) {
    do throws(Inflate.Failure) {
      let bytes = try inflate(hex(stream))
      #expect(reason == nil && bytes.count < 300)
    } catch {
      if let reason { #expect("\(error)".contains(reason)) }
    }
  }

  @Test func limit() throws {
    #expect(try inflate(Self.dynamic, limit: Self.text.count) == Self.text)
    for limit in [0, 1, 100, Self.text.count - 1] {
      do throws(Inflate.Failure) {
        _ = try inflate(Self.dynamic, limit: limit)
        Issue.record("more than the limit")
      } catch {
        guard case .tooLong(limit) = error else {
          Issue.record("\(error)")
          continue
        }
      }
    }
  }

  /// No bytes trap, and none make more than the limit.
  @Test func garbage() {
    var dice = Dice(2)
    var read = 0
    for round in 0..<20000 {
      let bytes = round % 2 == 0 ? dice.mutate(Self.dynamic) : dice.bytes(dice.below(60))
      do throws(Inflate.Failure) {
        let output = try inflate(bytes, limit: 4096)
        read += 1
        #expect(output.count <= 4096)
      } catch {}
    }
    #expect(read > 100)
  }

  @Test func hashes() {
    #expect("\(SHA1.of([]))" == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
    #expect("\(SHA1.of(Array("abc".utf8)))" == "a9993e364706816aba3e25717850c26c9cd0d89d")
    #expect(
      "\(SHA1.of(Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))"
        == "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
    #expect(
      "\(SHA1.of([UInt8](repeating: 97, count: 1_000_000)))" == "34aa973cd4c4daa4f61eeb2bdbad27316534016f")
    #expect(CRC32.of(Array("123456789".utf8)) == 0xCBF4_3926)
  }
}

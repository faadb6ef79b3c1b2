// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Testing

@Suite("syzkaller text: random")
struct SyzRoundTripTests {
  @Test("10,000 random programs read back as they were written, and so do their renumbered forms")
  func roundTrips() throws {
    var random = SyzRandom(seed: 1)
    var calls = 0
    for _ in 0..<10_000 {
      let program = random.program(["close", "ioctl$IOMMU_IOAS_MAP", "0", "r1"])
      calls += program.calls.count
      let text = SyzWriter.write(program)
      let again = try SyzParser.parse(text)
      try #require(again == program, "\(text)")
      try #require(SyzWriter.write(again) == text)
      let renumbered = program.renumbered()
      try #require(try SyzParser.parse(SyzWriter.write(renumbered)) == renumbered)
      try #require(renumbered.renumbered() == renumbered)
    }
    #expect(calls > 20_000)
  }

  @Test("random bytes, and programs with random bytes changed, are read or refused")
  func garbage() {
    var random = SyzRandom(seed: 2)
    let names = SyzCalls.all.map(\.name)
    var read = 0
    var refused = 0
    for round in 0..<8_000 {
      var bytes: [UInt8]
      if round % 4 == 0 {
        bytes = (0..<random.below(60)).map { _ in UInt8.random(in: 0...255, using: &random) }
      } else {
        bytes = Array(SyzWriter.write(random.program(names)).utf8)
        for _ in 0..<random.below(4) where !bytes.isEmpty {
          let index = random.below(bytes.count)
          switch random.below(3) {
          case 0: bytes[index] = Array("(){}[]<>=&@'\"$,/+:# rnA0x\\\n".utf8)[random.below(26)]
          case 1: bytes.remove(at: index)
          default: bytes.removeLast(bytes.count - index)
          }
        }
      }
      do throws(SyzProblem) {
        let program = try SyzParser.parse(bytes)
        read += 1
        // Whatever was read has bytes or a reason why not.
        for isStrict in [false, true] {
          do throws(SyzProblem) {
            let image = try SyzImage(program, isStrict: isStrict)
            #expect(!isStrict || image.repairs.isEmpty)
          } catch {
            #expect(error.line > 0 && error.line <= bytes.count + 1)
          }
        }
      } catch {
        refused += 1
        #expect(error.line > 0 && error.column > 0)
      }
    }
    #expect(read > 1_000)
    #expect(refused > 1_000)
  }
}

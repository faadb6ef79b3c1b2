// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Interpreter
import Language
import Testing
import UAPI

/// Which bytes a statement becomes.
@Suite struct RequestTests {
  /// The last request of a script on a target that agrees to everything.
  private func target(
    _ text: String, _ prepare: (FakeTarget) -> Void = { _ in },
    sourceLocation: SourceLocation = #_sourceLocation
  ) -> FakeTarget {
    let target = FakeTarget()
    prepare(target)
    let result = Interpreter.run(SourceFile(name: "test.iofd", text: text), loader: MemoryLoader()) {
      Rig(target: target, bench: nil, backend: "fake")
    }
    #expect(
      result.verdict == .passed, "\(DiagnosticRenderer().render(result.allDiagnostics))",
      sourceLocation: sourceLocation)
    return target
  }

  @Test func mapIsFixedWhereAnIOVAIsGiven() {
    let fixed = target("map id:7 0x5000 len=8K iova=0x1000 ro")
    #expect(fixed.word(0) == 40)
    #expect(fixed.word(4) == 5)
    #expect(fixed.word(8) == 7)
    #expect(fixed.word(16, 8) == 0x5000)
    #expect(fixed.word(24, 8) == 0x2000)
    #expect(fixed.word(32, 8) == 0x1000)
    #expect(target("map id:7 0x5000 len=8K").word(4) == 6)
    #expect(target("map id:7 0x5000 len=8K iova=1 auto wo").word(4) == 2)
    #expect(target("map id:7 0x5000 len=8K fixed none").word(4) == 1)
    #expect(target("map id:7 0x5000 iova=0x1000 last=0x17ff").word(24, 8) == 0x800)
  }

  @Test func rawFieldsWin() {
    let odd = target("map id:7 0x5000 len=8K flags=0x80 reserved=1 size=44 iova=max")
    #expect(odd.word(0) == 44)
    #expect(odd.word(4) == 0x80)
    #expect(odd.word(12) == 1)
    #expect(odd.word(32, 8) == .max)
    let request = target("request IOAS_MAP flags=FIXED_IOVA|READABLE ioas_id=any:3 length=raw(5) size=8")
    #expect(request.word(0) == 8)
    #expect(request.word(4) == 5)
    #expect(request.word(24, 8) == 5)
  }

  @Test func structsOfAnySize() {
    let raw = target("ioctl default 0x3b80 { u32 8; u32 99; hex\"01ff\"; u16 0x1234; u8 7; u64 max }")
    #expect(raw.requests.last?.request == 0x3B80)
    #expect(raw.word(0) == 8)
    #expect(raw.word(4) == 99)
    let named = target("ioctl default IOAS_ALLOC { size=4096 flags=1 }")
    #expect(named.word(0) == 4096)
    #expect(named.word(4) == 1)
  }

  @Test func selftestOperations() {
    let reserve = target("reserve id:4 0x1000...0x2fff")
    #expect(reserve.requests.last?.request == 0x3BA0)
    #expect(reserve.word(0) == 72)
    #expect(reserve.word(4) == 1)
    #expect(reserve.word(8) == 4)
    #expect(reserve.word(16, 8) == 0x1000)
    #expect(reserve.word(24, 8) == 0x2000)
    let iotlb = target("check iotlb id:4 2 0xbeef")
    #expect(iotlb.word(8) == 4)
    #expect(iotlb.word(16) == 2)
    #expect(iotlb.word(20) == 0xBEEF)
    #expect(target("selftest MD_CHECK_IOTLB id=4 id2=2 iotlb=max").word(20) == 0xFFFF_FFFF)
  }

  @Test func theFirstAttachmentPlugsTheDeviceIn() {
    let answer: (FakeTarget) -> Void = { target in
      target.replies = [(16, [2, 0, 0, 0, 4, 0, 0, 0, 3, 0, 0, 0])]
    }
    let first = target("d = device add pasid⏎attach $d to=id:1".replacing("⏎", with: "\n"), answer)
    #expect(first.word(4) == 12)
    #expect(first.word(8) == 1)
    #expect(first.word(28) == 4)
    let later = target("d = device add\nattach $d to=id:1\nattach $d to=id:9", answer)
    #expect(later.word(4) == 18)
    #expect(later.word(8) == 2)
    #expect(later.word(20) == 9)
    let replaced = target("d = device add\nattach $d to=id:1\nreplace $d to=id:9", answer)
    #expect(replaced.word(4) == 10)
    let pasid = target("d = device add\nattach $d to=id:1\nattach $d to=id:9 pasid=5", answer)
    #expect(pasid.word(4) == 18)
    #expect(pasid.word(16) == 5)
    #expect(target("d = device add\nattach $d to=id:1\ndetach $d", answer).word(4) == 20)
    #expect(target("d = device add\nattach $d to=id:1\ndestroy $d", answer).word(4) == 2)
    #expect(target("d = device add\nattach $d to=id:1\nhwinfo $d", answer).word(8) == 3)
  }

  @Test func theNewestOpenFileIsUsedUnlessOneIsNamed() {
    let target = target("a = open\nb = open\nx = ioas create\ny = ioas create on=$a\non $a\nz = ioas create")
    #expect(target.requests.map { $0.fd } == [4, 3, 3])
    #expect(self.target("x = ioas create").requests.map { $0.fd } == [3])
  }

  @Test func conditionsChooseTheExpectation() {
    _ = target("destroy id:1 -> EBUSY [kernel<6.13] | ENOENT [kernel>=7.0]") { $0.answers = [2] }
    _ = target("destroy id:1 -> EBUSY [kernel<6.13] | ok")
    _ = target("[!kernel>=6.0] destroy id:1 -> EBUSY\ndestroy id:1")
    _ = target("if mock { destroy id:1 -> EBUSY } else { destroy id:1 }")
  }
}

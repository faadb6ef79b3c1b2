// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Runner
import Testing
import UAPI

@testable import Replay

/// One input of every format, and what becomes of it.
struct InputPlayerTests {
  private func play(
    _ text: String, label: String = "corpus/a", _ change: (inout InputPlayer.Configuration) -> Void = { _ in }
  ) -> ReplayOutcome {
    var configuration = InputPlayer.Configuration()
    change(&configuration)
    return InputPlayer(configuration).play(
      ReplayInput(label: label, name: String(label.split(separator: "/").last ?? ""), bytes: Array(text.utf8))
    )
  }

  private static let map = """
    prog one
    open 0
    ioctl $0 0x3b81 12 8:4>1
    ioctl $0 0x3b85 40 4:4=6 8:4=$1 16:8=+0 24:8=4096
    dump +0 4
    close 0

    """

  @Test func recordedProgramsAnswer() {
    let outcome = play(Self.map)
    #expect(outcome.verdict == .passed && outcome.signature == nil)
    #expect(
      outcome.answers == [
        "0 open ok", "1 ioctl 3b81 rc=0 errno=0 +8=1", "2 ioctl 3b85 rc=0 errno=0 +32=1000",
        "3 dump 00000000",
        "4 close 0",
      ])
    #expect(outcome.calls == 4)
  }

  @Test func theKernelIsTheConfigurations() {
    let text = "prog one\nopen 0\nioctl $0 0x3b8f 40\n"
    #expect(play(text).answers[1] == "1 ioctl 3b8f rc=-1 errno=22")
    #expect(play(text) { $0.rigs = Rigs(kernel: .v6_12) }.answers[1] == "1 ioctl 3b8f rc=-1 errno=25")
  }

  @Test func aProgramInBytesNamesItsKernel() throws {
    let input = try ByteProgram(text: "bytes 1 profile=1\nIOAS_MAP_FILE b=1 x=1 y=0x1000\n")
    func answers(_ rigs: Rigs) -> [String] {
      var configuration = InputPlayer.Configuration()
      configuration.rigs = rigs
      return InputPlayer(configuration).play(ReplayInput(label: "a", name: "a", bytes: input.bytes)).answers
    }
    // 6.12 has no such command, and what the caller chose comes first.
    #expect(answers(Rigs()).contains { $0.hasSuffix("ioctl 3b8f rc=-1 errno=25") })
    #expect(!answers(Rigs(kernel: .v7_2)).contains { $0.hasSuffix("ioctl 3b8f rc=-1 errno=25") })
  }

  @Test func tooManyCallsAreATimeOut() {
    let outcome = play(Self.map) { $0.callLimit = 2 }
    #expect(outcome.verdict == .timedOut)
    #expect(outcome.signature?.description == "timeout IOAS_ALLOC: calls")
    // What was behind the limit was not asked.
    #expect(outcome.answers.count <= 3)
    #expect(play(Self.map) { $0.callLimit = 4 }.verdict == .passed)
  }

  // MARK: syzkaller

  @Test func aCorpusProgramExpectsNothing() {
    let text = "close(0x9)\nmunmap(0x0, 0x1000)\nfoo$bar(0x1)\n"
    let outcome = play(text)
    #expect(outcome.verdict == .passed)
    #expect(outcome.unsupported == ["foo$bar": 1, "munmap": 1])
    #expect(outcome.answers[0] == "0 close rc=-1 errno=9")
    #expect(play("foo$bar(0x1)\n").verdict == .unsupported("no call of it is known: foo$bar"))
  }

  @Test func aTestSaysWhatItExpects() {
    #expect(play("close(0x9) # EBADF\n").verdict == .passed)
    let outcome = play("close(0x9) # ENOENT\n")
    #expect(outcome.verdict == .failed)
    #expect(outcome.message == "1:1: close: expected ENOENT, got EBADF")
    #expect(outcome.signature?.description == "failed close: expected ENOENT, got EBADF")
    #expect(outcome.details == "> close(0x9) # ENOENT\n")
    #expect(play("close(0x9)\n") { $0.everyProgramIsATest = true }.verdict == .failed)
    #expect(play("close(0x9)\n", label: "sys/linux/test/close").verdict == .failed)
    #expect(play("# requires: arch=arm64\nclose(0x9)\n").verdict == .skipped("it requires arch=arm64"))
    #expect(play("# requires: -arch=arm64 -executor,arch=arm64\nclose(0x9) # 9\n").verdict == .passed)
    #expect(play("close(0x9) # EBADF\nfoo$bar()\n").verdict == .unsupported("1 of its 2 calls are not known"))
  }

  // MARK: Scripts

  @Test func scriptsSayWhatTheyExpect() {
    #expect(play("iofd 1\nvm = ioas create\n").verdict == .passed)
    let outcome = play("iofd 1\nvm = ioas create -> EEXIST\n")
    #expect(outcome.verdict == .failed)
    #expect(outcome.signature?.call == "IOAS_ALLOC")
    #expect(outcome.message?.hasPrefix("2:") == true)
    #expect(outcome.details.contains("EEXIST"))
    #expect(play("iofd 1\nvm = ioas craete\n").verdict == .invalid)
    #expect(play("iofd 1\nrequire kernel>=9.0\n").verdict.word == "skipped")
    // An endless one ends at the limit of calls.
    let long = "iofd 1\nfor i in 1...100 {\n  vm = ioas create\n}\n"
    #expect(play(long) { $0.callLimit = 10 }.verdict == .timedOut)
  }

  @Test func hardwareThatAKernelDoesNotHave() throws {
    var configuration = InputPlayer.Configuration()
    configuration.rigs = Rigs(backend: try Backend("riscv:vfio=isolated"))
    let old = try ByteProgram(text: "bytes 1 profile=1\nIOAS_ALLOC\n")
    let outcome = InputPlayer(configuration).play(ReplayInput(label: "a", name: "a", bytes: old.bytes))
    #expect(outcome.verdict.word == "unsupported" && outcome.verdict.reason?.contains("ENODEV") == true)
    let new = try ByteProgram(text: "bytes 1 profile=2\nIOAS_ALLOC\n")
    #expect(
      InputPlayer(configuration).play(ReplayInput(label: "a", name: "a", bytes: new.bytes)).verdict == .passed
    )
  }

  @Test func aProgramThatTakesItsMemoryAway() {
    let outcome = play("prog one\nunmapmem +0 4096\nopen 0\nput +0 8 1\n")
    #expect(outcome.verdict == .invalid)
    #expect(outcome.message == "it cannot go on: EFAULT: user memory is not writable (0x200000000000)")
  }

  // MARK: What is no program

  @Test(arguments: [
    "prog one\nopen zero\n", "close(\n", "iofd 1\n!\n", "\u{89}IOF\u{9}\0\0\0",
    "[1.0] executing program 0:\n",
  ])
  func invalid(_ text: String) {
    let bytes: [UInt8] = text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
    let outcome = InputPlayer(InputPlayer.Configuration()).play(
      ReplayInput(label: "a", name: "a", bytes: bytes))
    #expect(outcome.verdict == .invalid && outcome.signature != nil && outcome.message?.isEmpty == false)
  }

  @Test func nothingIsAProgram() {
    #expect(play("").verdict == .passed)
  }

  /// The outcome is a function of the input: the same player, in whatever order.
  @Test func playingLeavesNothingBehind() {
    let player = InputPlayer(InputPlayer.Configuration())
    var dice = Dice(3)
    let inputs = (0..<40).map { index in
      ReplayInput(label: "\(index)", name: "\(index)", bytes: dice.bytes(16 * (1 + index % 20)))
    }
    let first = inputs.map { player.play($0) }
    for (input, outcome) in zip(inputs, first).reversed() {
      let again = player.play(input)
      #expect(
        again.answers == outcome.answers && again.verdict == outcome.verdict && again.calls == outcome.calls)
    }
  }
}

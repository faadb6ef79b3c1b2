// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Replay
import Runner
import Testing

@testable import Fuzzing

/// One input: what it reaches, and what becomes of it in a process of its own.
struct TrialTests {
  static let scenes = ByteScene.Family.allCases.flatMap { family in
    ByteScene.variants(family).indices.map { ByteScene(family, variant: $0) }
  }

  private func program(_ scene: ByteScene, _ lines: [String]) throws -> [UInt8] {
    try ByteProgram(
      text: "bytes 2 profile=2 flags=\(scene.flags)\n" + lines.map { $0 + "\n" }.joined()
    ).bytes
  }

  /// Where the kernel lets no program have the device, or gives it no page table: nothing to have, interrupts that are not
  /// isolated, a region that has to be mapped one to one, no page of 4 KiB. Everywhere else the device does DMA.
  static let refused: Set<String> = [
    "mock", "riscv:vfio=coherent", "riscv", "smmuv3:gran4k=0,gran64k=0",
    "amd:default-domain=dma,unity-first=0x80000000,unity-last=0x80001fff",
  ]

  @Test(arguments: scenes)
  func everySceneCanBeMadeAndReachesItsDevices(_ scene: ByteScene) throws {
    var configuration = InputPlayer.Configuration()
    configuration.checksEveryCall = true
    let player = InputPlayer(configuration)
    let bytes = try program(scene, ["dma-read", "dma-write", "IOAS_UNMAP"])
    let outcome = player.play(ReplayInput(label: "x", name: "", bytes: bytes))
    #expect(outcome.verdict == .passed, "\(outcome.message ?? "")")
    // A write brings no bytes back.
    let reached = [" done 1", " done 0"].allSatisfy { end in outcome.answers.contains { $0.hasSuffix(end) } }
    let isRefused = Self.refused.contains(scene.backend)
    #expect(reached != isRefused, "\(outcome.answers)")
  }

  /// A record of zeros does what it is for on each kind of hardware, or is refused: it breaks nothing.
  @Test(arguments: ByteScene.Family.allCases)
  func everyOperationKeepsTheRules(_ family: ByteScene.Family) throws {
    let trial = LocalTrial(Rigs())
    var answers: Set<UInt32> = []
    for shape in ByteShape.all {
      let outcome = trial.run(try program(ByteScene(family), [shape.name, shape.name]), .thorough)
      #expect(outcome.finding == nil, "\(shape.name): \(outcome.finding?.message ?? "")")
      answers.formUnion(outcome.features.filter { Coverage.Tier($0) == .answer })
    }
    #expect(answers.count > 80)
  }

  /// A guest's tables are reached where Linux has nesting, and what a guest says is taken.
  @Test(arguments: [ByteScene.Family.vtd, .amd, .smmuv3])
  func guestsAreReached(_ family: ByteScene.Family) throws {
    let bytes = try program(
      ByteScene(family),
      ["VFIO_DEVICE_ATTACH_IOMMUFD_PT.guest", "dma-read y=0x8000000000004000", "HWPT_INVALIDATE.guest"])
    let outcome = InputPlayer(InputPlayer.Configuration()).play(
      ReplayInput(label: "x", name: "", bytes: bytes))
    #expect(outcome.verdict == .passed)
    #expect(outcome.answers.contains { $0.hasSuffix("done 1") }, "\(outcome.answers)")
    let last = try #require(outcome.answers.last { $0.contains(" ioctl 3b8d") })
    #expect(last.contains("errno=0") == (family != .amd), "\(outcome.answers)")
  }

  @Test func theSameInputReachesTheSame() throws {
    let bytes = try program(ByteScene(.vtd), ["dma-read", "IOAS_UNMAP", "dma-read", "fork", "DESTROY"])
    let first = LocalTrial(Rigs()).run(bytes, .quick)
    let trial = LocalTrial(Rigs())
    _ = trial.run(try program(ByteScene(.mock), ["IOAS_MAP"]), .quick)
    #expect(trial.run(bytes, .quick).features == first.features)
    #expect(first.features.count > 40)
    #expect(first.features == first.features.sorted() && Set(first.features).count == first.features.count)
  }

  // MARK: Messages

  @Test func messagesAreReadAsTheyWereWritten() throws {
    var outcome = TrialOutcome()
    outcome.features = [1, 2, .max]
    outcome.calls = 77
    let body = { (outcome: TrialOutcome) in Array(TrialMessage.reply(outcome).dropFirst(4)) }
    let read = try #require(TrialMessage.outcome(body(outcome)))
    #expect(read.features == [1, 2, .max] && read.calls == 77 && read.finding == nil)
    outcome.verdict = "violated"
    outcome.finding = TrialOutcome.Finding(
      verdict: "violated", signature: "s", message: "ü", details: "")
    #expect(TrialMessage.outcome(body(outcome))?.finding == outcome.finding)
    for count in 0..<body(outcome).count { _ = TrialMessage.outcome(Array(body(outcome).prefix(count))) }
  }

  // MARK: Processes

  @Test func aWorkerThatDiesIsAFinding() throws {
    let trial = try TrialProcess(["/bin/sh", "-c", "read x; exit 3"], TrialProcess.Limits())
    let outcome = trial.run(Array("\n\n".utf8), .quick)
    #expect(outcome.finding?.verdict == "trapped")
    // And the next input has a new one.
    #expect(trial.run([10], .quick).finding?.message.contains("status 3") == true)
  }

  @Test func aWorkerThatDoesNotEndIsAFinding() throws {
    let trial = try TrialProcess(
      ["/bin/sh", "-c", "exec sleep 100"], TrialProcess.Limits(seconds: 0.2, memory: 1 << 30))
    #expect(trial.run([1], .quick).finding?.verdict == "timeout")
  }

  @Test func aWorkerThatTakesTooMuchIsAFinding() throws {
    let trial = try TrialProcess(
      ["/bin/sh", "-c", "exec sleep 100"], TrialProcess.Limits(seconds: 20, memory: 1))
    #expect(trial.run([1], .quick).finding?.verdict == "out-of-memory")
  }

  @Test func aWorkerThatTalksNonsenseIsAFinding() throws {
    let trial = try TrialProcess(
      ["/bin/sh", "-c", "printf 'aaaaaaaaaaaaaaaa'; exec sleep 100"],
      TrialProcess.Limits(seconds: 5, memory: 1 << 30))
    #expect(trial.run([1], .quick).finding?.verdict == "trapped")
  }
}

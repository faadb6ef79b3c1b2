// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Corpora
import Interpreter
import Language
import Runner
import Testing

@testable import Fuzzing

/// A finding's script fails where the bug is and passes where it is not, and is there whatever the program does to the
/// process that plays it.
struct FindingScriptTests {
  private static let finding = TrialOutcome.Finding(
    verdict: "violated", signature: "violated IOAS_UNMAP: a rule", message: "a rule\nis broken", details: "")

  private static func program(_ family: ByteScene.Family, _ lines: [String]) throws -> ByteProgram {
    try ByteProgram(
      text: "bytes \(ByteProgram.newestVersion) profile=2 flags=\(ByteScene(family).flags)\n"
        + lines.map { $0 + "\n" }.joined())
  }

  private static func run(_ text: String, _ rigs: Rigs) -> ScriptResult {
    var options = RunOptions()
    options.check = true
    return Interpreter.run(
      SourceFile(name: "finding.iofd", text: text), loader: MemoryLoader(), options: options
    ) { try rigs.make() }
  }

  @Test(arguments: [ByteScene.Family.vtd, .amd, .smmuv3])
  func aPlantedBugIsShown(_ family: ByteScene.Family) throws {
    let program = try Self.program(family, ["dma-read", "IOAS_UNMAP"])
    var rigs = Rigs(backend: try Backend(ByteScene(family).backend))
    let sound = rigs
    #expect(rigs.plant("skip-unmap-flush") == true)
    let trial = LocalTrial(rigs)
    #expect(trial.run(program.bytes, .quick).finding != nil)
    let text = FindingScript.text(program, Self.finding, in: trial)
    #expect(text.hasPrefix("iofd 1\n# violated IOAS_UNMAP: a rule\n# a rule\n# is broken\n# Run it "))
    #expect(Self.run(text, sound).verdict == .passed, "\(text)")
    #expect(Self.run(text, rigs).verdict == .failed, "\(text)")
    // Besides the machine, its memory and a function that is the program's: five.
    let statements = text.split(separator: "\n").map(String.init).filter { line in
      !["iofd", "#", "require", "d0 =", "area =", "bind", "expect"].contains { line.hasPrefix($0) }
    }
    #expect(statements.count == 5, "\(text)")
    #expect(statements.map { $0.split(separator: " ")[0] } == ["vm", "attach", "map", "dma", "unmap"])
  }

  /// A trial whose process survives so many steps.
  private final class Fragile: Trial {
    let survives: Int
    private(set) var orders: [Int?] = []
    private let trial = LocalTrial(Rigs())

    init(_ survives: Int) { self.survives = survives }

    var processorSeconds: Double { 0 }
    func run(_ input: [UInt8], _ effort: TrialEffort) -> TrialOutcome { TrialOutcome() }
    func script(_ order: FindingScript.Order) -> String? {
      orders.append(order.steps)
      guard let steps = order.steps, steps <= survives else { return nil }
      return trial.script(order)
    }
  }

  @Test func theStepThatEndsTheProcessIsTheLast() throws {
    let program = try Self.program(.mock, ["IOAS_MAP", "IOAS_UNMAP", "DESTROY"])
    let trial = Fragile(3)
    let text = FindingScript.text(program, Self.finding, in: trial)
    #expect(trial.orders == [nil, 4, 3])
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("expect") }
    #expect(lines.last?.hasPrefix("? unmap $vm ") == true, "\(text)")
    #expect(lines.contains { $0.hasPrefix("map $vm ") })
    #expect(Self.run(text, Rigs()).verdict == .passed, "\(text)")
    #expect(FindingScript.text(program, Self.finding, in: Fragile(-1)).contains("cannot be played"))
  }

  @Test func aWorkerThatDiesTakesNoScriptAlong() throws {
    let program = try Self.program(.mock, ["IOAS_MAP"])
    let trial = try TrialProcess(["/bin/sh", "-c", "read x; exit 3"], TrialProcess.Limits())
    #expect(FindingScript.text(program, Self.finding, in: trial).contains("# violated IOAS_UNMAP: a rule\n"))
  }

  @Test func ordersAreReadAsTheyWereWritten() throws {
    let program = try Self.program(.mock, ["IOAS_ALLOC"])
    var order = FindingScript.Order(program, Self.finding)
    let trial = LocalTrial(Rigs())
    for steps in [nil, 1] {
      order.steps = steps
      let body = Array(TrialMessage.request(order).dropFirst(4))
      let answer = try #require(TrialMessage.answer(body, by: trial))
      #expect(answer.script == trial.script(order) && !answer.script.isEmpty)
      let reply = Array(TrialMessage.reply(answer).dropFirst(4))
      #expect(TrialMessage.outcome(reply)?.script == answer.script)
      for count in 0..<10 { #expect(TrialMessage.answer(Array(body.prefix(count)), by: trial) == nil) }
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Corpora
import Glibc
import Replay
import Runner
import Testing

@testable import Fuzzing

/// Whole runs: they are the same for a seed, they reach things, and they find what is planted.
struct FuzzRunTests {
  private func fuzz(_ backend: String, runs: Int, seed: UInt64 = 1, bug: String? = nil) throws -> (
    Fuzzer.Summary, [FuzzFinding]
  ) {
    var rigs = Rigs(backend: try Backend(backend))
    if let bug {
      let isThere = rigs.plant(bug)
      #expect(isThere)
    }
    var plan = Fuzzer.Plan(rigs)
    plan.run.executions = runs
    plan.run.seed = seed
    plan.run.stopsAtFinding = bug != nil
    let summary = try Fuzzer(plan, found: { _ in }, progress: { _ in }).run()
    return (summary, summary.findings)
  }

  @Test func aSeedIsOneRun() throws {
    let first = try fuzz("mock", runs: 350, seed: 4).0.progress
    let again = try fuzz("mock", runs: 350, seed: 4).0.progress
    let other = try fuzz("mock", runs: 350, seed: 5).0.progress
    #expect(
      first.features == again.features && first.corpus == again.corpus
        && first.executions == again.executions)
    #expect(first.features != other.features)
  }

  /// What a run kept reaches all that the run had reached, and so does what is left when it is made small.
  @Test func aCorpusIsWhatARunKnew() throws {
    var template = Array("/tmp/iofd-test.XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { rmdir(directory) }
    var plan = Fuzzer.Plan(Rigs())
    plan.run.executions = 600
    plan.run.randomSeeds = 20
    plan.corpus = directory
    let known = try Fuzzer(plan, found: { _ in }, progress: { _ in }).run().progress
    defer { empty(directory) }
    let merged = try CorpusMerger(Minimizer.Plan(Rigs()), mostBytes: .max).merge([directory])
    #expect(merged.failing == 0 && merged.tried == known.corpus)
    #expect(merged.covered == known.features && merged.features == known.features)
    #expect(merged.coveredAnswers == known.answers)
    #expect(!merged.programs.isEmpty && merged.programs.count <= merged.tried)
  }

  private func empty(_ path: String) {
    guard let directory = opendir(path) else { return }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      unlink(path + "/" + name)
    }
    closedir(directory)
  }

  /// Found before anything is mutated, from nothing and with a fixed seed, and small enough to be read. Mistakes that are
  /// found later are looked for by Tests/fuzz/planted, on a release build.
  @Test func aPlantedBugIsFound() throws {
    let (summary, findings) = try fuzz("vtd", runs: 1000, bug: "skip-context-flush")
    let finding = try #require(findings.first, "not in \(summary.progress.executions) executions")
    #expect(finding.verdict == "violated")
    #expect(finding.records <= 3)
    var rigs = Rigs(backend: try Backend("vtd"))
    // Without the bug the same program is fine.
    #expect(LocalTrial(rigs).run(finding.smallest, .thorough).finding == nil)
    let isThere = rigs.plant("skip-context-flush")
    #expect(isThere)
    #expect(LocalTrial(rigs).run(finding.smallest, .thorough).finding?.signature == finding.signature)
  }
}

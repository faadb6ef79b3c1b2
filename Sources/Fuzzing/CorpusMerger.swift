// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
public import Runner

/// Makes a corpus small: the programs that reach everything all of them reach, as far as there is room.
///
/// Features are covered in the order of what they are worth, each round by the program that reaches the most of what is
/// left for its size. What breaks a rule is left out and counted: that is a finding and no part of a corpus.
public struct CorpusMerger: Sendable {
  public struct Result: Sendable {
    public let programs: [[UInt8]]
    /// Programs that were tried, and those that showed a finding.
    public let tried: Int
    public let failing: Int
    /// Features that are covered, and those that all programs together reach.
    public let covered: Int
    public let features: Int
    /// The same of answers only.
    public let coveredAnswers: Int
    public let answers: Int
  }

  private struct Candidate {
    let bytes: [UInt8]
    let features: [UInt32]
  }

  private let plan: Minimizer.Plan
  private let mostBytes: Int

  /// - Parameter mostBytes: what all programs together may have.
  public init(_ plan: Minimizer.Plan, mostBytes: Int) {
    self.plan = plan
    self.mostBytes = mostBytes
  }

  /// - Throws: a worker that cannot be started.
  public func merge(_ paths: [String]) throws(FileFailure) -> Result {
    let trial = try plan.trial()
    var candidates: [Candidate] = []
    var (tried, failing) = (0, 0)
    for case .input(let input) in CorpusDirectory(paths.map { HostPath($0) }) where !Interrupts.isRaised {
      guard InputFormat.of(input.bytes) == .byteProgram else { continue }
      tried += 1
      let outcome = trial.run(input.bytes, .quick)
      if outcome.finding == nil {
        candidates.append(Candidate(bytes: input.bytes, features: outcome.features))
      } else {
        failing += 1
      }
    }
    candidates.sort { ($0.bytes.count, "\(SHA1.of($0.bytes))") < ($1.bytes.count, "\(SHA1.of($1.bytes))") }
    return cover(candidates, tried: tried, failing: failing)
  }

  private func cover(_ candidates: [Candidate], tried: Int, failing: Int) -> Result {
    var open: Set<UInt32> = []
    for candidate in candidates { open.formUnion(candidate.features) }
    let all = open.count
    let answers = open.count { Coverage.Tier($0) == .answer }
    var chosen: [Int] = []
    var bytes = 0
    for tier in Coverage.Tier.allCases {
      // What a program would add, as of when it was looked at last: it only becomes less.
      var gains = candidates.map { $0.features.count { Coverage.Tier($0) == tier && open.contains($0) } }
      while let best = best(gains, candidates) {
        let gain = candidates[best].features.count { Coverage.Tier($0) == tier && open.contains($0) }
        guard gain == gains[best] else {
          gains[best] = gain
          continue
        }
        gains[best] = 0
        guard bytes + candidates[best].bytes.count <= mostBytes else { continue }
        bytes += candidates[best].bytes.count
        open.subtract(candidates[best].features)
        chosen.append(best)
      }
    }
    return Result(
      programs: chosen.map { candidates[$0].bytes }, tried: tried, failing: failing,
      covered: all - open.count,
      features: all, coveredAnswers: answers - open.count { Coverage.Tier($0) == .answer }, answers: answers)
  }

  private func best(_ gains: [Int], _ candidates: [Candidate]) -> Int? {
    var best: Int?
    for index in gains.indices where gains[index] > 0 {
      guard let known = best else {
        best = index
        continue
      }
      // More for each byte; of equals the first, which is the smaller one.
      if gains[index] * candidates[known].bytes.count > gains[known] * candidates[index].bytes.count {
        best = index
      }
    }
    return best
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Machine
internal import Runner

// A corpus: many small programs, each on a machine that nobody has touched, played as `iofd replay` plays them.

extension BenchRow {
  static let corpusRows = [
    BenchRow(name: "a machine, made and gone", unit: .nanoseconds, budget: nil) { effort in
      Outcome(
        value: effort.nanoseconds(rounds: 4000) { rounds in
          for _ in 0..<rounds { _ = ModelTarget() }
        })
    },
    BenchRow(
      name: "replay: programs of 3 to 8 calls, on one core", unit: .perSecond, budget: .atLeast(20_000)
    ) {
      rate($0, BenchCorpus(count: $0.rounds(12_000), lengths: 3...8))
    },
    BenchRow(name: "replay: programs of 15 to 60 calls, on one core", unit: .perSecond, budget: nil) {
      rate($0, BenchCorpus(count: $0.rounds(2000)))
    },
    BenchRow(name: "replay: two workers against one", unit: .times, budget: .atLeast(1.8)) { twoWorkers($0) },
  ]

  /// Programs in a second of processor time, the workers' and their parent's.
  private static func rate(_ effort: BenchEffort, _ corpus: BenchCorpus) -> Outcome {
    let time = effort.median { corpus.play(workers: 1)?.processor ?? .nan }
    guard time.isFinite else { return Outcome(value: nil, comparison: "a program does not pass") }
    let calls = BenchTable.text(Double(corpus.calls) / time * 1e9, .perSecond)
    return Outcome(
      value: Double(corpus.count) / time * 1e9, comparison: "\(corpus.count) programs, \(calls) calls")
  }

  /// The same programs from start to end, in turn with one worker and with two.
  private static func twoWorkers(_ effort: BenchEffort) -> Outcome {
    guard Workers.cores >= 2 else { return Outcome(value: nil, comparison: "one core only") }
    let corpus = BenchCorpus(count: effort.rounds(12_000), lengths: 3...8)
    let ratio = effort.median {
      guard let one = corpus.play(workers: 1), let two = corpus.play(workers: 2) else { return .nan }
      return one.wall / two.wall
    }
    guard ratio.isFinite else { return Outcome(value: nil, comparison: "a program does not pass") }
    return Outcome(value: ratio, comparison: "\(Workers.cores) cores")
  }
}

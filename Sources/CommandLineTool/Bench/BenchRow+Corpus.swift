// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import Machine
internal import UAPI

// A corpus: many small programs, each on a machine that nobody has touched.

extension BenchRow {
  static let corpusRows = [
    BenchRow(name: "a machine, made and gone", unit: .nanoseconds, budget: nil) { effort in
      Outcome(
        value: effort.nanoseconds(rounds: 4000) { rounds in
          for _ in 0..<rounds { _ = ModelTarget() }
        })
    },
    BenchRow(name: "programs of raw ioctls, a machine each", unit: .perSecond, budget: .atLeast(20_000)) {
      effort in
      let themes = ProgramTheme.allCases.filter { $0.isClassic }
      let programs = (0..<effort.rounds(1200)).map { index in
        RandomProgram.make(themes[index % themes.count], seed: UInt64(index))
      }
      let steps = programs.reduce(0) { $0 + $1.steps.count }
      do throws(Errno) {
        let time = try effort.median { () throws(Errno) -> Double in
          Double(
            try BenchClock.nanoseconds { () throws(Errno) in
              for program in programs {
                let target = ModelTarget(Machine.Configuration(frameStride: 2))
                _ = try RecordedReplay(target).run(program)
              }
            })
        }
        return Outcome(
          value: Double(programs.count) / time * 1e9,
          comparison: "\(programs.count) programs, \(steps / programs.count) steps each")
      } catch { return Outcome(error) }
    },
  ]
}

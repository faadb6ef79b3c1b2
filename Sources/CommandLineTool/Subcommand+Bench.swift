// SPDX-License-Identifier: GPL-3.0-or-later
internal import Runner

// `iofd bench`: what the design promises about speed and size, measured.

extension Subcommand {
  static let bench = Subcommand(
    name: "bench", operands: "", summary: "Measures speed and size against their budgets.",
    options: [
      OptionRow("--quick", help: "fewer and shorter runs, for a first look"),
      OptionRow(
        "--filter", value: .required("TEXT"), help: "only rows whose name contains TEXT; may be repeated"),
    ],
    run: { arguments throws(UsageError) in
      guard arguments.operands.isEmpty else { throw UsageError(message: "bench takes options only") }
      let output = ByteOutput.standardOutput()
      let filter = arguments.all("--filter")
      let chosen = BenchRow.all.filter { row in filter.isEmpty || filter.contains { row.name.contains($0) } }
      guard !chosen.isEmpty else {
        Terminal.complain("no row is called like that")
        return .nothingRan
      }
      let effort = BenchEffort(isQuick: arguments.has("--quick"))
      output.write(BenchTable.heading)
      for row in chosen where output.failure == nil && !Interrupts.isRaised {
        output.write(BenchTable.line(row, row.measure(effort)))
        output.flush()
      }
      return Terminal.finish(output, Interrupts.isRaised ? .interrupted : .passed)
    })
}

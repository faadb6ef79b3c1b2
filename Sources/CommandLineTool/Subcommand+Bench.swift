// SPDX-License-Identifier: GPL-3.0-or-later
internal import Runner
extension Subcommand {
  static let bench = Subcommand(name: "bench", operands: "", summary: "x", options: [], run: { _ throws(UsageError) in .passed })
}

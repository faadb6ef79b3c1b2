// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import Runner
internal import UAPI

// `iofd lint`: what `check` tells, and what is most likely a mistake in a script that is valid.

extension Subcommand {
  static let lint = Subcommand(
    name: "lint", operands: "PATH...",
    summary: "Reads scripts and reports likely mistakes in them; '# lint: allow CODE' silences one.",
    options: [
      SharedOptions.kernel, SharedOptions.backend, SharedOptions.define, SharedOptions.diagnostics,
    ],
    run: { arguments throws(UsageError) in try checkScripts(arguments, withLint: true) })
}

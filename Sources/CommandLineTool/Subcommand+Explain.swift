// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Runner

// `iofd explain`: the page about a diagnostic, an errno, a request or a verb.

extension Subcommand {
  static let explain = Subcommand(
    name: "explain", operands: "TOPIC",
    summary: "Explains a diagnostic's code, an errno, a request, a verb or a function.",
    options: [],
    run: { arguments throws(UsageError) in
      let topic = arguments.operands.joined(separator: " ")
      guard !topic.isEmpty else {
        throw UsageError(message: "explain what?", help: "iofd explain EEXIST")
      }
      guard let page = Explain.page(topic) else {
        throw UsageError(message: "there is no page about '\(topic)'", help: Explain.suggestion(for: topic))
      }
      let output = ByteOutput.standardOutput()
      output.write(page)
      return Terminal.finish(output, .passed)
    })
}

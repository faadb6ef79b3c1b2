// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Interpreter
import Language
import Runner
import Testing

@testable import Publishing

/// The scripts of the repository, named as pages name them.
enum Scripts {
  static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")

  static let examples: [SourceFile] = ScriptTree([root + "/examples"]).entries.compactMap { entry in
    guard let source = try? ScriptTree.load(entry.path) else { return nil }
    return SourceFile(name: String(entry.path.dropFirst(root.count + 1)), bytes: source.bytes)
  }
}

/// A tool with one option of each kind.
let smallTool = ToolDescription(
  version: "0.0", date: "2027-01-01",
  commands: [
    .init(
      name: "play", operands: "PATH...", summary: "Plays it.\nTwice.",
      options: [
        .init(names: ["--jobs", "-j"], value: .required("N"), summary: "how many"),
        .init(names: ["--trace"], value: .optional("FILE"), summary: "tell [all]"),
        .init(names: ["--kernel"], value: .required("6.12|7.2"), summary: "whose"),
        .init(names: ["--backend"], value: .required("KIND[:OPTION,...]"), summary: "it's hardware"),
        .init(names: ["--report"], value: .required("tap|junit=FILE"), summary: "where to"),
        .init(names: ["--quiet", "-q"], value: .none, summary: "say less"),
      ], takesProgram: false),
    .init(
      name: "exec", operands: "[--] PROGRAM [ARG...]", summary: "Runs it.",
      options: [.init(names: ["--record"], value: .required("FILE.iofd"), summary: "record")],
      takesProgram: true),
  ],
  conversation: [.init(names: ["-c"], value: .required("STATEMENT"), summary: "one answer")],
  exitStatuses: [(0, "Passed."), (1, "Failed.")], variables: [("TERM", "The terminal.")],
  iommus: [
    .init(
      name: "vtd", summary: "Intel",
      options: [
        .init(name: "mode", words: ["legacy", "scalable"], isFlag: false, summary: "which"),
        .init(name: "x2apic", words: nil, isFlag: true, summary: "wide"),
        .init(name: "mgaw", words: nil, isFlag: false, summary: "bits"),
      ])
  ],
  mistakes: [("forget", "It forgets.")])

// SPDX-License-Identifier: GPL-3.0-or-later

import Interpreter
import Language
import Testing
import UAPI

@testable import Assistance

@Suite struct HelpTests {
  private func passes(_ text: String, _ what: String) {
    let result = Interpreter.run(SourceFile(name: "\(what).iofd", text: text), loader: MemoryLoader()) {
      modelRig()
    }
    let good = result.verdict.isGood && result.counts.blocked == 0
    #expect(good, "\(what): \(result.verdict)\n\(DiagnosticRenderer().render(result.allDiagnostics))")
  }

  @Test(arguments: StatementPage.all.map(\.word))
  func exampleOfAStatement(_ word: String) throws {
    passes(try #require(StatementPage.all.first { $0.word == word }).example, word)
  }

  @Test(arguments: HelpTopic.all.map(\.name))
  func exampleOfATopic(_ name: String) throws {
    passes(try #require(HelpTopic.all.first { $0.name == name }).example, name)
  }

  @Test func everyNameHasAPage() {
    for topic in Help.topics(PromptCommand.all) {
      #expect(Help.page(topic.name, PromptCommand.all) != nil, "\(topic.name)")
      #expect(!topic.summary.isEmpty, "\(topic.name)")
    }
    for statement in Keywords.Statement.allCases {
      #expect(Help.page(statement.rawValue, []) != nil, "\(statement.rawValue)")
    }
  }

  /// A command of the prompt hides nothing of the language.
  @Test func noNameIsUsedTwice() {
    let verbs = Set(VerbTable.all.flatMap { [$0.words[0]] + $0.alternates.map { $0[0] } })
    let statements = Set(Keywords.Statement.allCases.map(\.rawValue))
    for command in PromptCommand.all {
      #expect(!verbs.contains(command.name) && !statements.contains(command.name), "\(command.name)")
      #expect(!command.summary.isEmpty && !command.example.isEmpty)
    }
    #expect(Set(PromptCommand.all.map(\.name)).count == PromptCommand.all.count)
    #expect(PromptCommand.all.count == PromptCommand.Action.allCases.count)
    #expect(
      Set(HelpTopic.all.map(\.name)).isDisjoint(
        with: verbs.union(statements).union(PromptCommand.all.map(\.name))))
  }

  @Test func overviewNamesEverything() {
    let text = Help.overview(PromptCommand.all)
    let known = Set(text.split(whereSeparator: { $0 == "," || $0 == "\n" }).map { $0.drop { $0 == " " } })
    for verb in VerbTable.all { #expect(known.contains(verb.name[...]), "\(verb.name)") }
    for command in PromptCommand.all { #expect(known.contains(command.name[...]), "\(command.name)") }
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }

  @Test func aproposFindsWords() {
    let found = Help.apropos("dirty", PromptCommand.all)
    for name in ["dirty start", "HWPT_SET_DIRTY_TRACKING", "cut"].dropLast() { #expect(found.contains(name)) }
    #expect(Help.apropos("reserv", []).contains("IOAS_IOVA_RANGES"))
    #expect(Help.apropos("xyzzy", PromptCommand.all).isEmpty)
  }

  @Test func whatIsMeant() {
    #expect(Help.suggestion(for: "unod", PromptCommand.all) == "did you mean 'undo'?")
    #expect(Help.suggestion(for: "rnages", PromptCommand.all) == "did you mean 'ranges'?")
    #expect(Help.suggestion(for: "ioas craete", PromptCommand.all) == "did you mean 'ioas create'?")
    #expect(Help.page("  ioas   create ", [])?.hasPrefix("ioas create") == true)
  }

  @Test func whatALineIs() {
    func name(_ line: String, taken: Set<String> = []) -> String? {
      PromptCommand.split(line, PromptCommand.all, isTaken: { taken.contains($0) })
        .map { $0.0.name + "/" + $0.rest }
    }
    #expect(name("undo") == "undo/")
    #expect(name("  undo 3") == "undo/3")
    #expect(name(".save x.iofd") == "save/x.iofd")
    #expect(name("save = 4K") == nil)
    #expect(name("save, b = access create $vm") == nil)
    #expect(name("save x", taken: ["save"]) == nil)
    #expect(name(".save x", taken: ["save"]) == "save/x")
    #expect(name("unmap $vm all") == nil)
    #expect(name("what-if unmap $vm all") == "what-if/unmap $vm all")
  }
}

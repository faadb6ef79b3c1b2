// SPDX-License-Identifier: GPL-3.0-or-later
import Runner
import Testing

@testable import CommandLineTool

struct GenerateTests {
  private static let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    .joined(separator: "/")
  private static let examples = ["--examples", root + "/examples"]

  @Test func whatIsCheckedInIsWhatTheTablesSay() throws {
    let outcome = try Tool().run(["generate", "--check", Self.root + "/grammar"] + Self.examples)
    #expect(outcome.status == 0, "iofd generate, for:\n\(outcome.output)\(outcome.errors)")
    #expect(outcome.output.isEmpty)
  }

  @Test func writesWhatIsMissingAndNamesWhatDiffers() throws {
    let tool = try Tool()
    let directory = tool.scratch.path + "/made"
    let missing = try tool.run(["generate", "--check", directory] + Self.examples)
    #expect(missing.status == 1)
    #expect(!HostFile.isDirectory(directory))
    let written = try tool.run(["generate", directory] + Self.examples)
    #expect(written.status == 0)
    #expect(written.output == missing.output)
    #expect(written.output.split(separator: "\n").contains { $0.hasSuffix("/vim/syntax/iofd.vim") })
    #expect(try tool.run(["generate", "--check", directory] + Self.examples).status == 0)
    try tool.scratch.write("made/vim/ftdetect/iofd.vim", "changed\n")
    let changed = try tool.run(["generate", "--check", directory] + Self.examples)
    #expect(changed.status == 1)
    #expect(changed.output == "\(directory)/vim/ftdetect/iofd.vim\n")
    #expect(try tool.run(["generate", directory] + Self.examples).output == changed.output)
  }

  @Test func refusals() throws {
    let tool = try Tool()
    #expect(try tool.run(["generate", "a", "b"]).status == 2)
    #expect(try tool.run(["generate", "/dev/null/x"] + Self.examples).status == 2)
    #expect(try tool.run(["generate", tool.scratch.path, "--examples", "/nonexistent"]).status == 3)
    #expect(try tool.run(["completions"]).status == 2)
    #expect(try tool.run(["completions", "csh"]).status == 2)
  }

  /// The command lines of the manual page, but for the one that runs every example, and the one of somebody's program.
  @Test func examplesOfTheManualPage() throws {
    let tool = try Tool()
    let page = try HostFile.read(Self.root + "/grammar/man/iofd.1", limit: 1 << 20)
    var isExample = false
    var lines: [String] = []
    for line in String(decoding: page, as: UTF8.self).split(separator: "\n") {
      if line == ".EX" || line == ".EE" {
        isExample = line == ".EX"
      } else if isExample {
        lines.append(
          String(line).replacing(#"\(aq"#, with: "'").replacing(#"\-"#, with: "-").replacing(
            #"\e"#, with: #"\"#))
      }
    }
    #expect(lines.count >= 6)
    for line in lines where !line.contains("./program") && !line.hasSuffix(" examples") {
      let outcome = try tool.shell("cd \"\(Self.root)\"; \(line)")
      #expect(outcome.status == 0 && !outcome.output.isEmpty, "\(line): \(outcome.errors)")
    }
  }

  /// Each command and option is in each shell's file.
  @Test(arguments: ["bash", "zsh", "fish"])
  func completionKnowsEveryOption(_ shell: String) throws {
    let text = try Tool().run(["completions", shell]).output
    for command in Subcommand.all {
      #expect(text.contains(command.name))
      for name in command.options.flatMap(\.names) {
        let bare = String(name.drop { $0 == "-" })
        #expect(
          text.contains(shell == "fish" ? (name.hasPrefix("--") ? "-l \(bare)" : "-s \(bare)") : name),
          "\(command.name) \(name)")
      }
    }
  }
}

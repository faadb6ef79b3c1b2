// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import Interpreter
import Language
import Testing
import UAPI
import Views

@testable import Assistance

/// `Completion.text`: what is typed, with `|` for the cursor, and what must be offered.
///
///     map $vm $buf i|  : iova=           exactly these, in this order
///     map |            : $vm $vm2 ...    at least these
///     map $vm $x|      : -               nothing
///     map |            : ... !$buf       not this
@Suite struct CompletionTests {
  struct Line: CustomTestStringConvertible {
    let number: Int
    let text: String
    let wanted: [String]
    var testDescription: String { "\(number): \(text)" }
  }

  static let lines: [Line] = {
    let url = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Completion.text")
    guard let text = try? String(contentsOf: url, encoding: .utf8) else { return [] }
    return text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().compactMap {
      index, line -> Line? in
      guard !line.hasPrefix("#"), let cursor = line.range(of: "|"), let colon = line.range(of: " : ") else {
        return nil
      }
      // `⏎` is a line end above the cursor; a `|` of the language is written `¦`.
      let typed = line[..<cursor.lowerBound].replacing("⏎", with: "\n").replacing("¦", with: "|")
      return Line(
        number: index + 1, text: String(typed),
        wanted: line[colon.upperBound...].split(separator: " ").map { String($0) })
    }
  }()

  @Test func thereAreHundred() { #expect(Self.lines.count >= 100) }

  /// One session serves them all: completion changes nothing.
  @Test func everyLine() throws {
    let journal = scene()
    let before = try #require(journal.session.state)
    let assistant = Assistant(LiveSurroundings(journal, files: files), commands: PromptCommand.all)
    for line in Self.lines {
      let found = assistant.completions(line.text).candidates.map(\.text)
      let (wanted, unwanted) = (
        line.wanted.filter { $0 != "..." && !$0.hasPrefix("!") },
        line.wanted.filter { $0.hasPrefix("!") }.map { String($0.dropFirst()) }
      )
      if line.wanted == ["-"] {
        #expect(found.isEmpty, "line \(line.number): \(line.text)| offers \(found)")
      } else if line.wanted.contains("...") {
        for word in wanted {
          #expect(found.contains(word), "line \(line.number): \(line.text)| lacks \(word): \(found)")
        }
      } else {
        #expect(found == wanted, "line \(line.number): \(line.text)|")
      }
      for word in unwanted {
        #expect(!found.contains(word), "line \(line.number): \(line.text)| offers \(word)")
      }
    }
    #expect(FactText.text(try #require(journal.session.state)) == FactText.text(before))
    withExtendedLifetime(journal) {}
  }

  @Test func whatIsReplacedIsTheWord() {
    let journal = scene()
    let assistant = Assistant(LiveSurroundings(journal), commands: PromptCommand.all)
    for (text, start, word) in [
      ("map $vm $buf iova=0x1", 18, "0x1"), ("vm = ioas cr", 10, "cr"), ("help ioas cr", 10, "cr"),
      ("for i in [1, 2] {\n  map $v", 24, "$v"), ("what-if map $v", 12, "$v"), ("expect $vm.ar", 7, "$vm.ar"),
    ] {
      let found = assistant.completions(text)
      #expect(found.start == start && found.word == word, "\(text)")
    }
    withExtendedLifetime(journal) {}
  }

  /// Whatever is typed, nothing traps, and every word offered goes on from the one that is there.
  @Test func anythingMayBeTyped() {
    let journal = scene()
    let assistant = Assistant(LiveSurroundings(journal), commands: PromptCommand.all)
    let parts = [
      "map", "$vm", "=", "[", "]", "(", ")", "{", "}", "->", "|", ",", "\"", "\\", "#", "iova=", "0x1000",
      " ", "\n", ";",
      "!", "?", "expect", "run", "...", ".", "help", "é", "\u{0}", "-", "xfail", "for", "ioas", "hex\"",
    ]
    var state: UInt64 = 7
    for _ in 0..<400 {
      var text = ""
      for _ in 0..<Int(state >> 33) % 9 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += parts[Int(state >> 33) % parts.count] + (state & 1 << 20 == 0 ? " " : "")
      }
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let found = assistant.completions(text)
      #expect(found.start <= text.utf8.count)
      for candidate in found.candidates {
        #expect(candidate.text.lowercased().hasPrefix(found.word.lowercased()), "\(text)|")
      }
      _ = assistant.hint(text)
    }
    withExtendedLifetime(journal) {}
  }

  @Test func aScriptThatNobodyRuns() {
    let text = "vm = ioas create\nbuf = mem alloc 4K\nfor size in [4K, 8K] {\n  other = ioas create\n  "
    let draft = DraftSurroundings(
      text, loader: MemoryLoader(),
      environment: Environment(kernel: KernelVersion(7, 2), backend: "mock", hasBench: true))
    #expect(Set(draft.names.map(\.name)) == ["vm", "buf", "other", "size"])
    let assistant = Assistant(draft)
    #expect(assistant.completions(text + "map $").candidates.map(\.text).contains("$other"))
    #expect(assistant.completions(text + "map $vm $").candidates.map(\.text).contains("$buf"))
    #expect(!assistant.completions(text + "map $").candidates.map(\.text).contains("$buf"))
    // No command of the prompt is in a script.
    #expect(!assistant.completions("un").candidates.contains { $0.text == "undo" })
  }

  @Test func aKernelOffersWhatItHas() {
    let old = DraftSurroundings(
      "", loader: MemoryLoader(),
      environment: Environment(kernel: KernelVersion(6, 12), backend: "mock", hasBench: true))
    #expect(Assistant(old).completions("viommu ").candidates.isEmpty)
    #expect(Assistant(old).completions("ioas ").candidates.map(\.text) == ["create"])
  }
}

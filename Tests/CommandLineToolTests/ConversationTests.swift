// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import LineEditing
import Runner
import Testing

@testable import CommandLineTool

/// Lines that were written down beforehand.
private final class Rehearsed: LineEditor {
  private var inputs: [LineInput]
  private(set) var prompts: [String] = []
  private(set) var history: [String] = []

  init(_ inputs: [LineInput]) { self.inputs = inputs.reversed() }

  func readLine(prompt: String) -> LineInput {
    prompts.append(prompt)
    return inputs.popLast() ?? .end
  }
  func addHistory(_ entry: String) { history.append(entry) }
}

struct ConversationTests {
  private func talk(_ inputs: [LineInput]) throws -> (editor: Rehearsed, output: String) {
    let scratch = try Scratch()
    let editor = Rehearsed(inputs)
    let output = try ByteOutput(creating: scratch.path + "/out")
    try Conversation(rigs: Rigs(), defines: [:], editor: editor, output: output, usesColour: false).run()
    output.flush()
    return (editor, try scratch.read("out"))
  }

  @Test func answersEachStatement() throws {
    let (editor, output) = try talk([
      .line("vm = ioas create"), .line("destroy id:99"), .line("destroy $vm"), .line("quit"),
      .line("never"),
    ])
    #expect(editor.prompts == Array(repeating: "iofd 7.2/mock> ", count: 4))
    let lines = output.split(separator: "\n")
    #expect(lines.first == "ok, id=1" || lines.first?.hasPrefix("ok") == true)
    #expect(lines.contains { $0.hasPrefix("ENOENT") })
    #expect(lines.last?.hasPrefix("ok") == true)
    #expect(editor.history == ["vm = ioas create", "destroy id:99", "destroy $vm", "quit"])
  }

  @Test func readsOnUntilABlockCloses() throws {
    let (editor, output) = try talk([
      .line("for i in 1...2 {"), .line("  vm = ioas create"), .line("}"), .line("show"), .end,
    ])
    #expect(editor.prompts.map { $0.hasPrefix("iofd") } == [true, false, false, true, true])
    #expect(editor.history.first == "for i in 1...2 {\n  vm = ioas create\n}")
    #expect(output.contains("IOAS"))
  }

  @Test func forgetsALineThatIsCancelled() throws {
    let (editor, output) = try talk([
      .line("for i in 1...2 {"), .interrupted, .line("vm = ioas create"), .end,
    ])
    #expect(editor.prompts.last == "iofd 7.2/mock> ")
    #expect(output.hasPrefix("ok"))
  }

  @Test func helps() throws {
    let output = try talk([.line("help"), .line("help map"), .line("help EEXIST"), .line("help nonsense")])
      .output
    #expect(output.contains("ioas create"))
    #expect(output.contains("IOAS_MAP"))
    #expect(output.contains("something is there already"))
    #expect(output.contains("there is no page about 'nonsense'"))
  }

  @Test func survivesMistakes() throws {
    let output = try talk([
      .line("vm = ioas craete"), .line("map $vm"), .line("}"), .line("\u{1}\u{FFFD}"), .line(""),
      .line("vm = ioas create"),
    ]).output
    #expect(output.contains("did you mean"))
    #expect(output.split(separator: "\n").last?.hasPrefix("ok") == true)
  }

  @Test(arguments: [
    ("ioas c", 5, "c", ["create"]), ("ioa", 0, "ioa", ["ioas"]), ("vm = ioas c", 10, "c", ["create"]),
    ("map $v", 4, "$v", ["$vm"]), ("help ioa", 5, "ioa", ["ioas"]), ("nonsense x", 9, "x", []),
    ("qui", 0, "qui", ["quit"]),
  ])
  func completes(_ line: String, _ start: Int, _ word: String, _ expected: [String]) {
    let completion = Completion()
    completion.names = { ["vm", "buf"] }
    #expect(completion.words(line, start, word) == expected)
  }

  @Test func completesOptionsOnce() {
    let completion = Completion()
    #expect(completion.words("map $vm $buf i", 13, "i").contains("iova="))
    #expect(!completion.words("map $vm $buf iova=0x1000 i", 25, "i").contains("iova="))
  }

  @Test func plainLines() throws {
    let scratch = try Scratch()
    let path = try scratch.write("in", "one\n\ntwo")
    let file = open(path, O_RDONLY)
    defer { close(file) }
    let editor = PlainEditor(descriptor: file)
    var lines: [LineInput] = []
    for _ in 0..<5 { lines.append(editor.readLine(prompt: "> ")) }
    #expect(lines == [.line("one"), .line(""), .line("two"), .end, .end])
  }
}

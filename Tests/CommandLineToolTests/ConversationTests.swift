// SPDX-License-Identifier: GPL-3.0-or-later
import Assistance
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
  private func talk(_ inputs: [LineInput], isPersonal: Bool = false) throws -> (
    editor: Rehearsed, output: String, status: Int32
  ) {
    let scratch = try Scratch()
    let editor = Rehearsed(inputs)
    let output = try ByteOutput(creating: scratch.path + "/out")
    let status = try Conversation(
      rigs: Rigs(), defines: [:], editor: editor, output: output, style: .init(isPersonal: isPersonal)
    ).run().rawValue
    output.flush()
    return (editor, try scratch.read("out"), status)
  }

  private func say(_ lines: [String]) throws -> String { try talk(lines.map { .line($0) }).output }

  @Test func answersEachStatement() throws {
    let (editor, output, status) = try talk([
      .line("vm = ioas create"), .line("destroy id:99"), .line("destroy $vm"), .line("quit"),
      .line("never"),
    ])
    #expect(
      editor.prompts == ["iofd 7.2/mock> ", "iofd 7.2/mock*> ", "iofd 7.2/mock*!> ", "iofd 7.2/mock*> "])
    let lines = output.split(separator: "\n")
    #expect(lines.first == "ok, id=$vm")
    #expect(lines.contains { $0.hasPrefix("ENOENT") })
    #expect(lines.last?.hasPrefix("ok") == true)
    #expect(editor.history == ["vm = ioas create", "destroy id:99", "destroy $vm", "quit"])
    #expect(status == 0)
  }

  @Test func readsOnUntilABlockCloses() throws {
    let (editor, output, _) = try talk([
      .line("for i in 1...2 {"), .line("  vm = ioas create"), .line("}"), .line("show"), .end,
    ])
    #expect(editor.prompts.map { $0.hasPrefix("iofd") } == [true, false, false, true, true])
    #expect(editor.history.first == "for i in 1...2 {\n  vm = ioas create\n}")
    #expect(output.contains("IOAS"))
  }

  @Test func forgetsALineThatIsCancelled() throws {
    let (editor, output, _) = try talk([
      .line("for i in 1...2 {"), .interrupted, .line("vm = ioas create"), .end,
    ])
    #expect(editor.prompts[2] == "iofd 7.2/mock> ")
    #expect(output.hasPrefix("ok"))
  }

  @Test func leavingAsksOnce() throws {
    let (editor, output, _) = try talk(
      [.line("vm = ioas create"), .end, .line("show"), .end, .end], isPersonal: true)
    #expect(editor.prompts.count == 5)
    #expect(output.contains("1 statement is not saved"))
    // In a block it gives the block up.
    let block = try talk([.line("for i in 1...2 {"), .end, .line("x = 1"), .line("quit")], isPersonal: true)
    #expect(block.editor.prompts.count == 4)
  }

  @Test func helps() throws {
    let output = try say(["help", "help map", "help EEXIST", "help nonsense", "help udno", "apropos dirty"])
    #expect(output.contains("ioas create"))
    #expect(output.contains("IOAS_MAP"))
    #expect(output.contains("something is there already"))
    #expect(output.contains("there is no page about 'nonsense'"))
    #expect(output.contains("did you mean 'undo'?"))
    #expect(output.contains("HWPT_SET_DIRTY_TRACKING"))
  }

  @Test func survivesMistakes() throws {
    let output = try say([
      "vm = ioas craete", "map $vm", "}", "\u{1}\u{FFFD}", "", "undo", "redo", "rollback x", "undo x", "save",
      "udno",
      "vm = ioas create",
    ])
    #expect(output.contains("did you mean 'create'"))
    #expect(output.contains("did you mean 'undo', a command of this prompt?"))
    #expect(output.contains("there is nothing to take back"))
    #expect(output.contains("there is no checkpoint 'x'"))
    #expect(output.split(separator: "\n").last == "ok, id=$vm")
  }

  /// `s` begins five commands, and `s2` is a name.
  @Test func namesAreNoPrefixes() throws {
    let output = try say(["s2 = ioas create", "u_1 = 4K", "r = 1", "expect $s2", "show names"])
    #expect(output.contains("s2 = $s2\n") && output.contains("u_1 = 4096\n") && output.contains("r = 1\n"))
    #expect(!output.contains("begins"))
  }

  @Test func goesBackAndForth() throws {
    let output = try say([
      "vm = ioas create", "checkpoint here", "buf = mem alloc 4K", "undo", "show names", "redo", "show names",
      "what-if map $vm $buf iova=0x1000", "expect $vm.areas.count = 0", "rollback here", "checkpoint",
    ])
    #expect(output.contains("taken back: buf = mem alloc 4K"))
    #expect(output.contains("done again: buf = mem alloc 4K"))
    #expect(output.contains("ok, iova=0x1000\n  "))
    #expect(output.hasSuffix("here\n"))
  }

  @Test func tellsWhy() throws {
    let output = try say(["why", "vm = ioas create", "destroy id:99", "why"])
    #expect(output.hasPrefix("nothing has been refused\n"))
    #expect(output.contains("ENOENT, since "))
    #expect(output.contains("iommufd_destroy() in drivers/iommu/iommufd/main.c"))
  }

  @Test func prefixesAreEnough() throws {
    let output = try say([
      "vm = ioas c", "und", "dirty st id:1", "red", "u", "apr dirty", "def save(x) { destroy $x }",
      "save $vm", ".save",
    ])
    #expect(output.contains("  vm = ioas create\nok, id=$vm\n"))
    #expect(output.contains("taken back: vm = ioas create"))
    #expect(output.contains("'dirty st' begins dirty start, dirty stop"))
    #expect(output.contains("done again: vm = ioas create"))
    #expect(output.contains("'u' begins undo, unbind, unmap"))
    #expect(output.contains("'save' is the procedure now; the prompt's own is '.save'"))
    #expect(output.contains("'save' needs something more: save FILE"))
  }

  @Test func savesAndLoads() throws {
    let scratch = try Scratch()
    let path = scratch.path + "/session.iofd"
    let output = try say([
      "save \(path)", "vm = ioas create", "destroy id:99", "save \(path)", "undo 2", "load \(path)",
      "expect $vm",
      "load \(path).not", "load \(Tool.path)",
    ])
    #expect(output.contains("there is nothing to save yet"))
    #expect(output.contains("wrote 2 statements to \(path)"))
    #expect(output.contains("carried out 3 statements"))
    #expect(output.contains("is no script") || output.contains("cannot read"))
    #expect(try Tool().run(["run", path]).status == 0)
    // What is there is not written over at once.
    let second = try say(["vm = ioas create", "save \(path)", "save \(path)"])
    #expect(second.contains("is there already"))
    #expect(second.contains("wrote 1 statement to"))
  }

  @Test func aPipeIsToldHowItWent() throws {
    #expect(try talk([.line("vm = ioas create"), .line("destroy id:99")]).status == 0)
    #expect(try talk([.line("destroy id:99 -> ok")]).status == 1)
    #expect(try talk([.line("nonsense")]).status == 3)
    #expect(try talk([.line("rollback x")]).status == 2)
    #expect(try talk([.line("nonsense"), .line("vm = ioas create")]).status == 3)
    #expect(try talk([.line("nonsense"), .line("quit")], isPersonal: true).status == 0)
    // A block that the input ends in.
    #expect(try talk([.line("for i in 1...2 {"), .end]).output.contains("not closed"))
  }

  /// Everything that the pages of the prompt's commands show.
  @Test(arguments: PromptCommand.all.map(\.name))
  func exampleOfACommand(_ name: String) throws {
    let command = try #require(PromptCommand.all.first { $0.name == name })
    let scratch = try Scratch()
    let lines = command.example.map { $0.replacing("session.iofd", with: scratch.path + "/session.iofd") }
    let (_, output, status) = try talk(lines.map { .line($0) })
    #expect(status == 0, "\(output)")
    #expect(command.example == ["quit"] || command.example == ["exit"] || !output.isEmpty)
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

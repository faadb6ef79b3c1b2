// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Runner
import Testing

/// The prompt on a terminal: keys go in, a screen comes out.
@Suite(.serialized) struct PromptTests {
  private let tab = "\t"
  private let enter = "\r"
  private let prompt = "> "

  private func begin(
    _ arguments: [String] = [], in scratch: Scratch, environment: [String] = []
  ) throws -> PseudoTerminal {
    let terminal = try PseudoTerminal(arguments, in: scratch, environment: environment)
    try terminal.wait(for: "Ctrl-D leaves.\n")
    try terminal.wait(for: prompt)
    return terminal
  }

  @Test func completesAndHints() throws {
    let scratch = try Scratch()
    let terminal = try begin(in: scratch)
    // A word, its verb, and what the verb takes.
    terminal.type("vm = ioas c")
    try terminal.wait(for: "reate")
    #expect(terminal.raw.contains("\u{1B}[2mreate\u{1B}[0m"))
    terminal.type(tab + enter)
    try terminal.wait(for: "ok, id=$vm\n")
    // Twice lists, with what each is.
    terminal.type("dirty " + tab + tab)
    try terminal.wait(for: "start  Turns dirty tracking on.\n")
    // A name; the hint that was on the line is not taken for a part of it.
    terminal.type("\u{15}map $v" + tab + enter)
    try terminal.wait(for: "'map' needs memory to map")
    terminal.type("unmap $vm a" + tab + enter)
    try terminal.wait(for: "ok, length=0x0\n")
    terminal.type("destroy id:99" + enter)
    try terminal.wait(for: "ENOENT  (")
    // The answers are where the answers belong, and the prompt tells that something was refused.
    try terminal.wait(for: "iofd 7.2/mock*!> ")
    terminal.type("quit" + enter)
    #expect(try terminal.end() == 0)
  }

  @Test func blocksGoOnAndComeBack() throws {
    let scratch = try Scratch()
    do {
      let terminal = try begin(in: scratch)
      terminal.type("for i in 1...2 {" + enter)
      try terminal.wait(for: "............. ")
      terminal.type("  vm = ioas c" + tab + enter)
      try terminal.wait(for: "............. ")
      terminal.type("}" + enter)
      try terminal.wait(for: prompt)
      terminal.type("expect exists(id:2)" + enter)
      try terminal.wait(for: prompt)
      terminal.type("quit" + enter)
      #expect(try terminal.end() == 0)
    }
    #expect(
      try scratch.read("state/iofd/history")
        == "for i in 1...2 {\\n  vm = ioas create \\n}\nexpect exists(id:2)\nquit\n")
    // Another day: the block comes back as a whole, by Ctrl-R and by the arrow.
    let terminal = try begin(in: scratch)
    terminal.type("\u{12}for i")
    try terminal.wait(for: "reverse-i-search")
    terminal.type(enter)
    try terminal.wait(for: prompt)
    terminal.type("show names" + enter)
    try terminal.wait(for: "vm = $vm\n")
    terminal.type("\u{1B}[A\u{1B}[A\u{1B}[A")
    try terminal.wait(for: "quit")
    terminal.type(enter)
    #expect(try terminal.end() == 0)
  }

  @Test func interrupts() throws {
    let scratch = try Scratch()
    let terminal = try begin(in: scratch)
    // A line.
    terminal.type("vm = ioas cre")
    try terminal.wait(for: "vm = ioas cre")
    terminal.type("\u{3}")
    try terminal.wait(for: "^C\n")
    try terminal.wait(for: prompt)
    // A block.
    terminal.type("for i in 1...2 {" + enter)
    try terminal.wait(for: ".... ")
    terminal.type("\u{3}")
    try terminal.wait(for: "iofd 7.2/mock> ")
    // A statement that runs: it stops between two steps, and what it did can be taken back.
    terminal.type("vm = ioas create" + enter)
    try terminal.wait(for: "ok, id=$vm\n")
    try terminal.wait(for: prompt)
    terminal.type("for i in 1...1000000 { for j in 1...60 { x = ($i + $j) } }" + enter)
    try terminal.wait(for: "} }\n")
    terminal.type("\u{3}")
    try terminal.wait(for: "interrupted after ")
    try terminal.wait(for: prompt)
    terminal.type("undo" + enter)
    try terminal.wait(for: "taken back: for i in 1...1000000")
    try terminal.wait(for: prompt)
    terminal.type("expect $vm.areas.count = 0; show names" + enter)
    try terminal.wait(for: "vm = $vm\n")
    try terminal.wait(for: prompt)
    terminal.type("\u{4}")
    try terminal.wait(for: "1 statement is not saved")
    try terminal.wait(for: prompt)
    terminal.type("\u{4}")
    #expect(try terminal.end() == 0)
  }

  @Test func savesWhatRuns() throws {
    let scratch = try Scratch()
    let terminal = try begin(in: scratch)
    for line in [
      "vm = ioas create", "buf = mem alloc 64K", "map $vm $buf iova=0x1000000", "map $vm $buf iova=0x1000000",
    ] {
      terminal.type(line + enter)
      try terminal.wait(for: prompt)
    }
    terminal.type("why" + enter)
    try terminal.wait(for: "EEXIST, since the range overlaps a mapping")
    try terminal.wait(for: "iommufd_ioas_map()")
    try terminal.wait(for: prompt)
    terminal.type("what-if unmap $vm all" + enter)
    try terminal.wait(for: "ok, length=0x10000")
    try terminal.wait(for: prompt)
    terminal.type("save \(scratch.path)/mine.iofd" + enter)
    try terminal.wait(for: "wrote 4 statements to ")
    try terminal.wait(for: "iofd 7.2/mock> ")
    // Nothing is left to ask about.
    terminal.type("\u{4}")
    #expect(try terminal.end() == 0)
    let outcome = try Tool().run(["run", scratch.path + "/mine.iofd"])
    #expect(outcome.status == 0, "\(outcome.output)")
    #expect(try scratch.read("mine.iofd").contains("map $vm $buf iova=0x1000000  -> EEXIST"))
  }

  @Test func aWindowChangesItsSize() throws {
    let scratch = try Scratch()
    let terminal = try begin(in: scratch)
    terminal.type("vm = ")
    try terminal.wait(for: "vm = ")
    terminal.resize(columns: 40)
    terminal.type("ioas create" + enter)
    try terminal.wait(for: "ok, id=$vm")
    terminal.type("quit" + enter)
    #expect(try terminal.end() == 0)
  }

  @Test func coloursAreForTerminals() throws {
    let scratch = try Scratch()
    let coloured = try begin(in: scratch)
    coloured.type("nonsense" + enter)
    try coloured.wait(for: "there is no command")
    #expect(coloured.raw.contains("\u{1B}[1;31m"))
    let plain = try begin(in: scratch, environment: ["NO_COLOR=1"])
    plain.type("nonsense" + enter)
    try plain.wait(for: "there is no command")
    #expect(!plain.raw.contains("\u{1B}[1;31m"))
    // A terminal that can do nothing has prompts all the same.
    let dumb = try PseudoTerminal(in: scratch, environment: ["TERM=dumb"])
    try dumb.wait(for: "iofd 7.2/mock> ")
    dumb.type("vm = ioas c\n")
    try dumb.wait(for: "ok, id=$vm")
    #expect(!dumb.raw.contains("\u{1B}"))
  }

  @Test func lessonsWaitForWhatIsTyped() throws {
    let scratch = try Scratch()
    let terminal = try begin(in: scratch)
    terminal.type("mine = ioas create" + enter)
    try terminal.wait(for: "ok, id=$mine")
    terminal.type("lesson 1" + enter)
    try terminal.wait(for: "Try: make an IOAS")
    try terminal.wait(for: "lesson 1 (1/7)> ")
    terminal.type("buf = mem alloc 4K" + enter)
    try terminal.wait(for: "Taken back")
    try terminal.wait(for: "lesson 1 (1/7)> ")
    terminal.type("vm = ioas c" + tab + enter)
    try terminal.wait(for: "Yes.")
    try terminal.wait(for: "lesson 1 (2/7)> ")
    terminal.type("hint" + enter)
    try terminal.wait(for: "memory is got with")
    try terminal.wait(for: "lesson 1 (2/7)> ")
    // Ctrl-D leaves the lesson, and then the prompt, which has something to say about what is not saved.
    terminal.type("\u{4}")
    try terminal.wait(for: "back from lesson 1")
    try terminal.wait(for: "iofd 7.2/mock*> ")
    terminal.type("\u{4}")
    try terminal.wait(for: "1 statement is not saved")
    try terminal.wait(for: prompt)
    terminal.type("\u{4}")
    #expect(try terminal.end() == 0)
  }

  @Test func reviewAsksOnATerminal() throws {
    let scratch = try Scratch()
    let path = try scratch.write("a.iofd", "ioas create -> id=9\n! ioas create\nioas create -> id=9\n")
    let terminal = try PseudoTerminal(["run", "--update=review", path], in: scratch)
    try terminal.wait(for: "- ioas create -> id=9\n")
    try terminal.wait(for: "+ ioas create -> id=1\n")
    try terminal.wait(for: "[y/n/a/q] ")
    terminal.type("a" + enter)
    // What had to fail is asked about all the same.
    try terminal.wait(for: "what had to fail succeeds\n")
    try terminal.wait(for: "[y/n/a/q] ")
    terminal.type("n" + enter)
    try terminal.wait(for: "line 2 stays: by request")
    #expect(try terminal.end() == 1)
    #expect(try scratch.read("a.iofd") == "ioas create -> id=1\n! ioas create\nioas create -> id=3\n")
  }

  /// The plain twin gives the same answers.
  @Test func aPipeTalksToo() throws {
    let tool = try Tool()
    let lines = [
      "vm = ioas c", "map $vm", "buf = mem alloc 4K", "map $vm $buf iova=0x1000",
      "map $vm $buf iova=0x1000", "why", "undo", "show names",
    ]
    let outcome = try tool.run(["-i"], input: lines.joined(separator: "\n") + "\n")
    #expect(outcome.status == 3)
    #expect(outcome.output.hasPrefix("  vm = ioas create\nok, id=$vm\n<input 2>:1:1: error[R"))
    #expect(outcome.output.contains("EEXIST, since the range overlaps a mapping"))
    #expect(outcome.output.contains("taken back: map $vm $buf iova=0x1000"))
    #expect(!outcome.output.contains("\u{1B}") && !outcome.output.contains("iofd 7.2"))
    let given = try tool.run(["-c", "vm = ioas create", "-c", "unmap $vm all", "--kernel", "6.12"])
    #expect(given.output.hasPrefix("ok, id=$vm\nok, length=0x0"))
    #expect(given.status == 0)
    try tool.scratch.write("first.iofd", "iofd 1\nvm = ioas create\n")
    let both = try tool.run(["-f", tool.scratch.path + "/first.iofd", "-i"], input: "expect $vm\n")
    #expect(both.status == 0, "\(both.output)")
    // Nothing of a pipe is remembered.
    #expect(try tool.shell("XDG_STATE_HOME=$PWD/state iofd -i <<<'x = 1' && ! test -e state").status == 0)
  }
}

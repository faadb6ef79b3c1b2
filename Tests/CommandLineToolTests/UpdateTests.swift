// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import LineEditing
import Runner
import Testing

@testable import CommandLineTool

/// `iofd run --update`, as a person meets it.
struct UpdateCommandTests {
  @Test func nothingIsChangedInPlaceUnderCI() throws {
    let tool = try Tool()
    let text = "ioas create -> id=9\n"
    try tool.scratch.write("a.iofd", text)
    let outcome = try tool.shell("export CI=true; iofd run --update=accept a.iofd")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("CI is set"))
    #expect(outcome.output.contains("- ioas create -> id=9\n  + ioas create -> id=1\n"))
    #expect(try tool.scratch.read("a.iofd") == text)
    #expect(try tool.scratch.read("a.iofd.new") == "ioas create -> id=1\n")
    let accepted = try tool.shell("unset CI; iofd run --update=accept a.iofd")
    #expect(accepted.status == 1)
    #expect(try tool.scratch.read("a.iofd") == "ioas create -> id=1\n")
    #expect(try tool.shell("unset CI; iofd run --update=accept a.iofd").status == 0)
  }

  /// A disk that fills up (here, a limit on files) leaves the old file.
  @Test func aFullDiskLeavesTheOldFile() throws {
    let tool = try Tool()
    let text =
      String(repeating: "# a comment of some length, to fill the disk\n", count: 100)
      + "ioas create -> id=9\n"
    try tool.scratch.write("a.iofd", text)
    let outcome = try tool.shell("unset CI; trap '' XFSZ; ulimit -f 2; iofd run --update=accept a.iofd")
    #expect(outcome.status == 2)
    #expect(outcome.output.contains("File too large"))
    #expect(try tool.scratch.read("a.iofd") == text)
    #expect(tool.scratch.names("a.iofd").count == 1)
  }

  @Test func usage() throws {
    let tool = try Tool()
    try tool.scratch.write("a.iofd", "ioas create\n")
    #expect(
      try tool.shell("unset CI; iofd run --update=review a.iofd").errors.contains("there is no terminal"))
    #expect(try tool.shell("unset CI; iofd run --update=accept - <a.iofd").status == 2)
    #expect(try tool.shell("iofd run --update=accept --sweep a.iofd").status == 2)
    #expect(try tool.shell("iofd run --update=sometimes a.iofd").status == 2)
    let report = try tool.shell(
      "unset CI; echo 'ioas create -> id=2' >b.iofd; iofd run --update=new --report ndjson=- b.iofd")
    #expect(report.output.contains("{\"event\":\"update\",\"script\":\"b.iofd\",\"written\":\"b.iofd.new\""))
  }

  private final class Answers: LineEditor {
    private var lines: [LineInput]
    init(_ lines: [String]) { self.lines = lines.reversed().map { .line($0) } }
    func readLine(prompt: String) -> LineInput { lines.popLast() ?? .end }
    func addHistory(_ entry: String) {}
  }

  @Test func reviewTakesAnAnswerForEach() throws {
    let scratch = try Scratch()
    let text = "ioas create -> id=9\nioas create -> id=9\n! ioas create\nioas create -> id=9\n"
    for (index, (answers, expected)) in [
      (["y", "n", "y", "n"], "ioas create -> id=1\nioas create -> id=9\nioas create\nioas create -> id=9\n"),
      (
        ["what", "n", "a", "n"],
        "ioas create -> id=9\nioas create -> id=2\n! ioas create\nioas create -> id=4\n"
      ),
      (["y", "q"], "ioas create -> id=1\nioas create -> id=9\n! ioas create\nioas create -> id=9\n"),
      ([], text),
    ].enumerated() {
      let path = try scratch.write("\(index).iofd", text)
      let output = try ByteOutput(creating: scratch.path + "/out")
      let reviewer = Reviewer(output: output, editor: Answers(answers))
      var configuration = Runner.Configuration()
      configuration.update = .review
      configuration.review = { reviewer.decide($0, $1, $2, $3) }
      _ = Runner(configuration).run(ScriptTree([path]).entries, sinks: [])
      output.flush()
      #expect(try scratch.read("\(index).iofd") == expected)
      #expect(try scratch.read("out").contains("(1 of 4)\n- ioas create -> id=9\n+ ioas create -> id=1\n"))
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Testing

@testable import Runner

struct RunnerTests {
  private static let pass = "vm = ioas create\ndestroy $vm\n"
  private static let fail = "vm = ioas create -> EEXIST\ndestroy $vm\n"
  private static let invalid = "vm = ioas craete\n"
  private static let tests = """
    test "one" label=quick {
      vm = ioas create
      destroy $vm
    }
    test "two" label=slow {
      vm = ioas create -> EEXIST
    }
    """

  private func run(
    _ directory: TemporaryDirectory, _ change: (inout Runner.Configuration) -> Void = { _ in },
    mayGoOn: @escaping () -> Bool = { true }
  ) -> (recorder: Recorder, totals: RunTotals) {
    var configuration = Runner.Configuration()
    configuration.jobs = 1
    change(&configuration)
    let recorder = Recorder()
    let totals = Runner(configuration).run(
      ScriptTree([directory.path]).entries, sinks: [recorder], mayGoOn: mayGoOn)
    return (recorder, totals)
  }

  @Test func tellsEachCase() throws {
    let directory = try TemporaryDirectory()
    try directory.write("a.iofd", Self.pass)
    try directory.write("b.iofd", Self.fail)
    try directory.write("c.iofd", Self.invalid)
    try directory.write("d.iofd", Self.tests)
    let (recorder, totals) = run(directory)
    #expect(recorder.cases.map(\.verdict) == [.passed, .failed, .invalid, .passed, .failed])
    #expect(recorder.cases.map(\.name) == ["", "", "", "one", "two"])
    #expect(totals.summary == "2 passed, 3 failed (1 invalid)")
    #expect(totals.status == .invalid)
  }

  @Test func saysTheSameHoweverManyThreadsThereAre() throws {
    let directory = try TemporaryDirectory()
    for index in 10..<40 {
      let script = [Self.pass, Self.fail, Self.invalid, Self.tests, "vm = ioas create\nshow $vm\n"][index % 5]
      try directory.write("\(index).iofd", script)
    }
    let alone = run(directory) { $0.trace = .request }.recorder.lines
    for jobs in [2, 3, 8] {
      let together = run(directory) {
        $0.trace = .request
        $0.jobs = jobs
      }
      #expect(together.recorder.lines == alone)
    }
  }

  @Test func stopsBehindTheFirstFailure() throws {
    let directory = try TemporaryDirectory()
    try directory.write("a.iofd", Self.pass)
    try directory.write("b.iofd", Self.fail)
    for name in ["c", "d", "e"] { try directory.write("\(name).iofd", Self.pass) }
    for jobs in [1, 4] {
      let (recorder, totals) = run(directory) {
        $0.failFast = true
        $0.jobs = jobs
      }
      let notRun = RunVerdict.notRun("an earlier one failed")
      #expect(recorder.cases.map(\.verdict) == [.passed, .failed, notRun, notRun, notRun])
      #expect(totals.status == .failed)
      #expect(totals.summary == "1 passed, 4 failed (3 not-run)")
    }
  }

  @Test func stopsWhenNobodyListens() throws {
    let directory = try TemporaryDirectory()
    for name in ["a", "b", "c"] { try directory.write("\(name).iofd", Self.pass) }
    let (recorder, totals) = run(directory, mayGoOn: { false })
    let notRun = RunVerdict.notRun("the output cannot be written")
    #expect(recorder.cases.map(\.verdict) == [.passed, notRun, notRun])
    #expect(totals.failed == 2)
  }

  @Test(arguments: [
    ("one", ["one"]), ("slow", ["two"]), ("b.iofd", [""]), ("d.iofd", ["one", "two"]), ("none", []),
  ])
  func choosesByNameAndLabel(_ filter: String, _ names: [String]) throws {
    let directory = try TemporaryDirectory()
    try directory.write("b.iofd", Self.pass)
    try directory.write("d.iofd", Self.tests)
    let (recorder, totals) = run(directory) { $0.filter = [filter] }
    #expect(recorder.cases.map(\.name) == names)
    #expect((totals.status == .nothingRan) == names.isEmpty)
  }

  @Test func nothingToRunIsNotAPass() throws {
    let directory = try TemporaryDirectory()
    #expect(run(directory).totals.status == .nothingRan)
  }

  @Test func endsWhatTakesTooLong() throws {
    let directory = try TemporaryDirectory()
    try directory.write("a.iofd", "for i in 1...1000000 {\n  for j in 1...60 {\n    x = ($i + $j)\n  }\n}\n")
    #expect(run(directory) { $0.secondsLimit = 0.05 }.totals.status == .timeOut)
    #expect(run(directory) { $0.statementLimit = 1000 }.totals.status == .timeOut)
    #expect(run(directory) { $0.memoryLimit = 1 }.totals.status == .outOfMemory)
  }

  @Test func announcedFailures() throws {
    let directory = try TemporaryDirectory()
    try directory.write("a.iofd", "xfail \"known\"\n" + Self.fail)
    try directory.write("b.iofd", "xfail \"known\"\n" + Self.pass)
    let (recorder, totals) = run(directory)
    #expect(
      recorder.cases.map(\.verdict.word) == ["xfail", "passed", "xpass"]
        || recorder.cases.map(\.verdict.word) == ["xfail", "xpass"])
    #expect(totals.status == .failed)
  }

  @Test func givesValuesToParameters() throws {
    let directory = try TemporaryDirectory()
    try directory.write("a.iofd", "param n: int = 1\nexpect $n = 5\n")
    #expect(run(directory) { $0.defines = ["n": "5"] }.totals.status == .passed)
    #expect(run(directory).totals.status == .failed)
    #expect(run(directory) { $0.defines = ["m": "5"] }.totals.status == .invalid)
  }
}

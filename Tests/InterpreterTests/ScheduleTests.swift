// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Interpreter
import Language
import Testing

/// `thread`, `run`, `explore` and `parallel`.
@Suite struct ScheduleTests {
  private let space = """
    vm = ioas create
    buf = mem alloc 64K fill=seq
    dev = device add
    attach $dev to=$vm

    """

  // MARK: Turns

  @Test func aThreadRunsWhenItIsTold() {
    passes(
      space + """
        thread a { map $vm $buf iova=0x1000000 len=8K }
        expect $vm.areas.count = 0
        run a until pages.pinned
        expect pins($buf[0...0x1fff]) = 1
        expect translate($dev, 0x1000000) = none
        run a until area.filled
        expect translate($dev, 0x1000000) = physical($buf)
        map $vm $buf iova=0x1000000 len=4K -> EEXIST
        copy $vm 0x1000000 len=4K to=$vm -> ENOENT
        run a
        copy $vm 0x1000000 len=4K to=$vm
        """)
  }

  @Test func whatAThreadBindsAnewIsThereWhenItHasEnded() {
    passes(
      space + """
        x = 1
        hw = hwpt create dev=$dev parent=$vm
        thread a {
          x = 2
          hw = hwpt create dev=$dev parent=$vm
          own = 7
          expect $own = 7
        }
        run a until statement
        expect $x = 1
        run a
        expect $x = 2
        destroy $hw
        """)
    #expect(codes("thread a { own = 7 }\nrun a\nexpect $own = 7") == ["R0005"])
  }

  @Test func blockedIsAnAnswer() {
    let script =
      space + """
        thread a { map $vm $buf iova=0x1000000 len=8K }
        thread b { hwpt create dev=$dev parent=$vm }
        run a until area.filled

        """
    passes(script + "run b -> blocked\nrun b -> blocked\nrun a\nrun b")
    let wrong = run(script + "run b")
    #expect(wrong.allDiagnostics.map(\.code.code) == ["X0131"])
    #expect(wrong.allDiagnostics.first?.details.first?.text == "b waits for domains, held up by a")
    #expect(codes(script + "run b -> blocked\nrun a -> blocked") == ["X0131"])
  }

  /// What is left at the end goes on to its end: nothing stays locked, no result is lost.
  @Test func unfinishedThreadsAreFinished() {
    let result = run(
      space + """
        thread a { map $vm $buf iova=0x1000000 len=8K -> EEXIST }
        thread never { destroy id:99 }
        run a until pages.pinned
        """)
    #expect(result.allDiagnostics.map(\.code.code) == ["X0101"])
    #expect(result.counts.failed == 1)
  }

  /// A statement of the script that needs what a thread has lets it go on until it has not.
  @Test func theScriptIsNotBlocked() {
    passes(
      space + """
        thread a { map $vm $buf iova=0x1000000 len=8K }
        run a until domains.shared
        hwpt create dev=$dev parent=$vm
        run a
        """)
  }

  @Test func mistakesAreNamed() {
    #expect(codes("run a") == ["R0040"])
    #expect(codes("thread a { ioas create }\nthread a { ioas create }\nrun a") == ["R0041"])
    #expect(codes("thread a { run a }\nrun a").contains("R0042"))
    #expect(codes("thread a { parallel { ioas create } }").contains("R0042"))
    #expect(codes("explore bound=1 { expect invariants }") == ["R0042"])
    #expect(codes("explore threads=a { expect invariants }") == ["R0042"])
    #expect(codes("thread a { ioas create }\nexplore threads=[a, a] { expect invariants }") == ["R0042"])
    #expect(codes("thread a { ioas create }\nexplore threads=[a] depth=1 { expect invariants }") == ["R0002"])
    #expect(codes("thread a { ioas create }\nrun a nth=2") == ["R0002"])
    #expect(codes("thread a { ioas create }\nrun a -> EINVAL") == ["R0042"])
    #expect(codes("thread a { ioas create }\nrun a until nowhere") == ["X0130"])
    #expect(codes("thread a { ioas create }\nrun a until pages.pinned") == ["X0131"])
    #expect(codes("thread a { ioas create }\nrun a\nrun a") == ["X0131"])
    #expect(codes("def f() { run a }\nthread a { ioas create }\nf") == ["R0040"])
    #expect(
      codes("thread a { ioas create }\nrun a until objects.lock nth=2\nexpect invariants").contains("X0103"))
  }

  @Test func aThreadThatIsNotThereIsSkipped() {
    let result = run(
      "[kernel<6.0] thread a { ioas create }\nrun a\nexplore threads=[a] { expect invariants }")
    #expect(result.verdict == .passed)
    #expect(result.counts.skipped == 3)
  }

  // MARK: Explore

  @Test func everyOrderIsTried() {
    // Without preemptions: either first, for any number of threads.
    passes(
      "thread a { ioas create }\nthread b { ioas create }\nexplore threads=[a, b] bound=0 { expect invariants } -> schedules=2"
    )
    passes(
      "thread a { ioas create }\nthread b { ioas create }\nthread c { ioas create }\n"
        + "explore threads=[a, b, c] bound=0 { expect invariants } -> schedules=6")
    passes("thread a { ioas create }\nexplore threads=[a] bound=5 { expect invariants } -> schedules=1")
    // A bound above all points gives every interleaving: of p and q points as many as there are ways to mix them.
    let result = run(
      "thread a { ioas create }\nthread b { ioas create }\n"
        + "explore threads=[a, b] bound=1 { expect invariants } -> schedules=?n\n"
        + "explore threads=[a, b] bound=2 { expect invariants } -> schedules>$n")
    #expect(result.verdict == .passed)
  }

  /// Both results of a race are seen, each in some order.
  @Test func aRaceHasBothResults() {
    let race =
      space + """
        thread a { ? map $vm $buf iova=0x1000000 len=4K }
        thread b { ? map $vm $buf+0x1000 iova=0x1000000 len=4K }

        """
    for winner in ["$buf", "$buf+0x1000"] {
      #expect(
        codes(race + "explore threads=[a, b] { expect translate($dev, 0x1000000) = physical(\(winner)) }")
          == ["X0133"])
    }
    passes(race + "explore threads=[a, b] { expect $vm.areas.count = 1 }")
  }

  /// Explore begins anew each time, and leaves the script's own machine as it was.
  @Test func nothingOfItStays() {
    passes(
      space + """
        n = 0
        for i in 0...3 { map $vm $buf len=4K }
        thread a { ? unmap $vm all }
        thread b {
          map $vm $buf len=4K
          n = 1
        }
        explore threads=[a, b] bound=1 { expect $n = 1 }
        expect $n = 0
        expect $vm.areas.count = 4
        for k in [1, 2] {
          map $vm $buf iova=(0x5000000 * $k) len=4K
          explore threads=[a, b] bound=0 { expect $n = 1 } -> schedules=2
        }
        run b
        explore threads=[a] { expect $vm.areas.count = 0 }
        """)
  }

  /// A thread that stands somewhere is part of the state; it is led there again, and stays.
  @Test func otherThreadsStayWhereTheyAre() {
    passes(
      space + """
        thread c { map $vm $buf iova=0x1000000 len=4K }
        thread a { unmap $vm 0x1000000 len=4K -> EBUSY }
        thread b { copy $vm 0x1000000 len=4K to=$vm -> ENOENT }
        run c until area.filled
        explore threads=[a, b] bound=1 { expect pins($buf[0...0xfff]) = 1 }
        run c
        """)
  }

  @Test func insideATestItIsTheTestsMachine() {
    passes(
      """
      test "one" { ioas create }
      test "two" {
        \(space)
        thread a { map $vm $buf len=4K }
        thread b { map $vm $buf len=4K }
        explore threads=[a, b] bound=1 { expect $vm.areas.count = 2 }
      }
      a = ioas create
      thread t { destroy $a }
      explore threads=[t] { ! destroy $a }
      """)
  }

  /// A lock that is forgotten on purpose: some order of few breaks an invariant, and its lines do it again.
  @Test func aForgottenLockIsFoundAndItsScheduleReplays() throws {
    let before =
      space + """
        bug lock domains
        thread a { map $vm $buf iova=0x1000000 len=8K }
        thread b { hwpt create dev=$dev parent=$vm }

        """
    let found = run(before + "explore threads=[a, b] bound=1 { expect invariants }")
    let failure = try #require(found.allDiagnostics.first)
    #expect(failure.code.code == "X0133")
    #expect(
      failure.details.contains { $0.label == "rule" && $0.text == "every domain translates every area" })
    let lines = failure.details.filter { $0.label == "paste" }.map(\.text)
    #expect(lines.contains { $0.hasPrefix("run a until ") } && lines.last == "expect invariants")
    let again = run(before + lines.joined(separator: "\n"))
    #expect(again.allDiagnostics.contains { $0.code.code == "X0105" })
    #expect(
      again.allDiagnostics.contains {
        $0.details.contains { $0.text == "every domain translates every area" }
      })
    // With the lock the same lines are no schedule: the second thread waits.
    let sound = run(before.replacing("bug lock domains\n", with: "") + lines.joined(separator: "\n"))
    #expect(!sound.allDiagnostics.contains { $0.code.code == "X0105" })
    #expect(
      codes(before + "bug lock domains off\nexplore threads=[a, b] bound=1 { expect invariants }") == [])
    #expect(codes("bug lock pages") == ["X0118"])
  }

  /// Whatever breaks, and wherever threads were held up for it: the printed lines break the same.
  @Test(arguments: [
    ("? map $vm $buf iova=0x1000000 len=4K", "? unmap $vm 0x1000000 len=4K", "$vm.areas.count = 1"),
    ("? unmap $vm 0x1000000 len=4K", "map $vm $buf iova=0x1000000 len=4K", "$vm.areas.count = 0"),
    ("hwpt create dev=$dev parent=$vm", "? destroy $vm", "$vm.areas.count = 1"),
    ("map $vm $buf iova=0x1000000 len=4K", "copy $vm 0x1000000 len=4K to=$vm", "invariants"),
  ])
  func whatIsPastedFailsTheSameWay(_ a: String, _ b: String, _ promise: String) throws {
    let before = space + "thread a { \(a) }\nthread b { \(b) }\n"
    let found = run(before + "explore threads=[a, b] bound=2 { expect \(promise) }")
    let failure = try #require(found.allDiagnostics.first)
    try #require(failure.code.code == "X0133")
    let note = try #require(failure.notes.first).text
    let lines = failure.details.filter { $0.label == "paste" }.map(\.text)
    let again = run(before + lines.joined(separator: "\n"))
    #expect(again.allDiagnostics.map { "\($0.code.code): \($0.message)" }.contains(note), "\(lines)")
  }

  // MARK: Parallel

  @Test func parallelRunsEverything() {
    passes(
      space + """
        n = 0
        parallel {
          map $vm $buf iova=0x1000000 len=4K
          map $vm $buf iova=0x2000000 len=4K
          thread more {
            for i in 0...7 { map $vm $buf iova=(0x3000000 + $i * 4K) len=4K }
            n = 8
          }
          for i in 0...7 { map $vm $buf iova=(0x4000000 + $i * 4K) len=4K }
        }
        expect $vm.areas.count = 18
        expect $n = 8
        """)
    let result = run("parallel {\n  ioas create -> EINVAL\n  ioas create\n  destroy id:9 -> EBUSY\n}")
    #expect(result.counts.failed == 2 && result.counts.passed == 1)
    // In the order of the script, whoever was first.
    #expect(result.allDiagnostics.map { $0.source.line(of: $0.span.start) } == [2, 4])
  }

  @Test(arguments: StatementPage.all.map(\.word)) func pagesTellOfIt(_ word: String) throws {
    let page = try #require(StatementPage.all.first { $0.word == word })
    #expect(Explain.page(word)?.contains(page.example.split(separator: "\n")[0]) == true)
    passes(page.example)
  }

  @Test func pointsAreShown() {
    var text = ""
    _ = run("show points") { $0.output = { text += $0 } }
    #expect(text.contains("pages.pinned ") && text.contains("domains.exclusive "))
  }
}

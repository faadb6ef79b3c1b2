// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

// Corpora from the command line: verdicts, parts, logs, and inputs that take their process along.
struct ReplayTests {
  /// A corpus of 40 programs, one of which is a test that fails.
  private func corpus(_ tool: Tool) throws {
    _ = try tool.shell("mkdir c")
    for index in 10..<49 { try tool.scratch.write("c/\(index)", "close(0x\(index))\n") }
    try tool.scratch.write("c/49", "close(0x9) # ENOENT\n")
  }

  @Test func verdictsAndStatus() throws {
    let tool = try Tool()
    try corpus(tool)
    let outcome = try tool.shell("iofd replay c")
    #expect(outcome.status == 1)
    #expect(outcome.output.contains("failed      c/49: 1:1: close: expected ENOENT, got EBADF  ["))
    #expect(outcome.output.contains("    > close(0x9) # ENOENT\n"))
    #expect(outcome.output.hasSuffix("40 inputs: 39 passed, 1 failed; 40 calls\n"))
    #expect(try tool.shell("rm c/49; iofd replay c").status == 0)
    #expect(try tool.shell("mkdir empty; iofd replay empty").status == 4)
    #expect(try tool.shell("iofd replay --allow-empty empty").status == 0)
    #expect(try tool.shell("echo 'foo$x(0x1)' > u; iofd replay u").status == 4)
    #expect(try tool.shell("iofd replay c u").output.contains("1 calls of 1 kinds are not known: foo$x 1\n"))
    #expect(try tool.shell("printf 'prog a\\nopen x\\n' > bad; iofd replay c bad").status == 3)
    #expect(try tool.shell("iofd replay --shard 0/3 c").status == 2)
    #expect(try tool.shell("iofd replay --merge c").status == 2)
  }

  @Test func anyNumberOfWorkersTellsTheSame() throws {
    let tool = try Tool()
    try corpus(tool)
    for format in ["ndjson", "tap", "junit"] {
      _ = try tool.shell(
        "iofd replay -j1 --report \(format)=1.\(format) c; iofd replay -j5 --report \(format)=5.\(format) c")
      #expect(try tool.scratch.read("1.\(format)") == tool.scratch.read("5.\(format)"))
    }
    let tap = try tool.scratch.read("1.tap")
    #expect(tap.hasPrefix("TAP version 14\nok 1 - c/10\n") && tap.hasSuffix("  ...\n1..40\n"))
    #expect(tap.contains("not ok 40 - c/49\n  ---\n  severity: failed\n  sha1: "))
    let junit = try tool.scratch.read("1.junit")
    #expect(
      junit.contains("<testsuites name=\"iofd\" tests=\"40\" failures=\"1\" errors=\"0\" skipped=\"0\""))
    #expect(junit.contains("<testsuite name=\"c\" tests=\"40\" failures=\"1\" errors=\"0\" skipped=\"0\""))
    #expect(
      junit.contains("name=\"49 ")
        && junit.contains("<failure type=\"failed\" message=\"1:1: close: expected"))
    let well = try tool.shell("command -v xmllint >/dev/null || exit 0; xmllint --noout 1.junit")
    #expect(well.status == 0, "\(well.errors)")
  }

  @Test func partsMergeIntoTheWhole() throws {
    let tool = try Tool()
    try corpus(tool)
    let whole = try tool.shell("iofd replay --report ndjson=whole c")
    let parts = try tool.shell(
      "for i in 1 2 3 4; do iofd replay -q --shard $i/4 --report ndjson=$i c || true; done")
    #expect(parts.status == 0)
    let merged = try tool.shell("iofd replay --merge --report ndjson=merged --report tap=merged.tap 3 1 4 2")
    #expect(merged.status == 1)
    #expect(merged.output == whole.output)
    let lines = try tool.scratch.read("merged").split(separator: "\n")
    #expect(try lines == tool.scratch.read("whole").split(separator: "\n"))
    #expect(try tool.scratch.read("merged.tap").hasSuffix("1..40\n"))
    for (words, message) in [
      ("1 2 4", "there is no report of part 3 of 4"), ("1 2 3 4 4", "which another report is of as well"),
      ("1 2 3 whole", "other options"), ("1 2 3 c/10", "cannot read c/10"),
      ("nowhere", "cannot read nowhere"),
    ] {
      let outcome = try tool.shell("iofd replay --merge \(words)")
      #expect(outcome.status == 2 && outcome.errors.contains(message), "\(words): \(outcome.errors)")
    }
    // A part whose machine died is told, and what it had played counts.
    _ = try tool.shell("head -3 2 > cut; mv cut 2")
    let cut = try tool.shell("iofd replay --merge 1 2 3 4")
    #expect(cut.status == 3 && cut.output.contains("ended early: 2 has no end\n"))
    #expect(try tool.shell("iofd replay --merge --force 1 3 4").output.contains("inputs: "))
  }

  @Test func knownFailuresAreAnnounced() throws {
    let tool = try Tool()
    try corpus(tool)
    let hash = try tool.shell("sha1sum c/49 | cut -d' ' -f1").output.dropLast()
    try tool.scratch.write("known", "\(hash) until=2999-01-01 not yet\n")
    let known = try tool.shell("iofd replay --xfail known c")
    #expect(known.status == 0 && known.output.contains("39 passed, 1 xfail"))
    let passing = try tool.shell(
      "sha1sum c/10 | cut -d' ' -f1 | sed 's/$/ why/' >> known; iofd replay --xfail known c")
    #expect(passing.status == 1 && passing.output.contains("1 xpass"))
    try tool.scratch.write("known", "\(hash) until=2020-01-01 not yet\n")
    let stale = try tool.shell("iofd replay --xfail known c")
    #expect(stale.status == 1 && stale.errors.contains("is past its day, 2020-01-01: not yet"))
    try tool.scratch.write("known", "\(hash)\n")
    #expect(try tool.shell("iofd replay --xfail known c").status == 2)
  }

  @Test func twoRunsAreCompared() throws {
    let tool = try Tool()
    let program = "prog one\nopen 0\nioctl $0 0x3b8f 40\nprog two\nopen 0\nclose 0\n"
    try tool.scratch.write("p", program)
    _ = try tool.shell("iofd replay --answers=answers --report ndjson=report p")
    for recorded in ["answers", "report"] {
      let same = try tool.shell("iofd replay --compare \(recorded) p")
      #expect(same.status == 0)
      #expect(same.output.contains("compared with the recorded run: 0 changed, 0 new, 0 missing\n"))
      let other = try tool.shell("iofd replay --kernel 6.12 --compare \(recorded) p")
      #expect(other.status == 1)
      #expect(other.output.contains("changed     p#one: "))
      #expect(other.output.contains("1 changed, 0 new, 0 missing"))
    }
    let words = try tool.shell("iofd replay --kernel 6.12 --compare answers p").output
    #expect(
      words.contains(
        "it answered \"1 ioctl 3b8f rc=-1 errno=22\", and answers \"1 ioctl 3b8f rc=-1 errno=25\""))
    let less = try tool.shell("head -3 p > q; iofd replay --compare answers q")
    #expect(less.status == 1 && less.output.contains("missing     two\n"))
    #expect(try tool.shell("iofd replay --compare c/none p").status == 2)
    #expect(try tool.shell("iofd replay --compare /dev/null p").status == 2)
  }

  // MARK: Processes that die

  /// A script that goes on for minutes, among inputs that do not.
  private func slow(_ tool: Tool) throws {
    try corpus(tool)
    try tool.scratch.write("c/49", "close(0x9)\n")
    try tool.scratch.write("c/30.iofd", "iofd 1\n" + Script.long)
  }

  /// Sends a signal to the worker that plays a script, once it does.
  private static func end(worker signal: String) -> String {
    """
    main=$!
    for i in $(seq 1 1000); do
      for child in $(cat /proc/$main/task/*/children); do
        ticks=$(awk '{print $14}' /proc/$child/stat 2>/dev/null || echo 0)
        [ "$ticks" -gt 20 ] && kill -\(signal) $child && break 2
      done
      sleep 0.01
    done
    wait $main
    """
  }

  @Test(arguments: [
    ("SEGV", 77, "trapped", "SIGSEGV"), ("ILL", 77, "trapped", "SIGILL"),
    ("KILL", 71, "out-of-memory", "killed from outside"),
  ])
  func anInputThatTakesItsProcessAlong(_ signal: String, _ status: Int32, _ word: String, _ message: String)
    throws
  {
    let tool = try Tool()
    try slow(tool)
    let outcome = try tool.shell(
      "\"\(Tool.path)\" replay -j1 --time-limit 0 --report ndjson=report c & " + Self.end(worker: signal))
    #expect(outcome.status == status)
    #expect(
      outcome.output.contains("\(word) ") && outcome.output.contains("c/30.iofd: ")
        && outcome.output.contains(message))
    // Everything else is played, once.
    #expect(outcome.output.contains("41 inputs: 40 passed, 1 \(word)"))
    let report = try tool.scratch.read("report").split(separator: "\n")
    #expect(report.count { $0.contains("\"event\":\"input-end\"") } == 41)
  }

  @Test func anInputThatTakesTooLong() throws {
    let tool = try Tool()
    try slow(tool)
    let outcome = try tool.shell("iofd replay -j2 --time-limit 1 c")
    #expect(outcome.status == 70)
    #expect(outcome.output.contains("timeout     c/30.iofd: it takes more than 1.0 seconds"))
    #expect(outcome.output.contains("41 inputs: 40 passed, 1 timeout"))
    // A limit of the run ends it, and says that it did.
    let run = try tool.shell("iofd replay -j1 --time-limit 0 --run-time-limit 1 c")
    #expect(run.status == 70 && run.output.contains("ended early: the run's time is over"))
    #expect(!run.output.contains("timeout"))
    let few = try tool.shell("iofd replay --input-limit 5 c")
    #expect(
      few.status == 0
        && few.output.contains("ended early: 5 inputs were played, and there are more\n5 inputs"))
  }

  @Test func anInputThatTakesTooMuch() throws {
    let tool = try Tool()
    try tool.scratch.write(
      "a.iofd", "iofd 1\nfor i in 1...1000 {\n  b = mem alloc 16M fill=seq\n}\n")
    try tool.scratch.write("b", "close(0x9)\n")
    let outcome = try tool.shell("iofd replay -j1 --memory-limit 256M a.iofd b")
    #expect(outcome.status == 71, "\(outcome.output)")
    #expect(outcome.output.contains("it takes more than 256 MiB of memory"))
    #expect(outcome.output.contains("1 passed, 1 out-of-memory"))
  }

  // MARK: Going on

  @Test func aRunThatWasKilledIsGoneOnWith() throws {
    let tool = try Tool()
    try slow(tool)
    let killed = try tool.shell(
      """
      "\(Tool.path)" replay -j1 --time-limit 0 --resume log c & main=$!
      until grep -q "$(sha1sum c/30.iofd | cut -d' ' -f1)" log 2>/dev/null; do sleep 0.01; done
      kill -KILL $(cat /proc/$main/task/*/children) $main; wait $main
      """)
    #expect(killed.status == 137)
    #expect(try tool.scratch.read("log").split(separator: "\n").count { $0.contains("input-end") } >= 20)
    // Half a line, as of a full disk.
    _ = try tool.shell("printf '{\"event\":\"input-e' >> log")
    let outcome = try tool.shell("iofd replay -j1 --time-limit 0 --resume log c")
    #expect(outcome.status == 77)
    #expect(outcome.output.contains("trapped     c/30.iofd: an earlier run ended while it was being played"))
    #expect(outcome.output.contains("41 inputs: 40 passed, 1 trapped"))
    // Gone on with again, it plays nothing and tells the same.
    let again = try tool.shell("iofd replay -j1 --time-limit 0 --resume log c")
    #expect(again.output == outcome.output)
    let other = try tool.shell("iofd replay -j1 --time-limit 0 --kernel 6.12 --resume log c")
    #expect(other.status == 2 && other.errors.contains("log is of another run: its options are kernel=7.2"))
    let changed = try tool.shell("echo 'close(0x77)' > c/new; iofd replay --time-limit 0 --resume log c")
    #expect(changed.status == 2 && changed.errors.contains("the corpus has changed"))
    let forced = try tool.shell("iofd replay --time-limit 0 --force --resume log c")
    #expect(forced.output.contains("42 inputs: 41 passed, 1 trapped"))
    let none = try tool.shell("echo hello > text; iofd replay --resume text c; cat text")
    #expect(none.errors.contains("text is no log of a run") && none.output == "hello\n")
  }

  @Test func ctrlC() throws {
    let tool = try Tool()
    try slow(tool)
    let log = tool.scratch.path + "/log"
    let report = tool.scratch.path + "/report"
    let running = try tool.start(
      [
        "replay", "-j1", "--time-limit", "0", "--resume", log, "--report", "ndjson=\(report)",
        tool.scratch.path + "/c",
      ],
      input: "")
    try running.signal(SIGINT)
    let outcome = try running.wait()
    #expect(outcome.status == 130)
    #expect(outcome.output.contains("ended early: interrupted\n"))
    #expect(try tool.scratch.read("report").contains("\"ended\":\"interrupted\""))
    // Nobody is blamed, and what was played is not played again.
    let again = try tool.shell("iofd replay -j1 --time-limit 1 --force --resume log c")
    #expect(again.status == 70)
    #expect(again.output.contains("41 inputs: 40 passed, 1 timeout"))
  }
}

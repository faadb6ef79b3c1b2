// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing

/// What a program did, written down as a script, does the same again and sees the same.
@Suite("Recordings of programs", .enabled(if: Surroundings.canRun))
struct RecorderTests {
  /// All but two: a script cannot want for descriptors, and what a killed process passed cannot be read any more.
  @Test(arguments: [
    "descriptors", "exec", "names", "faults", "events", "memory", "rights", "failing", "threads", "pointers",
    "storm", "children",
  ])
  func whatIsRecordedPasses(_ name: String) throws {
    let workshop = try Workshop()
    let program = try workshop.compile(name)
    let script = "\(workshop.directory)/\(name).iofd"
    #expect(try workshop.execute(["--record", script, "--", program]) == .init(status: 0))
    let outcome = try workshop.shell("\"$IOFD\" run '\(script)'")
    #expect(outcome.status == 0, "\(outcome.output)")
    // It is the program's history, and not an empty one.
    #expect(try workshop.shell("grep -c '^f[0-9]* = open' '\(script)'").output != "0\n")
  }

  @Test func readsAsTheProgramActed() throws {
    let workshop = try Workshop()
    let program = try workshop.compile("rights")
    _ = try workshop.execute(["--record", "\(workshop.directory)/r.iofd", "--kernel", "6.12", "--", program])
    let text = try workshop.shell("cat r.iofd").output
    #expect(text.contains("require kernel=6.12"))
    #expect(text.contains("request IOAS_ALLOC  -> ok, out_ioas_id=1"))
  }

  /// A place where nothing can be written is told before the program runs.
  @Test func refusesAPlaceThatCannotBeWritten() throws {
    let outcome = try Workshop().execute(["--record", "/nowhere/r.iofd", "--", "/bin/echo", "ran"])
    #expect(outcome.status == 2)
    #expect(outcome.output.isEmpty)
  }

  @Test func aScriptPreparesTheMachine() throws {
    let workshop = try Workshop()
    let outcome = try workshop.shell(
      """
      printf 'iofd 1\\nvm = ioas create  -> id=1\\nshow\\n' >good.iofd
      printf 'ioas create  -> id=9\\n' >bad.iofd
      printf 'ioas crate\\n' >wrong.iofd
      for script in good bad wrong missing; do
        "$IOFD" exec --machine $script.iofd -- /bin/echo $script ran 2>/dev/null
        echo $?
      done
      """)
    #expect(outcome.output == "good ran\n0\n1\n3\n3\n")
  }
}

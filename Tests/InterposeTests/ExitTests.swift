// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Testing

/// How `iofd exec` ends: as the program did.
@Suite("Ends under iofd exec", .enabled(if: Surroundings.canRun))
struct ExitTests {
  struct End: Sendable, CustomTestStringConvertible {
    let command: String
    let status: Int32
    var testDescription: String { command }
  }

  @Test(arguments: [
    End(command: "exit 0", status: 0), End(command: "exit 1", status: 1),
    End(command: "exit 255", status: 255),
    End(command: "kill -KILL $$", status: 137), End(command: "kill -TERM $$", status: 143),
    End(command: "ulimit -c 0; kill -SEGV $$", status: 139),
    End(command: "ulimit -c 0; kill -ABRT $$", status: 134),
    // Whom it leaves behind is waited for, and is not who counts.
    End(command: "(sleep 0.2; exit 9) & exit 5", status: 5),
    End(command: "(sleep 0.1; kill -CONT $$) & kill -STOP $$; wait; exit 6", status: 6),
  ])
  func isTheProgramsOwn(_ end: End) throws {
    let outcome = try Workshop().execute(["--", "/bin/sh", "-c", end.command])
    #expect(outcome == .init(status: end.status))
  }

  @Test func waitsForWhomTheProgramLeavesBehind() throws {
    let outcome = try Workshop().execute(["--", "/bin/sh", "-c", "(sleep 0.3; echo late) & exit 5"])
    #expect(outcome == .init(status: 5, output: "late\n"))
  }

  @Test func whatIsNotThereIs127AndWhatCannotRunIs126() throws {
    let workshop = try Workshop()
    let missing = try workshop.execute(["--", "/no/such/program"])
    #expect(missing == .init(status: 127, errors: "iofd: /no/such/program: No such file or directory\n"))
    let plain = try workshop.shell("echo text >plain; \"$IOFD\" exec -- ./plain")
    #expect(plain == .init(status: 126, errors: "iofd: ./plain: Permission denied\n"))
    #expect(try workshop.execute([]).status == 2)
  }

  @Test(arguments: [("TERM", 143), ("HUP", 129), ("USR1", 138), ("USR2", 140)] as [(String, Int32)])
  func passesSignalsOn(_ signal: String, _ status: Int32) throws {
    let workshop = try Workshop()
    let program = try workshop.compile("orphaned")
    let outcome = try workshop.shell(
      """
      "$IOFD" exec -- '\(program)' said & until [ -s said ]; do sleep 0.02; done
      kill -\(signal) $!; wait $!
      """)
    #expect(outcome == .init(status: status))
  }

  /// The terminal sends Ctrl-C to the program, too: the supervisor stays to tell how that ended.
  @Test func outlivesCtrlC() throws {
    let workshop = try Workshop()
    let outcome = try workshop.shell(
      """
      set -m
      "$IOFD" exec -- /bin/sh -c 'trap "echo caught; exit 4" INT; echo begun >said; while :; do sleep 0.05; done' &
      until [ -s said ]; do sleep 0.02; done
      kill -INT -- -$!; wait $!
      """)
    #expect(outcome.status == 4)
    #expect(outcome.output == "caught\n")
  }

  @Test func aProgramThatIsKilledInTheMiddleOfARequestEndsSo() throws {
    let workshop = try Workshop()
    let program = try workshop.compile("killed")
    for round in 0..<10 {
      let outcome = try workshop.shell(
        """
        "$IOFD" exec -- '\(program)' forever & supervisor=$!
        until victim=$(cat /proc/$supervisor/task/*/children 2>/dev/null) && [ -n "$victim" ]; do sleep 0.01; done
        sleep 0.\(30 + round); kill -KILL $victim; wait $supervisor
        """)
      #expect(outcome == .init(status: 137))
    }
  }
}

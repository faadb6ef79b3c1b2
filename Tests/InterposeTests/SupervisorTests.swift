// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Testing

/// Surroundings in which a supervisor does not feel well, or is gone.
@Suite("The supervisor in bad surroundings", .enabled(if: Surroundings.canRun))
struct SupervisorTests {
  @Test func aProgramThatLosesItsSupervisorIsToldAndNotHung() throws {
    let workshop = try Workshop()
    let program = try workshop.compile("orphaned")
    let outcome = try workshop.shell(
      """
      "$IOFD" exec -- '\(program)' said & supervisor=$!
      until [ -s said ]; do sleep 0.02; done
      kill -KILL $supervisor; wait $supervisor 2>/dev/null
      for i in $(seq 1000); do [ $(wc -l <said) = 2 ] && break; sleep 0.02; done
      tail -n 1 said
      """)
    #expect(outcome.output == "ENOSYS\n")
  }

  @Test func runsUnderNoOtherSupervisor() throws {
    let outcome = try Workshop().execute(["--", Workshop.iofd, "exec", "--", "/bin/true"])
    #expect(outcome.status == 2)
    #expect(
      outcome.errors
        == "iofd: the kernel here refuses seccomp notification: this runs under another supervisor already\n")
  }

  /// What is open takes the place of no standard descriptor, neither here nor in the program.
  @Test(arguments: [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
  func needsNoStandardDescriptors(_ closing: String) throws {
    let workshop = try Workshop()
    let program = try workshop.compile("memory")
    #expect(try workshop.shell("\"$IOFD\" exec --check -- '\(program)' \(closing)") == .init(status: 0))
    let seen = try workshop.shell(
      "\"$IOFD\" exec -- /bin/sh -c 'test -e /proc/self/fd/1; echo $? >seen' >&-; cat seen")
    #expect(seen == .init(status: 0, output: "1\n"))
  }

  /// The program sees the limit that was set, whatever the supervisor allows itself.
  @Test func leavesTheProgramItsLimits() throws {
    let workshop = try Workshop()
    let program = try workshop.compile("names")
    let outcome = try workshop.shell(
      "ulimit -S -n 32; \"$IOFD\" exec -- /bin/sh -c \"ulimit -S -n; exec '\(program)'\"")
    #expect(outcome == .init(status: 0, output: "32\n"))
  }

  /// Without descriptors it says so, and hangs in no case.
  @Test(arguments: [4, 5, 6, 8, 10, 12])
  func saysWhatItLacks(_ limit: Int) throws {
    let outcome = try Workshop().shell("ulimit -n \(limit); \"$IOFD\" exec -- /bin/true")
    #expect(outcome.status == 0 || outcome.status == 2)
    #expect(outcome.status == 0 || outcome.errors.hasPrefix("iofd: "))
  }

  /// A set-uid program has no more rights than who starts it, and is served as any other.
  @Test func servesSetUserIDPrograms() throws {
    let workshop = try Workshop()
    let program = try workshop.compile("descriptors")
    let outcome = try workshop.shell(
      """
      cp /usr/bin/id id; if [ $(id -u) = 0 ]; then chown 12345 id '\(program)'; fi
      chmod 4755 id '\(program)'
      "$IOFD" exec -- /bin/sh -c './id -u && exec "$0"' '\(program)'
      """)
    #expect(outcome == .init(status: 0, output: "\(getuid())\n"))
  }

  /// The memory of a program that is none of ours any more, because it gave up its user.
  @Test(.enabled(if: getuid() == 0)) func servesAProgramThatChangesItsUser() throws {
    let workshop = try Workshop()
    let program = try workshop.compile("names")
    let outcome = try workshop.shell(
      "chmod 755 . '\(program)'; \"$IOFD\" exec -- setpriv --reuid 12345 --clear-groups '\(program)'")
    #expect(outcome == .init(status: 0))
  }
}

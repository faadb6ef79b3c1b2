// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Runner
import Testing

/// What programs and scripts run on, from the command line.
struct TargetOptionTests {
  @Test func replayPrintsWhatTheStepsAnswered() throws {
    let tool = try Tool()
    let file = try tool.scratch.write(
      "a.txt",
      """
      prog one
      open 0
      ioctl $0 0x3b81 12 8:4>1
      memfd 2 8192
      ioctl $0 0x3b8f 40 4:4=7 8:4=$1 12:4=$2 24:8=8192 32:8=16777216
      poll $2
      close 0

      """)
    let outcome = try tool.run(["replay", "--answers", file])
    #expect(outcome.status == 0)
    #expect(outcome.errors == "1 input: 1 passed; 6 calls\n")
    #expect(
      outcome.output == """
        prog one
        0 open ok
        1 ioctl 3b81 rc=0 errno=0 +8=1
        2 memfd ok
        3 ioctl 3b8f rc=0 errno=0
        4 poll rc=325 errno=0
        5 close 0

        """)
    // Another kernel has no such request.
    #expect(
      try tool.run(["replay", "--answers", "--kernel", "6.12", file]).output.contains(
        "3 ioctl 3b8f rc=-1 errno=25"))
  }

  @Test func randomProgramsAreTheSameFromAFile() throws {
    let tool = try Tool()
    let printed = try tool.run(["replay", "--random", "all:5:22", "--print"])
    #expect(printed.status == 0)
    #expect(printed.output.split(separator: "\n").count { $0.hasPrefix("prog ") } == 22)
    let file = try tool.scratch.write("a.txt", printed.output)
    let made = try tool.run(["replay", "--random", "all:5:22", "--answers"])
    #expect(made.output.split(separator: "\n").count { $0.hasPrefix("prog ") } == 22)
    #expect(try made.output == tool.run(["replay", "--answers", file]).output)
  }

  @Test func replayIsToldWhatItCannotDo() throws {
    let tool = try Tool()
    #expect(try tool.run(["replay"]).status == 2)
    #expect(try tool.run(["replay", "--random", "ioas:1"]).status == 2)
    #expect(try tool.run(["replay", "--random", "nonsense:1:1"]).status == 2)
    #expect(try tool.run(["replay", "/nowhere/at-all"]).status == 3)
    let file = try tool.scratch.write("a.txt", "prog one\nopen zero\n")
    #expect(try tool.run(["replay", file]).status == 3)
  }

  @Test(arguments: ["/dev/iommu", "model,/dev/iommu"])
  func whereThereIsNoKernelThereIsOneMessage(_ target: String) throws {
    guard access("/dev/iommu", F_OK) != 0 else { return }
    let tool = try Tool()
    let script = try tool.scratch.write("a.iofd", Script.pass)
    let outcome = try tool.run(["run", "--target", target, script, script])
    #expect(outcome.status == 4)
    #expect(outcome.output == "")
    #expect(outcome.errors.hasPrefix("iofd: cannot open /dev/iommu: ENOENT\n"))
    #expect(try tool.run(["run", "--target", "/dev/null", script]).status == 2)
    let file = try tool.scratch.write("a.txt", "prog one\nopen 0\n")
    #expect(try tool.run(["replay", "--target", target, file]).status == 4)
  }

  @Test func replayComparesDriversWithARecording() throws {
    let tool = try Tool()
    let folder =
      #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
      .joined(separator: "/") + "/DriverTraces"
    let good = try tool.run(["replay", folder + "/smmuv3-s2.txt"])
    #expect(good.status == 0)
    #expect(good.output.contains("188 of 188 lines equal"))
    // A bit of a command, and a recording of nothing that there is.
    var text = String(decoding: try HostFile.read(folder + "/smmuv3-s2.txt", limit: 1 << 20), as: UTF8.self)
    text.replace("cmd 0003000000000011", with: "cmd 0003000000000012", maxReplacements: 1)
    let bad = try tool.run(["replay", try tool.scratch.write("bad.txt", text)])
    #expect(bad.status == 1)
    #expect(bad.output.contains("187 of 188 lines equal"))
    #expect(bad.output.contains("the recording has \"cmd 0003000000000012"))
    // A request that the replayer cannot make is not equal, whatever its result was.
    let odd = try tool.run(
      ["replay", try tool.scratch.write("odd.txt", text + "step dance\nrc -1 errno 95\n")])
    #expect(odd.status == 1)
    #expect(odd.output.contains("step 40/41, rc 41/41"))
    let unknown = try tool.run([
      "replay", try tool.scratch.write("other.txt", "ctx registers nothing=0\nstep bind\n"),
    ])
    #expect(unknown.status == 4)
    #expect(unknown.output.contains("1 input: 1 unsupported"))
    #expect(unknown.errors == "iofd: nothing was played: there is none that can be\n")
  }

  @Test func backendsAreNamedWithTheirOptions() throws {
    let tool = try Tool()
    let script = try tool.scratch.write(
      "a.iofd", "require backend=vtd\ndevice add nic\nvm = ioas create\nattach $nic to=$vm\n")
    #expect(try tool.run(["run", "--backend", "vtd:mode=legacy,mgaw=39", script]).status == 0)
    #expect(try tool.run(["run", script]).status == 0)
    for (backend, word) in [
      ("vtdd", "did you mean 'vtd'"), ("vtd:mod=legacy", "did you mean 'mode'"),
      ("vtd:mode=lagacy", "scalable legacy"), ("vtd:mgaw", "a number"), ("mock:x", "one of:"),
    ] {
      let outcome = try tool.run(["run", "--backend", backend, script])
      #expect(outcome.status == 2, "\(backend)")
      #expect(outcome.errors.contains(word), "\(outcome.errors)")
    }
  }
}

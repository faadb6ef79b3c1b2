// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

@testable import Runner

struct HostFileTests {
  @Test func replacesAFileAndKeepsItsMode() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("a", "old")
    chmod(file, 0o751)
    try directory.link("b", to: "a")
    try HostFile.replace(directory.path + "/b", with: Array("new".utf8))
    #expect(try directory.read("a") == "new")
    var status = stat()
    #expect(lstat(directory.path + "/b", &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
    #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o751)
  }

  @Test func leavesNothingBehindWhenItFails() throws {
    let directory = try TemporaryDirectory()
    directory.makeDirectory("there")
    let failure = #expect(throws: FileFailure.self) {
      try HostFile.replace(directory.path + "/missing/file", with: [1])
    }
    #expect(failure?.reason == "No such file or directory")
    #expect(ScriptTree([directory.path]).entries.isEmpty)
  }

  @Test func writesDirectlyToWhatIsNoFile() throws {
    try HostFile.replace("/dev/null", with: [1, 2, 3])
    let failure = #expect(throws: FileFailure.self) { try HostFile.replace("/dev/full", with: [1]) }
    #expect(failure?.description == "cannot write /dev/full: No space left on device")
  }

  @Test(arguments: [0, 1, 4095, 4096, 4097, 200_000])
  func readsUpToALimit(_ size: Int) throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("a", String(repeating: "x", count: size))
    #expect(try HostFile.read(file, limit: 300_000).count == size)
    #expect(try HostFile.read(file, limit: 4096).count == min(size, 4097))
  }

  @Test func readsWhatNeverEnds() throws {
    #expect(try HostFile.read("/dev/zero", limit: 100_000).count == 100_001)
  }

  @Test func outputRemembersItsFirstFailure() throws {
    let output = try ByteOutput(creating: "/dev/full")
    output.write("text")
    #expect(output.failure == nil)
    output.flush()
    #expect(output.failure?.code == ENOSPC)
    output.write("more")
    output.flush()
    #expect(output.failure?.description == "cannot write /dev/full: No space left on device")
  }

  @Test func joinsPathsAsSeenFromAScript() {
    #expect(DiskLoader.joined("x", to: nil) == "x")
    #expect(DiskLoader.joined("x", to: "script.iofd") == "x")
    #expect(DiskLoader.joined("../x", to: "a/script.iofd") == "a/../x")
    #expect(DiskLoader.joined("/x", to: "a/script.iofd") == "/x")
    #expect(DiskLoader.joined("x", to: "<stdin>") == "x")
  }
}

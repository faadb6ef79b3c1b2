// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

@testable import CommandLineTool

struct HistoryFileTests {
  @Test(arguments: [
    "vm = ioas create", "for i in 1...2 {\n  x = $i\n}", "mem write $buf \"a\\n\\\\\"", "\\", "é\n",
  ])
  func whatIsWrittenIsRead(_ entry: String) {
    let line = HistoryFile.encoded(entry)
    #expect(!line.contains("\n"))
    #expect(HistoryFile.decoded(line) == entry)
  }

  @Test func keepsStatements() throws {
    let scratch = try Scratch()
    let file = HistoryFile(scratch.path + "/state/iofd/history")
    #expect(file.load().isEmpty)
    file.append("one")
    file.append("for i in 1...2 {\n}")
    // Another prompt at the same time.
    HistoryFile(scratch.path + "/state/iofd/history").append("two")
    #expect(file.load() == ["one", "for i in 1...2 {\n}", "two"])
    var status = stat()
    #expect(stat(scratch.path + "/state/iofd/history", &status) == 0 && status.st_mode & 0o777 == 0o600)
    #expect(stat(scratch.path + "/state/iofd", &status) == 0 && status.st_mode & 0o777 == 0o700)
  }

  @Test func doesNotGrowForEver() throws {
    let scratch = try Scratch()
    let path = try scratch.write("history", (0..<5000).map { "x = \($0)\n" }.joined())
    chmod(path, 0o600)
    let kept = HistoryFile(path).load()
    #expect(kept.count == HistoryFile.entryLimit && kept.last == "x = 4999")
    #expect(try scratch.read("history").split(separator: "\n").count == HistoryFile.entryLimit)
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
    // Not a file, not readable, not there: nothing happens.
    for path in ["/", "/dev/null/x/history", "/proc/self/nothing/history"] {
      HistoryFile(path).append("x")
      #expect(HistoryFile(path).load().isEmpty)
    }
  }
}

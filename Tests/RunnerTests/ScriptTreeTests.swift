// SPDX-License-Identifier: GPL-3.0-or-later
import Testing

@testable import Runner

struct ScriptTreeTests {
  @Test func findsScriptsInTheOrderOfTheirNames() throws {
    let directory = try TemporaryDirectory()
    for name in ["b.iofd", "a/z.iofd", "a/a.iofd", "c.txt", "B.iofd", ".hidden.iofd", ".git/x.iofd", ".iofd"]
    {
      try directory.write(name, "")
    }
    let entries = ScriptTree([directory.path]).entries
    #expect(directory.relative(entries.map(\.path)) == ["B.iofd", "a/a.iofd", "a/z.iofd", "b.iofd"])
    #expect(entries.allSatisfy { $0.problem == nil })
  }

  @Test func takesWhatIsNamedWhateverItIsCalled() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("notes.txt", "")
    #expect(ScriptTree([file, "-", file]).entries.map(\.path) == [file, "-", file])
  }

  @Test func reportsALoopAndGoesOn() throws {
    let directory = try TemporaryDirectory()
    try directory.write("a/b/one.iofd", "")
    try directory.link("a/b/up", to: "../..")
    let entries = ScriptTree([directory.path]).entries
    #expect(directory.relative(entries.map(\.path)) == ["a/b/one.iofd", "a/b/up"])
    #expect(entries[1].problem == "directory loop: it leads back to \(directory.path)")
  }

  @Test func readsADirectoryOnceHoweverManyLinksLeadThere() throws {
    let directory = try TemporaryDirectory()
    try directory.write("0/leaf.iofd", "")
    // Two links at each level: a walk that follows all of them would meet the leaf 2^30 times.
    for level in 1...30 {
      directory.makeDirectory("\(level)")
      try directory.link("\(level)/x", to: "../\(level - 1)")
      try directory.link("\(level)/y", to: "../\(level - 1)")
    }
    let entries = ScriptTree([directory.path + "/30"]).entries
    #expect(entries.count == 1)
    #expect(entries[0].problem == nil)
  }

  @Test func saysWhyAPathCannotBeRead() throws {
    let directory = try TemporaryDirectory()
    try directory.link("dangling.iofd", to: "nowhere")
    try directory.link("self.iofd", to: "self.iofd")
    let entries = ScriptTree([directory.path, directory.path + "/missing"]).entries
    #expect(
      entries.map(\.problem) == [
        "cannot read it: No such file or directory", "cannot read it: Too many levels of symbolic links",
        "cannot read it: No such file or directory",
      ])
  }
}

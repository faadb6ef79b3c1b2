// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Language
import Testing

@testable import Runner

/// Clauses that do not hold are written anew, and nothing else.
struct UpdateTests {
  private struct Outcome {
    let text: String
    /// `FILE.new`; nil if there is none.
    let pending: String?
    let totals: RunTotals
    let update: UpdateOutcome
  }

  private final class Updates: RunEventSink {
    var outcomes: [UpdateOutcome] = []
    func receive(_ event: RunEvent) {
      if case .updated(let outcome) = event { outcomes.append(outcome) }
    }
  }

  private func update(
    _ text: String, _ mode: UpdateMode = .accept,
    review: (@Sendable (String, ScriptUpdate.Change, Int, Int) -> ReviewAnswer)? = nil,
    configure: (inout Runner.Configuration, TemporaryDirectory) throws -> Void = { _, _ in }
  ) throws -> Outcome {
    let directory = try TemporaryDirectory()
    let path = try directory.write("a.iofd", text)
    var configuration = Runner.Configuration()
    configuration.update = mode
    configuration.review = review
    try configure(&configuration, directory)
    let sink = Updates()
    let totals = Runner(configuration).run(ScriptTree([path]).entries, sinks: [sink])
    let isPending = HostFile.exists(path + ".new") && !HostFile.isDirectory(path + ".new")
    return Outcome(
      text: try directory.read("a.iofd"), pending: isPending ? try directory.read("a.iofd.new") : nil,
      totals: totals, update: try #require(sink.outcomes.first))
  }

  private static let memory = "vm = ioas create\nbuf = mem alloc 64K\n"

  /// What a command line becomes, behind an IOAS and memory.
  private func line(_ line: String, _ mode: UpdateMode = .accept) throws -> String {
    let outcome = try update(Self.memory + line, mode)
    #expect(outcome.text.hasPrefix(Self.memory))
    return String(outcome.text.dropFirst(Self.memory.count))
  }

  @Test func aScriptThatPassesStays() throws {
    let text =
      Self.memory + "map $vm $buf iova=0x1000  -> iova in 0x1000...0x2000  # here\r\n! destroy id:9\n"
    for mode in [UpdateMode.new, .accept] {
      let outcome = try update(text, mode)
      #expect(outcome.text == text)
      #expect(outcome.pending == nil)
      #expect(outcome.totals.status == .passed)
    }
  }

  /// Only what does not hold is replaced; base, unit, spaces, comments and line ends stay.
  @Test(
    arguments: [
      ("map $vm $buf iova=0x1000   -> EEXIST|EBUSY , iova=1  # why", nil),
      (
        "map $vm $buf iova=0x1000   -> iova =  0x2000  # why",
        "map $vm $buf iova=0x1000   -> iova =  0x1000  # why"
      ),
      (
        "map $vm $buf[0...0xfff] iova=0x1000 -> iova=4\r",
        "map $vm $buf[0...0xfff] iova=0x1000 -> iova=4096\r"
      ),
      ("map $vm $buf iova=0x1000 -> ok, iova=8K", "map $vm $buf iova=0x1000 -> ok, iova=4K"),
      ("map $vm $buf iova=0x1000 -> iova>=0x5000", "map $vm $buf iova=0x1000 -> iova=0x1000"),
      ("map $vm $buf iova=0x1000 -> ?  # fill", "map $vm $buf iova=0x1000 -> iova=0x1000  # fill"),
      ("destroy id:99 -> EBUSY", "destroy id:99 -> ENOENT"),
      ("destroy id:99 -> EBUSY|EINVAL|EPERM", "destroy id:99 -> ENOENT"),
      ("destroy id:99 -> EBUSY [kernel<6.13] | EINVAL", "destroy id:99 -> EBUSY [kernel<6.13] | ENOENT"),
      ("destroy id:99 -> EBUSY [kernel>=6.13] | EINVAL", "destroy id:99 -> ENOENT [kernel>=6.13] | EINVAL"),
      ("destroy id:99 -> ok", "destroy id:99 -> ENOENT"),
      ("unmap $vm 0x1000 len=4K -> length=4K", "unmap $vm 0x1000 len=4K -> ENOENT"),
      ("mem read $buf len=4 -> hex\"0000 00 01\"", "mem read $buf len=4 -> hex\"00000000\""),
      ("show iovas $vm -> ranges=[0x0...0xff, ...]", "show iovas $vm -> ranges=[0x0...0xffffffffffffffff]"),
      // A number that only this run gave an object is nothing to expect.
      ("other = ioas create -> ?", "other = ioas create -> ok"),
      ("other = ioas create -> id=$vm", "other = ioas create -> id=$vm"),
      ("other = ioas create -> id=7", "other = ioas create -> id=2"),
      // Without a clause there is none.
      ("destroy id:99", "destroy id:99"),
      ("expect refs($vm) = 7", "expect refs($vm) = 7"),
      // What had to fail needs a person.
      ("ioas create -> ENOMEM", "ioas create -> ENOMEM"),
      ("! ioas create", "! ioas create"),
      // Announced failures are somebody else's business.
      ("xfail \"not yet\" destroy id:99 -> EBUSY", "xfail \"not yet\" destroy id:99 -> EBUSY"),
    ] as [(String, String?)])
  func writesWhatWasAnswered(_ before: String, _ after: String?) throws {
    #expect(try line(before) == after ?? before)
  }

  @Test func objectsAreCalledByTheirNames() throws {
    let outcome = try update(
      """
      vm = ioas create
      dev = device add kind=mock
      attach $dev to=$vm -> ?
      hw = hwpt create dev=$dev parent=$vm
      replace $dev to=$hw -> ?
      """)
    #expect(outcome.text.contains("attach $dev to=$vm -> ok\n"))
    #expect(outcome.text.contains("replace $dev to=$hw -> hwpt=$hw"))
  }

  /// A run after an update passes, and a second update changes nothing.
  @Test func afterwardsItPasses() throws {
    let text = """
      vm = ioas create -> ?
      buf = mem alloc 64K fill=seq
      nic = device add kind=mock
      attach $nic to=$vm -> hwpt=?first, stdev=99
      map $vm $buf iova=0x1000000 -> EEXIST|ok, iova=0x2000
      destroy $first -> ?
      for i in 1...3 { unmap $vm 0x9000000 len=4K -> EBUSY }
      test "two" {
        vm = ioas create
        show iovas $vm -> num=3, alignment>4K
      }
      fail nth=1 {
        ioas create -> ENOENT
      } -> kind=pin
      """
    let first = try update(text)
    #expect(first.totals.status == .failed)
    #expect(first.update.left.isEmpty && first.update.kept.isEmpty, "\(first.update)")
    let second = try update(first.text)
    #expect(second.text == first.text)
    #expect(second.totals.status == .passed, "\(first.text)")
    // What is bound in a clause of which another part was wrong is bound.
    #expect(first.text.contains("hwpt=?first, stdev=") && first.text.contains("destroy $first -> EBUSY"))
  }

  @Test func roundsThatDifferAreLeft() throws {
    let text = Self.memory + "for i in [0x1000, 0x100000] { map $vm $buf iova=$i -> iova=0x7000 }\n"
    let outcome = try update(text)
    #expect(outcome.text == text)
    #expect(outcome.totals.status == .failed)
    #expect(outcome.update.left.count == 1)
    #expect(outcome.update.left[0].why.contains("'ok, iova=0x1000' and 'ok, iova=0x100000'"))
    // One text that fits all rounds is written.
    let same = try update(Self.memory + "for i in 1...3 { map $vm $buf iova=1 -> EBUSY }\n")
    #expect(same.text.hasSuffix("map $vm $buf iova=1 -> EINVAL }\n") || same.update.left.count == 1)
    let values = try update(Self.memory + "for i in [4K, 8K] { unmap $vm all -> length=$i }\n")
    #expect(values.text.hasSuffix("-> length=0 }\n") || values.text.hasSuffix("-> length=0x0 }\n"))
  }

  @Test func newWritesBesideTheScript() throws {
    let text = Self.memory + "map $vm $buf iova=0x1000 -> EBUSY\nunmap $vm all -> length=4K\n"
    let outcome = try update(text + "unmap $vm all -> length>4K\n", .new)
    #expect(outcome.text == text + "unmap $vm all -> length>4K\n")
    #expect(
      outcome.pending
        == Self.memory
        + "map $vm $buf iova=0x1000 -> EBUSY\nunmap $vm all -> length=64K\nunmap $vm all -> length>4K\n")
    #expect(outcome.totals.status == .failed)
    #expect(outcome.update.kept.count == 2)
  }

  @Test func reviewAsks() throws {
    let text = Self.memory + "! map $vm $buf iova=0x1000\nunmap $vm all -> length=4K\ndestroy $vm -> EBUSY\n"
    let none = try update(text, .review) { _, _, _, _ in .no }
    #expect(none.text == text && none.pending == nil)
    let all = try update(text, .review) { _, _, _, _ in .yes }
    #expect(
      all.text
        == Self.memory + "map $vm $buf iova=0x1000\nunmap $vm all -> length=64K\ndestroy $vm -> ok\n")
    #expect(all.totals.status == .failed)
    let first = try update(text, .review) { _, change, number, count in
      #expect(count == 3)
      return number == 2 ? .yes : .quit
    }
    #expect(first.text == text)
    let second = try update(text, .review) { _, _, number, _ in number == 1 ? .yes : .quit }
    #expect(second.text == text.replacing("! map", with: "map"))
    let stopped = try update(text, .review) { _, _, number, _ in number == 1 ? .yes : .interrupt }
    #expect(stopped.text == text)
  }

  /// Nothing outside of the clauses, whatever is around them.
  @Test func onlyClausesChange() throws {
    let text =
      "iofd 1\r\n# -- > notes -> here\r\nvm = ioas create\t-> id = 5\t# five\r\n\r\n"
      + "unmap $vm 0x1000 \\\r\n  len=4K  ->  EPERM\t\r\n-- tail --\r\nx -> y\r\n"
    let outcome = try update(text)
    #expect(
      outcome.text
        == text.replacing("id = 5\t", with: "id = 1\t").replacing("->  EPERM", with: "->  ENOENT"))
  }

  @Test func includedFilesAreLeft() throws {
    let outcome = try update(
      "include \"b.iofd\"\nioas create -> id=9\n",
      configure: { _, directory in try directory.write("b.iofd", "ioas create -> id=9\n") })
    #expect(outcome.text == "include \"b.iofd\"\nioas create -> id=2\n")
  }

  @Test func aFileThatCannotBeReplacedStays() throws {
    let text = "ioas create -> id=9\n"
    let blocked = try update(
      text, .new, configure: { _, directory in directory.makeDirectory("a.iofd.new") })
    #expect(blocked.text == text)
    #expect(blocked.update.failure != nil && blocked.update.made.isEmpty)
    #expect(blocked.totals.status == .usage)
    // Somebody writes to it while a person thinks.
    let directory = try TemporaryDirectory()
    let path = try directory.write("a.iofd", text)
    var configuration = Runner.Configuration()
    configuration.update = .review
    configuration.review = { path, _, _, _ in
      try? HostFile.replace(path, with: Array("# other\n".utf8))
      return .yes
    }
    _ = Runner(configuration).run(ScriptTree([path]).entries, sinks: [])
    #expect(try directory.read("a.iofd") == "# other\n")
  }

  @Test func invalidScriptsAreNotTouched() throws {
    for text in [
      "ioas craete -> id=9\n", "require kernel>=99.0\nioas create -> id=9\n", "ioas create -> ? ok\n",
    ] {
      #expect(try update(text).text == text)
    }
  }

  /// Outside of update mode what nobody has said is wrong, and tells how to say it.
  @Test func openClausesFail() throws {
    for text in [
      "ioas create -> ?\n", "fail nth=1 { ioas create -> ENOMEM } -> ?\n", "sweep { ioas create } -> ?\n",
    ] {
      let outcome = try update(
        text, .no,
        configure: {
          $0.update = .new; _ = $1
        })
      #expect(outcome.pending?.contains("?") == false)
      let result = Interpreter.run(SourceFile(name: "a", text: text), loader: MemoryLoader()) {
        try Rigs().make()
      }
      #expect(result.verdict == .failed)
      #expect(DiagnosticRenderer().render(result.allDiagnostics).contains("--update=accept"))
    }
  }
}

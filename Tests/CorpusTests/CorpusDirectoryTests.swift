// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

@testable import Corpora

/// Directories as fuzzers leave them, and as nobody should.
struct CorpusDirectoryTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func corpus(_ paths: [String]? = nil, _ limits: CorpusDirectory.Limits = .init()) -> CorpusDirectory
  {
    CorpusDirectory((paths ?? [directory.path]).map { HostPath($0) }, limits: limits)
  }

  /// Labels below the directory; skipped ones as `! label: reason`.
  private func labels(_ corpus: CorpusDirectory) -> [String] {
    corpus.map { item in
      switch item {
      case .input(let input): short(input.label)
      case .skipped(let path, let reason): "! \(short(path)): " + reason.replacing(directory.path, with: "")
      }
    }
  }

  private func short(_ label: String) -> String { String(label.dropFirst(directory.path.count + 1)) }

  private func inputs(_ corpus: CorpusDirectory) -> [CorpusInput] {
    corpus.compactMap { item in if case .input(let input) = item { input } else { nil } }
  }

  @Test func libFuzzerIsFlatAndOfAnyDepth() throws {
    try directory.write("da39a3ee5e6b4b0d3255bfef95601890afd80709", "")
    try directory.write("b/two", "2")
    try directory.write("a/one", "1")
    try directory.write("a/again", "2")
    try directory.write("crash-da39a3ee5e6b4b0d3255bfef95601890afd80709", "3")
    #expect(
      labels(corpus()) == [
        "a/again", "a/one", "crash-da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
      ])
    var all = corpus()
    while all.next() != nil {}
    #expect(all.duplicates == 1 && all.ignored == 0)
    let found = inputs(corpus())
    #expect(found.map { $0.name.role } == [.input, .input, .crash, .input])
    #expect(found[0].bytes == [50] && found[0].hash == SHA1.of([50]))
  }

  @Test func aflInstancesHaveQueueCrashesAndHangs() throws {
    for instance in ["main", "second"] {
      try directory.write("\(instance)/queue/id:000000,time:0,execs:0,orig:a", instance)
      try directory.write("\(instance)/queue/.state/deterministic_done/id:000000", "no")
      try directory.write("\(instance)/crashes/id:000000,sig:11,src:000000,op:havoc", "c" + instance)
      try directory.write("\(instance)/crashes/README.txt", "no")
      try directory.write("\(instance)/crashes.2024-01-01/id:000001,sig:06,src:000000", "old" + instance)
      try directory.write("\(instance)/hangs/id:000000,src:000000", "h" + instance)
      try directory.write("\(instance)/.synced/other", "no")
      for name in ["fuzzer_stats", "plot_data", "cmdline", "fuzz_bitmap", ".cur_input", "is_main_node"] {
        try directory.write("\(instance)/\(name)", "no")
      }
    }
    let found = inputs(corpus())
    #expect(found.count == 8)
    #expect(found.map { $0.name.role } == [.crash, .crash, .hang, .input, .crash, .crash, .hang, .input])
    #expect(found.allSatisfy { $0.name.origin == .afl && !$0.label.contains(".state") })
    var all = corpus()
    while all.next() != nil {}
    #expect(all.ignored == 18)
  }

  /// A file called `queue` among others makes no instance.
  @Test func aDirectoryWithAQueueAloneIsFlat() throws {
    try directory.write("queue/one", "1")
    try directory.write("stray", "2")
    #expect(labels(corpus()) == ["queue/one", "stray"])
  }

  @Test func honggfuzz() throws {
    let name = String(repeating: "0123456789abcdef", count: 2) + ".00000003.honggfuzz.cov"
    try directory.write(name, "abc")
    try directory.write("SIGSEGV.PC.4a1.STACK.18.CODE.1.ADDR.0.INSTR.mov.fuzz", "def")
    try directory.write("HONGGFUZZ.REPORT.TXT", "no")
    let found = inputs(corpus())
    #expect(found.map { $0.name.role } == [.input, .crash])
    #expect(found.allSatisfy { $0.name.origin == .honggfuzz })
  }

  @Test func seedArchivesBesideTheirTarget() throws {
    try directory.write("target", "\u{7F}ELF")
    try directory.write("target.dict", "\"a\"")
    try directory.write("target.options", "[libfuzzer]")
    try directory.write("target_seed_corpus.zip", ZipReaderTests.archive)
    #expect(
      labels(corpus()) == [
        "target_seed_corpus.zip/seed/one", "target_seed_corpus.zip/seed/two",
        "! target_seed_corpus.zip/../out: its name points out of the archive",
        "! target_seed_corpus.zip/seed/bz: compression method 12",
      ])
  }

  @Test func databasesAreOpened() throws {
    try directory.write("corpus.db", CorpusDBTests.vector + [1])
    try directory.write("program", CorpusDBTests.program)
    #expect(
      labels(corpus()) == [
        "corpus.db/fd847b88e96a32f7d6f9267ac70aa8af1f995464",
        "! corpus.db: byte 107: the file ends in a record",
      ])
    #expect(inputs(corpus())[0].name.hash == "fd847b88e96a32f7d6f9267ac70aa8af1f995464")
  }

  @Test func damagedArchivesAreSkipped() throws {
    try directory.write("a.zip", Array(ZipReaderTests.archive.prefix(200)))
    try directory.write("b", "b")
    #expect(labels(corpus()) == ["! a.zip: the archive's end is missing", "b"])
  }

  @Test func pathsInTheirOrder() throws {
    try directory.write("b", "b")
    try directory.write(".a", "a")
    // A file that is named is taken, whatever it is called; one that is named twice is read once.
    let paths = ["b", ".a", "b", "none", ""].map { directory.path + "/" + $0 }
    #expect(labels(corpus(paths)) == ["b", ".a", "! none: it cannot be read: ENOENT"])
    #expect(labels(corpus([])).isEmpty)
    #expect(labels(corpus([directory.path + "/b\0c"])) == ["! b\\x00c: it cannot be read: ENOENT"])
  }

  // MARK: What should not be there

  private func link(_ name: String, _ target: String) throws {
    try #require(symlink(target, directory.path + "/" + name) == 0)
  }

  @Test func linksThatLeadBack() throws {
    try directory.write("a/b/one", "1")
    try link("a/b/back", "../..")
    try link("loop", "loop")
    try link("none", "nowhere")
    try link("other", "a/b")
    try link("two", "a/b/one")
    #expect(
      labels(corpus()) == [
        "! a/b/back: it leads back to ", "a/b/one", "! loop: it cannot be read: ELOOP",
        "! none: it cannot be read: ENOENT",
      ])
  }

  @Test func pipesAreNotWaitedFor() throws {
    try #require(mkfifo(directory.path + "/pipe", 0o644) == 0)
    #expect(labels(corpus()) == ["! pipe: it is no regular file"])
    #expect(labels(corpus(["/dev/zero"])).count == 1)
    // Nor where the path is read without a look.
    #expect(throws: (any Error).self) { try HostPath(directory.path + "/pipe").contents(limit: 10) }
  }

  @Test func namesThatAreNotText() throws {
    try directory.write([0xFF, 0x0A, 0x41], [1])
    try directory.write(Array("line\nend".utf8), [2])
    try directory.write("späße", [3])
    #expect(labels(corpus()) == ["line\\x0aend", "späße", "\\xff\\x0aA"])
  }

  @Test func filesThatVanish() throws {
    for name in ["a", "b", "c"] { try directory.write(name, name) }
    try directory.write("d/e", "e")
    var corpus = corpus()
    guard case .input? = corpus.next() else {
      Issue.record("a is there")
      return
    }
    unlink(directory.path + "/b")
    unlink(directory.path + "/d/e")
    rmdir(directory.path + "/d")
    #expect(
      labels(corpus) == ["! b: it cannot be read: ENOENT", "c", "! d: it cannot be read: ENOENT"])
  }

  @Test func longFilesAreSkipped() throws {
    try directory.write("long", [UInt8](repeating: 1, count: 101))
    try directory.write("right", [UInt8](repeating: 1, count: 100))
    try directory.write("zip", ZipReaderTests.archive)
    var limits = CorpusDirectory.Limits()
    limits.input = 100
    #expect(
      labels(corpus(nil, limits)).prefix(3) == [
        "! long: it is longer than 100 bytes", "right", "zip/seed/one",
      ])
    limits.container = 500
    #expect(labels(corpus(nil, limits)).last == "! zip: it is longer than 500 bytes")
  }

  @Test func depth() throws {
    try directory.write((0..<10).map { _ in "d/" }.joined() + "deep", "1")
    var limits = CorpusDirectory.Limits()
    limits.depth = 5
    #expect(labels(corpus(nil, limits)) == ["! d/d/d/d/d: it lies 5 directories deep"])
    #expect(labels(corpus()).count == 1)
  }

  @Test func manySmallFiles() throws {
    for index in 0..<3000 { try directory.write("f\(index)", [UInt8(index & 0xFF), UInt8(index >> 8)]) }
    var count = 0
    for case .input in corpus() { count += 1 }
    #expect(count == 3000)
  }
}

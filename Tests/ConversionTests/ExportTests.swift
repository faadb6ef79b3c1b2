// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Conversion
import Corpora
import CorporaTestSupport
import Interpreter
import Language
import Testing
import UAPI

@Suite("Export")
struct ExportTests {
  private static func export(_ text: String, _ kernel: Personality = .v7_2) throws -> [ExportedProgram] {
    try Machines.exporter(kernel).programs(
      of: SourceFile(name: "test.iofd", text: text), loader: MemoryLoader())
  }

  @Test("a program reads as syzkaller writes it")
  func reads() throws {
    let programs = try Self.export(
      """
      iofd 1
      vm = ioas create
      buf = mem alloc 4K
      mem write $buf "hello"
      map $vm $buf iova=0x100000 -> iova=0x100000
      map $vm $buf iova=0x100000 -> EEXIST
      q = faultq create
      capability ipc-lock off
      destroy $vm
      """)
    #expect(
      programs.map(\.text) == [
        """
        r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000f00000)='/dev/iommu\\x00', 0x2, 0x0)
        ioctl$IOMMU_IOAS_ALLOC(r0, 0x3b81, &(0x7f0000f00040)={0xc, 0x0, <r1=>0x0})
        write(0xffffffffffffffff, &(0x7f0000000000)="68656c6c6f", 0x5) # EBADF
        ioctl$IOMMU_IOAS_MAP(r0, 0x3b85, &(0x7f0000f00080)={0x28, 0x7, r1, 0x0, &(0x7f0000000000), 0x1000, 0x100000})
        ioctl$IOMMU_IOAS_MAP(r0, 0x3b85, &(0x7f0000f000c0)={0x28, 0x7, r1, 0x0, &(0x7f0000000000), 0x1000, 0x100000}) # EEXIST
        ioctl$iofd_FAULT_QUEUE_ALLOC(r0, 0x3b8e, &(0x7f0000f00100)={0x10, 0x0, 0x0, 0xffffffffffffffff})
        # left out: the capability ipc-lock is taken

        ioctl$IOMMU_DESTROY$ioas(r0, 0x3b80, &(0x7f0000f00140)={0x8, r1})

        """
      ])
    #expect(programs.map(\.leftOut) == [["the capability ipc-lock is taken"]])
    #expect(programs.map(\.ownCalls) == [1])
  }

  /// A program that leaves nothing out gets, replayed, what its annotations say.
  @Test("the examples as programs get the answers that they are annotated with")
  func examples() throws {
    var (whole, partial, calls) = (0, 0, 0)
    for path in try Repository.scripts(in: "examples/commands") + Repository.scripts(in: "examples/selftest")
    {
      let source = SourceFile(name: path, bytes: try Repository.read(path))
      for exported in try Machines.exporter().programs(of: source, loader: MemoryLoader()) {
        // As text, as others will read it.
        let program = try SyzParser.parse(exported.text)
        #expect(program == exported.program)
        let (_, differences) = try Machines.calls(of: program)
        guard exported.leftOut.allSatisfy({ $0.hasSuffix("looks at memory") }) else {
          partial += 1
          continue
        }
        whole += 1
        calls += program.calls.count
        #expect(differences == [], "\(path)\n\(exported.text)")
      }
    }
    print("\(whole) programs of \(calls) calls, \(partial) that leave something out")
    #expect(whole > 40)
    #expect(calls > 700)
  }

  @Test("import and export keep the requests and their answers", arguments: [Personality.v7_2, .v6_12])
  func thereAndBack(_ kernel: Personality) throws {
    for text in SyzPrograms.all {
      let original = try SyzParser.parse(text)
      let (before, _) = try Machines.calls(of: original, kernel)
      let source = ImportSource(label: "x", name: "x", .syzkaller(original))
      let script = try Machines.importer(kernel).script(of: source)
      let exported = try Self.export(script.text, kernel)
      try #require(exported.count == 1)
      let (after, differences) = try Machines.calls(of: SyzParser.parse(exported[0].text), kernel)
      #expect(RequestComparison.difference(before, after) == nil, "\(exported[0].text)")
      #expect(differences == [])
      // And once more the other way round: the program as a script makes what the script made.
      let again = try Machines.importer(kernel).script(
        of: ImportSource(label: "x", name: "x", .syzkaller(exported[0].program)))
      let (first, second) = (
        try Machines.calls(ofScript: script.text, kernel), try Machines.calls(ofScript: again.text, kernel)
      )
      #expect(RequestComparison.difference(first, second) == nil)
    }
  }

  @Test("recorded programs go through a script into syzkaller's text and keep their requests")
  func recordings() throws {
    let programs = try RecordedProgram.parse(Repository.read("Tests/Recordings/programs.txt"))
    var (kept, seen) = (0, 0)
    var reasons: [String: Int] = [:]
    for index in stride(from: 4, to: programs.count, by: 100) {
      let source = ImportSource(label: programs[index].name, name: "x", .recorded(programs[index]))
      let script = try Machines.importer().script(of: source)
      let before = try Machines.calls(ofScript: script.text)
      let exported = try Self.export(script.text)
      guard exported.count == 1 else { continue }
      let (after, _) = try Machines.calls(of: SyzParser.parse(exported[0].text))
      seen += 1
      if let reason = RequestComparison.difference(before, after) {
        reasons[reason, default: 0] += 1
      } else {
        kept += 1
      }
    }
    print("\(kept) of \(seen) programs keep their requests; others: \(reasons)")
    #expect(kept == seen)
  }

  /// As far as records reach: what a program in bytes does is what the script did, and nothing between.
  @Test("the examples as bytes make the requests that they say")
  func seeds() throws {
    var (said, all) = (0, 0)
    for path in try Repository.scripts(in: "examples/commands") + Repository.scripts(in: "examples/selftest")
    {
      let source = SourceFile(name: path, bytes: try Repository.read(path))
      for exported in try Machines.exporter().bytePrograms(of: source, loader: MemoryLoader()) {
        said += exported.requests.count
        all += exported.requests.count + exported.leftOut.reduce(0) { $0 + $1.count }
        // The bytes are read back as the same program.
        let program = try ByteProgram(exported.program.bytes)
        #expect(program == exported.program)
        let target = LoggingTarget(Machines.rig(.v7_2).target)
        let steps = ByteDecoder.actions(of: program).count
        let replay = try RecordedReplay(target)
        replay.onStep = { if $0 == steps { target.isOn = false } }
        _ = try replay.run(program) { _, _ in "" }
        let made = target.calls.compactMap { call -> LoggedRequest? in
          if case .ioctl(let request) = call { request } else { nil }
        }
        #expect(made.map(\.request) == exported.requests.map(\.request), "\(path)")
      }
    }
    print("\(said) of \(all) calls are said in bytes")
    #expect(said > 300)
  }

  @Test("a script that does not pass is no program")
  func failures() throws {
    #expect(throws: Exporter.Failure.self) { try Self.export("iofd 1\nioas create -> EINVAL\n") }
    #expect(try Self.export("iofd 1\nx = 1\nexpect $x = 1\n").isEmpty)
    // Each test has a machine of its own.
    let two = try Self.export("iofd 1\ntest \"a\" { ioas create }\ntest \"b\" { ioas create }\n")
    #expect(two.count == 2)
  }
}

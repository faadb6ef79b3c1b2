// SPDX-License-Identifier: GPL-3.0-or-later
import Conversion
import Corpora
import CorporaTestSupport
import Testing
import UAPI

/// What is imported passes, with every invariant checked, and makes the very requests: the importer itself sees to
/// that and refuses what does not. So these tests count.
@Suite("Import")
struct ImportTests {
  @Test("syzkaller's tests become scripts of verbs", arguments: [Personality.v7_2, .v6_12])
  func upstreamTests(_ kernel: Personality) throws {
    for (index, text) in SyzPrograms.all.enumerated() {
      let source = ImportSource(label: "test \(index)", name: "test", .syzkaller(try SyzParser.parse(text)))
      let script = try Machines.importer(kernel).script(of: source)
      #expect(script.reasonForExact == nil)
      #expect(script.disagreements == [])
      #expect(script.text.contains("require kernel=\(kernel.rawValue)"))
      #expect(!script.text.contains("ioctl "), "a verb says it all")
      #expect(script.text.contains("vm = ioas create"))
    }
  }

  @Test("a script reads as people write it")
  func reads() throws {
    let program = try SyzParser.parse(
      """
      r0 = openat$iommufd(AUTO, &AUTO='/dev/iommu', 0x0, AUTO)
      ioctl$IOMMU_IOAS_ALLOC(r0, AUTO, &AUTO={AUTO, AUTO, <r1=>0x0})
      ioctl$IOMMU_IOAS_MAP(r0, AUTO, &AUTO={AUTO, 0x7, r1, AUTO, &(0x7f0000010000)='hello there', 0x1000, 0x100000})
      ioctl$IOMMU_IOAS_MAP(r0, AUTO, &AUTO={AUTO, 0xb, r1, AUTO, &(0x7f0000010000), 0x1000, 0x200000})
      ioctl$IOMMU_IOAS_ALLOW_IOVAS(r0, AUTO, &AUTO={AUTO, r1, AUTO, AUTO, &AUTO=[{0x100000, 0x1fffff}]})
      ioctl$IOMMU_TEST_OP_CREATE_ACCESS(r0, AUTO, &AUTO={AUTO, AUTO, r1, AUTO, <r2=>0x0, 0x1})
      ioctl$IOMMU_TEST_OP_ACCESS_RW(r0, AUTO, &AUTO={AUTO, AUTO, r2, AUTO, 0x100000, 0xb, &(0x7f0000020000)=""/11, 0x0})
      ioctl$IOMMU_DESTROY$ioas(r0, AUTO, &AUTO={AUTO, 0x63})
      fly(0x1)
      """)
    let script = try Machines.importer().script(of: ImportSource(label: "x", name: "x", .syzkaller(program)))
    #expect(
      script.text == """
        iofd 1
        # Made from x.
        require kernel=7.2

        area = mem alloc 0x1000000 at=0x200000000000
        vm = ioas create  -> id=1
        mem write $area+0x10000 "hello there"
        map $vm $area+0x10000 len=0x1000 iova=0x100000               -> iova=0x100000
        map $vm $area+0x10000 len=0x1000 iova=0x200000 wo flags=0xb  -> EOPNOTSUPP
        allow $vm 0x100000...0x1fffff
        a = access create $vm pin
        access read $a 0x100000 len=0xb  -> data="hello there"
        destroy id:99                    -> ENOENT
        # left out: fly, which is not known

        """)
    #expect(script.repairs == ["9:1: fly is not known"])
  }

  @Test("an annotation that is wrong is told")
  func disagreements() throws {
    let program = try SyzParser.parse(
      "r0 = openat$iommufd(AUTO, &AUTO='/dev/iommu', 0x0, AUTO)\nclose(r0) # EPERM\n")
    let script = try Machines.importer().script(of: ImportSource(label: "x", name: "x", .syzkaller(program)))
    #expect(script.disagreements == ["2:1: close: expected EPERM, got success"])
  }

  /// All 1,499 of both kernels are imported where there is more time: by the tool, in CI.
  @Test("recorded programs", arguments: [Personality.v7_2, .v6_12])
  func recordings(_ kernel: Personality) throws {
    let programs = try RecordedProgram.parse(Repository.read("Tests/Recordings/programs.txt"))
    let importer = Machines.importer(kernel)
    var exact: [String] = []
    for index in stride(from: kernel == .v7_2 ? 0 : 24, to: programs.count, by: 48) {
      let source = ImportSource(label: programs[index].name, name: "x", .recorded(programs[index]))
      if let reason = try importer.script(of: source).reasonForExact {
        exact.append("\(source.label): \(reason)")
      }
    }
    #expect(exact == [])
  }

  @Test("1,000 random byte strings")
  func bytes() throws {
    var random = SystemRandomNumberGenerator()
    let importer = Machines.importer()
    var exact: [String] = []
    for _ in 0..<1_000 {
      let bytes = (0..<Int.random(in: 0...400, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      let source = ImportSource(label: "\(bytes)", name: "x", .bytes(try ByteProgram(bytes)))
      if let reason = try importer.script(of: source).reasonForExact { exact.append(reason) }
    }
    #expect(exact.count < 20, "\(exact)")
  }

  @Test("fuzzers' own inputs", arguments: ["afl/main/queue", "honggfuzz", "libfuzzer"])
  func corpora(_ directory: String) throws {
    let importer = Machines.importer()
    var count = 0
    for path in try Repository.files(in: "Tests/Corpora/\(directory)") where !path.hasSuffix(".TXT") {
      for source in try ImportSource.sources(in: Repository.read(path), label: path) {
        #expect(try importer.script(of: source).reasonForExact == nil, "\(path)")
        count += 1
      }
    }
    #expect(count >= 5)
  }

  @Test("a failure that a program asks for")
  func failures() throws {
    let program = try SyzParser.parse(
      """
      r0 = openat$iommufd(AUTO, &AUTO='/dev/iommu', 0x0, AUTO)
      ioctl$IOMMU_IOAS_ALLOC(r0, AUTO, &AUTO={AUTO, AUTO, <r1=>0x0}) (fail_nth: 1)
      ioctl$IOMMU_IOAS_ALLOC(r0, AUTO, &AUTO={AUTO, AUTO, <r1=>0x0}) (fail_nth: 99)
      """)
    let script = try Machines.importer().script(of: ImportSource(label: "x", name: "x", .syzkaller(program)))
    let lines = script.text.split(separator: "\n").map(String.init)
    #expect(lines.contains { $0.hasPrefix("fail nth=1 at=[") })
    // A failure that does not come to pass shows nowhere.
    #expect(lines.suffix(3) == ["  ioas create  -> ENOMEM", "}", "ioas create  -> id=1"], "\(script.text)")
  }

  @Test("what is no program is refused with a reason")
  func refusals() throws {
    func reason(_ text: String, _ label: String = "x") -> String? {
      do {
        _ = try ImportSource.sources(in: Array(text.utf8), label: label)
        return nil
      } catch { return error.reason }
    }
    #expect(reason("iofd 1\n") == "it is a script already")
    #expect(reason("r0 = open(") == "1:11: expected a value")
    #expect(reason("prog a\nfly\n") == "line 2 is not a step of a recorded program: fly")
    #expect(reason("prog a\nopen 0\nprog b\n") == nil)
    #expect(
      try ImportSource.sources(in: Array("prog a\nprog b/c\n".utf8), label: "f").map(\.name) == ["a", "b-c"])
  }
}

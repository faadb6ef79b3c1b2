// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Corpora
import Interpreter
import Language
import Lockstep
import Machine
import Runner
import Testing
import UAPI

/// Two targets in lockstep, here two models: so no kernel is needed.
struct LockstepTests {
  private static func model(_ kernel: Personality = .v7_2) -> ModelTarget {
    ModelTarget(Machine.Configuration(kernel: kernel))
  }

  private static func rig(_ other: ModelTarget) -> Rig {
    Rig(target: LockstepTarget(model(), called: "a", other, called: "b"), bench: nil, backend: "mock")
  }

  private func run(_ text: String, against other: Personality = .v7_2) -> ScriptResult {
    Interpreter.run(SourceFile(name: "lockstep.iofd", text: text), loader: DiskLoader()) {
      Self.rig(Self.model(other))
    }
  }

  // MARK: Agreement

  /// The second process has other descriptors open, so every descriptor has two numbers.
  private static func shifted() throws -> ModelTarget {
    let target = model()
    for _ in 0..<5 { _ = try target.userSpace.createMemFD(length: 4096, huge: false) }
    return target
  }

  @Test(arguments: ScriptTree([examples]).entries.map { $0.path })
  func examplesAgree(_ path: String) throws {
    let result = Interpreter.run(try ScriptTree.load(path), loader: DiskLoader()) {
      Self.rig(try Self.shifted())
    }
    #expect(result.verdict.isGood)
    for diagnostic in result.allDiagnostics where diagnostic.severity == .error {
      Issue.record("\(DiagnosticRenderer(usesColour: false).render([diagnostic]))")
    }
  }

  @Test func randomProgramsAgree() throws {
    for seed in UInt64(0)..<20 {
      for theme in ProgramTheme.allCases {
        let target = LockstepTarget(Self.model(), called: "a", try Self.shifted(), called: "b")
        let program = RandomProgram.make(theme, seed: seed)
        _ = try RecordedReplay(target).run(program)
        #expect(target.divergence == nil, "\(program.name): \(target.divergence?.description ?? "")")
      }
    }
  }

  // MARK: Disagreement

  @Test func aCommandThatOneKernelLacks() throws {
    let script = """
      iofd 1
      vm = ioas create
      file = mem memfd 64K
      map $vm file=$file iova=0x1000000 len=64K
      destroy $vm -> ENOENT
      """
    let result = run(script, against: .v6_12)
    #expect(result.verdict == .failed)
    let diagnostics = result.allDiagnostics.filter { $0.severity == .error }
    // What would have failed behind it is not tried.
    let only = try #require(diagnostics.count == 1 ? diagnostics.first : nil)
    #expect(only.code.code == "X0117")
    let text = DiagnosticRenderer(usesColour: false).render([only])
    #expect(text.contains("IOAS_MAP_FILE -> ok"))
    #expect(text.contains("IOAS_MAP_FILE -> ENOTTY"))
    #expect(text.contains("request"))
    #expect(run(script).allDiagnostics.contains { $0.code.code == "X0101" })
  }

  @Test func aDivergenceEndsOneTestAndNotTheNext() {
    let result = run(
      """
      iofd 1
      test "new" {
        vm = ioas create
        file = mem memfd 64K
        map $vm file=$file iova=0x1000000 len=64K
      }
      test "old" {
        vm = ioas create
      }
      """, against: .v6_12)
    #expect(result.cases.map { $0.verdict } == [.failed, .passed])
  }

  /// A field that comes back differently, though both calls succeed.
  @Test func aFieldOfTheAnswer() throws {
    let (a, b) = (Self.model(), Self.model())
    let target = LockstepTarget(a, called: "a", b, called: "b")
    let fd = try target.open("/dev/iommu")
    let place = try target.userSpace.allocate(length: 4096, at: nil, mode: [.read, .write], huge: false)
    // Behind the back of the lockstep the second makes an object, so the IDs differ from here on.
    let other = try b.userSpace.allocate(length: 4096, at: nil, mode: [.read, .write], huge: false)
    try b.memory.store(UInt32(12), at: other)
    _ = try b.ioctl(3, 0x3B81, other)
    // Objects may be called differently ...
    try target.memory.store(UInt32(12), at: place)
    _ = try target.ioctl(fd, 0x3B81, place)
    #expect(target.divergence == nil)
    let id = try target.memory.load(UInt32.self, at: place + 8)
    #expect(id == 1)
    #expect(try a.memory.load(UInt32.self, at: place + 8) == b.memory.load(UInt32.self, at: place + 8))
    // ... and are found by what each calls them: OPTION(HUGE_PAGES, GET) of that IOAS.
    try target.memory.write(
      [24, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 8), at: place)
    _ = try target.ioctl(fd, 0x3B87, place)
    #expect(target.divergence == nil)
    // But a value is a value: the second's option is another.
    try b.memory.write(
      [24, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0] + [UInt8](repeating: 0, count: 8), at: other)
    _ = try b.ioctl(3, 0x3B87, other)
    try target.memory.write(
      [24, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0] + [UInt8](repeating: 0, count: 8), at: place)
    _ = try target.ioctl(fd, 0x3B87, place)
    let divergence = try #require(target.divergence)
    #expect(divergence.call == "OPTION")
    #expect(divergence.differences == ["val64: a 0x1, b 0x0"])
  }

  @Test func memoryIsCompared() throws {
    let (a, b) = (Self.model(), Self.model())
    let target = LockstepTarget(a, called: "a", b, called: "b")
    let place = try target.userSpace.allocate(length: 8192, at: nil, mode: [.read, .write], huge: false)
    try target.memory.write([1, 2, 3], at: place)
    #expect(try target.memory.bytes(at: place, count: 3) == [1, 2, 3])
    #expect(target.divergence == nil)
    try b.memory.write([9], at: place + 2)
    #expect(try target.memory.bytes(at: place, count: 3) == [1, 2, 3])
    #expect(
      target.divergence?.answers.map { $0.answer } == ["0x3 at 0x" + String(place + 2, radix: 16), "0x9"])
  }

  @Test func whatOnlyOneHasOpenIsOpenInNeither() throws {
    let target = LockstepTarget(Self.model(), called: "a", try Self.shifted(), called: "b")
    #expect(throws: Errno.EBADF) { try target.close(5) }
    #expect(throws: Errno.EBADF) { try target.poll(5) }
    #expect(target.divergence == nil)
  }

  // MARK: Without a bench

  @Test func looksAreSkippedAndActsEndTheCase() throws {
    let result = run(
      """
      iofd 1
      vm = ioas create
      expect refs($vm) = 77
      test "acts" {
        child = process fork
        ioas create -> EINVAL
      }
      test "looks" {
        vm = ioas create
        expect refs($vm) = 77
      }
      """)
    #expect(result.verdict == .passed)
    #expect(result.cases.count == 3)
    let acts = try #require(result.cases.first { $0.name == "acts" })
    #expect(acts.verdict == .skipped("'process fork' in line 5 needs a bench, and the target has none"))
    #expect(result.cases.first { $0.name == "looks" }?.verdict == .passed)
  }

  @Test func aCaseThatFailedBeforeItEndedStaysFailed() {
    let result = run("iofd 1\nioas create -> EINVAL\nchild = process fork\n")
    #expect(result.verdict == .failed)
  }

  private static let examples: String = {
    let here = #filePath
    let root = here.components(before: "/Tests/TargetTests/")
    return root + "/examples"
  }()
}

extension String {
  fileprivate func components(before needle: String) -> String {
    var index = startIndex
    while index < endIndex, !self[index...].hasPrefix(needle) { index = self.index(after: index) }
    return String(self[..<index])
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Interpreter
import Language
import Machine
import Testing
import UAPI

@Suite("Injected failures") struct InjectionTests {
  // MARK: What is written

  @Test func oneStepFails() {
    passes(
      """
      vm = ioas create
      fail nth=1 at=alloc {
        other = ioas create -> ENOMEM
        third = ioas create
      } -> kind=alloc, what="an object", errno=ENOMEM
      expect $third.id = 2
      fail nth=(1 + 1) at=[alloc, copy] { ioas create -> EFAULT } -> kind=copy
      """)
  }

  @Test func aSweepCountsAndSeesTheLastAnswer() {
    let text = """
      vm = ioas create
      buf = mem alloc 64K
      sweep {
        other = ioas create -> id=2
        map $vm $buf iova=0x1000 -> iova=0x1000
        map $vm $buf iova=0x1000 -> EEXIST
        for n in 0...1 { copy $vm 0x1000 len=4K to=$other at=(0x1000 + $n * 0x1000) }
      } -> points=?n, partial=0
      expect $other.areas.count = 2
      sweep at=lookup { destroy $vm -> EBUSY | ok } -> points=1
      """
    passes(text)
    // Each kind is part of the whole.
    let all = run(text.replacing("points=?n", with: "points<10"))
    #expect(all.allDiagnostics.map(\.code.code) == ["X0102"])
  }

  /// A defer is clean-up, and not what is tried.
  @Test func cleanUpIsNotSwept() {
    passes(
      """
      first = ioas create
      sweep {
        vm = ioas create
        defer destroy $vm
      } -> points=5
      """)
  }

  @Test(arguments: [
    ("fail { ioas create }", "R0007"), ("fail nth=0 { ioas create }", "R0050"),
    ("fail nth=\"x\" { ioas create }", "R0050"), ("sweep nth=1 { ioas create }", "R0002"),
    ("fail nth=1 att=alloc { ioas create }", "R0002"), ("sweep at=5 { ioas create }", "R0050"),
    ("sweep { ioas create } -> ENOMEM", "R0050"), ("sweep { ioas create } -> pints=3", "R0014"),
    ("sweep { sweep { ioas create } }", "R0050"),
    ("fail nth=1 { for i in 0...1 { sweep { ioas create } } }", "R0050"),
    ("sweep { ioas create -> ENOENT }", "X0101"), ("sweep at=alocc { ioas create }", "X0143"),
    ("n = 0⏎fail nth=$n { ioas create }", "X0140"),
  ])
  func mistakesAreTold(_ text: String, _ code: String) {
    #expect(codes(text.replacing("⏎", with: "\n")).contains(code))
  }

  /// Nothing stays armed, however a block ends.
  @Test func nothingStaysArmed() {
    let result = run("fail nth=50 { ioas create }\nfor n in 0...50 { ioas create }")
    #expect(result.allDiagnostics.map(\.code.code) == ["X0140"])
  }

  @Test func withoutABenchABlockRunsAndIsNotSwept() {
    let result = Interpreter.run(
      SourceFile(name: "test.iofd", text: "sweep { ioas create } -> points=7\nioas create -> id=2"),
      loader: MemoryLoader()
    ) { Rig(target: ModelTarget(), bench: nil, backend: "device") }
    #expect(result.verdict == .passed)
    #expect(result.counts.skipped == 1)
  }

  // MARK: What is found

  /// Answers as the model does, except where `trick` has another idea of what a failed request does.
  private final class Tricky: IoctlTarget {
    let inner: ModelTarget
    let tricked: UInt32
    let trick: (ModelTarget, Int32, Errno) throws(Errno) -> Int32
    private var isBusy = false

    init(
      _ inner: ModelTarget, _ tricked: UInt32,
      _ trick: @escaping (ModelTarget, Int32, Errno) throws(Errno) -> Int32
    ) {
      self.inner = inner
      self.tricked = tricked
      self.trick = trick
    }

    var kernel: KernelVersion { inner.kernel }
    var memory: any UserMemory { inner.memory }
    var userSpace: any UserSpace { inner.userSpace }
    func open(_ path: String) throws(Errno) -> Int32 { try inner.open(path) }
    func close(_ fd: Int32) throws(Errno) { try inner.close(fd) }
    func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32 {
      do throws(Errno) { return try inner.ioctl(fd, request, argument) } catch {
        guard request == tricked else { throw error }
        return try trick(inner, fd, error)
      }
    }
    func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
      try inner.read(fd, address, count)
    }
    func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
      try inner.write(fd, address, count)
    }
    func poll(_ fd: Int32) throws(Errno) -> PollEvents { try inner.poll(fd) }
    func dup(_ fd: Int32) throws(Errno) -> Int32 { try inner.dup(fd) }
    func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode) throws(Errno)
      -> UInt64
    {
      try inner.mmap(fd, at: address, length: length, offset: offset, flags: flags)
    }
  }

  /// One more page of memory that is not free.
  private static func usePage(of target: ModelTarget) {
    do throws(Errno) {
      let page = try target.userSpace.allocate(length: 4096, at: nil, mode: [.read, .write], huge: false)
      try target.memory.write([1], at: page)
    } catch { Issue.record("\(error)") }
  }

  private func findings(_ trick: @escaping (ModelTarget, Int32, Errno) throws(Errno) -> Int32) -> [String] {
    let inner = ModelTarget()
    let result = Interpreter.run(
      SourceFile(name: "test.iofd", text: "sweep { vm = ioas create }\ndestroy $vm"), loader: MemoryLoader()
    ) { Rig(target: Tricky(inner, 0x3B81, trick), bench: ModelBench(inner), backend: "mock") }
    return result.allDiagnostics.filter { $0.code.code == "X0141" }.map(\.message)
  }

  @Test func uncleanFailuresAreFound() {
    #expect(findings { _, _, error throws(Errno) in throw error } == [])
    #expect(
      findings { _, _, _ in 0 }.allSatisfy { $0.contains("says that it succeeded") })
    #expect(findings { _, _, _ in 0 }.count == 1)
    let other = findings { _, _, _ throws(Errno) in throw .EPERM }
    #expect(other.count > 3 && other.allSatisfy { $0.contains("another errno") })
    let left = findings { target, fd, error throws(Errno) in
      _ = try target.dup(fd)
      throw error
    }
    #expect(left == ["IOAS_ALLOC failed and left something behind"])
    let leaked = findings { target, _, error throws(Errno) in
      Self.usePage(of: target)
      throw error
    }
    #expect(leaked == ["IOAS_ALLOC leaks memory each time that it fails"])
  }

  /// What is wrong when the answer of IOAS_UNMAP cannot be written, which does not undo it.
  private func lateFindings(_ trick: @escaping (ModelTarget, Int32, Errno) throws(Errno) -> Int32) -> [String]
  {
    var options = RunOptions()
    options.sweeps = true
    let text = """
      vm = ioas create
      buf = mem alloc 8K
      map $vm $buf iova=0x1000
      unmap $vm all
      """
    let result = Interpreter.run(
      SourceFile(name: "test.iofd", text: text), loader: MemoryLoader(), options: options
    ) {
      let inner = ModelTarget()
      let tricky = Tricky(inner, 0x3B86) { target, fd, error throws(Errno) in
        guard error.reason?.contains("answer") == true else { throw error }
        return try trick(target, fd, error)
      }
      return Rig(target: tricky, bench: ModelBench(inner), backend: "mock")
    }
    #expect(result.swept.calls["IOAS_UNMAP"]?.late == 1)
    return result.allDiagnostics.filter { $0.code.code == "X0141" }.map(\.message)
  }

  @Test func uncleanLateFailuresAreFound() {
    #expect(lateFindings { _, _, error throws(Errno) in throw error } == [])
    #expect(
      lateFindings { _, _, _ in 0 } == ["IOAS_UNMAP says that it succeeded, and a step of it failed"])
    #expect(
      lateFindings { _, _, _ throws(Errno) in throw .EPERM } == [
        "IOAS_UNMAP fails with another errno than the step that failed"
      ])
    let left = lateFindings { target, fd, error throws(Errno) in
      _ = try target.dup(fd)
      throw error
    }
    #expect(left == ["IOAS_UNMAP failed and left something behind"])
  }

  /// Nobody can refuse the end of a file, so each of its failures has a run of its own.
  @Test func endsAreSwept() {
    let text = """
      iommu io kind=vtd
      device add nic behind $io
      vm = ioas create
      attach $nic to=$vm
      unbind $nic
      """
    let result = run(text) { $0.sweeps = true }
    #expect(result.verdict == .passed)
    #expect(result.swept.calls["close"].map { $0.late > 0 && $0.late == $0.points } == true)
  }

  /// A table that is kept for the next time is none.
  @Test func whatIsKeptIsNoLeak() {
    var kept = 0
    let found = findings { target, _, error throws(Errno) in
      if kept < 20 {
        kept += 1
        Self.usePage(of: target)
      }
      throw error
    }
    #expect(found == [])
  }

  // MARK: The whole run

  @Test func aRunCanBeASweep() {
    let text = """
      vm = ioas create
      test "inside" {
        vm = ioas create
        fail nth=1 { ioas create -> EFAULT }
        sweep { ioas create } -> points=5
      }
      destroy $vm
      """
    let result = run(text) { $0.sweeps = true }
    #expect(result.verdict == .passed)
    #expect(result.swept.calls["IOAS_ALLOC"]?.calls == 3)
    #expect(result.swept.calls["IOAS_ALLOC"]?.done == 3)
    #expect(result.swept.calls["DESTROY"].map { $0.points > 0 } == true)
    #expect(run(text).swept == SweepLedger())
  }
}

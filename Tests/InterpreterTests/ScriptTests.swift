// SPDX-License-Identifier: GPL-3.0-or-later

import Foundation
import Interpreter
import Language
import Testing
import UAPI

/// What scripts mean, on the model.
@Suite struct ScriptTests {
  @Test func aStoryWithEverything() {
    passes(
      """
      iofd 1
      require kernel>=6.15, backend=mock
      vm  = ioas create
      dev = device add kind=mock
      mem alloc 64K as buf fill=seq
      attach $dev to=$vm                       -> hwpt=?auto
      map $vm $buf iova=0x1000000 rw           -> iova=0x1000000
      map $vm $buf iova=0x1008000 rw           -> EEXIST
      check map $auto 0x1000000 $buf
      expect pins($buf) = 1
      expect translate($dev, 0x1000000) = $buf+0
      expect translate($auto, 0x2000000) = none
      a = access create $vm pin
      access pin $a 0x1000000 len=4K           -> item=?i
      access unpin $a $i
      access read $a 0x1000010 len=16          -> seq(16, at=0x10)
      access write $a 0x1000000 "hello"
      mem check $buf "hello"
      access read $a 0x1000000 len=5           -> hex"68 ** 6c6c6f"
      hw = hwpt create dev=$dev parent=$vm nest
      q  = faultq create
      n  = hwpt create dev=$dev parent=$hw data=selftest iotlb=0xbadbeef fault=$q
      check iotlb $n 0 0xbadbeef
      replace $dev to=$n                       -> hwpt=$n
      fault $dev 0x9000 write last
      poll $q                                  -> events=IN|OUT|RDNORM
      faultq read $q                           -> [{dev=$dev, addr=0x9000, perm=WRITE, cookie=?c}]
      faultq reply $q $c ok
      faultq read $q                           -> none
      invalidate $n { iotlb=2 } { all }        -> done=2
      invalidate $n { raw hex"00000000 09000000" } -> EINVAL, done=0
      replace $dev to=$hw
      v  = viommu create dev=$dev parent=$hw type=selftest
      vd = vdevice create $v dev=$dev id=0x20
      e  = veventq create $v type=selftest depth=8
      vn = hwpt create dev=$dev parent=$v data=selftest iotlb=1
      replace $dev to=$vn
      event $dev
      veventq read $e                          -> [{seq=0, id=0x20}]
      veventq read $e                          -> none
      unmap $vm 0x1000000...0x100ffff          -> length=64K
      destroy $vm                              -> EBUSY
      destroy $vm                              -> rejected
      expect invariants
      """)
  }

  @Test func bothKernels() {
    let script = """
      vm = ioas create
      dev = device add
      attach $dev to=$vm
      [kernel>=6.13] change-process
      change-process -> ENOTTY [kernel<6.13] | ok
      hwinfo $dev -> type=SELFTEST, caps has DIRTY_TRACKING
      """
    passes(script)
    passes(script, kernel: .v6_12)
    let newer = "require kernel>=6.15\nvm = ioas create"
    #expect(run(newer, kernel: .v6_12).verdict == .skipped("requires kernel>=6.15"))
    passes(newer)
  }

  @Test func testsHaveAMachineOfTheirOwn() {
    let result = run(
      """
      size = 64K
      vm = ioas create
      test "one" label=fast { vm = ioas create -> id=1
        mem alloc $size as buf
        expect $buf.length = 65536 }
      test "two" { ! destroy id:1 }
      test "newer" { require kernel>=9.0
        vm = ioas create -> EBUSY }
      """)
    #expect(result.verdict == .passed)
    #expect(result.cases.map { $0.name } == ["one", "two", "newer", ""])
    #expect(result.cases[0].labels == ["fast"])
    #expect(result.cases[2].verdict == .skipped("requires kernel>=9.0"))
    let filtered = run("test \"a\" { ! destroy id:1 }\ntest \"b\" { ! destroy id:1 }") { options in
      options.filter = { name, _ in name == "b" }
    }
    #expect(filtered.cases.map { $0.name } == ["b"])
  }

  @Test func loopsAndProcedures() {
    passes(
      """
      vm = ioas create
      mem alloc 64K as buf
      def pair(io, at, size=4K) {
        map $io $buf2 iova=$at len=$size -> ok
      }
      """.replacing("$buf2", with: "0x10000") + """

        for i in 0...3 { pair $vm ($i * 64K) }
        for p in [4K, 8K] {
          map $vm $buf len=$p -> iova=?at
          unmap $vm $at len=$p -> length=$p
        }
        expect $vm.areas.count = 4
        """)
    #expect(
      run("def f(x) { destroy $x }\nf 3").allDiagnostics.first?.notes.first?.text == "in 'f', called here")
    let failing = run("for i in [1, 2] { destroy id:$i }")
    #expect(failing.counts.failed == 2)
    #expect(
      failing.allDiagnostics.map { $0.notes.first?.text ?? "" } == [
        "in the round with i=1", "in the round with i=2",
      ])
  }

  @Test func deferredStatementsRunLastOneFirst() {
    var lines: [String] = []
    final class Sink: TraceSink {
      var lines: [String] = []
      func trace(_ event: TraceEvent) { lines.append(event.line) }
    }
    let sink = Sink()
    let result = run("defer destroy id:1\ndefer { ! destroy id:2 }\nvm = ioas create\ndestroy id:3") {
      options in
      options.trace = sink
    }
    lines = sink.lines
    #expect(result.counts.failed == 1)
    #expect(
      lines.map { $0.prefix(21) } == [
        "IOAS_ALLOC size=12 fl", "DESTROY size=8 id=3 -", "DESTROY size=8 id=2 -", "DESTROY size=8 id=1($",
      ])
  }

  @Test func includesHaveTheirOwnNames() {
    passes(
      "vm = ioas create\ninclude \"part.iofd\" with io=$vm, size=8K\ndestroy $extra\nmap $vm $buf -> iova=?a",
      files: [
        "part.iofd": """
        param size: size = 4K
        mem alloc $size as buf
        extra = ioas create
        map $io $buf
        export buf, extra
        """
      ])
    #expect(codes("include \"a\"", files: ["a": "include \"b\"", "b": "include \"a\""]) == ["R0018"])
    #expect(codes("include \"test.iofd\"", files: ["test.iofd": ""]) == ["R0018"])
    #expect(codes("include \"a\"\ndestroy $x", files: ["a": "x = ioas create"]) == ["R0005"])
    #expect(
      codes("include \"a\"", files: ["a": "map map map ->"]).contains("P0502")
        || !codes("include \"a\"", files: ["a": "map map map ->"]).isEmpty)
  }

  @Test func parametersComeFromTheCommandLine() {
    let script = "param depth: int in 1...64 = 4\nexpect $depth = 8"
    func result(_ defines: [String: String]) -> ScriptResult { run(script) { $0.defines = defines } }
    #expect(result(["depth": "8"]).verdict == .passed)
    #expect(result([:]).verdict == .failed)
    #expect(result(["depth": "65"]).allDiagnostics.map { $0.code.code } == ["R0020"])
    #expect(result(["depth": "x"]).allDiagnostics.map { $0.code.code } == ["R0020"])
    #expect(result(["dept": "8"]).allDiagnostics.map { $0.code.code } == ["R0021"])
    #expect(result(["depth": "8) ! destroy id:1 ("]).verdict == .invalid)
  }

  @Test func announcedFailures() {
    #expect(run("xfail \"known\" vm = ioas create -> EINVAL").counts.expectedFailures == 1)
    #expect(run("xfail \"known\" vm = ioas create").verdict == .failed)
    #expect(run("xfail \"known\"\nvm = ioas create -> EINVAL").verdict == .expectedFailure("known"))
    #expect(run("xfail \"known\"\nvm = ioas create").verdict == .unexpectedPass("known"))
    #expect(
      run("test \"t\" { xfail \"known\"\n ! ioas create }").cases.first?.verdict == .expectedFailure("known"))
  }

  @Test func whatDependsOnAFailureIsBlocked() {
    let result = run("vm = ioas create flags=1\nmap $vm 0x1000 len=4K\ndestroy $vm")
    #expect(result.counts.failed == 1)
    #expect(result.counts.blocked == 2)
  }

  @Test func listsAndRecords() {
    let script = """
      vm = ioas create
      reserve $vm 0x1000...0x1fff
      reserve $vm 0x5000...0x5fff
      """
    passes(
      script + """

        show iovas $vm -> ranges=[0x0...0xfff, ..., 0x6000...max], num=3
        show iovas $vm -> ranges=[..., 0x2000...0x4fff, ...]
        show iovas $vm -> { 0x6000...max, 0x0...0xfff, 0x2000...0x4fff }
        show iovas $vm -> ranges has 0x2000...0x4fff, ranges[0]=0x0...0xfff
        show iovas $vm room=1 -> EMSGSIZE, num=3
        show iovas $vm -> ranges=?all
        expect $all.count = 3
        expect $all[1].first = 0x2000
        """)
    #expect(codes(script + "\nshow iovas $vm -> ranges=[..., 0x6000...max, 0x0...0xfff]") == ["X0102"])
    #expect(codes(script + "\nshow iovas $vm -> { 0x6000...max, 0x6000...max, 0x0...0xfff }") == ["X0102"])
  }

  @Test func rawFormsAnswer() {
    passes(
      """
      request IOAS_ALLOC -> out_ioas_id=1
      ioctl default 0x3b81 { u32 12; u32 0; u32 0 } -> bytes=hex"0c000000 00000000 02000000"
      ioctl default IOAS_ALLOC { size=12 flags=1 } -> EOPNOTSUPP
      ioctl default 0x3bff arg=0 -> ENOTTY
      ioctl default 0x3b80 arg=0x10 -> EFAULT
      ioctl default 0x3b80 { u32 4096; u32 1; zero(4088) } -> EINVAL
      """.replacing("; zero(4088) } -> EINVAL", with: " }"))
    passes("vm = ioas create\nselftest ADD_RESERVED id=$vm start=0x1000 length=4K\nshow iovas $vm -> num=2")
    passes("destroy id:1 size=100 -> ENOENT\ndestroy id:1 size=7 -> EINVAL")
  }

  @Test func processesAndLimits() {
    passes(
      """
      vm = ioas create
      mem alloc 4K as buf fill=0x5a
      child = process fork
      process switch $child
      mem check $buf fill(0x5a, 4K)
      mem write $buf "x"
      destroy id:99 -> ENOENT
      process switch 1
      mem check $buf fill(0x5a, 4K)
      process exit $child
      destroy $vm
      capability ipc-lock off
      memlock 4K
      """)
  }

  @Test func limitsHold() {
    #expect(codes("for i in 0...max { destroy id:1 -> ENOENT }") == ["X0111"])
    let endless = run("for i in 0...99999 { for j in 0...99999 { ! destroy id:1 } }") { options in
      options.check = false
      options.statementLimit = 10_000
    }
    #expect(endless.verdict == .timedOut)
    let slow = run("for i in 0...99999 { for j in 0...99999 { ! destroy id:1 } }") { options in
      options.check = false
      options.secondsLimit = 0.05
    }
    #expect(slow.verdict == .timedOut)
    let cancellation = Cancellation()
    cancellation.cancel()
    #expect(run("vm = ioas create") { $0.cancellation = cancellation }.verdict == .interrupted)
    #expect(codes("x = fill(0, 1T)") == ["X0107"])
    #expect(codes("include \"a\"", files: ["a": "include \"aa\""]) == ["R0017"])
  }

  @Test func untilStopsBehindALine() {
    let script = "vm = ioas create\ndestroy $vm\ndestroy $vm\ndestroy $vm"
    #expect(run(script) { $0.until = 2 }.verdict == .passed)
    #expect(run(script) { $0.until = 3 }.counts.failed == 1)
  }

  @Test func checkFindsWhatRunWouldNot() {
    func codes(_ text: String) -> [String] {
      let source = SourceFile(name: "t.iofd", text: text)
      return Interpreter.check(source, loader: MemoryLoader(), environment: mock).map { $0.code.code }
    }
    #expect(codes("vm = ioas create\n_quiet = ioas create\nif kernel<6 { ioas create }") == ["R0101"])
    // What cannot be read may use any name.
    #expect(codes("vm = ioas create\n_quiet = ioas create\nif kernel<6 { mpa $vm }") == ["R0001"])
  }

  @Test func unmarkedFailureIsAFailureAndAMarkIsNot() {
    #expect(run("destroy id:1").verdict == .failed)
    #expect(run("! destroy id:1").verdict == .passed)
    #expect(run("? destroy id:1").verdict == .passed)
    #expect(run("! vm = ioas create").verdict == .failed)
  }
}

/// What would go on for ever, or take all memory, is refused with a diagnostic.
@Suite struct BoundTests {
  @Test func listsThatDouble() {
    #expect(run("x = [1]\nfor i in 0...60 { x = [$x, $x] }\nexpect $x = $x").counts.failed > 0)
    #expect(run("x = [1]\nfor i in 0...2000 { x = [$x] }\nexpect $x = $x").counts.failed > 0)
  }

  @Test func callsThatNest() {
    var text = "def f0() { ! destroy id:1 }\n"
    for level in 1...2000 { text += "def f\(level)() { f\(level - 1) }\n" }
    #expect(codes(text + "f2000") == ["X0116"])
    #expect(codes(text + "f20") == [])
  }

  @Test func filesThatMultiply() {
    var files: [String: String] = [:]
    for level in 0...30 { files["f\(level)"] = "include \"f\(level + 1)\"\ninclude \"f\(level + 1)\"" }
    files["f31"] = ""
    #expect(codes("include \"f0\"", files: files).contains("R0018"))
  }

  @Test func failuresByTheThousand() {
    let result = run("for i in 0...9999 { destroy id:1 }") { $0.check = false }
    #expect(result.counts.failed == 10_000)
    #expect(result.allDiagnostics.count == 100)
  }

  @Test func manyBindings() {
    let text = (0..<20_000).map { "x\($0) = \($0)" }.joined(separator: "\n") + "\nexpect $x19999 = 19999"
    #expect(run(text).verdict == .passed)
  }
}

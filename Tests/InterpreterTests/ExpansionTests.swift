// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Language
import Testing
import UAPI

/// Scripts unfolded. That the examples make the same requests unfolded is held by `Tests/expand/run`.
struct ExpansionTests {
  /// The plain statements, without the head.
  private func plain(
    _ text: String, files: [String: String] = [:], environment: Environment = mock,
    defines: [String: String] = [:],
    sourceLocation: SourceLocation = #_sourceLocation
  ) -> [String] {
    let loader = MemoryLoader(texts: files)
    let expansion = Expansion(
      of: SourceFile(name: "test.iofd", text: text), loader: loader, environment: environment,
      defines: defines)
    #expect(expansion.failure == nil, sourceLocation: sourceLocation)
    guard let bytes = expansion.text else {
      Issue.record("\(DiagnosticRenderer().render(expansion.diagnostics))", sourceLocation: sourceLocation)
      return []
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { String($0) }.filter {
      !$0.drop { $0 == " " }.hasPrefix("#") && $0 != "iofd 1"
    }
  }

  /// What is unfolded makes the same requests, and is the same unfolded once more.
  private func same(
    _ text: String, files: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let lines = plain(text, files: files, sourceLocation: sourceLocation)
    let again = plain("iofd 1\n" + lines.joined(separator: "\n") + "\n")
    #expect(lines == again, sourceLocation: sourceLocation)
    func requests(_ text: String) -> [String] {
      final class Requests: TraceSink {
        var names: [String] = []
        func trace(_ event: TraceEvent) {
          names.append(
            event.line.split(separator: " ").filter { !$0.contains("$") }.joined(separator: " "))
        }
      }
      let sink = Requests()
      let result = run(text, files: files) { $0.trace = sink }
      #expect(
        result.verdict == .passed, "\(DiagnosticRenderer().render(result.allDiagnostics))\n\(text)",
        sourceLocation: sourceLocation)
      return sink.names
    }
    #expect(requests(text) == requests(lines.joined(separator: "\n")), sourceLocation: sourceLocation)
  }

  @Test func loopsAndValues() {
    let text = """
      size = 4K
      buf = mem alloc ($size * 4)
      vm = ioas create
      at = 0x10000
      for page in [0x1000, 0x2000] {
        for i in 0...1 {
          map $vm $buf+$page len=$size iova=($at + $page * 16 + $i * 0x8000)
        }
        at = ($at + 0x100000)
      }
      """
    #expect(
      plain(text) == [
        "buf = mem alloc 0x4000", "vm = ioas create",
        "map $vm $buf+0x1000 len=4K iova=0x20000", "map $vm $buf+0x1000 len=4K iova=0x28000",
        "map $vm $buf+0x2000 len=4K iova=0x130000", "map $vm $buf+0x2000 len=4K iova=0x138000",
      ])
    same(text)
  }

  @Test func proceduresKeepTheirNamesApart() {
    let text = """
      vm = ioas create
      buf = mem alloc 8K
      def place(space, memory, at=0x1000) {
        vm = ioas create
        part = $memory[0...0xfff]
        map $space $part iova=$at
        defer unmap $space $at len=4K
        map $vm $part iova=$at -> iova=$at
      }
      place $vm $buf
      place $vm $buf+0x1000 at=0x9000
      unmap $vm all -> length=0
      """
    #expect(
      plain(text) == [
        "vm = ioas create", "buf = mem alloc 8K",
        "vm_2 = ioas create", "part = $buf[0...0xfff]", "map $vm $part iova=0x1000",
        "map $vm_2 $part iova=0x1000  -> iova=0x1000", "unmap $vm 0x1000 len=4K",
        "memory = $buf+0x1000",
        "vm_2 = ioas create", "part = $memory[0...0xfff]", "map $vm $part iova=0x9000",
        "map $vm_2 $part iova=0x9000  -> iova=0x9000", "unmap $vm 0x9000 len=4K",
        "unmap $vm all  -> length=0",
      ])
    same(text)
  }

  @Test func filesAndTheirData() {
    let files = [
      "lib.iofd": """
      param size: size = 64K
      vm = ioas create
      buf = mem alloc $size fill=file("fill.bin")
      map $outer $buf iova=0x1000
      export buf, vm
      -- fill.bin --
      inner
      """
    ]
    let text = """
      vm = ioas create
      include "lib.iofd" with outer=$vm, size=4K
      mem check $buf file("fill.bin")
      -- fill.bin --
      inner
      """
    let lines = plain(text, files: files)
    #expect(lines.contains("buf = mem alloc 4K fill=file(\"fill.bin\")"))
    #expect(lines.contains("vm_2 = ioas create") && lines.contains("map $vm $buf iova=0x1000"))
    let other = plain(text.replacing("-- fill.bin --\ninner", with: "-- fill.bin --\nother"), files: files)
    #expect(other.contains("buf = mem alloc 4K fill=file(\"fill.bin\")"))
    #expect(other.contains { $0 == "mem check $buf file(\"2-fill.bin\")" })
  }

  @Test func conditionsAreDecided() {
    let text = """
      if kernel>=6.13 { a = ioas create } else { b = ioas create }
      [mock] c = ioas create
      [!mock] d = ioas create
      destroy id:99 -> EBUSY [kernel<6.13] | ENOENT
      """
    #expect(
      plain(text) == [
        "require kernel=7.2, backend=mock", "a = ioas create", "c = ioas create", "destroy id:99  -> ENOENT",
      ])
    let old = Environment(kernel: KernelVersion(6, 12), backend: "vtd", hasBench: true)
    #expect(
      plain(text, environment: old) == [
        "require kernel=6.12, backend=vtd", "b = ioas create", "d = ioas create", "destroy id:99  -> EBUSY",
      ])
  }

  /// What only a run knows stays; so do values that change in what does not run once in its order.
  @Test func whatDependsOnTheRunStays() {
    let text = """
      vm = ioas create
      show iovas $vm -> ranges=?free
      sum = 0
      for r in $free { sum = ($sum + 1) }
      expect $sum = 1
      buf = mem alloc 4K
      thread a { map $vm $buf iova=0x1000 }
      run a
      fail nth=1 at=alloc { for i in 1...1 { ioas create -> ENOMEM } } -> errno=ENOMEM
      parallel {
        for i in 5...6 { map $vm $buf iova=($i * 0x1000) }
        unmap $vm 0x1000 len=4K
      }
      """
    let lines = plain(text)
    #expect(
      lines.contains("sum = 0") && lines.contains("for r in $free {") && lines.contains("  sum = $sum+1"))
    #expect(lines.contains("thread a {") && lines.contains("fail nth=1 at=alloc {"))
    #expect(
      lines.contains("  thread strand {"))
    same(text)
  }

  @Test func testsStandApart() {
    let text = """
      data = 0x1000
      def one() { vm = ioas create }
      one
      vm = ioas create
      test "a" label=quick {
        buf = mem alloc ($data * 2)
        one
      }
      test "b" { buf = mem alloc $data }
      """
    #expect(
      plain(text) == [
        "vm = ioas create", "vm_2 = ioas create", "test \"a\" label=quick {", "  buf = mem alloc 0x2000",
        "  vm = ioas create", "}", "test \"b\" {", "  buf = mem alloc 0x1000", "}",
      ])
  }

  @Test func mistakesAreTold() {
    let broken = Expansion(
      of: SourceFile(name: "a", text: "ioas craete\n"), loader: MemoryLoader(), environment: mock)
    #expect(broken.text == nil && !broken.diagnostics.isEmpty)
    let huge = Expansion(
      of: SourceFile(name: "a", text: "for i in 1...199999 { for j in 1...199999 { ioas create } }\n"),
      loader: MemoryLoader(), environment: mock)
    #expect(huge.text == nil && huge.failure != nil)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Foundation
import Interpreter
import Language
import Machine
import Testing
import UAPI
import Views

/// What happens, told in three degrees of detail, and expected.
@Suite struct TraceTests {
  static let script = """
    iofd 1
    iommu io kind=vtd
    device add nic behind $io ats
    vm = ioas create
    buf = mem alloc 64K fill=seq
    hw = hwpt create dev=$nic parent=$vm
    attach $nic to=$vm
    replace $nic to=$hw
    map $vm $buf iova=0x100000 rw
    dma read $nic 0x100000 len=4
    dma read $nic 0x100000 len=4
    dma write $nic 0x900000 "x"   -> fault
    unmap $vm 0x100000 len=64K
    detach $nic
    destroy $hw
    """

  final class Sink: TraceSink {
    var events: [TraceEvent] = []
    func trace(_ event: TraceEvent) { events.append(event) }
  }

  private func events(_ level: TraceLevel, _ text: String = script) -> [TraceEvent] {
    let sink = Sink()
    var options = RunOptions()
    options.trace = sink
    options.traceLevel = level
    let result = Interpreter.run(
      SourceFile(name: "t.iofd", text: text), loader: MemoryLoader(), options: options
    ) {
      let target = ModelTarget(Machine.Configuration())
      return Rig(target: target, bench: ModelBench(target), backend: "mock")
    }
    let report = DiagnosticRenderer().render(result.allDiagnostics)
    #expect(result.verdict == .passed, "\(report)")
    return sink.events
  }

  @Test(arguments: TraceLevel.allCases) func everyLevelIsAsExpected(level: TraceLevel) throws {
    let events = events(level)
    try Project.expect(
      events.map { "\($0.statement): \($0.line)\n" }.joined(), is: "trace-\(level.rawValue).txt")
    #expect(events.allSatisfy { $0.level <= level })
    #expect(events.contains { $0.level == level })
  }

  /// Each level tells what those before it tell, in the same order.
  @Test func levelsAreNested() {
    let all = events(.hardware)
    for level in [TraceLevel.request, .model] {
      #expect(events(level).map(\.line) == all.filter { $0.level <= level }.map(\.line))
    }
  }

  @Test func eachEventIsAJSONObject() throws {
    for event in events(.hardware) {
      let object = try #require(
        JSONSerialization.jsonObject(with: Data(event.json.utf8)) as? [String: Any], "\(event.json)")
      #expect(object["event"] as? String == event.name)
      #expect(object["level"] as? String == event.level.rawValue)
      #expect(object["statement"] as? Int == event.statement)
      for field in event.fields { #expect(object[field.name] != nil) }
      #expect(!event.json.contains("\n"))
    }
  }

  /// What the table of events names happens somewhere, with fields of the table.
  @Test func everyEventHappens() {
    let more = """
      iofd 1
      iommu io kind=vtd
      device add nic behind $io ats pri
      vm = ioas create
      attach $nic to=$vm
      device enable $nic ats pri
      fault $nic 0x9000 write
      buf = mem alloc 64K
      map $vm $buf iova=0x100000 rw
      dma read $nic 0x100000 len=4
      unmap $vm all
      """
    let seen = Set((events(.hardware) + events(.hardware, more)).map(\.name))
    for kind in MachineEvent.Kind.allCases { #expect(seen.contains(kind.rawValue), "\(kind.rawValue)") }
    for event in events(.hardware) where event.level != .request {
      let known = MachineEvent.Kind(rawValue: event.name)?.row.fields ?? []
      #expect(event.fields.allSatisfy { known.contains($0.name) })
    }
  }

  /// Nobody listens, nothing is kept; and two machines do not hear each other.
  @Test func machinesAreDeafToEachOther() throws {
    let (one, two) = (ModelTarget(Machine.Configuration()), ModelTarget(Machine.Configuration()))
    let (first, second) = (ModelBench(one), ModelBench(two))
    try withExtendedLifetime((one, two)) {
      first.traceLevel = .hardware
      for target in [one, two] {
        let fd = try target.open("/dev/iommu")
        let argument = try target.userSpace.allocate(
          length: 4096, at: nil, mode: [.read, .write], huge: false)
        try target.memory.write([12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], at: argument)
        _ = try target.ioctl(fd, 0x3B81, argument)
      }
      #expect(second.takeEvents().events.isEmpty)
      let heard = first.takeEvents()
      #expect(heard.events.map(\.kind) == [.objectCreate] && heard.lost == 0)
      first.traceLevel = nil
      try one.close(3)
      #expect(first.takeEvents().events.isEmpty)
    }
  }

  // MARK: Expecting

  private func codes(_ block: String) -> [String] {
    let text = """
      iofd 1
      vm = ioas create
      buf = mem alloc 8K
      map $vm $buf iova=0x1000
      unmap $vm 0x1000 len=8K
      expect trace {
      \(block)
      }
      """
    let result = Interpreter.run(SourceFile(name: "t.iofd", text: text), loader: MemoryLoader()) {
      let target = ModelTarget(Machine.Configuration())
      return Rig(target: target, bench: ModelBench(target), backend: "mock")
    }
    return result.allDiagnostics.map { $0.code.code }
  }

  @Test(arguments: [
    "", "area-add", "area-add iova=0x1000 last=0x2fff access=rw\nnext request name=IOAS_UNMAP\narea-remove",
    "any area-remove\nany object-create id=$vm type=IOAS\nany area-add", "not pages-pin",
    "area-add\nnot object-destroy",
    "request name=IOAS_MAP result=ok\nnext area-add\nnot area-add\narea-remove",
    "[kernel<6.0] dma\narea-add",
  ])
  func whatHappenedIsAccepted(block: String) { #expect(codes(block).isEmpty, "\(codes(block))") }

  @Test(arguments: [
    "area-remove\narea-add", "area-add iova=0x2000", "object-create\nnext area-add", "not area-add",
    "request name=IOAS_MAP\nnot area-add\narea-remove", "any area-add\nany area-add", "area-add id=1\n#",
    "request name=IOAS_MAP result=ENOMEM", "area-remove\nnext area-remove",
  ])
  func whatDidNotHappenIsNot(block: String) {
    let codes = codes(block)
    #expect(codes == (block.contains("id=1") ? ["R0060"] : ["X0139"]), "\(codes)")
  }

  @Test(arguments: [
    "area-ad", "next", "a = area-add", "area-add 5", "area-add -> ok", "for i in [1] { area-add }",
  ])
  func whatIsNoEventIsRefused(line: String) { #expect(codes(line) == ["R0060"], "\(codes(line))") }
}

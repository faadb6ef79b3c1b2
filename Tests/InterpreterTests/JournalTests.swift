// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Language
import Machine
import Testing
import UAPI
import Views

@testable import Interpreter

/// Sessions that go back: undo, redo, checkpoints, what-if, saving, why.
@Suite struct JournalTests {
  static func journal() -> Journal {
    Journal(rig: modelRig(), loader: MemoryLoader(texts: ["part.iofd": "part = ioas create\nexport part\n"]))
    {
      modelRig()
    }
  }

  /// Everything there is to say about a session's state.
  static func dump(_ journal: Journal) -> String {
    let session = journal.session
    return FactText.text(session.state ?? .none) + FactText.text(session.bench?.machineState() ?? .none)
      + session.namesText
  }

  /// Statements that something can be done with.
  static let world = [
    "vm = ioas create", "vm2 = ioas create", "dev = device add kind=mock pasid",
    "buf = mem alloc 64K fill=seq",
    "mfd = mem memfd 2M", "q = faultq create", "attach $dev to=$vm",
    "hw = hwpt create dev=$dev parent=$vm nest dirty",
    "map $vm $buf iova=0x1000000", "a = access create $vm pin",
    "v = viommu create dev=$dev parent=$hw type=selftest",
    "iommu io kind=vtd", "device add nic behind $io pri pasid-bits=8", "net = ioas create",
    "attach $nic to=$net",
    "map $net $buf iova=0x100000", "child = process fork", "d2 = dmabuf create 4K",
  ]

  /// One statement of each kind, and some that are refused, that fail, that are blocks.
  static let kinds = [
    "ioas create", "vm = ioas create", "destroy $vm2", "destroy $vm", "map $vm $buf",
    "map $vm $buf iova=0x1000000",
    "map $vm file=$mfd off=0 len=2M iova=0x4000000", "copy $vm 0x1000000 len=4K to=$vm2 at=0x2000000",
    "unmap $vm all",
    "allow $vm2 0x100000...0x1fffff", "option $vm2 huge-pages=0", "change-process", "vfio-ioas set $vm",
    "mem write $buf \"hello\"", "mem protect $buf ro", "mem unmap $buf", "mem alloc 2M huge",
    "mem truncate $mfd 4M",
    "process switch $child", "process exit $child", "capability ipc-lock off", "memlock 64K",
    "other = device add",
    "detach $dev", "replace $dev to=$hw", "attach $dev to=$hw pasid=5", "hwinfo $dev",
    "fault $dev 0x9000 write",
    "x = hwpt create dev=$dev parent=$hw data=selftest iotlb=7", "dirty start $hw",
    "dirty mark $hw 0x1000000...0x1000fff", "dirty read $hw 0x1000000...0x1000fff", "faultq read $q",
    "vdevice create $v dev=$dev id=7", "e = veventq create $v", "hwqueue create $v iova=0x1000000 len=4K",
    "access pin $a 0x1000000 len=4K -> item=?i", "access write $a 0x1000000 \"x\"", "access move $a to=$vm2",
    "access close $a", "reserve $vm2 0x1000...0x1fff", "dmabuf revoke $d2", "ctx = open", "close $q",
    "dup $q",
    "mapfd $mfd len=64K", "iommu io2 kind=amd", "device add nic2 behind $io", "device remove $nic",
    "unbind $nic",
    "dma write $nic 0x100000 \"abc\"", "dma read $nic 0x9000 len=4", "irq alloc $nic vector=0x41",
    "ats $nic 0x100000",
    "device enable $nic ats", "reg write $io 0x38 0 width=4", "phys write 0x200000 le64(7)",
    "bug $io skip-unmap-flush",
    "bug lock domains", "unmap $net all", "vfio api", "ioctl default 0x3b81 { u32 12; u32 0; u32 0 }",
    "request IOAS_ALLOC", "selftest ADD_RESERVED id=$vm2 start=0x1000 length=4K", "size = 64K",
    "for i in 1...3 { ioas create }", "def f(x) { destroy $x }", "if mock { ioas create }",
    "include \"part.iofd\"", "param depth: int = 4", "defer ioas create", "section \"s\"",
    "test \"t\" { vm = ioas create }", "fail nth=1 at=alloc { ioas create }", "sweep { ioas create }",
    "thread t { destroy $vm2 }", "thread t { map $vm2 $buf iova=0x1000 }; run t until area.filled",
    "parallel { ioas create }", "destroy id:999", "map $vm $buf iova=0x1000000 -> iova=0",
  ]

  /// Everything is as it was, to the last number; and forward again.
  @Test func undoAfterEachKindOfStatement() throws {
    let journal = Self.journal()
    for statement in Self.world {
      let reply = journal.run(statement)
      #expect(reply.isGood && !reply.isRefused, "\(statement): \(reply.text)")
    }
    let before = Self.dump(journal)
    var changed = 0
    for statement in Self.kinds {
      let reply = journal.run(statement)
      let isRead = !reply.diagnostics.contains {
        "PR".contains($0.code.code.first ?? " ") && $0.severity == .error
      }
      #expect(isRead, "\(statement): \(DiagnosticRenderer().render(reply.diagnostics))")
      let after = Self.dump(journal)
      if after != before { changed += 1 }
      let change = try journal.undo()
      #expect(change.statements == [statement])
      #expect(Self.dump(journal) == before, "undone: \(statement)")
      _ = try journal.redo()
      #expect(Self.dump(journal) == after, "done again: \(statement)")
      _ = try journal.undo()
    }
    #expect(changed > 40)
    #expect(Self.dump(journal) == before)
    // And all the way back.
    _ = try journal.undo(Self.world.count)
    #expect(Self.dump(journal) == Self.dump(Self.journal()))
    withExtendedLifetime(journal) {}
  }

  /// The same session as a script: it passes, which saving has tried.
  @Test func aSavedSessionPasses() throws {
    let journal = Self.journal()
    for statement in Self.world + Self.kinds
    where !["parallel", "test", "param", "change-process"].contains(where: { statement.hasPrefix($0) }) {
      _ = journal.run(statement)
    }
    let script = try journal.script(heading: ["made by a test"])
    #expect(script.text.hasPrefix("iofd 1\n# made by a test\n"))
    let result = Interpreter.run(
      SourceFile(name: "saved.iofd", text: script.text),
      loader: MemoryLoader(texts: ["part.iofd": "part = ioas create\nexport part\n"])
    ) { modelRig() }
    #expect(
      result.verdict == .passed, "\(script.text)\n\(DiagnosticRenderer().render(result.allDiagnostics))")
    withExtendedLifetime(journal) {}
  }

  @Test func whatIsSaved() throws {
    let journal = Self.journal()
    for statement in [
      "vm = ioas create", "buf = mem alloc 8K", "map $vm $buf iova=0x1000", "map $vm $buf iova=0x1000",
      "destroy id:99  # not there", "unmap $vm 0x1000 len=8K -> ENOENT", "! ioas create", "show $vm",
      "expect $vm.areas.count = 7", "expect $vm.areas.count != 0",
      "for i in 1...2 {\n  map $vm $buf iova=0x8000\n  destroy id:99\n}", "mem check $buf \"x\"", "nonsense",
      "map $vm",
    ] { _ = journal.run(statement) }
    let script = try journal.script(heading: [])
    #expect(
      script.text == """
        iofd 1
        require kernel=7.2, backend=mock

        vm = ioas create
        buf = mem alloc 8K
        map $vm $buf iova=0x1000  -> iova=0x1000
        map $vm $buf iova=0x1000  -> EEXIST
        destroy id:99             -> ENOENT  # not there
        unmap $vm 0x1000 len=8K   -> length=0x2000
        ioas create               -> id=id:2
        expect $vm.areas.count = 0
        # failed: expect $vm.areas.count != 0
        for i in 1...2 {
          ? map $vm $buf iova=0x8000
          destroy id:99  -> ENOENT
        }
        # failed: mem check $buf "x"

        """)
    #expect(script.leftOut == 2)
    withExtendedLifetime(journal) {}
  }

  @Test func onlyLookingIsNothingToTakeBack() throws {
    let journal = Self.journal()
    _ = journal.run("vm = ioas create")
    _ = journal.run("show")
    _ = journal.run("expect $vm")
    #expect(try journal.undo().statements == ["vm = ioas create"])
    #expect(throws: Journal.Obstacle.self) { try journal.undo() }
    #expect(try journal.redo().statements == ["vm = ioas create"])
    #expect(journal.run("expect $vm").isGood)
    #expect(throws: Journal.Obstacle.self) { try journal.redo() }
    withExtendedLifetime(journal) {}
  }

  @Test func checkpoints() throws {
    let journal = Self.journal()
    _ = journal.run("vm = ioas create")
    journal.checkpoint("one")
    _ = journal.run("destroy $vm")
    _ = journal.run("x = 4K")
    #expect(try journal.rollback("one").statements == ["destroy $vm", "x = 4K"])
    #expect(journal.run("expect $vm").isGood)
    #expect(try journal.redo().statements == ["destroy $vm", "x = 4K"])
    #expect(!journal.run("expect $vm").isGood)
    _ = try journal.undo(3)
    _ = journal.run("other = ioas create")
    // It was of another history.
    #expect(throws: Journal.Obstacle.self) { try journal.rollback("one") }
    withExtendedLifetime(journal) {}
  }

  @Test func whatIfChangesNothing() throws {
    let journal = Self.journal()
    for statement in ["vm = ioas create", "buf = mem alloc 8K"] { _ = journal.run(statement) }
    let before = Self.dump(journal)
    let preview = try journal.preview("b = map $vm $buf iova=0x1000")
    #expect(preview.reply.outcome == "ok, iova=0x1000")
    #expect(preview.names == ["b = 4096"])
    #expect(preview.difference.text.contains("areas: + {iova=0x1000,"))
    #expect(try journal.preview("destroy id:99").reply.outcome == "ENOENT")
    #expect(try journal.preview("nonsense").reply.isGood == false)
    #expect(Self.dump(journal) == before)
    withExtendedLifetime(journal) {}
  }

  @Test func whyItWasRefused() throws {
    let journal = Self.journal()
    #expect(journal.session.refusal == nil)
    for statement in [
      "vm = ioas create", "buf = mem alloc 8K", "dev = device add kind=mock", "attach $dev to=$vm",
      "map $vm $buf iova=0x1000001",
    ] {
      _ = journal.run(statement)
    }
    let refusal = try #require(journal.session.refusal)
    #expect(refusal.statement == "map $vm $buf iova=0x1000001")
    #expect(refusal.errno == .EINVAL)
    let details = Dictionary(refusal.details.map { ($0.label, $0.text) }) { a, _ in a }
    #expect(details["request"]?.contains("ioas_id=1($vm)") == true)
    #expect(details["request"]?.contains("iova=0x1000001") == true)
    #expect(details["check"] == "iova is not a multiple of the IOAS alignment")
    #expect(details["values"] == "0x1000001 (16777217), 0x800 (2048)")
    #expect(details["linux"] == "iommufd_ioas_map() in drivers/iommu/iommufd/ioas.c")
    #expect(details["model"]?.hasPrefix("Sources/IOMMUFD/IOPageTable+Place.swift, line ") == true)
    #expect(details["state"]?.contains("IOAS 1 ($vm)") == true)
    #expect(details["bound"]?.contains("$vm") == true)
    // What works does not hide it; the next refusal does.
    _ = journal.run("show")
    #expect(journal.session.refusal?.errno == .EINVAL)
    _ = journal.run("for i in 1...3 { destroy id:99 }")
    #expect(journal.session.refusal?.errno == .ENOENT)
    withExtendedLifetime(journal) {}
  }

  @Test func handlersAreOfRows() {
    for row in KernelHandler.rows { #expect(CommandTable.row(named: row) != nil, "\(row)") }
    for row in CommandTable.iommufd where row.name != "IOAS_NOIOMMU_GET_PA" {
      #expect(KernelHandler.of(row.name) != nil, "\(row.name)")
    }
  }

  /// A statement that Ctrl-C stopped half-way is done again half-way.
  @Test func whatWasInterrupted() throws {
    let cancellation = Cancellation()
    var options = RunOptions()
    options.cancellation = cancellation
    let journal = Journal(rig: modelRig(), loader: MemoryLoader(), options: options) { modelRig() }
    _ = journal.run("vm = ioas create")
    cancellation.cancel()
    let reply = journal.run("for i in 1...3 { ioas create }")
    #expect(reply.cancelledStep == 0)
    cancellation.reset()
    let before = Self.dump(journal)
    _ = journal.run("vm2 = ioas create")
    _ = try journal.undo()
    #expect(Self.dump(journal) == before)
    _ = try journal.undo()
    #expect(try journal.redo().statements == ["for i in 1...3 { ioas create }"])
    #expect(Self.dump(journal) == before)
    // A long way back can be interrupted as well, and then nothing has happened.
    cancellation.cancel()
    #expect(throws: Journal.Obstacle.self) { try journal.undo() }
    cancellation.reset()
    #expect(Self.dump(journal) == before)
    withExtendedLifetime(journal) {}
  }

  /// A file that has changed since is not read again.
  @Test func filesAreRemembered() throws {
    final class Host: ScriptLoader {
      var text = "part = ioas create\nexport part\n"
      func load(_ path: String, from origin: String?) throws(LoadError) -> SourceFile {
        SourceFile(name: path, text: text)
      }
    }
    let host = Host()
    let journal = Journal(rig: modelRig(), loader: host) { modelRig() }
    _ = journal.run("include \"part.iofd\"")
    let before = Self.dump(journal)
    host.text = "part = 4K\nother = ioas create\nother2 = ioas create\nexport part\n"
    _ = journal.run("x = 1")
    _ = try journal.undo()
    #expect(Self.dump(journal) == before)
    _ = try journal.undo()
    _ = journal.run("include \"part.iofd\"")
    #expect(Self.dump(journal) != before)
    withExtendedLifetime(journal) {}
  }

  /// What has no bench cannot be had a second time.
  @Test func aRealKernelStaysAsItIs() {
    let target = ModelTarget(Machine.Configuration(kernel: .standard))
    let journal = Journal(rig: Rig(target: target, bench: nil, backend: "mock"), loader: MemoryLoader()) {
      modelRig()
    }
    _ = journal.run("vm = ioas create")
    for body in [{ _ = try journal.undo() }, { _ = try journal.preview("destroy $vm") }]
      as [() throws -> Void]
    {
      do {
        try body()
        Issue.record("it went back")
      } catch Journal.Obstacle.realKernel {} catch { Issue.record("\(error)") }
    }
    withExtendedLifetime(target) {}
  }

  /// What is tried out by mistake leaves no names behind.
  @Test func mistakesBindNothing() {
    let journal = Self.journal()
    _ = journal.run("oops = ioas craete")
    #expect(journal.session.names.isEmpty)
    #expect(journal.run("show $oops").diagnostics.map(\.code.code) == ["R0005"])
    #expect(journal.count == 0 && !journal.isUnsaved)
    withExtendedLifetime(journal) {}
  }

  /// Names besides those of the world that examples speak of.
  static let more = [
    "n = hwpt create dev=$dev parent=$hw data=selftest iotlb=1", "vd = vdevice create $v dev=$dev id=1",
    "e = veventq create $v", "c = 1", "i = 1", "ram = mem alloc 64K", "db = dmabuf create 4K",
    "mem write $buf+8 \"hello\"", "before = snapshot", "after = snapshot",
  ]

  /// Every example of every verb's page is carried out, and something answers. What it says behind `->` is true of the
  /// state that it was written for, and left out here.
  @Test func examplesAreCarriedOut() {
    for verb in VerbTable.all {
      for example in verb.examples {
        var world = Self.world + Self.more
        if verb.name == "copy" { world += ["a = ioas create", "b = ioas create"] }
        if example.contains("$ctx") { world.append("ctx = open") }
        let journal = Self.journal()
        #expect(journal.run(world.joined(separator: "\n")).isGood)
        let statement = example.firstRange(of: "   ->").map { String(example[..<$0.lowerBound]) } ?? example
        let reply = journal.run(statement)
        #expect(reply.isGood, "\(statement): \(DiagnosticRenderer().render(reply.diagnostics))")
        #expect(reply.outcome != nil && !reply.text.contains("blocked,"), "\(statement): \(reply.text)")
        withExtendedLifetime(journal) {}
      }
    }
  }
}

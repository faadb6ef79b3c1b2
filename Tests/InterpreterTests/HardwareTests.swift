// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter
internal import Language
internal import Machine
internal import Testing

// What the hardware verbs say when something is wrong, and what they print: through a whole machine.

@Suite("Hardware in scripts")
struct HardwareTests {
  private func run(_ text: String, check: Bool = false) -> (result: ScriptResult, output: String) {
    let output = Output()
    var options = RunOptions()
    options.check = check
    options.output = { output.text += $0 }
    let result = Interpreter.run(
      SourceFile(name: "test.iofd", text: text), loader: MemoryLoader(), options: options
    ) {
      let target = ModelTarget()
      return Rig(target: target, bench: ModelBench(target), backend: "mock")
    }
    return (result, output.text)
  }

  private final class Output { var text = "" }

  private static let world = """
    iommu io kind=vtd
    device add nic behind $io rid=0x18
    vm = ioas create
    attach $nic to=$vm
    mem alloc 64K as buf fill=seq
    map $vm $buf iova=0x100000 rw

    """

  @Test(arguments: [
    ("iommu a kind=vt", "X0118"), ("iommu a kind=vtd mod=legacy", "X0118"),
    ("iommu a kind=vtd mode=legcy", "X0118"), ("iommu a kind=vtd mgaw", "X0118"),
    ("iommu io kind=vtd", "X0101"), ("device add gpu behind $io rid=0x18", "X0101"),
    ("device add gpu kind=pci pasid", "R0009"), ("dma read $vm 0 len=4", "R0006"),
    ("dma atomic $nic 0x100001 le32(1)", "X0108"), ("dma atomic $nic 0x100000 \"abc\"", "X0108"),
    ("bug $io forget-everything", "X0118"), ("reg read $io 0x3", "X0101"),
    ("table sv49 in=$buf at=0x1000", "X0118"), ("table sv48 in=$buf at=0x1001", "X0101"),
    ("table sv48 in=$buf at=0x1000 { 1 = 2 3 }", "R0027"), ("phys read 0xfffffffffffff000", "X0101"),
    ("dma read $nic 0x100000 len=4 -> fault", "X0101"), ("dma read $nic 0x200000 len=4", "X0101"),
    ("dma read $nic 0x200000 len=4 -> blocked", "X0101"), ("unmap $vm all -> stale", "X0101"),
    ("device remove $nic", "X0101"), ("show $io nothing", "X0110"),
    ("m = device add kind=mock\ndma read $m 0", "X0108"),
  ])
  func whatIsWrongIsSaid(_ statement: String, _ code: String) {
    let (result, _) = run(Self.world + statement)
    let codes = result.allDiagnostics.map { $0.code.code }
    #expect(codes == [code], "\(codes)")
  }

  @Test func aSuggestionForWhatIsNearlyRight() throws {
    let (result, _) = run("iommu io kind=vtd\nbug $io skip-unmap-flsh")
    let diagnostic = try #require(result.allDiagnostics.first)
    #expect(diagnostic.help.first?.contains("skip-unmap-flush") == true)
  }

  @Test func aWalkIsPrintedUnlessItIsChecked() {
    let printed = run(Self.world + "walk $nic 0x100000").output
    #expect(printed.contains("scalable-mode root entry") && printed.contains("translated to"))
    #expect(printed.split(separator: "\n").count > 5)
    #expect(run(Self.world + "walk $nic 0x100000 -> ok, readable=1").output.isEmpty)
  }

  @Test func partsAreShown() {
    let registers = run(Self.world + "show $io registers").output
    #expect(registers.contains("CAP") && registers.contains("GSTS"))
    let queue = run(Self.world + "show $io invalidation-queue").output
    #expect(queue.contains("tail"))
    let table = run(Self.world + "hw = hwpt create dev=$nic parent=$vm\nshow $hw table").output
    #expect(table.contains("first stage") && table.contains("leaf"))
    #expect(run(Self.world + "show $nic").output.contains("0000:00:03.0"))
    #expect(run("iommu kinds").output.contains("caching-mode"))
    #expect(run("bug kinds").output.contains("skip-sync"))
  }

  @Test func aStaleTranslationIsNamedWithDevicePageAndLine() throws {
    let script =
      Self.world
      + "dma read $nic 0x100000 len=4\nbug $io skip-unmap-flush\nunmap $vm all\ndma read $nic 0x100000 len=4"
    let (result, _) = run(script, check: true)
    let found = result.allDiagnostics
    #expect(found.map { $0.code.code } == ["X0119"])
    let detail = try #require(found.first?.details.first?.text)
    #expect(detail.contains("stale translation: device 0000:00:03.0 still reaches page 0x"))
    #expect(detail.hasSuffix("unmapped or taken away at line 9"))
    // Without the checker, and with the expectation, it passes.
    #expect(run(script).result.verdict == .passed)
    let told = script.replacing("unmap $vm all", with: "unmap $vm all -> stale")
    #expect(run(told, check: true).result.verdict == .passed)
  }

  @Test func withoutABenchNothingCanBePluggedIn() {
    let result = Interpreter.run(
      SourceFile(name: "test.iofd", text: Self.world), loader: MemoryLoader(), options: RunOptions()
    ) { Rig(target: ModelTarget(), bench: nil, backend: "device") }
    if case .skipped = result.verdict {} else { Issue.record("\(result.verdict)") }
  }
}

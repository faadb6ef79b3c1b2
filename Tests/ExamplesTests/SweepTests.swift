// SPDX-License-Identifier: GPL-3.0-or-later
import Interpreter
import Language
import Runner
import Testing
import UAPI

/// Every call of the examples, and of one script on every backend, is made to fail at each of its failure points
/// before it succeeds: it is refused, everything is as it was, nothing has leaked, no rule is broken.
@Suite("Failure sweeps")
struct SweepTests {
  /// Legacy mode is a driver of its own, in all that attaching does.
  static let backends = ["mock", "vtd", "vtd:mode=legacy", "amd", "smmuv3", "riscv:vfio=isolated", "s390"]

  static func run(_ source: SourceFile, _ backend: Backend) -> ScriptResult {
    var options = RunOptions()
    options.sweeps = true
    let rigs = Rigs(kernel: .standard, backend: backend)
    return Interpreter.run(source, loader: DiskLoader(), options: options) { try rigs.make() }
  }

  private static func check(_ result: ScriptResult, _ name: String) {
    let problems = DiagnosticRenderer().render(result.allDiagnostics)
    #expect(problems.isEmpty, "\(name):\n\(problems)")
    #expect(result.counts.failed == 0 && result.counts.blocked == 0, "\(name)")
  }

  /// All examples together sweep every request and every operation of the selftest.
  @Test func examples() throws {
    var calls: Set<String> = []
    for path in ExampleTests.scripts {
      let source = try ScriptTree.load(path)
      let result = Self.run(source, ExampleTests.backend(of: source))
      Self.check(result, path)
      calls.formUnion(result.swept.filter { $0.value.points > 0 }.keys)
    }
    let requests = CommandTable.all.filter {
      $0.exists(in: Personality.standard.version) && $0.family != .selftest
    }
    let names = requests.map(\.name) + CommandTable.selftestOps.map { "TEST \($0.name)" }
    #expect(names.filter { !calls.contains($0) && !Self.cannotFail.contains($0) } == [])
  }

  /// Requests without a struct, one that no kernel has, and one that no command is about.
  private static let cannotFail: Set<String> = [
    "IOAS_NOIOMMU_GET_PA", "VFIO_GET_API_VERSION", "VFIO_CHECK_EXTENSION", "VFIO_SET_IOMMU",
    "VFIO_DEVICE_RESET", "VFIO_DEVICE_GET_INFO",
  ]

  @Test func everyCommandOnEveryBackend() throws {
    let source = try ScriptTree.load(ExampleTests.root + "/Tests/ExamplesTests/Sweep/commands.iofd")
    var columns: [[String: SweepCount]] = []
    for name in Self.backends {
      let result = Self.run(source, try Backend(name))
      Self.check(result, name)
      columns.append(result.swept)
    }
    let calls = Set(columns.flatMap(\.keys)).sorted()
    var table = Self.row("failure points", Self.backends.map { String($0.prefix(15)) })
    for call in calls {
      table += Self.row(call, columns.map { $0[call].map { String($0.points) } ?? "-" })
    }
    table += Self.row("together", columns.map { String($0.values.reduce(0) { $0 + $1.points }) })
    print(table)
    for (name, column) in zip(Self.backends, columns) {
      for call in Self.everywhere {
        #expect(column[call].map { $0.points > 0 } == true, "\(call) on \(name)")
      }
      for call in name == "mock" ? [] : Self.hardware {
        #expect(column[call].map { $0.points > 0 } == true, "\(call) on \(name)")
      }
    }
  }

  /// What every backend answers.
  private static let everywhere = [
    "DESTROY", "IOAS_ALLOC", "IOAS_ALLOW_IOVAS", "IOAS_COPY", "IOAS_IOVA_RANGES", "IOAS_MAP", "IOAS_UNMAP",
    "OPTION",
    "VFIO_IOAS", "HWPT_ALLOC", "GET_HW_INFO", "FAULT_QUEUE_ALLOC", "IOAS_MAP_FILE", "IOAS_CHANGE_PROCESS",
    "VFIO_IOMMU_GET_INFO", "VFIO_IOMMU_MAP_DMA", "VFIO_IOMMU_UNMAP_DMA", "open",
  ]

  /// What needs a device behind an IOMMU.
  private static let hardware = [
    "iommu", "device add", "VFIO_DEVICE_BIND_IOMMUFD", "VFIO_DEVICE_ATTACH_IOMMUFD_PT",
    "VFIO_DEVICE_DETACH_IOMMUFD_PT", "VFIO_DEVICE_GET_INFO",
  ]

  private static func row(_ name: String, _ cells: [String]) -> String {
    func pad(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(0, width - text.count)) + text
    }
    return name + String(repeating: " ", count: max(1, 32 - name.count))
      + cells.map { pad($0, 16) }.joined() + "\n"
  }
}

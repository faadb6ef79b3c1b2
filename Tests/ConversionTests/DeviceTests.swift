// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Corpora
import Interpreter
import Language
import Machine
import Runner
import Testing
import UAPI

@testable import Conversion

/// What devices do becomes verbs, and the verbs do the same: the importer itself runs the script with every invariant
/// checked and compares the requests.
@Suite("Devices in scripts")
struct DeviceScriptTests {
  static let scenes = ByteScene.Family.allCases.flatMap { family in
    ByteScene.variants(family).indices.map { ByteScene(family, variant: $0) }
  }

  /// Where the kernel lets no program have the first function, or gives it no page table.
  private static let refused: Set<String> = [
    "mock", "riscv:vfio=coherent", "riscv", "smmuv3:gran4k=0,gran64k=0",
    "amd:default-domain=dma,unity-first=0x80000000,unity-last=0x80001fff",
  ]

  private static func importer() -> Importer {
    Importer { program in
      let rigs = Rigs()
      return try program.map { try rigs.preferring($0.kernel).preferring($0.scene).make() } ?? rigs.make()
    }
  }

  private static func script(_ scene: ByteScene, _ lines: [String]) throws -> ImportedScript {
    let version = ByteProgram.newestVersion
    let program = try ByteProgram(
      text: "bytes \(version) profile=2 flags=\(scene.flags)\n" + lines.map { $0 + "\n" }.joined())
    return try importer().script(of: ImportSource(label: "x", name: "x", .bytes(program)))
  }

  @Test("a machine of every scene, and what its functions do", arguments: scenes)
  func everyScene(_ scene: ByteScene) throws {
    let script = try Self.script(
      scene,
      [
        "dma-read", "dma-write a=1 x=7", "dma-write flags=8", "translation-request a=1", "finished", "plug",
        "unplug", "interrupt", "IOAS_UNMAP", "dma-read", "VFIO_DEVICE_DETACH_IOMMUFD_PT", "close", "unplug",
      ])
    #expect(script.reasonForExact == nil)
    #expect(!script.text.contains("left out"), "\(script.text)")
    let isMock = scene.family == .mock
    #expect(script.text.contains("backend=\(scene.family), bench") != isMock)
    #expect(script.text.contains("d0 = device add pasid-bits=16") != isMock)
    guard !Self.refused.contains(scene.backend) else { return }
    for words in [
      "bind $d0", "attach $d0 to=$vm", "dma read $d0", "dma write $d0", "dma atomic $d0", "detach $d0",
      "unbind $d0", "dma wait $d0",
    ] {
      #expect(script.text.contains(words), "\(words) is not in\n\(script.text)")
    }
    #expect(!script.text.contains("VFIO_DEVICE"), "\(script.text)")
  }

  @Test("page requests and their answers, large pages, failures")
  func further() throws {
    let vtd = try Self.script(
      ByteScene(.vtd),
      [
        "open-device a=1", "HWPT_ALLOC.fault", "VFIO_DEVICE_ATTACH_IOMMUFD_PT.hwpt", "page-request",
        "page-request flags=1", "answer-fault", "translation-request flags=16", "interrupt",
        "IOAS_MAP x=0x200",
        "grow", "cut", "fork", "arm-failure a=2", "IOAS_ALLOC", "IOAS_MAP", "disarm-failure",
      ])
    #expect(vtd.reasonForExact == nil)
    for words in ["fault $d", " none", "ats $d", "irq ", "grow $", "cut $", "fail nth=3 at=["] {
      #expect(vtd.text.contains(words), "\(words) is not in\n\(vtd.text)")
    }
    #expect(!vtd.text.contains("left out"), "\(vtd.text)")
  }

  @Test("guests' tables", arguments: [ByteScene.Family.vtd, .amd, .smmuv3])
  func guests(_ family: ByteScene.Family) throws {
    let script = try Self.script(
      ByteScene(family),
      ["VFIO_DEVICE_ATTACH_IOMMUFD_PT.guest", "dma-read y=0x8000000000004000", "HWPT_INVALIDATE.guest"])
    #expect(script.reasonForExact == nil)
    #expect(script.text.contains("table ") && script.text.contains("gpa 0x"), "\(script.text)")
  }

  @Test("programs at random, on hardware")
  func random() throws {
    var random = SystemRandomNumberGenerator()
    var exact: [String] = []
    for round in 0..<60 {
      let scene = Self.scenes[round % Self.scenes.count]
      let scattered = (0..<Int.random(in: 1...8, using: &random)).flatMap { _ in
        // An operation, two objects that may be there, flags, a length.
        [
          UInt8.random(in: 0...255, using: &random), UInt8.random(in: 0...3, using: &random),
          UInt8.random(in: 0...2, using: &random), UInt8.random(in: 0...31, using: &random),
          UInt8.random(in: 0...4, using: &random),
        ] + [UInt8](repeating: 0, count: ByteProgram.recordLength - 5)
      }
      let header = ByteProgram(
        version: ByteProgram.newestVersion, profile: 2, flags: scene.flags, records: [])
      let program = try ByteProgram(header.bytes + scattered)
      let source = ImportSource(label: program.text, name: "x", .bytes(program))
      if let reason = try Self.importer().script(of: source).reasonForExact {
        exact.append("\(reason)\n\(program.text)")
      }
    }
    #expect(exact.count < 4, "\(exact)")
  }

  /// What no program in bytes does, from a script into a script.
  @Test("IOMMUs, registers, mistakes and physical memory")
  func written() throws {
    let first = """
      iofd 1
      iommu io kind=vtd mode=legacy
      device add nic behind $io rid=0x18 ats virtual pasid-bits=4
      device enable $nic ats
      reg write $io 0x38 0 width=4
      bug $io skip-unmap-flush
      bug $io skip-unmap-flush off
      phys write 0x100000 le64(7)
      ioas create
      fail nth=1 at=alloc { ioas create -> ENOMEM }
      device remove $nic
      """
    let second = Self.written(try Self.calls(first))
    #expect(
      second == """
        iofd 1
        require kernel=7.2, bench

        iommu io kind=vtd mode=legacy
        d0 = device add behind $io rid=0x18 ats virtual pasid-bits=4
        device enable $d0 ats
        reg write $io 0x38 0 width=4
        bug $io skip-unmap-flush
        bug $io skip-unmap-flush off
        phys write 0x100000 hex"0700000000000000"
        open
        ioas create  -> id=1
        fail nth=1 at=[alloc] {
          ioas create  -> ENOMEM
        }
        device remove $d0

        """)
    // What is written once more is the same.
    #expect(Self.written(try Self.calls(second)) == second)
  }

  private static func written(_ calls: [LoggedCall]) -> String {
    ScriptWriter.write(
      calls, kernel: KernelVersion(7, 2), ScriptWriter.Frame(title: []), checksLoads: false, style: .readable)
  }

  private static func calls(_ text: String) throws -> [LoggedCall] {
    var target: LoggingTarget?
    let result = Interpreter.run(SourceFile(name: "test.iofd", text: text), loader: MemoryLoader()) {
      let rig = Machines.rig(.v7_2)
      let logging = LoggingTarget(rig.target)
      target = logging
      return Rig(target: logging, bench: rig.bench.map { LoggingBench($0, logging) }, backend: rig.backend)
    }
    #expect(result.verdict == .passed, "\(text)\n\(result.diagnostics.map(\.message))")
    return target?.calls ?? []
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Memory
import Testing
import UAPI

/// A machine takes everything along when nobody uses it any more: a process that makes thousands would otherwise run out of
/// addresses for their memory.
struct MachineLifetimeTests {
  private func use(_ kind: IOMMUKind?, _ body: (ModelTarget, ModelBench) throws -> Void) throws
    -> () -> PhysicalMemory?
  {
    let target = ModelTarget()
    let bench = ModelBench(target)
    if let kind {
      var choices = IOMMUKind.Choices()
      if kind.name == "riscv" { choices.words["vfio"] = "isolated" }
      _ = try target.machine.addIOMMU("iommu0", kind, choices)
    }
    try body(target, bench)
    return { [weak memory = target.machine.memory] in memory }
  }

  @Test func withoutHardware() throws {
    let memory = try use(nil) { target, _ in _ = try target.open("/dev/iommu") }
    #expect(memory() == nil)
  }

  @Test(arguments: IOMMUKind.all.map(\.name))
  func withFunctions(_ name: String) throws {
    let memory = try use(IOMMUKind.named(name)) { target, bench in
      var function = FunctionDescription()
      function.ats = true
      function.pri = true
      let first = try bench.addFunction(function)
      function.groupOf = first
      _ = try? bench.addFunction(function)
      _ = try bench.dma(first, .read(0x1_0000_0000, 8))
    }
    #expect(memory() == nil)
  }

  /// The device is attached, and nobody closes anything.
  @Test(arguments: IOMMUKind.all.map(\.name))
  func whileADeviceIsInUse(_ name: String) throws {
    let memory = try use(IOMMUKind.named(name)) { target, bench in
      let function = try bench.addFunction(FunctionDescription())
      let iommufd = try target.open("/dev/iommu")
      let device = try target.open(try #require(bench.devicePath(of: function)))
      let place = try target.userSpace.allocate(
        length: 4096, at: nil, mode: [.read, .write], huge: false)
      func call(_ fd: Int32, _ request: UInt32, _ words: [UInt32]) throws -> [UInt32] {
        let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        try target.memory.write(bytes, at: place)
        _ = try target.ioctl(fd, request, place)
        return try words.indices.map { try target.memory.load(UInt32.self, at: place + UInt64(4 * $0)) }
      }
      let space = try call(iommufd, 0x3B81, [12, 0, 0])[2]
      _ = try call(device, 0x3B76, [16, 0, UInt32(iommufd), 0])
      _ = try call(device, 0x3B77, [12, 0, space])
    }
    #expect(memory() == nil)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Machine

@Suite struct BringUpTests {
  /// Hardware of many kinds: everything works, from a DMA to a fault in the log.
  @Test(
    arguments: [
      [:], ["levels": 2], ["msi-flat": 0, "msi-mrif": 0], ["msi-flat": 0, "msi-mrif": 0, "levels": 2],
      ["bare-reset": 1], ["ddtp-busy": 50], ["vectors-lg2": 0], ["vectors-lg2": 1], ["queue-lg2": 1],
      ["sv": 39, "svx4": 0, "pd": 0, "ats": 0, "t2gpa": 0, "amo-hwad": 0, "hpm": 0, "dbg": 0], ["pas": 34],
      ["end": 1, "big-endian": 1], ["cache-directories": 0, "cache-translations": 0, "cache-tables": 0],
      ["tlb-lg2": 0, "ddt-lg2": 0, "table-lg2": 0], ["over-invalidate": 1], ["check-addresses": 1],
    ] as [[String: UInt64]])
  func hardware(numbers: [String: UInt64]) throws {
    let rig = try DriverRig(numbers)
    try expectWorking(rig)
  }

  @Test(arguments: [("wires", 4), ("wires", 1), ("wires", 2), ("both", 4)])
  func signals(signals: String, wires: UInt64) throws {
    let rig = try DriverRig(["wire-count": wires], words: ["signals": signals])
    #expect(rig.unit.read32(8) & 2 == (signals == "wires" ? 2 : 0))
    try expectWorking(rig)
  }

  private func expectWorking(_ rig: DriverRig) throws {
    let (device, domain) = try rig.attached(0x18)
    let page = try rig.page(5)
    try domain.map(IOVA(0x3000), to: page, length: 4096, protection: readWrite)
    #expect(device.perform(.read(0x3000, 1)).bytes == [5])
    #expect(domain.unmap(IOVA(0x3000), length: 4096) == 4096)
    #expect(device.perform(.read(0x3000, 1)).fault?.code == 13)
    #expect(device.perform(.write(0x3000, [1])).fault?.code == 15)
    #expect(rig.software.faults.map(\.code) == [13, 15])
    #expect(rig.software.complaints.isEmpty)
  }

  @Test func refusedHardware() {
    func errno(_ numbers: [String: UInt64] = [:], words: [String: String] = [:]) -> Int? {
      do {
        _ = try DriverRig(numbers, words: words)
        return nil
      } catch { return (error as? Errno).map { Int($0.code) } }
    }
    #expect(errno(["wire-count": 0], words: ["signals": "wires"]) == 19)
    // Big-endian, and fctl.BE cannot be written.
    #expect(errno(["big-endian": 1]) == 22)
    // Bare at reset keeps fctl as it is.
    #expect(errno(["big-endian": 1, "end": 1, "bare-reset": 1]) == 22)
    #expect(errno(["ddtp-busy": 200_000]) == 16)
    for (name, value) in [
      ("sv", 32), ("svx4", 40), ("pd", 9), ("pas", 57), ("levels", 0), ("levels", 4), ("vectors-lg2", 5),
      ("queue-lg2", 0), ("queue-lg2", 32), ("counters", 32), ("tlb-lg2", 21), ("ddt-lg2", 17),
    ] as [(String, UInt64)] {
      #expect(errno([name: value]) == 22, "\(name)=\(value)")
    }
    #expect(errno(words: ["vfio": "always"]) == 22)
    #expect(errno(words: ["signals": "smoke"]) == 22)
  }

  /// Linux 6.12 has no driver for it.
  @Test func oldKernel() throws {
    let machine = Machine(Machine.Configuration(kernel: .v6_12, memorySize: 1 << 30))
    #expect(throws: Errno.ENODEV("this kernel has no driver for the RISC-V IOMMU")) {
      _ = try machine.addIOMMU("iommu0", .riscv)
    }
  }

  /// A directory of one level has room for 64 or 128 devices; three levels have 24 bits.
  @Test func deviceIDs() throws {
    let one = try DriverRig(["levels": 1])
    _ = try one.device(63)
    #expect(throws: Errno.self) { _ = try one.device(64) }
    let base = try DriverRig(["levels": 1, "msi-flat": 0, "msi-mrif": 0])
    _ = try base.device(127)
    #expect(throws: Errno.self) { _ = try base.device(128) }
    let three = try DriverRig()
    _ = try three.machine.addFunction(
      "far", PCIFunction(segment: 0xFF, requesterID: 0xFFFF), behind: three.unit)
    #expect(throws: Errno.self) {
      _ = try three.machine.addFunction(
        "too far", PCIFunction(segment: 0x100, requesterID: 0), behind: three.unit)
    }
  }

  @Test func noFirstStage() throws {
    let rig = try DriverRig(["sv": 0])
    let device = try rig.device()
    #expect(throws: Errno.self) { _ = try rig.domain(for: device) }
    // A domain of another IOMMU whose mode this one does not have.
    let other = try rig.machine.addIOMMU("iommu1", .riscv, DriverRig.choices())
    let domain = try rig.domain(for: try rig.device(5, on: other))
    do {
      try rig.put(device, on: domain)
      Issue.record("attached")
    } catch { #expect((error as? Errno)?.code == 19) }
    // It stays where it was.
    #expect(device.perform(.read(0x1000, 1)).fault?.code == 258)
  }

  /// Every allocation of bringing up, of taking a device and of a domain fails once; nothing is left behind.
  @Test func failures() throws {
    let failures = FailurePoints()
    var nth: UInt64 = 1
    var failed = 0
    while true {
      let memory = PhysicalMemory(size: 1 << 30)
      let port = BusPort(memory)
      failures.arm(nth: nth)
      defer { failures.disarm() }
      do {
        let driver = RISCVDriver(memory: memory, failures: failures)
        let iommu = try RISCVInstance.bringUp(
          "iommu", driver: driver, port: port, site: .init(memory: memory, failures: failures))
        let device = try driver.probe(PCIFunction(requesterID: 5), behind: iommu)
        try driver.makeDefaultDomain(for: device).attach(device, from: nil)
        let domain = try driver.allocatePaging(for: device)
        try domain.attach(device, from: nil)
        driver.release(device)
      } catch { failed += 1 }
      #expect(memory.allocatedFrames == 0, "allocation \(nth)")
      guard failures.disarm() else { break }
      nth += 1
    }
    // A queue that finds no memory is made smaller, so not each of them is the end.
    #expect(failed > 8 && nth > 14)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import HardwareSpecs
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

// What the driver makes of interrupts: faults in bulk, queues that overflow, commands that hardware refuses.

@Suite struct InterruptTests {
  /// One interrupt for many faults, and more faults than the queue has entries in the end.
  @Test func manyFaults() throws {
    let rig = try DriverRig()
    let (device, _) = try rig.attached(5)
    for round in 0..<6 {
      for page in 0..<1000 as Range<UInt64> { _ = rig.translate(device, page << 12) }
      rig.machine.settle()
      #expect(rig.software.faults.count == min(1024, (round + 1) * 1000))
    }
    #expect(rig.software.faults.last?.address == 999 << 12)
    #expect(rig.unit.read32(RISCV.Register.fqh) == 6000 & 4095)
    #expect(rig.software.complaints.isEmpty)
  }

  @Test func overflow() throws {
    let rig = try DriverRig()
    let (device, _) = try rig.attached(5)
    for page in 0..<5000 as Range<UInt64> { _ = rig.translate(device, page << 12) }
    rig.machine.settle()
    #expect(rig.software.faults.last?.address == 4094 << 12)
    #expect(rig.software.complaints == ["Queue #1 error; memory fault:0 overflow:1"])
    #expect(rig.unit.read32(RISCV.Register.fqcsr) == 0x10003)
    // Faults are recorded again.
    rig.software.forgetFaults()
    #expect(device.perform(.read(0x1000, 1)).fault?.code == 13)
    #expect(rig.software.faults.map(\.address) == [0x1000])
  }

  /// What hardware refuses stays at the head and is refused again, each time that the error is cleared; Linux does no
  /// more about it. The machine settles all the same.
  @Test func illegalCommand() throws {
    let rig = try DriverRig()
    let (device, domain) = try rig.attached(5)
    rig.software.send(RISCVCommand(0x7F))
    rig.machine.settle()
    #expect(rig.software.complaints.first == "Queue #0 error; fault:0 timeout:0 illegal:1 fence_w_ip:0")
    #expect(rig.unit.read32(RISCV.Register.cqcsr) & 0x400 != 0)
    // No flush reaches the hardware any more, and the driver goes on.
    try domain.map(IOVA(0x1000), to: PhysAddr(0x7000), length: 4096, protection: readWrite)
    #expect(rig.translate(device, 0x1000).address == 0x7000)
    domain.unmap(IOVA(0x1000), length: 4096)
    #expect(rig.translate(device, 0x1000).address == 0x7000)
  }

  /// A queue that is full and stands still is reported once.
  @Test func stoppedQueue() throws {
    let rig = try DriverRig(["queue-lg2": 2])
    rig.unit.write32(RISCV.Register.cqcsr, 0)
    for _ in 0..<10 { rig.software.synchronize() }
    #expect(
      rig.software.complaints == [
        "Hardware error: command execution timeout", "Hardware error: command enqueue failed",
      ])
  }

  /// Interrupts that are nobody's, and registers that somebody else has filled with nonsense.
  @Test func strangers() throws {
    let rig = try DriverRig()
    _ = try rig.attached(5)
    rig.software.handle(.message(address: 0xDEAD_0000, data: 1))
    rig.software.handle(.message(address: rig.unit.read64(RISCV.Register.msiCfgTbl), data: 0))
    rig.software.handle(.message(address: rig.unit.read64(RISCV.Register.msiCfgTbl), data: .max))
    rig.software.handle(.wire(.max))
    #expect(rig.software.faults.isEmpty && rig.software.complaints.isEmpty)
  }

  /// A device directory that something else has overwritten: no more than wrong.
  @Test func overwrittenDirectory() throws {
    let rig = try DriverRig()
    var dice = Dice(9)
    for round in 0..<200 {
      // Where the directory leads nowhere there is no such device.
      guard let device = try? rig.device(UInt16(round * 3)) else { continue }
      let root = (rig.unit.read64(RISCV.Register.ddtp) >> 10) << 12
      _ = rig.memory.store64(dice.next(), at: PhysAddr(root + dice.below(8 as UInt64) * 8))
      try rig.claim(device)
      let domain = try rig.domain(for: device)
      try rig.put(device, on: domain)
      _ = device.perform(.read(dice.next() & 0xFFFF_F000, 4))
    }
    rig.machine.settle()
    #expect(rig.unit.read32(RISCV.Register.cqcsr) & 0x10000 != 0)
  }
}

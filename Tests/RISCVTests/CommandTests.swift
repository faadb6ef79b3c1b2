// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Memory
internal import Testing

@Suite struct CommandTests {
  /// Each is illegal or not supported: the queue stops at it, and goes on when the bit is cleared.
  @Test func illegalCommands() {
    let table: [(UInt64, UInt64)] = [
      (0, 0), (5, 0), (0x3F, 0), (0x40, 0), (0x7F, 0),  // opcodes
      (0x101, 0), (0x82, 0), (0x103, 0), (0x104, 0), (0x381, 0),  // functions
      (0x801, 0), (1 | 1 << 35, 0), (1 | 1 << 60, 0), (1, 1), (1, 1 << 62),  // IOTINVAL, reserved
      (1 | 1 << 34, 0), (1, 1 << 9),  // NL and S without the extensions
      (0x81 | 1 << 32, 0),  // GVMA with PSCV
      (0x2 | 1 << 14, 0), (0x2, 1 << 62), (0x802, 0),  // IOFENCE: reserved, WSI without wires
      (0x403, 0), (3 | 1 << 32, 0), (3 | 1 << 34, 0), (3, 1), (0x1003, 0),  // IODIR, and a PID of INVAL_DDT
      (0x83, 0), (3 | 1 << 33 | 0x40 << 40, 0),  // INVAL_PDT without DV; a DID too wide for one level
      (0x404, 0), (4 | 1 << 34, 0),
    ]
    for (low, high) in table {
      let rig = Rig()
      rig.set(RISCV.Register.cqcsr, 3)
      #expect(!rig.command((2, 0), (low, high), (0x402 | 7 << 32, 0x1C000)), "\(low) \(high)")
      #expect(rig.get(RISCV.Register.cqcsr) == 0x10403)
      #expect(rig.get(RISCV.Register.cqh) == 1)
      #expect(rig.fabric.messages.count == 1)
      #expect(rig.word(0x70000) == 0)
      rig.put(Rig.commands + 16, 2, 0)
      rig.set(RISCV.Register.cqcsr, 0x403)
      #expect(rig.get(RISCV.Register.cqh) == 3)
      #expect(rig.word(0x70000) == 7)
    }
  }

  @Test func commandsThatNeedACapability() {
    var configuration = RISCVIOMMU.Configuration()
    configuration.capabilities |= RISCV.Capability.nl | RISCV.Capability.s
    configuration.capabilities &= ~(RISCV.Capability.ats | RISCV.Capability.pd20)
    let rig = Rig(configuration)
    #expect(rig.command((0x401 | 1 << 34, 0x3FF << 10 | 1 << 9)))
    #expect(!rig.command((4, 0)))
    let other = Rig(configuration)
    #expect(other.command((0x83 | 1 << 33 | 0x1_FFFF << 12, 0)))
    #expect(!other.command((0x83 | 1 << 33 | 0x2_0000 << 12, 0)))
  }

  /// The ring wraps, and a full one works.
  @Test func wrapping() {
    let rig = Rig()
    for round: UInt64 in 1...5 {
      for _ in 0..<200 { rig.command((0x402 | round << 32, 0x1C000)) }
      #expect(rig.word(0x70000) == round)
      #expect(rig.get(RISCV.Register.cqh) == round * 200 & 255)
    }
    // 255 commands in one go.
    let start = rig.get(RISCV.Register.cqt)
    for index: UInt64 in 0..<255 {
      rig.put(Rig.commands + ((start + index) & 255) * 16, 0x402 | index << 32, 0x1C000)
    }
    rig.set(RISCV.Register.cqt, (start + 255) & 255)
    #expect(rig.get(RISCV.Register.cqh) == rig.get(RISCV.Register.cqt))
    #expect(rig.word(0x70000) == 254)
  }

  /// Memory that is not there: to fetch a command, and for the data of a fence.
  @Test func memoryFaults() {
    let rig = Rig()
    #expect(!rig.command((0x402, 1 << 60)))
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10101)
    #expect(rig.get(RISCV.Register.cqh) == 0)
    rig.set(RISCV.Register.cqcsr, 0x101)
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10101, "it is tried again")
    rig.put(Rig.commands, 2, 0)
    rig.set(RISCV.Register.cqcsr, 0x101)
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10001)
    rig.set(RISCV.Register.cqcsr, 0)
    rig[RISCV.Register.cqb] = 0x3F_FFFF_FFFF << 10 | 7
    rig.set(RISCV.Register.cqcsr, 1)
    rig.set(RISCV.Register.cqt, 1)
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10101)
  }

  /// ATS.INVAL: ranges, PASIDs, segments; a device that does not answer is told at the next fence.
  @Test func deviceInvalidations() {
    let rig = Rig()
    rig.command(
      (4 | 0x123 << 40, 0x4000_1000), (4 | 0x123 << 40 | 9 << 12 | 1 << 32 | 1 << 33 | 2 << 56, 0x4000_0800),
      (4 | 1 << 40, 0x4000_7800), (4 | 1 << 40, 0x7FFF_FFFF_FFFF_F800), (4 | 1 << 40, ~0 & ~0x7FE),
      (4 | 1 << 40 | 9 << 12 | 1 << 32, 0x1001))
    #expect(
      rig.fabric.invalidations == [
        DeviceTLBInvalidation(source: 0x123, address: 0x4000_1000, sizeLg2: 12),
        DeviceTLBInvalidation(source: 0x2_0123, pasid: 9, address: 0x4000_0000, sizeLg2: 13),
        DeviceTLBInvalidation(source: 1, address: 0x4000_0000, sizeLg2: 16),
        DeviceTLBInvalidation(source: 1, address: 0, sizeLg2: 64),
        DeviceTLBInvalidation(source: 1, address: 0, sizeLg2: 64),
        DeviceTLBInvalidation(source: 1, address: 0x1000, sizeLg2: 12),
      ])
    rig.fabric.answersInvalidations = false
    #expect(rig.command((4 | 1 << 40, 0x1000), (1, 0)), "only a fence waits")
    #expect(!rig.command((2, 0)))
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10201)
    #expect(rig.get(RISCV.Register.cqh) == 8)
    rig.set(RISCV.Register.cqcsr, 0x201)
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10001)
    #expect(rig.get(RISCV.Register.cqh) == 9, "the fence that told it completes")
  }

  @Test func pageResponses() {
    let rig = Rig()
    rig.command(
      (0x84 | 5 << 40, 7 << 32), (0x84 | 5 << 40 | 9 << 12 | 1 << 32, 0x1FF << 32 | 1 << 44),
      (0x84 | 5 << 40, 15 << 44), (0x84 | 5 << 40, 2 << 44))
    #expect(
      rig.fabric.responses == [
        PageResponse(source: 5, group: 7, code: .success),
        PageResponse(source: 5, pasid: 9, group: 0x1FF, code: .invalidRequest),
        PageResponse(source: 5, group: 0, code: .failure), PageResponse(source: 5, group: 0, code: .failure),
      ])
  }

  /// IOFENCE.C with WSI, when interrupts are wires.
  @Test func fenceInterrupt() {
    var configuration = RISCVIOMMU.Configuration()
    configuration.capabilities = configuration.capabilities & ~(3 << 28) | 1 << 28
    let rig = Rig(configuration)
    rig[RISCV.Register.icvec] = 3
    rig.set(RISCV.Register.cqcsr, 3)
    #expect(rig.command((0x802, 0)))
    #expect(rig.get(RISCV.Register.cqcsr) == 0x10803)
    #expect(rig.fabric.wires == [3])
    #expect(rig.get(RISCV.Register.ipsr) == 1)
    // The bit stands, so the interrupt comes again; then both go.
    rig.set(RISCV.Register.ipsr, 1)
    #expect(rig.fabric.wires == [3, 3])
    rig.set(RISCV.Register.cqcsr, 0x803)
    rig.set(RISCV.Register.ipsr, 1)
    #expect(rig.get(RISCV.Register.ipsr) == 0)
    #expect(rig.fabric.wires == [3, 3])
  }

  /// A queue that is off does nothing, and starts at 0.
  @Test func switchingOff() {
    let rig = Rig()
    rig.command((2, 0))
    rig.set(RISCV.Register.cqcsr, 0)
    #expect(rig.get(RISCV.Register.cqcsr) == 0)
    rig.put(Rig.commands, 0x402 | 5 << 32, 0x1C000)
    rig.set(RISCV.Register.cqt, 1)
    #expect(rig.word(0x70000) == 0)
    rig.set(RISCV.Register.cqcsr, 1)
    #expect(rig.word(0x70000) == 5)
    #expect(rig.get(RISCV.Register.cqh) == 1)
  }
}

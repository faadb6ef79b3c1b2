// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import HardwareSpecs
internal import Machine
internal import Memory

/// Sees what the driver of an SMMUv3 wrote: the level 1 descriptor, stream table entry and context descriptor of a
/// stream, and the command queue.
final class SMMUv3Recorder: DriverRecorder {
  private let unit: IOMMUUnit
  private let source: UInt64
  private let memory: PhysicalMemory
  /// CMDQ_PROD at the last look.
  private var seen: UInt32

  init(_ unit: IOMMUUnit, source: UInt32, in machine: Machine) {
    self.unit = unit
    self.source = UInt64(source)
    memory = machine.memory
    seen = unit.read32(SMMU.Register.commandQueueProd)
  }

  /// Two other functions had got ASIDs before the recorded one was probed.
  static func choices(for registers: [DriverRecording.Register], name: String) -> IOMMUKind.Choices {
    var choices = IOMMUKind.Choices()
    choices.words["profile"] = "plain"
    for register in registers where ["idr0", "idr1", "idr3", "idr5"].contains(register.name) {
      choices.numbers[register.name] = register.value
    }
    choices.numbers["asids-in-use"] = 2
    return choices
  }

  // MARK: Registers

  private static let narrow: [(name: String, offset: UInt64)] = [
    ("idr0", SMMU.Register.idr0), ("idr1", SMMU.Register.idr1), ("idr3", SMMU.Register.idr3),
    ("idr5", SMMU.Register.idr5), ("cr0", SMMU.Register.cr0), ("cr1", SMMU.Register.cr1),
    ("cr2", SMMU.Register.cr2),
  ]

  var registers: [DriverRecording.Register] {
    Self.narrow.map { .init(name: $0.name, value: UInt64(unit.read32($0.offset)), digits: 8) } + [
      .init(name: "strtab", value: unit.read64(SMMU.Register.streamTableBase), digits: 16),
      .init(name: "cfg", value: UInt64(unit.read32(SMMU.Register.streamTableConfig)), digits: 8),
      .init(name: "cmdq", value: unit.read64(SMMU.Register.commandQueueBase), digits: 16),
    ]
  }

  func addressBits(ofRegister name: String) -> UInt64 {
    switch name {
    case "strtab": SMMU.StreamTable.baseMask
    case "cmdq": SMMU.Queue.baseMask & ~0xFFF
    default: 0
    }
  }

  // MARK: Structures

  private static let splitLg2: UInt64 = 8

  private func words(_ address: UInt64) -> [UInt64] {
    (0..<8).map { memory.load64(at: PhysAddr(address &+ $0 << 3)) ?? 0 }
  }

  var contexts: [(name: String, words: [UInt64])] {
    let base = unit.read64(SMMU.Register.streamTableBase) & SMMU.StreamTable.baseMask
    guard let descriptor = memory.load64(at: PhysAddr(base &+ (source >> Self.splitLg2) << 3)) else {
      return []
    }
    let leaf = descriptor & SMMU.L1STD.pointerMask
    let ste = words(leaf &+ (source & ((1 << Self.splitLg2) - 1)) << 6)
    var lines = [("l1std", [descriptor]), ("ste", ste)]
    // Stage 1 is on.
    if ste[0] & 1 != 0, ste[0] >> 1 & 5 == 5 {
      lines.append(("cd", words(ste[0] & SMMU.STE.s1ContextMask)))
    }
    return lines
  }

  func addressBits(ofContext name: String, word: Int) -> UInt64 {
    switch (name, word) {
    case ("l1std", 0): SMMU.L1STD.pointerMask
    case ("ste", 0): SMMU.STE.s1ContextMask & SMMU.addressMask
    case ("ste", 3): SMMU.STE.s2TTBMask
    case ("cd", 1): SMMU.CD.ttbMask
    default: 0
    }
  }

  var tableAddressBits: UInt64 { VMSAv8PageTableEntry.addressMask }

  // MARK: Commands

  private var sizeLg2: UInt64 { unit.read64(SMMU.Register.commandQueueBase) & 0x1F }

  func newCommands() -> [[UInt64]] {
    let base = unit.read64(SMMU.Register.commandQueueBase) & SMMU.Queue.baseMask & ~0xFFF
    let prod = unit.read32(SMMU.Register.commandQueueProd)
    let mask = (UInt32(2) << UInt32(sizeLg2)) &- 1
    var commands: [[UInt64]] = []
    while (seen ^ prod) & mask != 0 {
      let place = base &+ UInt64(seen & (mask >> 1)) << 4
      commands.append([0, 8].map { memory.load64(at: PhysAddr(place &+ $0)) ?? 0 })
      seen = (seen &+ 1) & mask
    }
    return commands
  }

  func addressBits(ofCommand words: [UInt64], word: Int) -> UInt64 { 0 }
}

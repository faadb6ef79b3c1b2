// SPDX-License-Identifier: GPL-3.0-or-later
public import Corpora
internal import HardwareSpecs
public import Machine
internal import Memory

/// What AMD-Vi's driver half wrote: the registers of the recorder on a real kernel, the function's device table entry,
/// and the command buffer from where it was last looked at.
public final class AMDViRecorder: DriverRecorder {
  private let unit: IOMMUUnit
  private let source: UInt32
  private let memory: PhysicalMemory
  private var seen: UInt64

  /// EFR says what the hardware is. The recorded machine had other functions before this one: their domains took IDs,
  /// and their waits numbers.
  public static func choices(for registers: [DriverRecording.Register], name: String) -> IOMMUKind.Choices {
    var choices = IOMMUKind.Choices()
    choices.words["profile"] = "qemu"
    for register in registers where register.name == "efr" { choices.numbers["efr"] = register.value }
    for register in registers where register.name == "dtba" {
      // Pages of 128 entries each, less one; a bus has 256.
      let buses = ((register.value & 0x1FF) + 1) / 2
      choices.numbers["last-bus"] = buses == 0 ? 0 : buses - 1
    }
    choices.numbers["domains-elsewhere"] = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 6
    choices.numbers["waits-elsewhere"] = 0x17
    return choices
  }

  public init(_ unit: IOMMUUnit, source: UInt32, in machine: Machine) {
    self.unit = unit
    self.source = source
    memory = machine.memory
    seen = unit.read64(AMDViRegister.commandTail)
  }

  public var registers: [DriverRecording.Register] {
    [
      ("dtba", AMDViRegister.deviceTableBase), ("cmdba", AMDViRegister.commandBufferBase),
      ("ctrl", AMDViRegister.control), ("efr", AMDViRegister.extendedFeature),
    ].map { DriverRecording.Register(name: $0, value: unit.read64($1), digits: 16) }
  }

  public var contexts: [(name: String, words: [UInt64])] {
    let table = unit.read64(AMDViRegister.deviceTableBase) & AMDViRegister.baseMask
    let entry = table + UInt64(source & 0xFFFF) * AMDViDTE.size
    return [("dte", (0..<4).map { memory.load64(at: PhysAddr(entry + $0 * 8)) ?? 0 })]
  }

  public func newCommands() -> [[UInt64]] {
    let base = unit.read64(AMDViRegister.commandBufferBase)
    let ring = base & AMDViRegister.baseMask
    let size = AMDViCommand.size << (base >> AMDViRegister.lengthShift & 0xF)
    let tail = unit.read64(AMDViRegister.commandTail) & (size - 1)
    var commands: [[UInt64]] = []
    while seen != tail {
      commands.append([
        memory.load64(at: PhysAddr(ring + seen)) ?? 0, memory.load64(at: PhysAddr(ring + seen + 8)) ?? 0,
      ])
      seen = (seen + AMDViCommand.size) & (size - 1)
    }
    return commands
  }

  public func addressBits(ofContext name: String, word: Int) -> UInt64 {
    name == "dte" && word == 0 ? AMDViDTE.rootMask : 0
  }

  public func addressBits(ofRegister name: String) -> UInt64 {
    name == "dtba" || name == "cmdba" ? AMDViRegister.baseMask : 0
  }

  /// Where a wait stores its number.
  public func addressBits(ofCommand words: [UInt64], word: Int) -> UInt64 {
    let isWait = words[0] >> 60 == UInt64(AMDViCommand.completionWait)
    return isWait && word == 0 ? 0x000F_FFFF_FFFF_FFF8 : 0
  }

  public var tableAddressBits: UInt64 { AMDViDTE.rootMask }
}

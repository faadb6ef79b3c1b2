// SPDX-License-Identifier: GPL-3.0-or-later
public import Corpora
internal import HardwareSpecs
public import Machine
internal import Memory

/// What Intel's driver wrote, in the lines of a recording: root, context and PASID structures of one function, and
/// descriptors of the invalidation queue.
public final class VTdRecorder: DriverRecorder {
  private let unit: IOMMUUnit
  private let source: UInt64
  private let memory: PhysicalMemory
  /// Byte offset in the queue up to which descriptors were seen.
  private var seen: UInt64

  public init(_ unit: IOMMUUnit, source: UInt32, in machine: Machine) {
    self.unit = unit
    self.source = UInt64(source & 0xFFFF)
    memory = machine.memory
    seen = unit.read64(VTd.Register.iqt)
  }

  /// The three functions of the host that the recorded machines had in front took domain IDs, and one of them is in
  /// the upper half of its bus.
  public static func choices(for registers: [DriverRecording.Register], name: String) -> IOMMUKind.Choices {
    var choices = IOMMUKind.Choices()
    for register in registers {
      switch register.name {
      case "ver": choices.numbers["version"] = register.value
      case "cap", "ecap": choices.numbers[register.name] = register.value
      case "rtaddr":
        let isLegacy = VTd.RootTableAddress.ttm.of(register.value) == VTd.TranslationTableMode.legacy
        choices.words["mode"] = isLegacy ? "legacy" : "scalable"
      default: break
      }
    }
    choices.numbers["host-functions"] = 3
    return choices
  }

  public var registers: [DriverRecording.Register] {
    typealias R = VTd.Register
    return [
      .init(name: "ver", value: UInt64(unit.read32(R.ver)), digits: 8),
      .init(name: "cap", value: unit.read64(R.cap), digits: 16),
      .init(name: "ecap", value: unit.read64(R.ecap), digits: 16),
      .init(name: "gsts", value: UInt64(unit.read32(R.gsts)), digits: 8),
      .init(name: "rtaddr", value: unit.read64(R.rtaddr), digits: 16),
      .init(name: "iqa", value: unit.read64(R.iqa), digits: 16),
    ]
  }

  private func words(_ address: UInt64, _ count: UInt64) -> [UInt64] {
    (0..<count).map { memory.load64(at: PhysAddr(address &+ 8 * $0)) ?? 0 }
  }

  public var contexts: [(name: String, words: [UInt64])] {
    let table = unit.read64(VTd.Register.rtaddr)
    let root = words(
      table & VTd.RootTableAddress.base.mask &+ (source >> 8) * VTd.RootEntry.size, 2)
    guard VTd.RootTableAddress.ttm.of(table) != VTd.TranslationTableMode.legacy else {
      let at = root[0] & VTd.RootEntry.contextTable.mask &+ (source & 0xFF) * VTd.ContextEntry.size
      return [("root", root), ("context", words(at, 2))]
    }
    let half = root[Int(source >> 7 & 1)] & VTd.RootEntry.contextTable.mask
    let context = words(half &+ (source & 0x7F) * VTd.ScalableContextEntry.size, 4)
    let directory = words(context[0] & VTd.ScalableContextEntry.pasiddirptr.mask, 1)
    let entry = words(directory[0] & VTd.PASIDDirectoryEntry.table.mask, VTd.PASIDEntry.size / 8)
    return [
      ("root", root), ("context", context), ("pasid-directory[0]", directory), ("pasid-entry[0]", entry),
    ]
  }

  public func newCommands() -> [[UInt64]] {
    typealias Queue = VTd.InvalidationQueue
    let queue = unit.read64(VTd.Register.iqa)
    let isWide = Queue.dw.of(queue) != 0
    let width: UInt64 = isWide ? 32 : 16
    let size = UInt64(4096) << Queue.qs.of(queue)
    let tail = unit.read64(VTd.Register.iqt) % size & ~(width - 1)
    var commands: [[UInt64]] = []
    while seen != tail {
      commands.append(words(queue & Queue.base.mask &+ seen, width / 8))
      seen = (seen &+ width) % size
    }
    return commands
  }

  // MARK: Addresses

  private static let page: UInt64 = ~0xFFF

  public func addressBits(ofContext name: String, word: Int) -> UInt64 {
    switch (name, word) {
    case ("root", _), ("context", 0), ("pasid-directory[0]", _): Self.page
    case ("pasid-entry[0]", 0), ("pasid-entry[0]", 2): Self.page
    default: 0
    }
  }

  public func addressBits(ofRegister name: String) -> UInt64 {
    name == "rtaddr" || name == "iqa" ? Self.page : 0
  }

  /// A wait's status word: which of the 256 it is depends on what was submitted before.
  public func addressBits(ofCommand words: [UInt64], word: Int) -> UInt64 {
    word == 1 && VTd.Descriptor.type.of(words[0]) == VTd.Descriptor.Kind.wait ? .max : 0
  }

  public var tableAddressBits: UInt64 { VTdSecondStageEntry.addressMask }
}

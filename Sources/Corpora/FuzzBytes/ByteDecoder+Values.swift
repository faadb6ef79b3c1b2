// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// Where the value of a field comes from, and what addresses and lengths an operand means.

extension ByteDecoder {
  mutating func value(_ source: ByteOperation.Source, _ record: ByteProgram.Record) -> RecordedProgram.Operand
  {
    let isMistaken = record.flags >> 5 == 7
    let flags = UInt64(record.flags & 31)
    switch source {
    case .a(let pools): return object(pools, record.a)
    case .b(let pools): return object(pools, record.b)
    case .nestingBase: return object(scene.nesting.isOnVIOMMU ? [.viommu] : [.parent], record.a)
    case .nestingCaches: return object(scene.nesting.isOnVIOMMU ? [.viommu] : [.nested], record.a)
    case .flags(let flipped, let mask): return .constant((isMistaken ? flags : flags & mask) ^ flipped)
    case .parentFlags: return .constant((isMistaken ? flags : flags & 3) ^ scene.parentFlags)
    case .reserved: return .constant(isMistaken ? 1 : 0)
    case .kind(let value): return .constant(isMistaken ? 1 : value)
    case .scene(let value): return .constant(isMistaken ? 1 : value(scene))
    case .length: return .constant(length(record))
    case .part: return .constant(record.x == 0 ? mapped(record).length ?? length(record) : length(record))
    case .iova:
      return record.y >> 56 == 0 ? .constant(fresh(0x100_0000 &+ record.y)) : mapped(record).operand
    case .place: return mapped(record).operand
    case .freshIOVA: return .constant(fresh(0x200_0000 &+ record.y & 0xFFFF_FFFF))
    case .guestMemory: return .constant(fresh(Self.guestAddress))
    case .memory: return .area(place(record))
    case .area(let offset): return .area(offset)
    case .x(let flipped): return .constant(UInt64(record.x) ^ flipped)
    case .y(let flipped): return .constant(record.y ^ flipped)
    case .patch: return .constant(record.y)
    case .fixed(let value): return .constant(value)
    case .guestCommand(let word): return .constant(guestCommand(word, record))
    }
  }

  private func fresh(_ address: UInt64) -> UInt64 { address &+ scene.iovaOffset }

  static let lengths: [UInt64] = [
    0x1000, 0x2000, 0x1_0000, 0x800, 0x4000, 0x4_0000, 0x10_0000, 0x20_0000, 0, 1, 0xFFF, 0x1001, 1 << 31,
    1 << 52,
    .max - 0xFFF, .max,
  ]

  func length(_ record: ByteProgram.Record) -> UInt64 {
    record.x < 256 ? Self.lengths[Int(record.x) % Self.lengths.count] : UInt64(record.x)
  }

  static let slots: UInt8 = 128
  static let slotLength: UInt64 = 0x8000

  /// One of 128 places in the data area, or one a little beside it.
  func place(_ record: ByteProgram.Record) -> UInt64 {
    let beside: [UInt64] = [1, 0x800, 0xFFF, 0x1000]
    let offset = record.b < Self.slots ? 0 : beside[Int(record.b >> 5 & 3)]
    return UInt64(record.b % Self.slots) * Self.slotLength + offset
  }

  func isThere(_ offset: UInt64, _ count: UInt64) -> Bool {
    !holes.contains { $0.overlaps(offset..<offset + max(count, 1)) }
  }

  /// The address that `y` selects, and how far the mapping goes from there. Its highest byte says which mapping, the
  /// newest at 0, and the lower bits how far into it; from 0x80 on they are an address themselves.
  mutating func mapped(_ record: ByteProgram.Record) -> (operand: RecordedProgram.Operand, length: UInt64?) {
    let low = record.y & 0xFF_FFFF_FFFF_FFFF
    let choice = Int(record.y >> 56)
    guard choice < 0x80 else { return (.constant(choice < 0xC0 ? low : record.y), nil) }
    if mappings.isEmpty, hasRegisters { perform("IOAS_MAP") }
    guard !mappings.isEmpty else { return (.constant(fresh(0x100_0000 &+ low)), nil) }
    let mapping = mappings[mappings.count - 1 - choice % mappings.count]
    // Where the kernel chose the address, only the register has it.
    guard case .constant(let first) = mapping.iova, mapping.length > 0 else {
      return (mapping.iova, mapping.length)
    }
    let offset = (low & 0xFFFF_FFFF) % mapping.length
    return (.constant(first &+ offset), mapping.length - offset)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

// What functions behind an IOMMU do, and what a guest writes.

extension ByteDecoder {
  /// Where a guest sees its memory.
  static let guestAddress: UInt64 = 0x4000_0000

  mutating func act(_ operation: ByteOperation, _ record: ByteProgram.Record) {
    let isMock = scene.family == .mock
    for pool in operation.needs(in: scene) where members(pool).isEmpty { make(pool) }
    switch operation.effect {
    case .dma(let isWrite):
      if !isMock, members(.attached).isEmpty, members(.onGuest).isEmpty, members(.onPASIDTableVFIO).isEmpty {
        make(.attached)
      }
      add(.dma(access(record, isWrite: isWrite)))
    case .translationRequest: add(.requestTranslation(access(record, isWrite: record.flags & 16 != 0)))
    case .pageRequest:
      add(
        .requestPage(
          access(record, isWrite: false), permissions: UInt32(record.flags & 15) ^ 1,
          last: record.flags & 16 == 0, group: UInt16(record.b)))
    case .finished: add(.takeFinished(function: function(record)))
    case .interrupt:
      add(.interrupt(function: function(record), vector: UInt8(truncatingIfNeeded: record.x ^ 0x30)))
    case .plug: add(.plug)
    case .unplug: add(.unplug(function: function(record)))
    case .cut:
      add(.cut(file: context(record), table: object([.hwpt], record.a), iova: mapped(record).operand))
    case .grow:
      let (iova, rest) = mapped(record)
      add(
        .grow(
          file: context(record), table: object([.hwpt], record.a), iova: iova,
          length: record.x == 0 ? rest ?? length(record) : length(record)))
    case .guestTable: guestTable(record)
    default: break
    }
  }

  /// The function that `a` counts round to among those whose files were opened, the last one that was told something
  /// first; before that, by its number.
  private func function(_ record: ByteProgram.Record) -> Int {
    guard !opened.isEmpty, record.a < 0xE0 else { return Int(record.a) % ByteScene.mostFunctions }
    return opened[opened.count - 1 - Int(record.a) % opened.count]
  }

  private mutating func access(_ record: ByteProgram.Record, isWrite: Bool) -> BenchAction.DeviceAccess {
    let address = mapped(record).operand
    return BenchAction.DeviceAccess(
      function: function(record), address: address, length: Int(record.x % 8192) + 1, isWrite: isWrite,
      pasid: record.b == 0 ? nil : UInt32(record.b), isAtomic: record.flags & 8 != 0,
      execute: record.flags & 1 != 0, privileged: record.flags & 2 != 0,
      avoidsCache: record.flags & 4 != 0)
  }

  private mutating func guestTable(_ record: ByteProgram.Record) {
    guard isThere(Area.guest, Area.guestLength) else { return }
    add(
      .guestTable(
        BenchAction.GuestTableAction(
          family: scene.family, format: scene.nesting.format, memory: .area(Area.guest),
          guestAddress: .constant(Self.guestAddress &+ scene.iovaOffset), rotation: Int(record.a & 7),
          isReadOnly: record.flags & 1 != 0, data: .area(Area.hwptData))))
    provide(.guestTable)
    typealias Table = BenchAction.GuestTableAction
    mappings.append(
      Mapping(iova: .constant(Table.firstPage), length: UInt64(Table.pageCount) << 12))
  }

  /// What a guest's driver says when it has changed its tables: for Intel an address, pages and flags, for Arm one of
  /// the commands that a guest may give. Sources: `struct iommu_hwpt_vtd_s1_invalidate`,
  /// `struct iommu_viommu_arm_smmuv3_invalidate`; IHI 0070 section 4.
  func guestCommand(_ word: Int, _ record: ByteProgram.Record) -> UInt64 {
    let first = BenchAction.GuestTableAction.firstPage
    guard scene.family == .smmuv3 else {
      switch word {
      case 0: return first ^ record.y
      case 1: return UInt64(record.x) ^ 1
      default: return UInt64(record.b) ^ 1
      }
    }
    // TLBI_NH_VA, _NH_VAA, _NH_ASID, _NH_ALL, _NSNH_ALL, CFGI_CD, CFGI_CD_ALL, ATC_INV.
    let opcodes: [UInt64] = [0x12, 0x13, 0x11, 0x10, 0x30, 0x05, 0x06, 0x40]
    let asid: UInt64 = 1
    let stream: UInt64 = 0x99
    switch word {
    case 0:
      let opcode = opcodes[Int(record.b) % opcodes.count]
      let subject = opcode == 0x05 || opcode == 0x06 || opcode == 0x40 ? stream << 32 : asid << 48
      return opcode | subject ^ UInt64(record.x) << 32
    case 1: return (first | 1) ^ record.y
    // The second command, where there are several: everything.
    default: return 0x10
    }
  }
}

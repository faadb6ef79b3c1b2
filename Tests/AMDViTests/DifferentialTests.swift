// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// The slow way to write tables: one map, and everything that follows from it spelled out.
private struct Tables {
  let rig: Rig
  let root: UInt64
  let version2: Bool
  var next: UInt64

  init(_ rig: Rig, root: UInt64, version2: Bool) {
    self.rig = rig
    self.root = root
    self.version2 = version2
    next = root + 0x1000
  }

  /// Where the entry of `level` for `address` is, with the tables above it.
  mutating func slot(_ address: UInt64, level: Int) -> UInt64 {
    var table = root
    for above in stride(from: 4, to: level, by: -1) {
      let place = table + (address >> (12 + 9 * UInt64(above - 1)) & 0x1FF) * 8
      if rig.peek(place) & 1 == 0 {
        let entry =
          version2 ? next | 0x27 : next | 0x6000_0000_0000_0001 | UInt64(above - 1) << 9
        rig.poke((place, entry))
        next += 0x1000
      }
      table = rig.peek(place) & 0x000F_FFFF_FFFF_F000
    }
    return table + (address >> (12 + 9 * UInt64(level - 1)) & 0x1FF) * 8
  }

  /// True if a page took the place of a table.
  mutating func map(_ address: UInt64, to physical: UInt64, lg2: UInt64, writable: Bool) -> Bool {
    var replaced = false
    let level = Int((lg2 - 12) / 9) + 1
    let unit = 12 + 9 * UInt64(level - 1)
    for replica in 0..<(1 << (lg2 - unit)) as Range<UInt64> {
      let place = slot(address + replica << unit, level: level)
      replaced = replaced || rig.peek(place) != 0
      if version2 {
        rig.poke((place, physical + replica << unit | 5 | (writable ? 2 : 0) | (level > 1 ? 0x80 : 0)))
      } else {
        let coded = (physical | ((1 << lg2) - 1)) & ~(1 << (lg2 - 1)) & 0x000F_FFFF_FFFF_F000
        let leaf = lg2 == unit ? physical : coded | 7 << 9
        rig.poke((place, leaf | 0x3000_0000_0000_0001 | (writable ? 1 << 62 : 0)))
      }
    }
    return replaced
  }

  mutating func unmap(_ address: UInt64, lg2: UInt64) {
    let level = Int((lg2 - 12) / 9) + 1
    let unit = 12 + 9 * UInt64(level - 1)
    for replica in 0..<(1 << (lg2 - unit)) as Range<UInt64> {
      rig.poke((slot(address + replica << unit, level: level), 0))
    }
  }
}

/// Reference C6, row 6: the same map in a host table, in a guest table and in both nested gives the same
/// answers, and those of a list of areas.
@Suite struct DifferentialTests {
  struct Area { var iova, physical, lg2: UInt64; var writable: Bool }

  @Test(arguments: [1, 2, 3] as [UInt64]) func sameAnswers(seed: UInt64) {
    let rig = Rig()
    var dice = Dice(seed)
    // Device 8 has a host table, 16 a guest table; 24 both: the host maps everything onto itself.
    var host = Tables(rig, root: 0x80_0000, version2: false)
    var guest = Tables(rig, root: 0x400_0000, version2: true)
    rig.dte(0x6000_0000_0080_0803, 1, of: 8)
    rig.dte(0x60C0_0000_0000_0003, 0x8_0002, of: 16)
    rig.dte(0x60C0_0000_0003_0803, 0x8_0003, of: 24)
    rig.poke((0x40000, 0x400_0001))
    rig.poke([UInt64](0..<512).map { (0x30000 + $0 * 8, 0x7000_0000_0000_0001 | $0 << 39) })
    var areas: [Area] = []
    for step in 0..<400 {
      if areas.count > 12 || dice.below(3) == 0, !areas.isEmpty {
        let area = areas.remove(at: dice.below(areas.count))
        host.unmap(area.iova, lg2: area.lg2)
        let pieces: UInt64 = area.lg2 >= 21 ? 21 : 12
        for piece in 0..<(1 << (area.lg2 - pieces)) as Range<UInt64> {
          guest.unmap(area.iova + piece << pieces, lg2: pieces)
        }
        flush(rig, area, tables: false)
      } else {
        let lg2 = UInt64(12 + dice.below(14))
        let area = Area(
          iova: ((UInt64(dice.below(256)) << 25) >> lg2) << lg2, physical: UInt64(dice.below(1 << 20)) << lg2,
          lg2: lg2, writable: dice.below(2) == 0)
        let last = area.iova + (1 << lg2) - 1
        guard !areas.contains(where: { $0.iova <= last && area.iova <= $0.iova + (1 << $0.lg2) - 1 }) else {
          continue
        }
        var replaced = host.map(area.iova, to: area.physical, lg2: lg2, writable: area.writable)
        let pieces: UInt64 = lg2 >= 21 ? 21 : 12
        for piece in 0..<(1 << (lg2 - pieces)) as Range<UInt64> {
          let done = guest.map(
            area.iova + piece << pieces, to: area.physical + piece << pieces, lg2: pieces,
            writable: area.writable)
          replaced = replaced || done
        }
        // Pointers to the empty table must go.
        if replaced { flush(rig, area, tables: true) }
        areas.append(area)
      }
      for _ in 0..<8 {
        var address = UInt64(dice.below(256)) << 25 | dice.next() & 0x1FF_FFFF
        if let area = areas.randomElement(using: &dice), dice.below(4) != 0 {
          address = area.iova + dice.next() & ((1 << area.lg2) - 1)
        }
        let access: Transaction.Access = dice.below(2) == 0 ? .read : .write
        let area = areas.first { $0.iova <= address && address - $0.iova < 1 << $0.lg2 }
        let expected = area.flatMap { area in
          area.writable || access == .read ? area.physical + (address - area.iova) : nil
        }
        for device in [8, 16, 24] as [UInt32] {
          let pasid: UInt32? = device == 8 ? nil : 0
          #expect(
            rig.address(access, address, pasid: pasid, from: device) == expected,
            "step \(step), device \(device), \(String(address, radix: 16))")
        }
      }
    }
  }

  /// What a careful driver sends: the smallest range that covers the area, to both domains.
  private func flush(_ rig: Rig, _ area: Area, tables: Bool) {
    let coded =
      (area.lg2 == 12 ? area.iova : area.iova | ((1 << (area.lg2 - 1)) - 1) & ~0xFFF | 1) | (tables ? 2 : 0)
    let (low, high) = (UInt32(truncatingIfNeeded: coded), UInt32(truncatingIfNeeded: coded >> 32))
    rig.command(0, 0x3000_0001, low, high)
    rig.command(0, 0x3000_0002, low | 4, high)
    rig.command(0, 0x3000_0003, low | 4, high)
    _ = rig.events()
  }
}

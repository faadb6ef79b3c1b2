// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Testing

@testable internal import Hardware

/// The command queue: the commands of vectors A53 to A62 as the hardware reads them, wrap, and errors.
@Suite struct CommandTests {
  typealias Configure = @Sendable (inout SMMUv3.Configuration) -> Void

  /// A command's words, and what the hardware must make of them.
  static let encodings:
    [(name: String, word0: UInt64, word1: UInt64, expect: @Sendable (SMMUv3.CommandWords) -> Bool)] =
      [
        ("A53", 0x0000_0208_0000_0003, 1, { $0.opcode == 3 && $0.source == 0x208 && $0.leaf }),
        ("A54", 4, 0x1F, { $0.opcode == 4 && $0[SMMU.Command.range] == 31 }),
        (
          "A55", 0x0001_0000_0011_4012, 0x80_4060_4701,
          {
            $0[SMMU.Command.asid] == 1 && $0[SMMU.Command.num] == 20 && $0[SMMU.Command.scale] == 1
              && $0[SMMU.Command.ttl] == 3 && $0[SMMU.Command.tg] == 1 && $0.leaf
          }
        ),
        (
          "A56 first", 0x0001_0000_0000_0012, 0x80_4060_0701,
          { $0[SMMU.Command.ttl] == 3 && $0[SMMU.Command.num] == 0 }
        ),
        ("A56 second", 0x0001_0000_0080_0012, 0x80_4060_1701, { $0[SMMU.Command.scale] == 8 }),
        (
          "A57", 0x0000_0005_00A0_002A, 0x80_4060_0601,
          { $0[SMMU.Command.vmid] == 5 && $0[SMMU.Command.scale] == 10 && $0[SMMU.Command.ttl] == 2 }
        ),
        ("A58", 0x0001_0000_0010_0012, 0x80_4060_1400, { !$0.leaf && $0[SMMU.Command.scale] == 1 }),
        ("A59", 0x0000_0208_0000_0040, 4, { $0[SMMU.Command.atcSize] == 4 && $0.substream == nil }),
        ("A60 MSI", 0x0000_0000_0FC0_1046, 0, { $0[SMMU.Command.completionSignal] == 1 }),
        ("A60 SEV", 0x0000_0000_0FC0_2046, 0, { $0[SMMU.Command.completionSignal] == 2 }),
        (
          "A61", 0x0000_0208_0000_1044, 0x1234,
          { $0[SMMU.Command.resumeResponse] == 1 && $0[SMMU.Command.stag] == 0x1234 }
        ),
        ("A62", 0x0000_0208_0000_7841, 0x2005, { $0.substream == 7 && $0[SMMU.Command.group] == 5 }),
        ("A64", 0x0000_0208_0000_0006, 0, { $0.opcode == 6 && $0.source == 0x208 }),
      ]

  @Test func everyEncoding() {
    let rig = Rig()
    for row in Self.encodings {
      #expect(row.expect(.init(word0: row.word0, word1: row.word1)), "\(row.name)")
      #expect(rig.command((row.word0, row.word1)), "\(row.name)")
      #expect(!rig.active(SMMU.GlobalError.commandQueue), "\(row.name)")
    }
    #expect(
      rig.fabric.invalidations == [
        DeviceTLBInvalidation(source: 0x208, address: 0, sizeLg2: 16, allPASIDs: true)
      ])
    #expect(rig.fabric.responses == [PageResponse(source: 0x208, pasid: 7, group: 5, code: .success)])
    print("SMMUv3: \(Self.encodings.count) command vectors")
  }

  /// A command that is wrong, and the configuration that makes it so.
  static let illegal: [(name: String, word0: UInt64, word1: UInt64, configure: Configure)] =
    [
      ("opcode 0", 0, 0, { _ in }), ("opcode FF", 0xFF, 0, { _ in }), ("opcode 14", 0x14, 0, { _ in }),
      ("Secure CFGI", 0x403, 1, { _ in }), ("Secure ATC_INV", 0x440, 0, { _ in }),
      ("CFGI_CD without stage 1", 0x05, 0, { $0.idr0 &= ~2 }),
      ("NH_ALL without stage 1", 0x10, 0, { $0.idr0 &= ~2 }),
      ("EL2_ALL without HYP", 0x20, 0, { $0.idr0 &= ~(1 << 9) }),
      ("EL2_VA without HYP", 0x22, 0, { $0.idr0 &= ~(1 << 9) }),
      ("S12_VMALL without stage 2", 0x28, 0, { $0.idr0 &= ~1 }),
      ("S2_IPA without stage 2", 0x2A, 0, { $0.idr0 &= ~1 }),
      ("ATC_INV without ATS", 0x40, 0, { $0.idr0 &= ~(1 << 10) }), ("ATC_INV of 2^53", 0x40, 53, { _ in }),
      ("PRI_RESP without PRI", 0x41, 0, { $0.idr0 &= ~(1 << 16) }), ("PRI_RESP 3", 0x41, 3 << 12, { _ in }),
      ("RESUME without stalls", 0x44, 0, { $0.idr0 |= 1 << 24 }), ("RESUME 3", 0x3044, 0, { _ in }),
      ("STALL_TERM without stalls", 0x45, 0, { $0.idr0 |= 1 << 24 }), ("SYNC 3", 0x3046, 0, { _ in }),
      ("range without anything", 0x12, 1 << 10, { _ in }),
      ("TTL 1 with 16K", 0x12, 1 << 8 | 2 << 10, { _ in }),
      ("SCALE of 6 bits", 0x12 | 1 << 25, 3 << 8 | 1 << 10, { _ in }),
      ("VMS without MPAM", 0x07, 0, { _ in }),
      ("range of S2_IPA", 0x2A, 1 << 10, { _ in }), ("range of EL2_VAA", 0x23, 1 << 10, { _ in }),
    ]

  /// The queue stops at the command, and goes on when it was replaced and the error acknowledged.
  @Test func everyIllegalCommand() {
    for row in Self.illegal {
      var configuration = SMMUv3.Configuration()
      row.configure(&configuration)
      let rig = Rig(configuration)
      #expect(!rig.command((0x46, 0), (row.word0, row.word1), (0x46, 0)), "\(row.name)")
      #expect(rig.read(0x9C) == 0x0100_0001, "\(row.name)")
      #expect(rig.active(SMMU.GlobalError.commandQueue), "\(row.name)")
      #expect(rig.fabric.wires == [3], "\(row.name)")
      rig.put(Rig.commandBase + 16, 0x46)
      rig.put(Rig.commandBase + 24, 0)
      rig.acknowledgeErrors()
      #expect(rig.read(0x9C) & 0xFFFFF == 3, "\(row.name)")
      #expect(!rig.active(SMMU.GlobalError.commandQueue), "\(row.name)")
    }
    print("SMMUv3: \(Self.illegal.count) illegal commands")
  }

  @Test func abortedFetch() {
    let rig = Rig(enabled: false)
    rig.write(0x90, 8, 0x0FF0_0000_0004)
    rig.write(0x20, 4, 8)
    rig.write(0x98, 4, 1)
    #expect(rig.commandError == SMMU.CommandError.abort)
    #expect(rig.read(0x9C) & 0xFFFFF == 0)
  }

  /// A device that does not answer fails the SYNC, not its own command.
  @Test func deviceTimeout() {
    let rig = Rig()
    rig.fabric.devicesAnswer = false
    #expect(rig.command((0x0000_0208_0000_0040, 52)))
    #expect(
      rig.fabric.invalidations == [
        DeviceTLBInvalidation(source: 0x208, address: 0, sizeLg2: 64, allPASIDs: true)
      ])
    #expect(!rig.command((0x46, 0)))
    #expect(rig.commandError == SMMU.CommandError.atcInvalidateSync)
    #expect(rig.read(0x9C) & 0xFFFFF == 1, "at the SYNC")
    rig.acknowledgeErrors()
    #expect(rig.read(0x9C) & 0xFFFFF == 2, "the SYNC was repeated")
  }

  @Test func atcOperands() {
    let rig = Rig()
    // SSID 7, 4 pages from 0x5000: aligned down; and Global, for every PASID.
    #expect(rig.command((0x0000_0208_0000_7840, 0x5002), (0x0000_0208_0000_7A40, 0x5000)))
    #expect(
      rig.fabric.invalidations == [
        DeviceTLBInvalidation(source: 0x208, pasid: 7, address: 0x4000, sizeLg2: 14),
        DeviceTLBInvalidation(source: 0x208, pasid: nil, address: 0x5000, sizeLg2: 12, allPASIDs: true),
      ])
  }

  @Test func syncSignals() {
    let rig = Rig()
    #expect(rig.command((0x0000_0055_0000_1046, 0x0300_0008)))
    #expect(rig.get(0x0300_0008) == 0x55)
    #expect(rig.command((0x1046, 0)))
    #expect(rig.fabric.wires == [2], "without an address, by wire")
    #expect(rig.command((0x0000_0055_0000_1046, 0x0FF0_0000_0000)))
    #expect(rig.active(SMMU.GlobalError.msiCommandQueueAbort))
    #expect(!rig.active(SMMU.GlobalError.commandQueue))
    // Linux has the SYNC overwrite itself.
    let place = Rig.commandBase + (rig.read(0x98) & 15) << 4
    #expect(rig.command((0x0FC0_1046, place)))
    #expect(rig.get(place) == 0)
  }

  @Test func wrapAndDisable() {
    let rig = Rig()
    for _ in 0..<100 { #expect(rig.command((0x46, 0))) }
    #expect(rig.read(0x9C) == 100 & 31)
    rig.write(0x20, 4, 0)
    #expect(!rig.command((0x46, 0)))
    rig.write(0x20, 4, 8)
    #expect(rig.read(0x9C) == 101 & 31)
    // Indexes that make no sense are still bounded, and a full queue is not an empty one.
    rig.write(0x20, 4, 0)
    rig.write(0x9C, 4, 3)
    rig.write(0x98, 4, 2)
    for index in 0..<16 { rig.put(Rig.commandBase + UInt64(index) * 16, 0x46) }
    rig.write(0x20, 4, 8)
    #expect(rig.read(0x9C) == 2)
  }

  /// Registers that belong to the hardware while a queue or the SMMU is enabled.
  @Test func guarded() {
    let rig = Rig()
    let rows: [(offset: UInt64, width: Int)] = [
      (0x80, 8), (0x88, 4), (0x90, 8), (0x9C, 4), (0xA0, 8), (0x100A8, 4), (0xC0, 8), (0x100C8, 4), (0x2C, 4),
    ]
    for row in rows {
      let before = rig.read(row.offset, row.width)
      let mistakes = rig.smmu.mistakes.count
      rig.write(row.offset, row.width, ~before)
      #expect(rig.read(row.offset, row.width) == before, "\(row.offset)")
      #expect(rig.smmu.mistakes.count > mistakes)
    }
    for offset in [UInt64(0), 4, 8, 0xC, 0x10, 0x14, 0x18, 0x1C, 0x24, 0x54, 0x60] {
      let before = rig.read(offset)
      rig.write(offset, 4, ~before)
      #expect(rig.read(offset) == before, "read-only \(offset)")
    }
    #expect(rig.read(0x3000) == 0)
    #expect(rig.smmu.readRegister(3, width: 4) == 0)
    #expect(rig.smmu.readRegister(.max, width: 8) == 0)
  }

  @Test func features() {
    let rig = Rig(.plain)
    #expect(rig.read(0, 8) == 0x0273_0010_0D44_101B)
    #expect(rig.read(0x0C) == 0x1414)
    #expect(rig.read(0x14) == 0x74)
    rig.write(0x20, 4, 0x1FF)
    #expect(rig.read(0x20) == 0xD, "neither PRI nor ATS nor VMW")
    rig.write(0xB0, 8, 0x0808_0040)
    #expect(rig.read(0xB0, 8) == 0, "no MSIs")
    // Cavium: the queues' indexes in page 0.
    var configuration = SMMUv3.Configuration()
    configuration.page0Only = true
    let cavium = Rig(configuration)
    cavium.write(0xAC, 4, 5)
    #expect(cavium.read(0xAC) == 5)
    #expect(cavium.read(0x100AC) == 0)
  }
}

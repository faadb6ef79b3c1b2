// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import Testing

@Suite struct RegisterTests {
  @Test(arguments: VTd.Profile.all.map(\.name)) func profiles(name: String) throws {
    let profile = try #require(VTd.Profile.all.first { $0.name == name })
    let rig = Rig(VTdConfiguration(profile: profile))
    #expect(rig.read(VTd.Register.ver) == UInt64(profile.version))
    #expect(rig.read(VTd.Register.cap, width: 8) == profile.cap)
    #expect(rig.read(VTd.Register.ecap, width: 8) == profile.ecap)
    #expect(rig.read(VTd.Register.ecap + 4) == profile.ecap >> 32)
    // Read-only.
    for offset: UInt64 in [0, 8, 0x10, 0x1C, 0x80, 0xB0] { rig.write(offset, .max, width: 4) }
    #expect(rig.read(VTd.Register.cap, width: 8) == profile.cap)
    #expect(rig.read(VTd.Register.gsts) == 0)
    // Masked, nothing pending.
    #expect(rig.read(VTd.Register.fectl) == 1 << 31)
    // Translation off: everything passes.
    #expect(rig.dma(.write, 0x1234).brief == "1234")
  }

  /// Odd accesses are no accesses.
  @Test func oddAccesses() {
    let rig = Rig()
    for (offset, width) in [(1, 4), (4, 8), (0x20, 1), (0x20, 2), (0x20, 16), (0x20, 0), (0x20, -4)] {
      rig.write(UInt64(offset), .max, width: width)
      #expect(rig.read(UInt64(offset), width: width) == 0)
    }
    for offset: UInt64 in [0x1_0000, .max - 7, .max & ~7, 1 << 63] {
      rig.write(offset, .max, width: 8)
      #expect(rig.read(offset, width: 8) == 0)
    }
    #expect(rig.read(VTd.Register.rtaddr, width: 8) == 0)
  }

  /// 64-bit registers by halves.
  @Test func halves() {
    let rig = Rig()
    rig.write(VTd.Register.rtaddr, 0xFFFF_FFFF)
    rig.write(VTd.Register.rtaddr + 4, 0x1234)
    #expect(rig.read(VTd.Register.rtaddr, width: 8) == 0x1234_FFFF_FC00)
    #expect(rig.read(VTd.Register.rtaddr + 4) == 0x1234)
  }

  @Test func globalCommands() {
    let rig = Rig()
    let status = { rig.read(VTd.Register.gsts) }
    rig.command(VTd.GlobalCommand.srtp)
    #expect(status() == 1 << 30)
    rig.command(VTd.GlobalCommand.te)
    #expect(status() == 3 << 30)
    rig.command(VTd.GlobalCommand.qie)
    rig.command(VTd.GlobalCommand.sirtp)
    rig.command(VTd.GlobalCommand.ire)
    #expect(status() == 0xC700_0000)
    // Nothing behind them.
    rig.command(VTd.GlobalCommand.sfl)
    rig.command(VTd.GlobalCommand.eafl)
    rig.command(VTd.GlobalCommand.wbf)
    #expect(status() == 0xC700_0000)
    #expect(rig.unit.anomalies == [:])
    // Without the persistent bits repeated, everything goes off at once: noted.
    rig.write(VTd.Register.gcmd, 0)
    #expect(status() == 0x4100_0000)
    #expect(rig.unit.anomalies == ["several commands in one write": 1])
    #expect(rig.read(VTd.Register.gcmd) == 0)
  }

  /// A unit without a feature does not switch it on.
  @Test func missingFeatures() {
    let rig = Rig(VTdConfiguration(profile: .client))
    rig.command(VTd.GlobalCommand.qie)
    #expect(rig.read(VTd.Register.gsts) == 1 << 26)
    var configuration = VTdConfiguration(profile: .client)
    configuration.ecap = 0
    let bare = Rig(configuration)
    for bit in [VTd.GlobalCommand.qie, VTd.GlobalCommand.ire, VTd.GlobalCommand.sirtp] { bare.command(bit) }
    #expect(bare.read(VTd.Register.gsts) == 0)
    bare.write(VTd.Register.iqa, .max, width: 8)
    #expect(bare.read(VTd.Register.iqa, width: 8) == 0)
  }

  /// A domain ID is as wide as CAP.ND says: what is above is not there.
  @Test func domainWidth() {
    var configuration = Rig.configuration
    configuration.set(VTd.Cap.nd, 2)
    let rig = Rig(configuration)
    rig.put(SecondStageVectorTests.base)
    rig.startScalable([0x10089, 0x80_0123])
    rig.startQueue(wide: true)
    _ = rig.dma(.read, iova)
    rig.put("[13a28]=0")
    rig.submit([(0x22_0022, 0)])
    #expect(rig.dma(.read, iova).brief == "abcde678")
    rig.submit([(0xFF23_0022, 0)])
    #expect(rig.dma(.read, iova).brief == "-79")
  }

  // MARK: Register-based invalidation

  @Test func contextCommand() {
    for (command, removes) in [
      (0xA000_0000_0000_0000, true), (0xC000_0000_0000_0005, true), (0xE000_0000_3A29_0005, true),
      (0xE000_0003_3A2F_0005, true), (0xC000_0000_0000_0006, false), (0xE000_0000_3A28_0005, false),
      (0x8000_0000_0000_0000, false),
    ] as [(UInt64, Bool)] {
      let rig = legacy()
      rig.put("[2290]=0")
      rig.write(VTd.Register.ccmd, command, width: 8)
      #expect(rig.dma(.read, iova).brief == (removes ? "-2" : "abcde678"), "\(hex(command))")
      #expect(rig.read(VTd.Register.ccmd, width: 8) >> 59 & 3 == command >> 61 & 3)
      #expect(rig.read(VTd.Register.ccmd, width: 8) >> 63 == 0)
    }
  }

  @Test func iotlbCommand() {
    for (iva, command, removes, done) in [
      (0, 0x9000_0000_0000_0000, true, 1), (0, 0xA003_0005_0000_0000, true, 2),
      (0, 0xA003_0006_0000_0000, false, 2), (0x1234_5000, 0xB000_0005_0000_0000, true, 3),
      (0x1234_4002, 0xB000_0005_0000_0000, true, 3), (0x1234_6000, 0xB000_0005_0000_0000, false, 3),
      (46, 0xB000_0005_0000_0000, true, 2), (0, 0x8000_0005_0000_0000, false, 0),
    ] as [(UInt64, UInt64, Bool, UInt64)] {
      let rig = legacy()
      rig.put("[13a28]=0")
      rig.write(0x500, iva, width: 8)
      rig.write(0x508, command, width: 8)
      #expect(rig.dma(.read, iova).brief == (removes ? "-6" : "abcde678"), "\(hex(command))")
      #expect(rig.read(0x508, width: 8) >> 57 & 3 == done)
      #expect(rig.read(0x508, width: 8) >> 63 == 0)
    }
  }

  /// Not while the queue is on.
  @Test func registersBesideTheQueue() {
    let rig = legacy()
    rig.startQueue(wide: false)
    rig.put("[2290]=0 [13a28]=0")
    rig.write(VTd.Register.ccmd, 0xA000_0000_0000_0000, width: 8)
    rig.write(0x508, 0x9000_0000_0000_0000, width: 8)
    #expect(rig.read(VTd.Register.ccmd, width: 8) == 0x2000_0000_0000_0000)
    #expect(rig.read(0x508, width: 8) == 0x1000_0000_0000_0000)
    #expect(rig.dma(.read, iova).brief == "abcde678")
    #expect(rig.unit.anomalies == ["register-based invalidation while queued invalidation is on": 2])
  }

  private func legacy() -> Rig {
    let rig = Rig()
    rig.put(SecondStageVectorTests.base)
    rig.startLegacy(0x10001, 0x502)
    _ = rig.dma(.read, iova)
    return rig
  }

  // MARK: Protected memory

  @Test func protectedMemory() {
    let rig = legacy()
    rig.write(VTd.Register.plmbase, 0xABC0_0000)
    rig.write(VTd.Register.plmlimit, 0xABDF_FFFF)
    #expect(rig.read(VTd.Register.plmlimit) == 0xABC0_0000)
    rig.write(VTd.Register.phmbase, 0x1_0000_0000, width: 8)
    rig.write(VTd.Register.phmlimit, 0x1_001F_FFFF, width: 8)
    #expect(rig.dma(.read, iova).brief == "abcde678")
    rig.write(VTd.Register.pmen, 1 << 31)
    #expect(rig.read(VTd.Register.pmen) == 1 << 31 | 1)
    #expect(rig.dma(.read, iova).abort?.recorded == false)
    rig.command(VTd.GlobalCommand.te, off: true)
    for (address, blocked) in [
      (0xABBF_FFFF, false), (0xABC0_0000, true), (0xABDF_FFFF, true), (0xABE0_0000, false),
      (0xFFFF_FFFF, false), (0x1_0000_0000, true), (0x1_001F_FFFF, true), (0x1_0020_0000, false),
    ] as [(UInt64, Bool)] {
      #expect((rig.dma(.read, address).abort != nil) == blocked, "\(hex(address))")
    }
    rig.write(VTd.Register.pmen, 0)
    #expect(rig.read(VTd.Register.pmen) == 0)
    #expect(rig.dma(.read, 0xABC0_0000).translation != nil)
  }
}

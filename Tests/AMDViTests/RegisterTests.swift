// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B3 and the register values of B9.6.
@Suite struct RegisterTests {
  @Test func valuesOfTheVectors() {
    let rig = Rig()
    #expect(rig[AMDViRegister.deviceTableBase] == 0x10_01FF)
    #expect(rig[AMDViRegister.commandBufferBase] == 0x0900_0000_0000_8000)
    #expect(rig[AMDViRegister.eventLogBase] == 0x0900_0000_0000_A000)
    #expect(rig[AMDViRegister.pprLogBase] == 0x0900_0000_0000_C000)
    #expect(rig[AMDViRegister.extendedFeature] == 0x25BF_732F_A229_5AFE)
    #expect(rig[AMDViRegister.extendedFeature2] == 8)
    #expect(rig.hardware.configuration.capabilityHeader == 0x090B_000F)
    #expect(AMDVi.Configuration.qemu.capabilityHeader == 0x0D0B_000F)
  }

  /// What the profiles are said to have.
  @Test func profiles() {
    func check(
      _ features: UInt64, gt: Bool, levels: Int, guest: Int, gcr3: Int, pasid: Int, ha: Bool, hd: Bool,
      gio: Bool
    ) {
      let configuration = AMDVi.Configuration(extendedFeatures: features)
      #expect(configuration.has(AMDViFeature.gt) == gt)
      #expect(configuration.hostLevels == levels)
      #expect(configuration.guestLevels == guest)
      #expect(configuration.gcr3Levels == gcr3)
      #expect(configuration.pasidBits == pasid)
      #expect(configuration.has(AMDViFeature.ha) == ha)
      #expect(configuration.has(AMDViFeature.hd) == hd)
      #expect(configuration.has(AMDViFeature.gio) == gio)
    }
    check(
      AMDVi.Profile.genoa, gt: true, levels: 6, guest: 5, gcr3: 2, pasid: 16, ha: true, hd: true, gio: true)
    check(
      AMDVi.Profile.zen2, gt: true, levels: 6, guest: 4, gcr3: 2, pasid: 16, ha: true, hd: false, gio: true)
    let apu = AMDVi.Configuration(extendedFeatures: AMDVi.Profile.apu)
    #expect(!apu.has(AMDViFeature.ha) && !apu.has(AMDViFeature.hd))
    #expect(apu.has(AMDViFeature.xt) && apu.has(AMDViFeature.ga))
    let ryzen = AMDVi.Configuration(extendedFeatures: AMDVi.Profile.ryzen7040)
    #expect(!ryzen.has(AMDViFeature.ha) && ryzen.has(AMDViFeature.secureATS))
    let snp = AMDVi.Configuration.snpHost
    #expect(!snp.has(AMDViFeature.gt) && snp.has(AMDViFeature.hd) && snp.has(AMDViFeature.snp))
    check(
      AMDVi.Profile.qemu, gt: true, levels: 6, guest: 6, gcr3: 1, pasid: 1, ha: false, hd: false, gio: false)
  }

  /// The enable sequence of B3.3, ending in the running state of B10.1 with the bits of the recording.
  @Test func enableSequence() {
    let memory = PhysicalMemory(size: 1 << 30)
    let fabric = FakeFabric()
    let hardware = AMDVi(memory: memory, configuration: .qemu, fabric: fabric)
    func write(_ offset: UInt64, _ value: UInt64) { hardware.writeRegister(offset, width: 8, value) }
    func status() -> UInt64 { hardware.readRegister(AMDViRegister.status, width: 8) }
    write(AMDViRegister.control, 0)
    write(AMDViRegister.control, 0x482)
    write(AMDViRegister.deviceTableBase, 0x20B_E001)
    write(AMDViRegister.commandBufferBase, 0x0900_0000_020F_C000)
    write(AMDViRegister.control, 0x1482)
    // Commands wait for IommuEn.
    #expect(memory.store64(0x8000_0000_0000_0000, at: PhysAddr(0x20F_C000)))
    #expect(memory.store64(0x1000_0000_0208_2001, at: PhysAddr(0x20F_C010)))
    #expect(memory.store64(1, at: PhysAddr(0x20F_C018)))
    write(AMDViRegister.commandTail, 0x20)
    #expect(hardware.readRegister(AMDViRegister.commandHead, width: 8) == 0)
    write(AMDViRegister.control, 0x3_1482)
    write(AMDViRegister.control, 0x3_1483)
    #expect(status() == AMDViStatus.cmdBufRun)
    #expect(hardware.readRegister(AMDViRegister.commandHead, width: 8) == 0x20)
    #expect(memory.load64(at: PhysAddr(0x208_2000)) == 1)
    write(AMDViRegister.eventLogBase, 0x0900_0000_0210_0000)
    write(AMDViRegister.control, 0x3_148F)
    #expect(hardware.readRegister(AMDViRegister.control, width: 8) == 0x3_148F)
    #expect(status() == AMDViStatus.cmdBufRun | AMDViStatus.eventLogRun)
    // PPR stays off: its bits cannot be set where a feature is missing.
    let bare = AMDVi(memory: memory, configuration: .init(extendedFeatures: 0))
    bare.writeRegister(AMDViRegister.control, width: 8, .max)
    let off =
      AMDViControl.pprEn | AMDViControl.pprLogEn | AMDViControl.gtEn | AMDViControl.gaEn | AMDViControl.xtEn
    #expect(bare.readRegister(AMDViRegister.control, width: 8) & off == 0)
  }

  /// Halves of a register, read-only ones, offsets where nothing is, and bits that are none.
  @Test func accesses() {
    let rig = Rig()
    rig.hardware.writeRegister(AMDViRegister.exclusionLimit + 4, width: 4, 0x12)
    rig.hardware.writeRegister(AMDViRegister.exclusionLimit, width: 4, 0x3456_789A)
    #expect(rig[AMDViRegister.exclusionLimit] == 0x12_3456_7000)
    #expect(rig.hardware.readRegister(AMDViRegister.exclusionLimit + 4, width: 4) == 0x12)
    rig[AMDViRegister.extendedFeature] = 0
    #expect(rig[AMDViRegister.extendedFeature] != 0)
    rig[0x3000] = 1
    #expect(rig[0x3000] == 0)
    rig[AMDViRegister.eventTail] = .max
    #expect(rig[AMDViRegister.eventTail] == 0x7_FFF0)
    rig[AMDViRegister.status] = .max
    #expect(rig[AMDViRegister.status] & AMDViStatus.cmdBufRun != 0)
    // Rows are in the order of the cases, each offset once.
    #expect(AMDVi.Register.rows.count == AMDVi.Register.allCases.count)
    #expect(Set(AMDVi.Register.rows.map(\.offset)).count == AMDVi.Register.rows.count)
    for register in AMDVi.Register.allCases { #expect(AMDVi.Register.at(register.row.offset) == register) }
    var none = AMDVi.Configuration.nesting
    none.efrSupported = false
    #expect(Rig(none)[AMDViRegister.extendedFeature] == 0)
  }

  /// IommuEn=0: everything passes, whatever the tables say, and again when it is turned off.
  @Test func disabled() {
    let rig = Rig(control: 0)
    rig.hostTables()
    #expect(rig.address(.write) == iova)
    rig[AMDViRegister.control] = Rig.baseControl
    #expect(rig.address(.write) == 0xABCD_E678)
    rig[AMDViRegister.control] = 0
    #expect(rig.address(.write) == iova)
    #expect(rig.address(.write, 0xFEE0_0000) == 0xFEE0_0000)
    rig.hardware.pageRequest(PageRequest(source: source, address: 0x1000))
    #expect(rig.fabric.responses.map(\.code) == [.failure])
  }
}

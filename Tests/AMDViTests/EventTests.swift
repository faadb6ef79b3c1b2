// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B4.2 and B9.5.
@Suite struct EventTests {
  /// B9.5: every record that has a vector, each from what causes it.
  @Test func records() {
    let rig = Rig()
    rig.hostTables()
    rig.poke((0x32A30, 0x3000_0000_ABCD_E001), (0x32A38, 0x7010_0000_ABCD_E001), (0x32A28, 0))
    _ = rig.dma(.read)
    _ = rig.dma(.write, 0x1234_6678)
    _ = rig.dma(.read, 0x1234_7678)
    #expect(
      rig.events() == [
        "00003a29 20000005 12345678 00000000", "00003a29 20700005 12346678 00000000",
        "00003a29 20900005 12347678 00000000",
      ])
    rig.dte(0x6000_0000_0003_0E03)
    rig.command(source, 0x2000_0000)
    _ = rig.dma(.write)
    #expect(rig.events() == ["00003a29 10a00000 12345678 00000000"])
    for _ in 0..<3 { rig.command(0, 0x8000_0000) }
    rig.command(0, 0)
    #expect(rig.events() == ["00000000 50000000 00008040 00000000"])
    // Of the encoding only: a translation request that finds nothing is no event.
    let encoded = AMDVi.Failure(
      code: AMDViEvent.ioPageFault, flags: AMDViEvent.translation, address: 0x1234_5000, device: 0x3A29,
      domain: 5)
    #expect(encoded.word == 0x2100_0005_0000_3A29)
  }

  /// What sets off each event that this IOMMU has, and how its abort looks to the device.
  @Test func everyCode() {
    var seen: Set<UInt32> = []
    func expect(
      _ code: UInt32, _ completion: Abort.Completion = .completerAbort, at line: Int = #line,
      _ body: (Rig) -> TranslationAnswer
    ) {
      let rig = Rig()
      rig.hostTables()
      let abort = body(rig).abort
      #expect(abort?.code == code, "line \(line)")
      #expect(abort?.name == AMDViEvent.name(code), "line \(line)")
      #expect(abort?.recorded == true, "line \(line)")
      #expect(abort?.completion == completion, "line \(line)")
      let events = rig.events()
      #expect(events.count == 1 && events[0].dropFirst(9).first == Character("\(code)"), "line \(line)")
      seen.insert(code)
    }
    expect(AMDViEvent.illegalDeviceTableEntry) {
      $0.dte(0x0E03); return $0.dma(.read)
    }
    expect(AMDViEvent.ioPageFault) { $0.dma(.read, 0) }
    expect(AMDViEvent.deviceTableHardwareError) {
      $0[AMDViRegister.deviceTableBase] = 0xFF_0000_01FF
      return $0.dma(.read)
    }
    expect(AMDViEvent.pageTableHardwareError) {
      $0.poke((0x31488, 0x60FF_FFFF_FFFF_F201 & ~AMDViPTE.reserved))
      return $0.dma(.read)
    }
    expect(AMDViEvent.invalidDeviceRequest, .unsupportedRequest) { $0.dma(.read, pasid: 1) }
    expect(AMDViEvent.invalidDeviceRequest, .unsupportedRequest) { $0.ats() }
    #expect(seen == [1, 2, 3, 4, 8])
  }

  /// A host table, a GCR3 table and guest tables that are not in memory: the address of the entry.
  @Test func tablesOutsideOfMemory() {
    let rig = Rig()
    rig.hostTables()
    rig.poke((0x31488, 0x6000_0070_0000_0201))
    #expect(rig.address(.write) == nil)
    #expect(rig.events() == ["00003a29 40200005 00000a28 00000070"])
    rig.guestTables()
    rig.poke((0x22488, 0x70_0000_0027))
    rig.command(0, 0x8000_0000)
    #expect(rig.address(.read, pasid: 0x47) == nil)
    #expect(rig.events() == ["00003a29 40050047 00000a28 00000070"])
    rig.dte(0x60C0_0000_0000_0003, 0x1_0000_0006 | (0x70_0000_0000 >> 31) << 43)
    rig.command(0, 0x8000_0000)
    #expect(rig.address(.read, pasid: 0x47) == nil)
    #expect(rig.events() == ["00003a29 40050047 00000238 00000070"])
  }

  /// A full log overflows and stops; software starts it again by the manual's sequence.
  @Test func overflowAndRestart() {
    let rig = Rig()
    rig.dte(0x6000_0000_0003_0603)
    rig[AMDViRegister.eventLogBase] = 0x0800_0000_0000_A000
    for _ in 0..<255 { _ = rig.dma(.read) }
    #expect(rig[AMDViRegister.eventTail] == 0xFF0)
    #expect(rig[AMDViRegister.status] & AMDViStatus.eventOverflow == 0)
    // One interrupt for all of them: software has not cleared the bit.
    #expect(rig.fabric.wires.count == 1)
    #expect(rig.dma(.read).abort?.recorded == true)
    #expect(rig[AMDViRegister.eventTail] == 0xFF0)
    let status = rig[AMDViRegister.status]
    #expect(status & AMDViStatus.eventOverflow != 0 && status & AMDViStatus.eventLogRun == 0)
    #expect(rig.fabric.wires.count == 2)
    // Room alone does not help, nor does enabling it with the overflow still there.
    rig[AMDViRegister.eventHead] = 0xFF0
    _ = rig.dma(.read)
    rig[AMDViRegister.control] &= ~(AMDViControl.eventLogEn | AMDViControl.eventIntEn)
    rig[AMDViRegister.control] |= AMDViControl.eventLogEn | AMDViControl.eventIntEn
    _ = rig.dma(.read)
    #expect(rig[AMDViRegister.eventTail] == 0xFF0)
    rig[AMDViRegister.control] &= ~(AMDViControl.eventLogEn | AMDViControl.eventIntEn)
    rig[AMDViRegister.status] = AMDViStatus.eventOverflow | AMDViStatus.eventLogInt
    rig[AMDViRegister.control] |= AMDViControl.eventLogEn | AMDViControl.eventIntEn
    _ = rig.dma(.read)
    #expect(rig[AMDViRegister.eventTail] == 0)
    #expect(rig.fabric.wires.count == 3)
  }

  /// A log that is off takes nothing, and does not overflow; one outside of memory stops.
  @Test func logsThatTakeNothing() {
    let rig = Rig(control: Rig.baseControl & ~AMDViControl.eventLogEn)
    rig.dte(0x6000_0000_0003_0603)
    #expect(rig.dma(.read).abort?.recorded == false)
    #expect(rig[AMDViRegister.eventTail] == 0)
    #expect(rig[AMDViRegister.status] & (AMDViStatus.eventOverflow | AMDViStatus.eventLogRun) == 0)
    let lost = Rig()
    lost[AMDViRegister.eventLogBase] = 0x0900_00FF_0000_0000
    lost.dte(0x6000_0000_0003_0603)
    _ = lost.dma(.read)
    #expect(lost[AMDViRegister.eventTail] == 0)
    #expect(lost[AMDViRegister.status] & AMDViStatus.eventLogRun == 0)
  }

  /// DTE.SE: one page fault until the entry is invalidated; DTE.SA: none. Other events are not suppressed.
  @Test func suppression() {
    let rig = Rig()
    rig.dte(0x6000_0000_0003_0603, 5 | AMDViDTE.suppressRepeated)
    #expect(rig.dma(.read).abort?.recorded == true)
    #expect(rig.dma(.read).abort?.recorded == false)
    #expect(rig.events().count == 1)
    rig.command(source, 0x2000_0000)
    #expect(rig.dma(.read).abort?.recorded == true)
    #expect(rig.events().count == 1)
    rig.dte(0x6000_0000_0003_0603, 5 | AMDViDTE.suppressAll)
    rig.command(source, 0x2000_0000)
    #expect(rig.dma(.read).abort?.recorded == false)
    #expect(rig.dma(.read, pasid: 1).abort?.recorded == true)
    #expect(rig.events().count == 1)
  }

  /// Erratum 732: the tail moves before the bytes are there.
  @Test func delayedEntries() {
    var configuration = AMDVi.Configuration.nesting
    configuration.logDelay = 3
    let rig = Rig(configuration)
    rig.dte(0x6000_0000_0003_0603)
    _ = rig.dma(.read)
    #expect(rig[AMDViRegister.eventTail] == 16)
    #expect(rig.words(0xA000) == "00000000 00000000 00000000 00000000")
    rig.hardware.step()
    #expect(rig.words(0xA000) == "00000000 00000000 00000000 00000000")
    rig.hardware.step()
    #expect(rig.words(0xA000) == "00003a29 20000005 12345678 00000000")
  }

  /// Erratum 1312: clearing an interrupt bit too late leaves it set, and then there are no more interrupts.
  @Test(arguments: [false, true]) func interruptBitsThatStay(quirk: Bool) {
    var configuration = AMDVi.Configuration.nesting
    configuration.erbt1312 = quirk
    let rig = Rig(configuration)
    rig.dte(0x6000_0000_0003_0603)
    _ = rig.dma(.read)
    #expect(rig[AMDViRegister.status] & AMDViStatus.eventLogInt != 0)
    _ = rig.dma(.read)
    rig[AMDViRegister.status] = AMDViStatus.eventLogInt
    _ = rig.dma(.read)
    #expect(rig.fabric.wires.count == (quirk ? 1 : 2))
    // A driver that reads back and clears again is well.
    #expect(rig[AMDViRegister.status] & AMDViStatus.eventLogInt != 0)
    rig[AMDViRegister.status] = AMDViStatus.eventLogInt
    #expect(rig[AMDViRegister.status] & AMDViStatus.eventLogInt == 0)
  }

  /// The IOMMU's own interrupts: a wire, a message, or the x2APIC's registers.
  @Test func howInterruptsGoOut() {
    func fault(_ prepare: (Rig) -> Void) -> Rig {
      let rig = Rig(.init(extendedFeatures: AMDVi.Profile.genoa | AMDViFeature.xt))
      prepare(rig)
      rig.dte(0x6000_0000_0003_0603)
      _ = rig.dma(.read)
      return rig
    }
    #expect(fault { _ in }.fabric.wires == [0])
    let message = fault {
      $0.hardware.writeRegister(AMDViRegister.msiAddressLow, width: 4, 0xFEE0_1000)
      $0.hardware.writeRegister(AMDViRegister.msiAddressHigh, width: 4, 1)
      $0.hardware.writeRegister(AMDViRegister.msiData, width: 4, 0x41)
      $0.hardware.writeRegister(AMDViRegister.msiCapability, width: 4, AMDViRegister.msiEnable)
    }
    #expect(message.fabric.messages == [InterruptMessage(address: 0x1_FEE0_1000, data: 0x41)])
    #expect(message.fabric.wires == [])
    let x2apic = fault {
      $0[AMDViRegister.x2apicEventInterrupt] = 0x0200_0051_0001_0304
      $0[AMDViRegister.control] |= AMDViControl.intCapXTEn
    }
    // Destination 02_000103, logical, vector 51.
    #expect(x2apic.fabric.messages == [InterruptMessage(address: 0x0200_0100_FEE0_3004, data: 0x51)])
    #expect(fault { $0[AMDViRegister.control] &= ~AMDViControl.eventIntEn }.fabric.wires == [])
  }
}

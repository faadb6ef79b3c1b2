// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory
internal import Testing

@testable internal import Hardware

/// Reference B2.1, words 2 of the entry, and B5, step 2. The table of interrupts is at 60000.
@Suite struct InterruptTests {
  private func rig(
    _ word2: UInt64 = 0x2000_0000_0006_0001 | 9 << 1, control: UInt64 = 0, features: UInt64 = 0,
    features2: UInt64 = 0, word0: UInt64 = 1, word1: UInt64 = 0
  ) -> Rig {
    let rig = Rig(
      .init(extendedFeatures: AMDVi.Profile.genoa | features, extendedFeatures2: features2),
      control: Rig.baseControl | control)
    rig.dte(word0, word1, word2)
    return rig
  }

  private func send(_ rig: Rig, _ data: UInt32, to address: UInt64 = 0xFEE0_0000) -> TranslationAnswer {
    rig.hardware.translate(Transaction(source: source, address: address, access: .write, data: data))
  }

  private func message(_ rig: Rig, _ data: UInt32) -> InterruptMessage? {
    send(rig, data).translation?.interrupt
  }

  /// The entry of four bytes: destination, mode, vector, type; by index up to the table's length.
  @Test func basicEntries() {
    let rig = rig()
    // Index 3: vector 52, destination 17, logical, lowest priority (1).
    rig.poke((0x60008, 0x0052_1745_0000_0000))
    #expect(message(rig, 3) == InterruptMessage(address: 0xFEE1_7004, data: 0x152))
    // Index 1ff, the last one; its type bit makes it an arbitrated message.
    rig.poke((0x607F8, 0x0053_1801_0000_0000))
    #expect(message(rig, 0x1FF) == InterruptMessage(address: 0xFEE1_8000, data: 0x53))
    #expect(rig.events() == [])
  }

  @Test func longEntries() {
    let rig = rig(control: AMDViControl.gaEn | AMDViControl.xtEn, features: AMDViFeature.xt)
    rig.poke((0x60030, 0x0000_0000_0345_1741), (0x60038, 0x0200_0000_0000_0052))
    #expect(message(rig, 3) == InterruptMessage(address: 0x0203_4500_FEE1_7004, data: 0x52))
    // Without x2APIC interrupts a destination has eight bits.
    rig[AMDViRegister.control] &= ~AMDViControl.xtEn
    #expect(message(rig, 3) == InterruptMessage(address: 0xFEE1_7004, data: 0x52))
  }

  /// IV, IntCtl, and the message types with bits of their own.
  @Test func control() {
    #expect(send(rig(0), 3).translation?.address == 0xFEE0_0000)
    #expect(send(rig(0), 3).translation?.interrupt == nil)
    #expect(send(rig(1 | 1 << 60), 3).translation?.interrupt == nil)
    let abort = rig(1)
    #expect(send(abort, 3).abort?.name == "INVALID_DEVICE_REQUEST")
    #expect(abort.events() == ["00003a29 88200000 fee00000 00000000"])
    let illegal = rig(1 | 3 << 60)
    #expect(send(illegal, 3).abort?.name == "ILLEGAL_DEV_TABLE_ENTRY")
    #expect(illegal.events() == ["00003a29 10a80000 fee00000 00000000"])
    let long = rig(1 | 12 << 1 | 2 << 60)
    #expect(send(long, 3).abort?.name == "ILLEGAL_DEV_TABLE_ENTRY")
    for (type, bit) in [(4, AMDViDTE.nmiPass), (5, AMDViDTE.initPass), (7, AMDViDTE.extIntPass)]
      as [(UInt32, UInt64)]
    {
      #expect(send(rig(1 | bit), type << 8).translation?.address == 0xFEE0_0000)
      #expect(send(rig(1), type << 8).translation == nil)
    }
    #expect(send(rig(), 2 << 8).translation == nil)
  }

  /// What is wrong with an entry, each with its event; SupIOPF and IG keep it from the log.
  @Test func faults() {
    for (name, word, index, event) in [
      ("RemapEn=0", 0, 0, "20280000"), ("silent", 2, 0, nil), ("reserved 7", 0x81, 0, "20b80000"),
      ("reserved 24", 0x100_0001, 0, "20b80000"), ("type 3", 0x0D, 0, "20b80000"),
      ("type 6", 0x19, 0, "20b80000"), ("index", 1, 0x1FF, "20280000"),
    ] as [(String, UInt64, UInt32, String?)] {
      let rig = rig(0x2000_0000_0006_0001 | 4 << 1)
      rig.poke((0x60000, word))
      let abort = send(rig, index).abort
      #expect(abort?.name == "IO_PAGE_FAULT", "\(name)")
      #expect(rig.events() == (event.map { ["00003a29 \($0) fee00000 00000000"] } ?? []), "\(name)")
      let ignoring = self.rig(0x2000_0000_0006_0001 | 4 << 1 | AMDViDTE.ignoreUnmapped)
      ignoring.poke((0x60000, word))
      #expect(send(ignoring, index).abort?.recorded == false, "\(name)")
    }
    let outside = rig(0x2000_0070_0000_0001 | 9 << 1)
    #expect(send(outside, 3).abort?.name == "PAGE_TAB_HARDWARE_ERROR")
    #expect(outside.events() == ["00003a29 40280000 0000000c 00000070"])
    // A read where interrupts go; of a device that passes everything it passes.
    let read = rig(word0: 0x6000_0000_0000_0003)
    #expect(read.address(.read, 0xFEE0_0000) == nil)
    #expect(read.events() == ["00003a29 80000000 fee00000 00000000"])
    #expect(rig(word0: 0).address(.read, 0xFEE0_0000) == 0xFEE0_0000)
    // With a PASID it is an address as any other.
    let guest = Rig()
    guest.guestTables()
    #expect(guest.dma(.write, 0xFEE0_0000, pasid: 0x47).abort?.name == "IO_PAGE_FAULT")
  }

  /// Tables of 2048 entries, where both sides agree on it.
  @Test func bigTables() {
    let mode: UInt64 = 1 << AMDViControl.interruptTableModeShift
    let rig = rig(
      0x2000_0000_0006_0001 | 11 << 1, control: mode, features2: 1 << AMDViFeature2.numIntRemapShift)
    rig.poke((0x61FF8, 0x0054_0001_0000_0000))
    #expect(message(rig, 0x7FF)?.data == 0x54)
    #expect(send(self.rig(control: mode), 0x7FF).translation == nil)
  }

  /// IRTCacheDis: nothing is kept.
  @Test func withoutACache() {
    let rig = rig(control: AMDViControl.irtCacheDis)
    rig.poke((0x60000, 0x41_0001))
    #expect(message(rig, 0)?.data == 0x41)
    rig.poke((0x60000, 0x42_0001))
    #expect(message(rig, 0)?.data == 0x42)
  }

  /// A guest's interrupt: its virtual APIC's IRR, and the GA log if it does not run.
  @Test func guests() {
    let rig = rig(control: AMDViControl.gaEn | AMDViControl.gaLogEn | AMDViControl.gaIntEn)
    rig[AMDViRegister.gaLogBase] = 0x0800_0000_0006_2000
    rig[AMDViRegister.gaLogTailAddress] = 0x6_3000
    rig[AMDViRegister.control] &= ~AMDViControl.gaLogEn
    rig[AMDViRegister.control] |= AMDViControl.gaLogEn
    // Tag 1234, not running, GALogIntr; vector 65 and the page at 70000.
    rig.poke((0x60000, 0x1234_0000_0500 | AMDViIRTE.guestMode | 5), (0x60008, 0x7_0000 | 0x65))
    #expect(send(rig, 0).translation?.interrupt?.data == 0)
    #expect(rig.peek(0x70230) == 1 << 5)
    #expect(rig.peek(0x62000) == 0x1000_3A29_0000_1234)
    #expect(rig[AMDViRegister.gaTail] == 8)
    #expect(rig.peek(0x63000) == 8)
    #expect(rig[AMDViRegister.status] & AMDViStatus.gaLogInt != 0)
    #expect(rig.fabric.wires.count == 1)
    // Running, on destination 5: a doorbell there, and no log.
    rig.poke((0x60000, 0x1234_0000_0500 | AMDViIRTE.guestMode | AMDViIRTE.isRun | 5))
    rig.command(source, 0x5000_0000)
    #expect(send(rig, 0).translation?.interrupt?.address == 0xFEE0_5000)
    #expect(rig[AMDViRegister.gaTail] == 8)
    rig.poke((0x60008, 0x70_0000_0000))
    rig.command(source, 0x5000_0000)
    #expect(send(rig, 0).abort?.name == "PAGE_TAB_HARDWARE_ERROR")
    // A full log.
    rig.poke((0x60000, 0x1234_0000_0500 | AMDViIRTE.guestMode | 5), (0x60008, 0x7_0000 | 0x65))
    rig.command(source, 0x5000_0000)
    for _ in 0..<600 { _ = send(rig, 0) }
    #expect(rig[AMDViRegister.status] & AMDViStatus.gaLogOverflow != 0)
    #expect(rig[AMDViRegister.gaTail] == 0xFF8)
  }

  /// The address space of HyperTransport, by the fields of the entry.
  @Test func hyperTransport() {
    let translating: UInt64 = 0x6000_0000_0000_0003
    func outcome(
      _ address: UInt64, _ word1: UInt64 = 0, word0: UInt64 = translating,
      access: Transaction.Access = .write, configuration: (inout AMDVi.Configuration) -> Void = { _ in }
    ) -> String {
      var choice = AMDVi.Configuration.nesting
      configuration(&choice)
      let rig = Rig(choice)
      rig.dte(word0, word1, 0x1000_0000_0000_0001)
      let answer = rig.dma(access, address)
      if answer.translation?.address == address { return "passes" }
      return rig.events().first.map { String($0.dropFirst(9).prefix(8)) } ?? "aborts"
    }
    let (management, port): (UInt64, UInt64) = (0xFD_F910_0000, 0xFD_FC00_0000)
    #expect(outcome(management) == "86200000")
    #expect(outcome(management, 1 << 40) == "passes")
    #expect(outcome(management, 1 << 40, access: .read) == "86000000")
    #expect(outcome(management, 2 << 40) == "86200000")
    #expect(outcome(management, 3 << 40) == "passes")
    #expect(outcome(management, 3 << 40, word0: 1) == "8e200000")
    #expect(outcome(management, 1 << 40, word0: 1) == "passes")
    #expect(outcome(management, 1 << 40, word0: 1) { $0.erratum63 = true } == "aborts")
    #expect(outcome(port) == "84200000")
    #expect(outcome(port, 1 << 35) == "passes")
    #expect(outcome(port, 2 << 35) == "passes")
    #expect(outcome(port, 2 << 35, word0: 3) == "20700000")
    #expect(outcome(0xFD_F800_0000) == "passes")
    #expect(outcome(0xFD_F800_0000, access: .read) == "80000000")
    #expect(outcome(0xFD_0000_0000) == "8a200000")
    #expect(outcome(0xFF_FFFF_FFFF) == "8a200000")
    #expect(outcome(0xFF_FFFF_FFFF, word0: 0) == "passes")
    #expect(outcome(0x100_0000_0000) == "passes")
    #expect(outcome(0xFC_FFFF_FFFF) == "passes")
    #expect(
      outcome(0xFF_FFFF_FFFF) { $0.extendedFeatures2 |= AMDViFeature2.htRangeIgnore } == "passes")
    // A HyperTransport interrupt has its vector in the address: index 41.
    let rig = rig(word0: translating)
    rig.poke((0x60100, 0x0055_0001_0000_0000))
    #expect(send(rig, 0, to: 0xFD_F841_0000).translation?.interrupt?.data == 0x55)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import Testing

@Suite struct InvalidationQueueTests {
  private static let wait: (UInt64, UInt64) = (0x2_0000_0025, 0x9010)

  private func rig(scalable: Bool = true, _ configuration: VTdConfiguration = Rig.configuration) -> Rig {
    let rig = Rig(configuration)
    rig.start(rtaddr: scalable ? 0x1400 : 0x1000)
    rig.startQueue(wide: scalable)
    return rig
  }

  /// A wrong descriptor: words, what the unit has, legacy or scalable, IQEI.
  struct Bad: CustomStringConvertible, Sendable {
    var why: String
    var first: UInt64
    var second: UInt64 = 0
    var code: UInt64
    var scalable = true
    var configure: @Sendable (inout VTdConfiguration) -> Void = { _ in }
    var description: String { why }
  }

  static let bad: [Bad] = [
    .init(why: "type 0", first: 0, code: 3), .init(why: "type 10", first: 0xA, code: 3),
    .init(why: "type 15", first: 0xF, code: 3), .init(why: "type 0x15", first: 0x205, code: 3),
    .init(why: "type 0x71", first: 0xE11, code: 3),
    .init(why: "PIOTLB in legacy mode", first: 0x26, code: 3, scalable: false),
    .init(why: "PASID cache in legacy mode", first: 0x37, code: 3, scalable: false),
    .init(why: "PASID device-TLB in legacy mode", first: 0x8, code: 3, scalable: false),
    .init(why: "response in legacy mode", first: 0x9, code: 3, scalable: false),
    .init(why: "device-TLB without DT", first: 0x3, code: 3) { $0.setExtended(VTd.ECap.dt, 0) },
    .init(why: "PASID device-TLB without DT", first: 0x8, code: 3) { $0.setExtended(VTd.ECap.dt, 0) },
    .init(why: "interrupt entries without IR", first: 0x4, code: 3) { $0.setExtended(VTd.ECap.ir, 0) },
    .init(why: "response without PRS", first: 0x9, code: 3) { $0.setExtended(VTd.ECap.prs, 0) },
    .init(why: "context G 0", first: 0x1, code: 4), .init(why: "IOTLB G 0", first: 0x2, code: 4),
    .init(why: "PIOTLB G 0", first: 0x6, code: 4), .init(why: "PIOTLB G 1", first: 0x16, code: 4),
    .init(why: "PASID cache G 2", first: 0x27, code: 4),
    .init(why: "context reserved", first: 0x4_0000_0000_0011, code: 4),
    .init(why: "context second word", first: 0x11, second: 1, code: 4),
    .init(why: "IOTLB reserved", first: 0x1_0000_0000_0012, code: 4),
    .init(why: "IOTLB second word", first: 0x12, second: 0x80, code: 4),
    .init(why: "AM above MAMV", first: 0x32, second: 46, code: 4),
    .init(why: "page-selective without PSI", first: 0x32, second: 0, code: 4) { $0.set(VTd.Cap.psi, 0) },
    .init(why: "device-TLB second word", first: 0x3, second: 2, code: 4),
    .init(why: "interrupt entries reserved", first: 0x24, code: 4),
    .init(why: "wait reserved", first: 0x105, code: 4),
    .init(why: "wait status address", first: 0x25, second: 0x9011, code: 4),
    .init(why: "drain without PDS", first: 0x85, code: 4) { $0.setExtended(VTd.ECap.pds, 0) },
    .init(why: "PIOTLB second word", first: 0x36, second: 0x80, code: 4),
    .init(why: "PIOTLB AM, checked", first: 0x36, second: 52, code: 4) {
      $0.quirks.checksPASIDInvalidationMask = true
    },
    .init(why: "PASID cache second word", first: 0x37, second: 0x1000, code: 4),
    .init(why: "PASID device-TLB second word", first: 0x8, second: 2, code: 4),
    .init(why: "response code 2", first: 0x2019, code: 4),
    .init(why: "response second word", first: 0x19, second: 1, code: 4),
  ]

  @Test(arguments: bad) func malformed(_ bad: Bad) {
    var configuration = Rig.configuration
    bad.configure(&configuration)
    let rig = rig(scalable: bad.scalable, configuration)
    let width: UInt64 = bad.scalable ? 32 : 16
    rig.submit([(0x11, 0), (bad.first, bad.second), Self.wait])
    #expect(rig.queueError == bad.code)
    // Frozen at the bad one, whatever the tail does.
    #expect(rig.read(VTd.Register.iqh, width: 8) == width)
    rig.submit([Self.wait])
    #expect(rig.read(VTd.Register.iqh, width: 8) == width)
    #expect(rig[0x9010] == 0)
    // Software puts a wait there and clears the error: the queue goes on.
    rig[0x8000 + width] = Self.wait.0
    rig[0x8008 + width] = Self.wait.1
    rig.write(VTd.Register.fsts, 0x10)
    #expect(rig.queueError == nil)
    #expect(rig[0x9010] == 2)
    #expect(rig.read(VTd.Register.iqh, width: 8) == 4 * width)
  }

  @Test func thirdAndFourthWord() {
    let rig = rig()
    rig[0x8000] = 0x11
    rig[0x8018] = 1
    rig.write(VTd.Register.iqt, 32, width: 8)
    #expect(rig.queueError == 4)
  }

  @Test func errorsOfTheQueue() {
    // 1: a tail beyond the queue.
    var rig = rig(scalable: false)
    rig.write(VTd.Register.iqt, 0x1000, width: 8)
    #expect(rig.queueError == 1)
    // 2: no memory.
    rig = self.rig(scalable: false)
    rig.write(VTd.Register.iqa, 0x3FF0_0000_0000, width: 8)
    rig.write(VTd.Register.iqt, 16, width: 8)
    #expect(rig.queueError == 2)
    // 5: width. Legacy mode without scalable mode, and scalable mode.
    var plain = Rig.configuration
    plain.setExtended(VTd.ECap.smts, 0)
    rig = Rig(plain)
    rig.startQueue(wide: true)
    rig.write(VTd.Register.iqt, 32, width: 8)
    #expect(rig.queueError == 5)
    rig = Rig()
    rig.start(rtaddr: 0x1400)
    rig.startQueue(wide: false)
    rig.write(VTd.Register.iqt, 16, width: 8)
    #expect(rig.queueError == 5)
    // Legacy mode of a unit that has scalable mode takes both.
    rig = Rig()
    rig.startQueue(wide: true)
    rig.submit([Self.wait])
    #expect(rig.queueError == nil)
    #expect(rig[0x9010] == 2)
    // 6: alignment.
    rig = self.rig()
    rig.write(VTd.Register.iqt, 16, width: 8)
    #expect(rig.queueError == 6)
    // 7: table mode.
    for mode: UInt64 in [2, 3] {
      rig = Rig()
      rig.start(rtaddr: 0x1000 | mode << 10)
      rig.startQueue(wide: true)
      rig.write(VTd.Register.iqt, 32, width: 8)
      #expect(rig.queueError == 7)
    }
  }

  /// Around the ring several times, in submissions of all sizes.
  @Test(arguments: [true, false]) func wraps(wide: Bool) {
    let rig = rig(scalable: wide)
    let slots = wide ? 128 : 256
    var data: UInt64 = 0
    for round in 0..<100 {
      let count = 1 + round * 7 % (slots - 1)
      var batch: [(UInt64, UInt64)] = Array(repeating: (0x11, 0), count: count - 1)
      data += 1
      batch.append((data << 32 | 0x25, 0x9010))
      rig.submit(batch)
      #expect(rig[0x9010] == data)
      #expect(rig.read(VTd.Register.iqh, width: 8) == rig.read(VTd.Register.iqt, width: 8))
    }
    #expect(rig.queueError == nil)
    #expect(rig.fsts == 0)
  }

  @Test func largerQueues() {
    for size: UInt64 in 0...7 {
      let rig = Rig()
      rig.start(rtaddr: 0x1400)
      rig.write(VTd.Register.iqa, 0x10_0800 | size, width: 8)
      rig.command(VTd.GlobalCommand.qie)
      let slots = Int(UInt64(128) << size)
      rig.submit(Array(repeating: (0x11, 0), count: slots - 2) + [Self.wait])
      rig.submit(Array(repeating: (0x11, 0), count: 5))
      #expect(rig[0x9010] == 2)
      #expect(rig.read(VTd.Register.iqh, width: 8) == 4 * 32)
      #expect(rig.queueError == nil)
    }
  }

  /// What comes before the wait was done before its status is written; interrupts only when asked for.
  @Test func waitInterrupts() {
    let rig = rig()
    rig.write(VTd.Register.iedata, 0x4021)
    rig.write(VTd.Register.ieaddr, 0xFEE0_1000)
    rig.write(VTd.Register.ieuaddr, 1)
    rig.submit([(0x15, 0)])
    // Masked after reset: pending.
    #expect(rig.read(VTd.Register.iectl) == 0xC000_0000)
    #expect(rig.read(VTd.Register.ics) == 1)
    #expect(rig.fabric.interrupts == [])
    rig.write(VTd.Register.iectl, 0)
    #expect(rig.fabric.interrupts == [InterruptMessage(address: 0x1_FEE0_1000, data: 0x4021)])
    #expect(rig.read(VTd.Register.iectl) == 0)
    // Not again while software has not cleared the last one.
    rig.submit([(0x15, 0)])
    #expect(rig.fabric.interrupts.count == 1)
    rig.write(VTd.Register.ics, 1)
    #expect(rig.read(VTd.Register.ics) == 0)
    rig.submit([(0x15, 0), (0x15, 0)])
    #expect(rig.fabric.interrupts.count == 2)
    // Pending, and serviced before it is unmasked: gone.
    rig.write(VTd.Register.ics, 1)
    rig.write(VTd.Register.iectl, 1 << 31)
    rig.submit([(0x15, 0)])
    rig.write(VTd.Register.ics, 1)
    rig.write(VTd.Register.iectl, 0)
    #expect(rig.fabric.interrupts.count == 2)
  }

  /// A device that does not answer: all waits that were submitted are aborted, the queue stops behind them.
  @Test func timeOut() {
    let rig = rig()
    rig.fabric.silent = [sid]
    let device: (UInt64, UInt64) = (0x3A29_0010_0003, 0x1234_5000)
    rig.submit([(0x11, 0), device, (0x1_0000_0025, 0x9000), (0x12, 0), Self.wait])
    #expect(rig.fsts & 0x40 != 0)
    #expect(rig.read(VTd.Register.iqercd, width: 8) == 0x3A29 << 32)
    #expect(rig.read(VTd.Register.iqh, width: 8) == 5 * 32)
    #expect(rig[0x9000] == 0)
    #expect(rig[0x9010] == 0)
    rig.submit([Self.wait])
    #expect(rig[0x9010] == 0)
    rig.write(VTd.Register.fsts, 0x40)
    #expect(rig[0x9010] == 2)
    // Old hardware does not say who it was.
    var old = Rig.configuration
    old.quirks.namesTimedOutDevice = false
    let other = self.rig(old)
    other.fabric.silent = [sid]
    other.submit([device, Self.wait])
    #expect(other.fsts & 0x40 != 0)
    #expect(other.read(VTd.Register.iqercd, width: 8) == 0)
  }

  private func rig(_ configuration: VTdConfiguration) -> Rig { rig(scalable: true, configuration) }

  @Test func unexpectedCompletion() {
    let rig = rig()
    rig.unit.unexpectedInvalidationCompletion(source: sid)
    #expect(rig.fsts == 0x20)
    #expect(rig.read(VTd.Register.iqercd, width: 8) == 0x3A29 << 48)
    // It stops nothing.
    rig.submit([Self.wait])
    #expect(rig[0x9010] == 2)
    rig.write(VTd.Register.fsts, 0x20)
    #expect(rig.fsts == 0)
  }

  /// Step by step, for tests that choose an interleaving.
  @Test func held() {
    let rig = rig()
    rig.unit.holdsInvalidationQueue = true
    rig.submit([(0x11, 0), Self.wait, (0x5_0000_0025, 0x9018)])
    #expect(rig.read(VTd.Register.iqh, width: 8) == 0)
    rig.unit.runInvalidationQueue(limit: 2)
    #expect(rig.read(VTd.Register.iqh, width: 8) == 64)
    #expect(rig[0x9010] == 2)
    #expect(rig[0x9018] == 0)
    rig.unit.runInvalidationQueue()
    #expect(rig[0x9018] == 5)
  }

  /// A fabric that answers with more work in the middle of it.
  @Test func calledBack() {
    let rig = rig()
    rig.write(VTd.Register.iectl, 0)
    var more = 5
    rig.fabric.onInterrupt = { [unowned rig] in
      guard more > 0 else { return }
      more -= 1
      rig.write(VTd.Register.ics, 1)
      rig.submit([(0x3A29_0010_0003, 0x1000), (0x15, 0)])
      _ = rig.dma(.read, 0x1000)
    }
    rig.fabric.onInvalidate = { [unowned rig] in _ = rig.dma(.write, 0x2000) }
    rig.submit([(0x15, 0)])
    #expect(more == 0)
    #expect(rig.fabric.invalidations.count == 5)
    #expect(rig.read(VTd.Register.iqh, width: 8) == rig.read(VTd.Register.iqt, width: 8))
  }

  /// Off, the queue is not consumed; on again it begins at the start.
  @Test func enabling() {
    let rig = rig()
    rig.submit([Self.wait])
    #expect(rig.read(VTd.Register.iqh, width: 8) == 32)
    rig.command(VTd.GlobalCommand.qie, off: true)
    #expect(rig.read(VTd.Register.gsts) & VTd.GlobalCommand.qie == 0)
    rig[0x9010] = 0
    rig.submit([Self.wait])
    #expect(rig[0x9010] == 0)
    rig.write(VTd.Register.iqt, 0, width: 8)
    rig.command(VTd.GlobalCommand.qie)
    #expect(rig.read(VTd.Register.iqh, width: 8) == 0)
    #expect(rig[0x9010] == 0)
  }
}

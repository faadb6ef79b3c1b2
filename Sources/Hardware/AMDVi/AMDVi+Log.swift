// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

// The event log, the PPR log and the GA log. AMD IOMMU Specification, publication 48882, sections 2.5 to 2.7.
// Head and tail are byte offsets; a log is empty if they are equal, and full if one more entry would make
// them so. What finds no room sets the overflow bit and stops the log until software starts it again.

extension AMDVi {
  /// An entry whose place in the log is taken and whose bytes are not there yet.
  struct DelayedEntry: Sendable {
    let address: UInt64
    let words: (UInt64, UInt64)
    var steps: Int
  }

  /// What distinguishes the logs.
  struct Log: Sendable {
    let base: Register
    let head: Register
    let tail: Register
    let entrySize: UInt64
    let enable: UInt64
    let interruptEnable: UInt64
    let run: UInt64
    let overflow: UInt64
    let interrupt: UInt64
    let source: Unit.InterruptSource

    static let event = Log(
      base: .eventLogBase, head: .eventHead, tail: .eventTail, entrySize: AMDViEvent.size,
      enable: AMDViControl.eventLogEn, interruptEnable: AMDViControl.eventIntEn,
      run: AMDViStatus.eventLogRun, overflow: AMDViStatus.eventOverflow, interrupt: AMDViStatus.eventLogInt,
      source: .event)
    static let ppr = Log(
      base: .pprLogBase, head: .pprHead, tail: .pprTail, entrySize: AMDViPPR.size,
      enable: AMDViControl.pprLogEn, interruptEnable: AMDViControl.pprIntEn, run: AMDViStatus.pprRun,
      overflow: AMDViStatus.pprOverflow, interrupt: AMDViStatus.pprInt, source: .ppr)
    static let ga = Log(
      base: .gaLogBase, head: .gaHead, tail: .gaTail, entrySize: 8, enable: AMDViControl.gaLogEn,
      interruptEnable: AMDViControl.gaIntEn, run: AMDViStatus.gaLogRun, overflow: AMDViStatus.gaLogOverflow,
      interrupt: AMDViStatus.gaLogInt, source: .ga)
  }
}

extension AMDVi.Unit {
  /// Appends an entry; false where it is lost.
  @discardableResult
  mutating func append(_ words: (UInt64, UInt64), to log: AMDVi.Log) -> Bool {
    guard controls(log.enable), registers[.status] & log.run != 0 else { return false }
    let ring = registers.ring(log.base)
    let tail = registers[log.tail] & (ring.size - log.entrySize)
    let next = (tail + log.entrySize) & (ring.size - 1)
    guard next != registers[log.head] & (ring.size - log.entrySize) else {
      registers[.status] &= ~log.run
      raise(log.overflow, log)
      return false
    }
    let address = ring.base + tail
    if configuration.logDelay > 0, log.entrySize == 16 {
      delayed.append(.init(address: address, words: words, steps: configuration.logDelay))
    } else if !(log.entrySize == 16
      ? store(words, at: address) : memory.store64(words.0, at: PhysAddr(address)))
    {
      // No memory is there: the log stops, and nothing tells but its run bit.
      registers[.status] &= ~log.run
      return false
    }
    registers[log.tail] = next
    raise(log.interrupt, log)
    return true
  }

  /// Sets a bit of the status register, and signals if it was clear and software wants to know.
  private mutating func raise(_ bit: UInt64, _ log: AMDVi.Log) {
    arrived |= bit
    guard registers[.status] & bit == 0 else { return }
    registers[.status] |= bit
    if controls(log.interruptEnable) { outbox.append(.interrupt(log.source)) }
  }

  @discardableResult
  func store(_ words: (UInt64, UInt64), at address: UInt64) -> Bool {
    // The type is in the first word's upper half: it becomes visible last.
    memory.store64(words.1, at: PhysAddr(address &+ 8)) && memory.store64(words.0, at: PhysAddr(address))
  }

  /// The address and data of an interrupt of the IOMMU itself; nil for the wire. Sections 3.2.2 and 3.4.9.
  func message(for source: InterruptSource) -> InterruptMessage? {
    if controls(AMDViControl.intCapXTEn) {
      let word =
        switch source {
        case .event: registers[.x2apicEvent]
        case .ppr: registers[.x2apicPPR]
        case .ga: registers[.x2apicGA]
        }
      let destination = (word >> 8 & 0xFF_FFFF) | (word >> 56) << 24
      return AMDVi.message(
        destination: UInt32(truncatingIfNeeded: destination), logical: word & 4 != 0,
        vector: UInt32(truncatingIfNeeded: word >> 32 & 0xFF),
        type: UInt32(truncatingIfNeeded: word >> 40 & 1))
    }
    guard registers[.msiAddress] & AMDViRegister.msiEnable != 0 else { return nil }
    let address = registers[.msiAddress] >> 32 | registers[.msiData] << 32
    return InterruptMessage(address: address, data: UInt32(truncatingIfNeeded: registers[.msiData] >> 32))
  }
}

extension AMDVi {
  /// An interrupt as the x86 architecture writes it: destination bits 7:0 in the address' 19:12, the rest, of an
  /// x2APIC, in its 63:40.
  static func message(destination: UInt32, logical: Bool, vector: UInt32, type: UInt32) -> InterruptMessage {
    InterruptMessage(
      address: AMDViAddress.msiFirst | UInt64(destination & 0xFF) << 12
        | UInt64(destination & 0xFFFF_FF00) << 32 | (logical ? 4 : 0),
      data: vector & 0xFF | (type & 7) << 8)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// The hardware performance monitor, sections 6.19 to 6.23. Time here is what the IOMMU does: each transaction,
// page request and command is a cycle. After reset everything is inhibited, so that nothing is counted, and nothing
// slowed down, until software asks for it. A walk counts as one, however many entries it reads.

extension RISCVIOMMU {
  /// The counters and what they count.
  struct PerformanceMonitor: Sendable {
    private(set) var cycles: UInt64 = 0
    private(set) var inhibited: UInt32 = .max
    private var counters: [UInt64]
    private var selectors: [UInt64]
    private let counterMask: UInt64
    private let isPresent: Bool
    /// A counter has overflowed whose OF was 0, and nobody was told yet.
    private(set) var wantsInterrupt = false
    /// Anything at all is counted.
    private(set) var isActive = false

    init(counters: Int, bits: Int) {
      let count = min(max(counters, 0), 31)
      self.counters = Array(repeating: 0, count: count)
      selectors = Array(repeating: 0, count: count)
      let bits = min(max(bits, 32), 64)
      counterMask = bits == 64 ? .max : (1 << UInt64(bits)) - 1
      isPresent = count > 0
      inhibited = isPresent ? UInt32(truncatingIfNeeded: (UInt64(2) << UInt64(count)) &- 1) : 0
    }

    /// `iocountovf`.
    var overflows: UInt32 {
      var bits: UInt32 = cycles & RISCV.Event.overflow != 0 ? 1 : 0
      for (index, selector) in selectors.enumerated() where selector & RISCV.Event.overflow != 0 {
        bits |= 2 << UInt32(index)
      }
      return bits
    }

    /// `iohpmctr` registers.
    var count: Int { counters.count }
    func counter(_ index: Int) -> UInt64 { counters.indices.contains(index) ? counters[index] : 0 }
    func selector(_ index: Int) -> UInt64 { selectors.indices.contains(index) ? selectors[index] : 0 }

    mutating func writeCycles(_ value: UInt64) {
      guard isPresent else { return }
      cycles = value & (RISCV.Event.overflow | counterMask)
    }

    mutating func writeCounter(_ index: Int, _ value: UInt64) {
      guard counters.indices.contains(index) else { return }
      counters[index] = value & counterMask
    }

    /// An event that does not exist is not taken: the old one stays.
    mutating func writeSelector(_ index: Int, _ value: UInt64) {
      guard selectors.indices.contains(index) else { return }
      var value = value
      if value & RISCV.Event.idMask > RISCV.Event.secondStageWalk {
        value = value & ~RISCV.Event.idMask | selectors[index] & RISCV.Event.idMask
      }
      selectors[index] = value
      update()
    }

    mutating func writeInhibited(_ value: UInt32) {
      guard isPresent else { return }
      inhibited = value & UInt32(truncatingIfNeeded: (UInt64(2) << UInt64(counters.count)) &- 1)
      update()
    }

    private mutating func update() {
      isActive = inhibited & 1 == 0
      for (index, selector) in selectors.enumerated() where selector & RISCV.Event.idMask != 0 {
        if inhibited & (2 << UInt32(index)) == 0 { isActive = true }
      }
    }

    /// Whether an interrupt is due, once.
    mutating func takeInterrupt() -> Bool {
      defer { wantsInterrupt = false }
      return wantsInterrupt
    }

    mutating func tick() {
      guard isPresent, inhibited & 1 == 0 else { return }
      // Bit 63 is OF, so the counter has 63 bits at most.
      let mask = counterMask & ~RISCV.Event.overflow
      let next = ((cycles & mask) &+ 1) & mask
      let wasSet = cycles & RISCV.Event.overflow
      cycles = next | wasSet
      guard next == 0, wasSet == 0 else { return }
      cycles |= RISCV.Event.overflow
      wantsInterrupt = true
    }

    mutating func count(_ event: UInt64, device: UInt32?, process: UInt32?, tag: RISCVAddressSpaceTag?) {
      for index in counters.indices where inhibited & (2 << UInt32(index)) == 0 {
        let selector = selectors[index]
        guard selector & RISCV.Event.idMask == event,
          Self.matches(selector, device: device, process: process, tag: tag)
        else { continue }
        counters[index] = (counters[index] &+ 1) & counterMask
        if counters[index] == 0, selector & RISCV.Event.overflow == 0 {
          selectors[index] |= RISCV.Event.overflow
          wantsInterrupt = true
        }
      }
    }

    /// The filters by ID. Events that know no address space do not count with IDT set.
    private static func matches(
      _ selector: UInt64, device: UInt32?, process: UInt32?, tag: RISCVAddressSpaceTag?
    ) -> Bool {
      typealias Bit = RISCV.Event
      let wanted = selector >> Bit.didGSCIDShift & 0xFF_FFFF
      // With DMASK the lowest 0 and what is below it do not matter.
      let mask = selector & Bit.dmask != 0 ? ~(wanted ^ (wanted &+ 1)) & 0xFF_FFFF : 0xFF_FFFF
      let second = selector >> Bit.pidPSCIDShift & 0xF_FFFF
      let byAddressSpace = selector & Bit.idt != 0
      if byAddressSpace, tag == nil { return false }
      if selector & Bit.pvPSCV != 0 {
        if byAddressSpace {
          guard let tag, tag.hasPSCID, tag.pscid == second else { return false }
        } else {
          guard let process, UInt64(process) == second else { return false }
        }
      }
      if selector & Bit.dvGSCV != 0 {
        if byAddressSpace {
          guard let tag, tag.hasGSCID, tag.gscid & mask == wanted & mask else { return false }
        } else {
          guard let device, UInt64(device) & mask == wanted & mask else { return false }
        }
      }
      return true
    }
  }
}

extension RISCVIOMMU.Core {
  @inline(never)
  mutating func count(_ event: UInt64, device: UInt32?, process: UInt32?, tag: RISCVAddressSpaceTag?) {
    monitor.count(event, device: device, process: process, tag: tag)
  }

  /// A request, and the cycle it takes.
  @inline(never)
  mutating func countRequest(_ transaction: Transaction) {
    monitor.tick()
    let event =
      switch transaction.kind {
      case .untranslated: RISCV.Event.untranslatedRequest
      case .translated: RISCV.Event.translatedRequest
      case .translationRequest: RISCV.Event.translationRequest
      }
    count(event, device: transaction.source, process: transaction.pasid, tag: nil)
  }

  /// The walks of page tables since the last time, for a transaction.
  @inline(__always)
  mutating func countWalks(_ transaction: Transaction, _ tag: RISCVAddressSpaceTag) {
    if monitor.isActive { countWalksSlowly(transaction, tag) }
    tables.firstStageWalks = 0
    tables.secondStageWalks = 0
  }

  @inline(never)
  private mutating func countWalksSlowly(_ transaction: Transaction, _ tag: RISCVAddressSpaceTag) {
    for _ in 0..<tables.firstStageWalks {
      count(RISCV.Event.firstStageWalk, device: transaction.source, process: transaction.pasid, tag: tag)
    }
    for _ in 0..<tables.secondStageWalks {
      count(RISCV.Event.secondStageWalk, device: transaction.source, process: transaction.pasid, tag: tag)
    }
  }
}

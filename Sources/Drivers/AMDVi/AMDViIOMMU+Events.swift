// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams

// The event log. Source: `amd_iommu_handle_irq`, `iommu_poll_events`, `iommu_print_event`; publication 48882,
// section 2.5.

/// An interrupt of a log and what to do about it: status bits, the ring, its registers.
struct AMDViLog {
  let interrupt: UInt64
  let overflow: UInt64
  let run: UInt64
  let interruptEnable: UInt64
  let enable: UInt64
  let head: UInt64
  let tail: UInt64
  let name: String

  static let events = AMDViLog(
    interrupt: AMDViStatus.eventLogInt, overflow: AMDViStatus.eventOverflow, run: AMDViStatus.eventLogRun,
    interruptEnable: AMDViControl.eventIntEn, enable: AMDViControl.eventLogEn, head: AMDViRegister.eventHead,
    tail: AMDViRegister.eventTail, name: "Event")
  static let pageRequests = AMDViLog(
    interrupt: AMDViStatus.pprInt, overflow: AMDViStatus.pprOverflow, run: AMDViStatus.pprRun,
    interruptEnable: AMDViControl.pprIntEn, enable: AMDViControl.pprLogEn, head: AMDViRegister.pprHead,
    tail: AMDViRegister.pprTail, name: "PPR")
}

extension AMDViIOMMU {
  /// Rounds that one interrupt is good for, and looks at an entry whose bytes do not come.
  private static var patience: Int { 100_000 }

  func handleEvents() {
    drain(.events, rings.events) { report(event: $0, $1) }
  }

  /// Clears the interrupt, takes every entry, and starts a log again that overflowed; again, for hardware sets the bit
  /// while it is being cleared (erratum ERBT1312). `amd_iommu_handle_irq`.
  func drain(_ log: AMDViLog, _ ring: AMDViRings.Ring, _ take: (UInt64, UInt64) -> Void) {
    let bits = log.interrupt | log.overflow
    var rounds = 0
    while rounds < Self.patience {
      rounds += 1
      let status = UInt64(port.read32(AMDViRegister.status))
      guard status & bits != 0 else { return }
      port.write32(AMDViRegister.status, UInt32(truncatingIfNeeded: bits))
      while let entry = next(log, ring) { take(entry.0, entry.1) }
      if status & log.overflow != 0 { restart(log) }
    }
  }

  /// The oldest entry that was not taken yet, and makes room. The entry is zeroed, so that one whose bytes have not
  /// come when the tail has can be told (errata 732 and 733).
  private func next(_ log: AMDViLog, _ ring: AMDViRings.Ring) -> (UInt64, UInt64)? {
    logLock.withLock {
      let head = UInt64(port.read32(log.head)) & (ring.size - 1)
      let tail = UInt64(port.read32(log.tail)) & (ring.size - 1)
      guard head != tail else { return nil }
      let place = ring.base.raw + head
      var low: UInt64 = 0
      for _ in 0..<Self.patience {
        low = memory.load64(at: PhysAddr(place)) ?? 0
        if low >> 60 != 0 { break }
        _ = port.read32(AMDViRegister.status)
      }
      let high = memory.load64(at: PhysAddr(place + 8)) ?? 0
      if !platform.snpEnabled {
        _ = memory.store64(0, at: PhysAddr(place))
        _ = memory.store64(0, at: PhysAddr(place + 8))
      }
      port.write32(log.head, UInt32(truncatingIfNeeded: (head + 16) & (ring.size - 1)))
      return (low, high)
    }
  }

  /// `amd_iommu_restart_log`.
  private func restart(_ log: AMDViLog) {
    guard UInt64(port.read32(AMDViRegister.status)) & log.run == 0 else { return }
    complain("\(log.name) log restarting")
    disable(log.enable)
    disable(log.interruptEnable)
    port.write32(AMDViRegister.status, UInt32(truncatingIfNeeded: log.overflow))
    enable(log.interruptEnable)
    enable(log.enable)
  }

  /// `iommu_print_event`, `amd_iommu_report_page_fault`.
  private func report(event low: UInt64, _ address: UInt64) {
    let words = (UInt32(truncatingIfNeeded: low), UInt32(truncatingIfNeeded: low >> 32))
    let code = words.1 >> AMDViEvent.codeShift
    let flags = words.1 >> AMDViEvent.flagsShift & 0xFFF
    let name = AMDViEvent.name(code)
    switch code {
    case 0: complain("No event written to event log")
    case AMDViEvent.illegalCommandError, AMDViEvent.commandHardwareError:
      complain("\(name) address=\(address)")
    case AMDViEvent.iotlbInvalidationTimeout:
      complain("\(name) device=\(words.0 & 0xFFFF) address=\(address)")
    default:
      let pasid = (words.0 >> 16 & 0xF) << 16 | words.1 & 0xFFFF
      record(
        FaultRecord(
          source: UInt32(platform.segment) << 16 | words.0 & 0xFFFF,
          pasid: flags & AMDViEvent.gn != 0 ? pasid : nil, address: address, code: code, name: name,
          isWrite: flags & AMDViEvent.write != 0))
    }
  }
}

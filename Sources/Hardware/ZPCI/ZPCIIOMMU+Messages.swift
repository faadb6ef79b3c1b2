// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory

// Adapter interrupts: a function's MSI sets a bit in storage, and a summary bit; when that was 0, software is told.

extension ZPCIIOMMU {
  /// What became of a write that may be an interrupt.
  public enum MessageOutcome: Hashable, Sendable {
    /// It is a write to memory.
    case written(PhysAddr)
    /// Its bit is set; true when software was told.
    case posted(Bool)
    case aborted(Abort)
  }

  /// A function writes `data`, which is an interrupt when it goes to the group's message address.
  ///
  /// Nothing says what an interrupt without a registration is; here it is NOMSI, a vector beyond the registered ones
  /// INVALBV, and a bit vector that is not in memory AIRERR. None of them stops the function.
  public func writeMessage(_ transaction: Transaction, data: UInt32) -> MessageOutcome {
    var transaction = transaction
    transaction.access = .write
    let translation: Translation
    switch translate(transaction) {
    case .translated(let found): translation = found
    case .aborted(let abort): return .aborted(abort)
    case .stalled: return .posted(false)
    }
    guard translation.interrupt != nil else { return .written(PhysAddr(translation.address)) }
    guard let index = core.place(transaction.source), let interrupts = core.functions[index]?.interrupts
    else {
      return fail(transaction, ZPCI.Event.noInterrupts, 0)
    }
    let vector = data & ZPCI.vectorMask
    guard vector < interrupts.count else { return fail(transaction, ZPCI.Event.invalidVector, vector) }
    guard setBit(interrupts.vector, interrupts.vectorOffset + vector) != nil else {
      return fail(transaction, ZPCI.Event.invalidInterruptStorage, vector)
    }
    if let summary = interrupts.summary {
      guard let before = setBit(summary, interrupts.summaryOffset) else {
        return fail(transaction, ZPCI.Event.invalidInterruptStorage, vector)
      }
      if before { return .posted(false) }
    }
    fabric?.interrupt(wire: 1 + interrupts.isc)
    return .posted(true)
  }

  private func fail(_ transaction: Transaction, _ code: UInt16, _ vector: UInt32) -> MessageOutcome {
    if let index = core.place(transaction.source) {
      notify(index, code, transaction.address, write: true, vector: vector)
    }
    return .aborted(Abort(code: UInt32(code), name: Self.name(of: code)))
  }

  /// Sets a bit of a bit string in storage, whose bit 0 is the leftmost of its first byte; whether it was set, or nil
  /// where there is no memory.
  private func setBit(_ string: UInt64, _ number: UInt32) -> Bool? {
    let byte = string &+ UInt64(number / 8)
    let place = PhysAddr(byte & ~7)
    let bit = UInt64(0x80 >> (number % 8)) << ((byte & 7) * 8)
    for _ in 0..<4 {
      guard let word = core.memory.load64(at: place) else { return nil }
      if word & bit != 0 { return true }
      if core.memory.exchange64(at: place, from: word, to: word | bit) { return false }
    }
    return nil
  }
}

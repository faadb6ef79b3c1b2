// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import Memory

// Memory-resident interrupt files: Advanced Interrupt Architecture, section 9.5. An IOMMU that translates only says
// where a message goes; this is what it does when it stores one itself.

extension RISCVIOMMU {
  /// What became of a 4-byte write that may be an MSI.
  public enum MessageOutcome: Hashable, Sendable {
    /// It is to be written there: memory, or a real interrupt file.
    case written(PhysAddr)
    /// It was stored in a memory-resident interrupt file; the notice is to be sent.
    case stored(notice: InterruptMessage)
    /// It went to an MRIF's page and is no MSI.
    case discarded
    case aborted(Abort)
  }

  /// A device's naturally aligned 4-byte write. Where it goes to a memory-resident interrupt file, the
  /// interrupt is made pending there: Advanced Interrupt Architecture, section 9.5.
  ///
  /// - Parameter data: the bytes as a little-endian word.
  public func writeMessage(_ transaction: Transaction, data: UInt32) -> MessageOutcome {
    var transaction = transaction
    transaction.access = .write
    let translation: Translation
    switch translate(transaction) {
    case .translated(let found): translation = found
    case .aborted(let abort): return .aborted(abort)
    case .stalled: return .discarded
    }
    guard let notice = translation.interrupt else { return .written(PhysAddr(translation.address)) }
    let offset = transaction.address & 0xFFF
    let bigEndian = offset == RISCV.MSIPTE.setEIPNumBE && configuration.bigEndianMSI
    let identity = bigEndian ? data.byteSwapped : data
    guard offset == RISCV.MSIPTE.setEIPNumLE || bigEndian, identity < RISCV.MSIPTE.mrifIdentities else {
      return .discarded
    }
    // Pending and enable bits of 64 identities lie side by side.
    let place = translation.address | UInt64(identity) / 64 * 16
    let bit = UInt64(1) << UInt64(identity % 64)
    for _ in 0..<4 {
      guard let word = core.view.load64(place, bigEndian: false) else {
        let cause = core.view.isPoisoned(place) ? RISCV.Cause.mrifCorrupted : RISCV.Cause.mrifAccessFault
        let origin = RISCVFaultOrigin(
          transaction, dtf: deviceContext(of: transaction)?.has(RISCV.TranslationControl.dtf) ?? false)
        report(RISCVFault(cause), origin)
        return .aborted(Abort(code: cause, name: Self.name(of: cause), recorded: isReported(cause, origin)))
      }
      if core.view.memory.exchange64(at: PhysAddr(place), from: word, to: word | bit) { break }
    }
    return .stored(notice: notice)
  }

  /// The context of a device whose transaction was just translated.
  private func deviceContext(of transaction: Transaction) -> Core.DeviceContext? {
    var nobody = RISCVStepRecorder()
    do throws(RISCVFault) {
      return core.deviceContexts[
        try core.locateDevice(transaction.source, process: transaction.pasid, &nobody)]
    } catch {
      return nil
    }
  }
}

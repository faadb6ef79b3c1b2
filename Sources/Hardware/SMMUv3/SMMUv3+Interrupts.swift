// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension SMMUv3 {
  // MARK: Global errors

  /// An error is active from the toggle of its bit in GERROR until software makes GERRORN equal.
  /// IHI 0070, 7.5.
  func isActive(_ error: UInt32) -> Bool { (gerror ^ gerrorN) & error != 0 }

  /// Makes an error active; one that is stays so, and nothing more is signalled.
  func raise(_ error: UInt32) {
    guard !isActive(error) else { return }
    gerror ^= error
    guard irqControl & SMMU.IRQControl.gerror != 0 else { return }
    // An MSI that reports its own failure would go round in circles.
    signal(
      gerrorMessage, wire: SMMU.Wire.globalError,
      failure: error == SMMU.GlobalError.msiGlobalErrorAbort ? nil : SMMU.GlobalError.msiGlobalErrorAbort)
  }

  /// A write to GERRORN. Queues that an error had stopped go on.
  func acknowledge(_ value: UInt32) {
    if (gerrorN ^ value) & ~(gerror ^ gerrorN) != 0 {
      mistakes.note("GERRORN toggled an error that was not active")
    }
    gerrorN = value
    flushWaitingEvents()
    runCommands()
  }

  // MARK: Interrupts

  /// An interrupt: by message where MSIs exist and an address is set, else by wire. IHI 0070, 3.18.
  func signal(_ registers: MessageRegisters, wire: UInt32, failure: UInt32?) {
    guard capabilities.has0(SMMU.IDR0.msi), registers.address != 0 else {
      fabric?.interrupt(wire: wire)
      return
    }
    let message = InterruptMessage(address: registers.address, data: registers.data)
    if !send(message), let failure { raise(failure) }
  }

  /// Writes a message: to a doorbell, or to memory, where software waits for it and is not interrupted. False for
  /// a bus error.
  func send(_ message: InterruptMessage) -> Bool {
    guard configuration.doorbells.contains(message.address) else {
      return memory.store32(message.data, at: PhysAddr(message.address))
    }
    fabric?.interrupt(message)
    return true
  }
}

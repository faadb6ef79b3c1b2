// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams

// The command buffer. A completion wait stores a number that only rises, so whoever waits for a number knows that
// every command before it is done. Source: `__iommu_queue_command_sync`, `iommu_completion_wait`.

extension AMDViIOMMU {
  /// Looks at registers or the semaphore before the driver gives up: LOOP_TIMEOUT microseconds in the kernel.
  private static var patience: Int { 100_000 }

  /// - Parameter rings: whether the hardware is told of it now; see `DriverBug.skipSync`.
  func queue(_ command: AMDViCommandWords, rings: Bool = true) {
    commandLock.withLock {
      put(command, rings: rings)
      needsWait = true
    }
  }

  /// Returns when the hardware has done everything that was queued.
  func wait() {
    let number: UInt64 = commandLock.withLock {
      // Nothing came after the last wait: its number will do.
      guard needsWait else { return lastWait }
      lastWait &+= 1
      put(.wait(storing: lastWait, at: semaphore.raw), rings: true)
      needsWait = false
      return lastWait
    }
    guard number > platform.waitsElsewhere else { return }
    for _ in 0..<Self.patience {
      if let stored = memory.load64(at: semaphore), stored >= number { return }
      // Hardware takes its time, and a look at a register lets it.
      let status = port.read32(AMDViRegister.status)
      guard UInt64(status) & AMDViStatus.cmdBufRun != 0 else { break }
    }
    complain("Completion-Wait loop timed out")
  }

  /// With `commandLock` held.
  private func put(_ command: AMDViCommandWords, rings: Bool) {
    let size = self.rings.commands.size
    let next = (commandTail + AMDViCommand.size) & (size - 1)
    var looks = 0
    // 32 bytes stay free, so a full ring never looks empty.
    while (commandHead &- next) & (size - 1) <= 0x20 {
      looks += 1
      guard looks < Self.patience else { return complain("Command buffer timeout") }
      // Commands that were queued silently: nobody will make room before the hardware knows of them.
      if looks == 2 { port.write32(AMDViRegister.commandTail, UInt32(truncatingIfNeeded: commandTail)) }
      commandHead = UInt64(port.read32(AMDViRegister.commandHead)) & (size - 1)
      if looks > 2, UInt64(port.read32(AMDViRegister.status)) & AMDViStatus.cmdBufRun == 0 {
        return complain("Command buffer timeout")
      }
    }
    let place = self.rings.commands.base.raw + commandTail
    _ = memory.store64(command.low, at: PhysAddr(place))
    _ = memory.store64(command.high, at: PhysAddr(place + 8))
    commandTail = next
    if rings { port.write32(AMDViRegister.commandTail, UInt32(truncatingIfNeeded: next)) }
  }

  /// Everything that is tagged with a domain ID, and waits. `amd_iommu_flush_tlb_domid`.
  func invalidateDomain(_ id: UInt16) {
    queue(.pages(.everything, domain: id, tables: true))
    wait()
  }

  /// The cached device table entry, and waits. `iommu_flush_dte_sync`.
  func invalidateEntry(of id: UInt16) {
    queue(.entry(of: id))
    wait()
  }
}

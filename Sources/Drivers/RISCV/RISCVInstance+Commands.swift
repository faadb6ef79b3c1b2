// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Seams

// The command queue, section 4.1: `riscv_iommu_queue_send`, `riscv_iommu_cmd_sync`. Hardware has run what is in the
// queue when the doorbell returns, unless it stopped at an error.

extension RISCVInstance {
  /// Queues a command and rings the doorbell. `riscv_iommu_cmd_send`. Public for a bench that sends commands which the
  /// driver never would.
  public func send(_ command: RISCVCommand) {
    commandLock.withLock { _ = put(command, ringing: true) }
  }

  /// Queues a command and leaves it to a later one to ring: `DriverBug.skipSync`.
  func sendSilently(_ command: RISCVCommand) {
    commandLock.withLock { _ = put(command, ringing: false) }
  }

  /// Waits until all that was queued is done. `riscv_iommu_cmd_sync`.
  public func synchronize() {
    commandLock.withLock {
      guard put(.fence, ringing: true) else { return }
      // A stopped queue ends the wait; its interrupt tells why.
      let head = port.read32(commands.headRegister)
      guard head & commands.mask != commands.tail & commands.mask else { return }
      typealias Bit = RISCV.QueueControl
      let errors = Bit.memoryFault | Bit.commandTimeout | Bit.commandIllegal
      guard port.read32(commands.controlRegister) & errors == 0, !complainedOfTime else { return }
      complainedOfTime = true
      complain("Hardware error: command execution timeout")
    }
  }

  /// With `commandLock` held. False when hardware makes no room.
  private func put(_ command: RISCVCommand, ringing: Bool) -> Bool {
    if commands.tail &- commands.head >= commands.mask {
      // What was queued silently runs now.
      port.write32(commands.tailRegister, commands.tail & commands.mask)
      let last = commands.head & commands.mask
      let head = port.read32(commands.headRegister)
      guard head & ~commands.mask == 0, head != last else {
        if !complainedOfCommands { complain("Hardware error: command enqueue failed") }
        complainedOfCommands = true
        return false
      }
      commands.head &+= (head &- last) & commands.mask
    }
    let place = commands.place(commands.tail)
    store(command.word0, place)
    store(command.word1, place &+ 8)
    commands.tail &+= 1
    if ringing { port.write32(commands.tailRegister, commands.tail & commands.mask) }
    return true
  }
}

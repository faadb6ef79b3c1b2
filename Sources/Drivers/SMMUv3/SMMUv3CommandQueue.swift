// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// Commands are written into memory, PROD says how far, and CMD_SYNC says when they have happened:
//
//     submit ──> entries ──> PROD ──> the SMMU runs them ──> CONS, or an error at CONS
//                                                            └> skipped, acknowledged, and on
//
// The kernel's interrupt handler mends an error while another processor waits for CONS; here whoever waits does it.

/// A command queue: the SMMU's own, or a virtual one of Tegra241. `struct arm_smmu_cmdq`.
final class SMMUv3CommandQueue: @unchecked Sendable {
  /// Where the queue's registers are.
  struct Registers: Sendable {
    let prod: UInt64
    let cons: UInt64
    let gerror: UInt64
    let gerrorN: UInt64
  }

  /// How CMD_SYNC tells that it is done.
  enum Completion: Sendable {
    /// Software looks at CONS.
    case polled
    /// The same, and an event wakes the processor.
    case event
    /// The command's own first word becomes 0.
    case message
  }

  let buffer: SMMUv3Buffer
  let sizeLg2: UInt32
  private let registers: Registers
  private let completion: Completion
  private let port: any RegisterPort
  private let complain: @Sendable (String) -> Void
  private let lock = Lock(.smmuCommandQueue)
  /// Where the next command goes, with the wrap bit; what PROD was set to last.
  private var prod: UInt32 = 0
  private var announced: UInt32 = 0

  /// Entries of the largest batch. `CMDQ_BATCH_ENTRIES`.
  static let batchSize = 64

  init(
    _ buffer: SMMUv3Buffer, sizeLg2: UInt32, _ registers: Registers, _ completion: Completion,
    _ port: any RegisterPort, complain: @escaping @Sendable (String) -> Void
  ) {
    self.buffer = buffer
    self.sizeLg2 = sizeLg2
    self.registers = registers
    self.completion = completion
    self.port = port
    self.complain = complain
  }

  private var indexMask: UInt32 { (1 << sizeLg2) - 1 }
  private var wrapMask: UInt32 { (2 << sizeLg2) - 1 }

  /// Queues commands; with `waiting`, a CMD_SYNC after them, and returns when they have happened.
  /// `arm_smmu_cmdq_issue_cmdlist`.
  ///
  /// - Parameter announcing: false leaves PROD where it is, a mistake: they run when somebody else announces his.
  func submit(_ commands: some Collection<SMMUv3Command>, waiting: Bool, announcing: Bool = true) {
    lock.withLock {
      for command in commands { put(command) }
      guard announcing else { return }
      guard waiting else {
        announce()
        return
      }
      makeRoom()
      let place = UInt64(prod & indexMask) << UInt64(SMMU.Queue.commandBytesLg2)
      put(synchronization(at: place))
      announce()
      wait()
    }
  }

  /// The interrupt for an error of this queue.
  func handleError() { lock.withLock { _ = mendError() } }

  /// Starts from the beginning, before the queue is enabled.
  func reset() {
    lock.withLock {
      prod = 0
      announced = 0
    }
  }

  private func put(_ command: SMMUv3Command) {
    makeRoom()
    let place = UInt64(prod & indexMask) << UInt64(SMMU.Queue.commandBytesLg2)
    buffer.store(command.word0, place)
    buffer.store(command.word1, place + 8)
    prod = (prod &+ 1) & wrapMask
  }

  private func makeRoom() {
    // What is not announced yet does not reach round to itself, so most calls need not ask for CONS.
    guard (prod &- announced) & wrapMask >= indexMask else { return }
    announce()
    wait()
  }

  private func announce() {
    guard announced != prod else { return }
    announced = prod
    port.write32(registers.prod, prod)
  }

  /// CMD_SYNC. `arm_smmu_cmdq_build_sync_cmd`.
  private func synchronization(at place: UInt64) -> SMMUv3Command {
    var command = SMMUv3Command.synchronization(SMMU.Command.signalEvent)
    switch completion {
    case .polled: command[SMMU.Command.completionSignal] = SMMU.Command.signalNone
    case .event: break
    case .message:
      command[SMMU.Command.completionSignal] = SMMU.Command.signalInterrupt
      command.word1 = (buffer.base &+ place) & SMMU.Command.msiAddressMask
    }
    return command
  }

  /// Waits until everything has been consumed. `arm_smmu_cmdq_poll_until_sync`.
  private func wait() {
    var rounds = UInt32(0)
    while (port.read32(registers.cons) ^ announced) & wrapMask != 0 {
      guard mendError(), rounds <= wrapMask else {
        complain("CMD_SYNC timeout at PROD \(announced)")
        return
      }
      rounds += 1
    }
  }

  /// Gets the queue going again after an error: a command that the SMMU refuses becomes a CMD_SYNC. False when there
  /// is none. `__arm_smmu_cmdq_skip_err`.
  private func mendError() -> Bool {
    let gerror = port.read32(registers.gerror)
    guard (gerror ^ port.read32(registers.gerrorN)) & SMMU.GlobalError.commandQueue != 0 else { return false }
    let cons = port.read32(registers.cons)
    switch cons[SMMU.Queue.consError] {
    case SMMU.CommandError.none: break
    case SMMU.CommandError.abort: complain("CMDQ error at \(cons & indexMask): abort on command fetch")
    case SMMU.CommandError.atcInvalidateSync:
      complain("CMDQ error at \(cons & indexMask): ATC invalidate timeout")
    default:
      let place = UInt64(cons & indexMask) << UInt64(SMMU.Queue.commandBytesLg2)
      complain(
        "CMDQ error at \(cons & indexMask): illegal command 0x\(String(buffer.load(place), radix: 16))")
      let substitute = SMMUv3Command.synchronization(SMMU.Command.signalEvent)
      buffer.store(substitute.word0, place)
      buffer.store(substitute.word1, place + 8)
    }
    let acknowledged = port.read32(registers.gerrorN) ^ SMMU.GlobalError.commandQueue
    port.write32(registers.gerrorN, acknowledged)
    return true
  }
}

extension SMMUv3Command {
  /// CMD_SYNC whose message, if any, is shareable and write-back.
  static func synchronization(_ signal: UInt64) -> SMMUv3Command {
    var command = SMMUv3Command(SMMU.Command.sync)
    command[SMMU.Command.completionSignal] = signal
    command[SMMU.Field(0, 23, 22)] = 3
    command[SMMU.Field(0, 27, 24)] = 0xF
    return command
  }
}

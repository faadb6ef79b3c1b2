// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory
internal import Seams

// The command queue. IHI 0070, 3.5 and 4.
//
// A command that is wrong stops the queue at itself: CMDQ_CONS.ERR says why, and GERROR.CMDQ_ERR is active
// until software, having replaced the command, acknowledges it. IHI 0070, 7.1.

extension SMMUv3 {
  /// Consumes what is queued, as long as nothing stops it.
  func runCommands() {
    // A device or software, called from here, may write a register.
    guard !runningCommands else { return }
    runningCommands = true
    defer { runningCommands = false }
    while isEnabled(SMMU.CR0.commandQueueEnable), !commands.isEmpty, !hasFailed,
      !isActive(SMMU.GlobalError.commandQueue)
    {
      let place = commands.address(commands.cons)
      guard let word0 = memory.load64(at: PhysAddr(place)),
        let word1 = memory.load64(at: PhysAddr(place &+ 8))
      else {
        stop(SMMU.CommandError.abort)
        return
      }
      let error = execute(CommandWords(word0: word0, word1: word1))
      guard error == SMMU.CommandError.none else {
        stop(error)
        return
      }
      commands.advanceCons()
    }
  }

  private func stop(_ error: UInt32) {
    commands.cons[SMMU.Queue.consError] = error
    raise(SMMU.GlobalError.commandQueue)
  }

  /// Executes one command, of the SMMU's own queue or of a virtual one; returns its error.
  func execute(_ command: CommandWords) -> UInt32 {
    Tracer.tell(
      MachineEvent(
        .command, .text("SMMUv3"), .hex(UInt64(command.opcode)),
        .list([.hex(command.word0), .hex(command.word1)])))
    let error = legality(command)
    guard error == SMMU.CommandError.none else { return error }
    typealias C = SMMU.Command
    switch command.opcode {
    case C.prefetchConfig, C.prefetchAddress, C.configInvalidateVMSPIDM:
      // Prefetches are hints, and nothing keeps a VMS.
      break
    case C.priResponse: respond(command)
    case C.resume:
      resume(
        command.source, UInt16(truncatingIfNeeded: command[C.stag]), command[C.resumeResponse])
    case C.stallTerminate: terminateStalls(command.source)
    case C.sync: return synchronize(command)
    default: issue(command)
    }
    return SMMU.CommandError.none
  }

  /// CMD_PRI_RESP. IHI 0070, 4.5.2.
  private func respond(_ command: CommandWords) {
    let code: PageResponse.Code =
      switch command[SMMU.Command.priResponseCode] {
      case SMMU.Command.success: .success
      case SMMU.Command.invalid: .invalidRequest
      default: .failure
      }
    fabric?.respond(
      PageResponse(
        source: command.source, pasid: command.substream,
        group: UInt16(truncatingIfNeeded: command[SMMU.Command.group]), code: code))
  }

  // MARK: Invalidations

  /// Takes an invalidation: it acts now, or at the latest with the next SYNC.
  private func issue(_ command: CommandWords) {
    if configuration.needsRepeatedInvalidations, command.opcode != SMMU.Command.atcInvalidate {
      guard lastInvalidation == command else {
        lastInvalidation = command
        return
      }
      lastInvalidation = nil
    }
    guard configuration.completesInvalidationsAtSync else {
      perform(command)
      return
    }
    if outstanding.count >= 1 << 16 { completeInvalidations() }
    outstanding.append(command)
  }

  /// Lets invalidations that were consumed act before the next SYNC, the newest first: between two SYNCs the
  /// SMMU may take any order. IHI 0070, 4.7. All of them without a count.
  public func completeInvalidations(_ count: Int? = nil) {
    for _ in 0..<max(0, min(count ?? .max, outstanding.count)) {
      if let command = outstanding.popLast() { perform(command) }
    }
  }

  private func perform(_ command: CommandWords) {
    switch command.opcode {
    case SMMU.Command.configInvalidateSTE...SMMU.Command.configInvalidateCDAll: forgetConfiguration(command)
    case SMMU.Command.atcInvalidate: invalidateDevice(command)
    default: invalidateTLB(command)
    }
  }

  /// A broadcast TLB maintenance operation of a processor, in the form of the command that does the same.
  /// Ignored without IDR0.BTM and with CR2.PTM. IHI 0070, 3.17.
  public func broadcast(_ word0: UInt64, _ word1: UInt64) {
    let command = CommandWords(word0: word0, word1: word1)
    guard capabilities.has0(SMMU.IDR0.btm), cr2 & SMMU.CR2.privateTLBMaintenance == 0,
      (SMMU.Command.tlbiNHAll...SMMU.Command.tlbiNSNHAll).contains(command.opcode),
      legality(command) == SMMU.CommandError.none
    else { return }
    invalidateTLB(command)
  }

  /// CMD_ATC_INV. IHI 0070, 4.5.1: 2^Size pages, aligned. A request without a PASID makes the device forget what it
  /// has with any, as one with the Global bit does.
  private func invalidateDevice(_ command: CommandWords) {
    let size = min(64, 12 + command[SMMU.Command.atcSize])
    let address = command.word1 & SMMU.Command.addressMask & ~((1 << size) &- 1)
    let everyPASID = command[SMMU.Command.global] != 0
    let answered = fabric?.invalidate(
      DeviceTLBInvalidation(
        source: command.source, pasid: everyPASID ? nil : command.substream, address: address,
        sizeLg2: UInt8(truncatingIfNeeded: size), allPASIDs: everyPASID || command.substream == nil))
    if answered != true { atcTimedOut = true }
  }

  /// CMD_SYNC. IHI 0070, 4.6.3: everything before it has completed; a device that did not answer makes it
  /// fail.
  private func synchronize(_ command: CommandWords) -> UInt32 {
    let earlier = outstanding
    outstanding = []
    for command in earlier { perform(command) }
    if atcTimedOut {
      atcTimedOut = false
      return SMMU.CommandError.atcInvalidateSync
    }
    if command[SMMU.Command.completionSignal] == SMMU.Command.signalInterrupt {
      let registers = MessageRegisters(
        address: command.word1 & SMMU.Command.msiAddressMask,
        data: UInt32(truncatingIfNeeded: command[SMMU.Command.msiData]))
      signal(registers, wire: SMMU.Wire.commandSync, failure: SMMU.GlobalError.msiCommandQueueAbort)
    }
    return SMMU.CommandError.none
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension SMMUv3 {
  /// A command, 16 bytes. IHI 0070, 4.1.
  struct CommandWords: Hashable, Sendable {
    var word0: UInt64
    var word1: UInt64

    subscript(_ field: SMMU.Field) -> UInt64 { field.word == 0 ? word0[field] : word1[field] }
    var opcode: UInt8 { UInt8(truncatingIfNeeded: word0) }
    var source: UInt32 { UInt32(truncatingIfNeeded: self[SMMU.Command.sid]) }
    var substream: UInt32? {
      self[SMMU.Command.ssv] != 0 ? UInt32(truncatingIfNeeded: self[SMMU.Command.ssid]) : nil
    }
    var leaf: Bool { self[SMMU.Command.leaf] != 0 }
  }

  /// Whether a command is one that the hardware knows and allows; its error code otherwise.
  /// IHI 0070, 4.1.5, 4.2 to 4.6 and 7.1.
  func legality(_ command: CommandWords) -> UInt32 {
    typealias C = SMMU.Command
    let stage1 = capabilities.has0(SMMU.IDR0.s1p)
    let stage2 = capabilities.has0(SMMU.IDR0.s2p)
    let hypervisor = capabilities.has0(SMMU.IDR0.hyp)
    let insecure = command[C.secure] == 0
    let known: Bool
    switch command.opcode {
    case C.prefetchConfig, C.prefetchAddress: known = insecure
    case C.configInvalidateSTE, C.configInvalidateSTERange: known = insecure
    case C.configInvalidateCD, C.configInvalidateCDAll: known = insecure && stage1
    case C.configInvalidateVMSPIDM: known = insecure && capabilities.has3(SMMU.IDR3.mpam)
    case C.tlbiNHAll, C.tlbiNHASID: known = stage1
    case C.tlbiNHVA, C.tlbiNHVAA: known = stage1 && rangeIsLegal(command)
    case C.tlbiEL2All, C.tlbiEL2ASID: known = hypervisor
    case C.tlbiEL2VA, C.tlbiEL2VAA: known = hypervisor && rangeIsLegal(command)
    case C.tlbiS12VMAll: known = stage2
    case C.tlbiS2IPA: known = stage2 && rangeIsLegal(command)
    case C.tlbiNSNHAll: known = true
    case C.atcInvalidate:
      known = insecure && capabilities.has0(SMMU.IDR0.ats) && command[C.atcSize] <= C.atcEverything
    case C.priResponse:
      known = insecure && capabilities.has0(SMMU.IDR0.pri) && command[C.priResponseCode] <= C.success
    case C.resume:
      known =
        insecure && capabilities.stallModel != SMMU.IDR0.terminateOnly
        && command[C.resumeResponse] <= C.abort
    case C.stallTerminate: known = insecure && capabilities.stallModel != SMMU.IDR0.terminateOnly
    case C.sync: known = command[C.completionSignal] <= C.signalEvent
    default: known = false
    }
    return known ? SMMU.CommandError.none : SMMU.CommandError.illegal
  }

  /// The combinations of NUM, SCALE, TTL and TG that exist. IHI 0070, 4.4.1.1. Without DS SCALE has 5 bits.
  private func rangeIsLegal(_ command: CommandWords) -> Bool {
    typealias C = SMMU.Command
    guard capabilities.has3(SMMU.IDR3.ril), command[C.tg] != 0 else { return true }
    let level = command[C.ttl]
    if command[C.num] == 0, command[C.scale] == 0, level == 0 { return false }
    if level == 1, command[C.tg] == 2 { return false }
    return command.word0 & (1 << 25) == 0
  }
}

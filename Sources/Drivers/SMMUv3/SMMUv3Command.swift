// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// A command as the driver queues it. Source: `arm_smmu_cmdq_build_cmd`; reference backends-arm-riscv-s390.md A3.3.
struct SMMUv3Command: Hashable, Sendable {
  var word0: UInt64
  var word1: UInt64 = 0

  init(_ opcode: UInt8) { word0 = UInt64(opcode) }

  init(word0: UInt64, word1: UInt64) {
    self.word0 = word0
    self.word1 = word1
  }

  subscript(_ field: SMMU.Field) -> UInt64 {
    get { field.word == 0 ? word0[field] : word1[field] }
    set {
      if field.word == 0 { word0[field] = newValue } else { word1[field] = newValue }
    }
  }

  var opcode: UInt8 { UInt8(truncatingIfNeeded: word0) }

  // MARK: Configuration

  static func forgetSTE(_ stream: UInt32) -> SMMUv3Command {
    var command = SMMUv3Command(SMMU.Command.configInvalidateSTE)
    command[SMMU.Command.sid] = UInt64(stream)
    command[SMMU.Command.leaf] = 1
    return command
  }

  static func forgetCD(_ stream: UInt32, _ ssid: UInt32, leaf: Bool) -> SMMUv3Command {
    var command = SMMUv3Command(SMMU.Command.configInvalidateCD)
    command[SMMU.Command.sid] = UInt64(stream)
    command[SMMU.Command.ssid] = UInt64(ssid)
    command[SMMU.Command.leaf] = leaf ? 1 : 0
    return command
  }

  static var forgetAllConfiguration: SMMUv3Command {
    var command = SMMUv3Command(SMMU.Command.configInvalidateSTERange)
    command[SMMU.Command.range] = 31
    return command
  }

  static func prefetch(_ stream: UInt32) -> SMMUv3Command {
    var command = SMMUv3Command(SMMU.Command.prefetchConfig)
    command[SMMU.Command.sid] = UInt64(stream)
    return command
  }

  // MARK: Device caches

  /// Source: `arm_smmu_atc_inv_to_cmd`.
  ///
  /// - Parameters:
  ///   - ssid: 0 for the RID. Then the request has no PASID, and the device forgets what it has for any.
  ///   - range: the smallest aligned power of two around it is named; nil for everything.
  static func forgetInDevice(_ stream: UInt32, ssid: UInt32, _ range: (first: UInt64, last: UInt64)?)
    -> SMMUv3Command
  {
    var command = SMMUv3Command(SMMU.Command.atcInvalidate)
    command[SMMU.Command.sid] = UInt64(stream)
    if ssid != 0 {
      command[SMMU.Command.ssv] = 1
      command[SMMU.Command.ssid] = UInt64(ssid)
    }
    guard let range else {
      command[SMMU.Command.atcSize] = SMMU.Command.atcEverything
      return command
    }
    let (first, last) = (range.first >> 12, range.last >> 12)
    let span = UInt64(64 - (first ^ last).leadingZeroBitCount)
    command.word1 = (first & ~((1 << span) &- 1)) << 12
    command[SMMU.Command.atcSize] = span
    return command
  }

  // MARK: Answers

  /// Lets a stalled transaction go on, or ends it. `arm_smmu_page_response`.
  static func resume(_ stream: UInt32, tag: UInt32, _ response: UInt64) -> SMMUv3Command {
    var command = SMMUv3Command(SMMU.Command.resume)
    command[SMMU.Command.sid] = UInt64(stream)
    command[SMMU.Command.stag] = UInt64(tag)
    command[SMMU.Command.resumeResponse] = response
    return command
  }

  /// Refuses the page request in a record of the PRI queue. `arm_smmu_handle_ppr`.
  static func deny(_ record: (UInt64, UInt64)) -> SMMUv3Command {
    typealias R = SMMU.PRIRecord
    var command = SMMUv3Command(SMMU.Command.priResponse)
    command[SMMU.Command.sid] = record.0[R.sid]
    command[SMMU.Command.ssv] = record.0[R.ssv]
    command[SMMU.Command.ssid] = record.0[R.ssid]
    command[SMMU.Command.group] = record.1[R.group]
    command[SMMU.Command.priResponseCode] = SMMU.Command.deny
    return command
  }
}

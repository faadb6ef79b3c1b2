// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Seams
internal import UAPI

/// A guest's share of an SMMU: the VMID of its second stage, and names for its devices. `struct arm_vsmmu`.
/// Source: `arm-smmu-v3-iommufd.c`; reference backends-arm-riscv-s390.md A5.6.
class SMMUv3VIOMMU: VIOMMUNesting, VIOMMUInvalidation, @unchecked Sendable {
  class var type: UInt32 { 1 }
  private static let invalidationType: UInt32 = 1
  private static let eventType: UInt32 = 1

  unowned let core: any VIOMMUCore
  let parent: SMMUv3Domain

  init(core: any VIOMMUCore, parent: SMMUv3Domain) {
    self.core = core
    self.parent = parent
  }

  var unit: SMMUv3Unit { parent.unit }

  func destroy() {}

  func allocateNested(flags: UInt32, data: UserData) throws(Errno) -> any NestedDomain {
    guard flags & ~(1 << 2) == 0 else { throw .EOPNOTSUPP("a nested domain has no such flag", UInt64(flags)) }
    return try SMMUv3NestedDomain(on: self, data: data)
  }

  // MARK: Events

  /// `arm_vmaster_report_event`.
  ///
  /// - Throws: EOPNOTSUPP without an event queue, ENOMEM.
  func report(_ event: SMMUv3Event, virtualStream: UInt64) throws(Errno) {
    try core.report(type: Self.eventType, payload: event.bytes(virtualStream: virtualStream))
  }

  // MARK: Invalidation

  /// The guest's commands, with its names replaced. They go out 63 at a time; of those that were converted when one
  /// is refused, the ones since the last 63 are dropped, and counted as done. `arm_vsmmu_cache_invalidate`.
  func invalidate(_ entries: UserArray, done: inout UInt32) throws(Errno) {
    try unit.failures.pass(.allocation, "commands of a guest")
    let bytes = try entries.copyAll(type: Self.invalidationType, kernelSize: 16)
    var batch: [SMMUv3Command] = []
    while done < entries.count {
      let place = Int(done) * 16
      let asked = SMMUv3Command(
        word0: SMMUv3Bytes.long(bytes, place), word1: SMMUv3Bytes.long(bytes, place + 8))
      batch.append(try convert(asked))
      done += 1
      if batch.count == SMMUv3CommandQueue.batchSize - 1 || done == entries.count {
        unit.commands.submit(batch, waiting: true)
        batch = []
      }
    }
  }

  /// `arm_vsmmu_convert_user_cmd`.
  ///
  /// - Throws: EIO for a command that is not a guest's to give, or about a device that it does not have.
  private func convert(_ asked: SMMUv3Command) throws(Errno) -> SMMUv3Command {
    typealias C = SMMU.Command
    var command = asked
    switch asked.opcode {
    case C.tlbiNSNHAll:
      command = SMMUv3Command(C.tlbiNHAll)
      command[C.vmid] = UInt64(parent.id)
    case C.tlbiNHAll, C.tlbiNHASID, C.tlbiNHVA, C.tlbiNHVAA: command[C.vmid] = UInt64(parent.id)
    case C.atcInvalidate, C.configInvalidateCD, C.configInvalidateCDAll:
      guard let device = core.device(virtualID: asked[C.sid]) as? SMMUv3Device else {
        throw .EIO("the guest has no such stream", asked[C.sid])
      }
      command[C.sid] = UInt64(device.stream)
    default: throw .EIO("not a command of guests", UInt64(asked.opcode))
    }
    return command
  }
}

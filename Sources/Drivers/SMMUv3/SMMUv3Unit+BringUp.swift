// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import UAPI

extension SMMUv3Unit {
  /// Which message is whose. `enum arm_smmu_msi_index`.
  enum Message {
    static let events: UInt32 = 0
    static let globalError: UInt32 = 1
    static let requests: UInt32 = 2
  }

  /// Takes the SMMU into use. Source: `arm_smmu_device_reset`; reference backends-arm-riscv-s390.md A5.1.
  ///
  /// - Throws: EIO when a control bit does not take.
  func bringUp() throws(Errno) {
    typealias R = SMMU.Register
    if port.read32(R.cr0) & SMMU.CR0.smmuEnable != 0 {
      port.write32(R.gbpa, SMMU.GBPA.abort | SMMU.GBPA.update)
    }
    try setCR0(0)
    // Queues and tables are write-back and inner shareable.
    port.write32(R.cr1, 0xD75)
    var cr2 = SMMU.CR2.privateTLBMaintenance | SMMU.CR2.recordInvalidSID
    if features.hostWorld { cr2 |= SMMU.CR2.e2h }
    port.write32(R.cr2, cr2)
    port.write64(R.streamTableBase, streamTable.baseRegister)
    port.write32(R.streamTableConfig, streamTable.configuration)

    port.write64(R.commandQueueBase, Self.baseRegister(commands.buffer, commands.sizeLg2))
    port.write32(R.commandQueueProd, 0)
    port.write32(R.commandQueueCons, 0)
    var enabled = SMMU.CR0.commandQueueEnable
    try setCR0(enabled)
    issue([.forgetAllConfiguration])
    if features.hypervisor { issue([SMMUv3Command(SMMU.Command.tlbiEL2All)]) }
    issue([SMMUv3Command(SMMU.Command.tlbiNSNHAll)])

    port.write64(R.eventQueueBase, Self.baseRegister(events.buffer, events.sizeLg2))
    events.reset()
    enabled |= SMMU.CR0.eventQueueEnable
    try setCR0(enabled)
    if let requests {
      port.write64(R.pageRequestQueueBase, Self.baseRegister(requests.buffer, requests.sizeLg2))
      requests.reset()
      enabled |= SMMU.CR0.priQueueEnable
      try setCR0(enabled)
    }
    if features.ats {
      enabled |= SMMU.CR0.atsCheck
      try setCR0(enabled)
    }
    setUpInterrupts()
    try setCR0(enabled | SMMU.CR0.smmuEnable)
  }

  static func baseRegister(_ buffer: SMMUv3Buffer, _ sizeLg2: UInt32) -> UInt64 {
    buffer.base & SMMU.Queue.baseMask | SMMU.Queue.allocateHint | UInt64(sizeLg2)
  }

  /// `arm_smmu_write_reg_sync`.
  private func setCR0(_ value: UInt32) throws(Errno) {
    port.write32(SMMU.Register.cr0, value)
    guard port.read32(SMMU.Register.cr0ack) == value else {
      throw .EIO("CR0ACK does not follow CR0", UInt64(value))
    }
  }

  /// `arm_smmu_setup_irqs`.
  private func setUpInterrupts() {
    typealias R = SMMU.Register
    port.write32(R.irqControl, 0)
    if features.interruptMessages, let doorbell = features.platform.doorbell {
      var messages = [
        (R.eventQueueIRQConfig0, Message.events), (R.gerrorIRQConfig0, Message.globalError),
      ]
      if features.pri { messages.append((R.pageRequestQueueIRQConfig0, Message.requests)) }
      for (register, data) in messages {
        port.write64(register, doorbell & SMMU.IRQControl.addressMask)
        port.write32(register + 8, data)
        // Device memory, nGnRE.
        port.write32(register + 12, 1)
      }
    }
    var control = SMMU.IRQControl.eventQueue | SMMU.IRQControl.gerror
    if features.pri { control |= SMMU.IRQControl.priQueue }
    port.write32(R.irqControl, control)
  }
}

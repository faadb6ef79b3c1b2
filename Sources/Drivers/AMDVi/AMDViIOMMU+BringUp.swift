// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory

// From reset to running. Source: `early_enable_iommu`, `enable_iommus_ppr`, `amd_iommu_init_pci`; reference
// backends-x86.md B3.3.

extension AMDViIOMMU {
  /// An address and a vector for the IOMMU's own interrupts: fixed, to processor 0.
  static var interruptAddress: UInt64 { AMDViAddress.msiFirst }
  static var interruptVector: UInt32 { 0x24 }

  func bringUp() {
    disable()
    initializeEntries()
    applyFlags()
    let pages = (UInt64(deviceTableEntries) * AMDViDTE.size) >> Page.shift
    port.write64(AMDViRegister.deviceTableBase, deviceTable.raw | (pages - 1))
    enableCommands()
    enableFeatures()
    enable(AMDViControl.iommuEn)
    invalidateEverything()
    enableInterrupts()
    startEvents()
    startPageRequests()
  }

  func enable(_ bits: UInt64) {
    port.write64(AMDViRegister.control, port.read64(AMDViRegister.control) | bits)
  }

  func disable(_ bits: UInt64) {
    port.write64(AMDViRegister.control, port.read64(AMDViRegister.control) & ~bits)
  }

  /// `iommu_disable`.
  private func disable() {
    disable(
      AMDViControl.cmdBufEn | AMDViControl.eventLogEn | AMDViControl.eventIntEn | AMDViControl.pprLogEn
        | AMDViControl.pprIntEn | AMDViControl.pprEn | AMDViControl.gaLogEn | AMDViControl.gaIntEn
        | AMDViControl.iommuEn)
  }

  /// Until it is attached to something, no function translates anything. `init_device_table`,
  /// `init_device_table_dma`.
  private func initializeEntries() {
    let first = AMDViDTE.valid | (platform.snpEnabled ? 0 : AMDViDTE.translationValid)
    for index in 0..<deviceTableEntries {
      let address = deviceTable.raw + UInt64(index) * AMDViDTE.size
      _ = memory.store64(first, at: PhysAddr(address))
      if platform.remapsInterrupts {
        _ = memory.store64(AMDViDTE.interruptValid, at: PhysAddr(address + 16))
      }
    }
  }

  /// What firmware asks for. `iommu_init_flags`.
  private func applyFlags() {
    var set = AMDViControl.coherent | 4 << AMDViControl.invTimeoutShift
    var clear: UInt64 = 7 << AMDViControl.invTimeoutShift
    func flag(_ on: Bool, _ bit: UInt64) { if on { set |= bit } else { clear |= bit } }
    flag(platform.htTunnel, AMDViControl.htTunEn)
    flag(platform.passPW, AMDViControl.passPW)
    flag(platform.resPassPW, AMDViControl.resPassPW)
    flag(platform.isochronous, AMDViControl.isoc)
    if has(AMDViFeature.eph) { set |= AMDViControl.ephEn }
    disable(clear)
    enable(set)
  }

  /// `iommu_enable_command_buffer`.
  private func enableCommands() {
    port.write64(AMDViRegister.commandBufferBase, rings.commands.register)
    port.write32(AMDViRegister.commandHead, 0)
    port.write32(AMDViRegister.commandTail, 0)
    if has(AMDViFeature.snp) {
      // Completion waits store nowhere but here. `iommu_set_cwwb_range`.
      port.write64(AMDViRegister.exclusionBase, semaphore.raw)
      port.write64(AMDViRegister.exclusionLimit, semaphore.raw)
    }
    enable(AMDViControl.cmdBufEn)
  }

  /// `iommu_enable_gt`, `iommu_enable_ga`, `iommu_enable_xt`, `iommu_enable_irtcachedis`.
  private func enableFeatures() {
    var set: UInt64 = 0
    if has(AMDViFeature.gt) {
      set |= AMDViControl.gtEn
      if has2(AMDViFeature2.gcr3TRPMode) { set |= AMDViControl.gcr3TRPMode }
    }
    if usesLongInterruptEntries { set |= AMDViControl.gaEn }
    if usesX2APIC { set |= AMDViControl.xtEn }
    if hasLargeInterruptTables { set |= 1 << AMDViControl.interruptTableModeShift }
    if platform.disablesInterruptCache { set |= AMDViControl.irtCacheDis }
    enable(set)
  }

  /// `amd_iommu_flush_all_caches`.
  private func invalidateEverything() {
    if has(AMDViFeature.invalidateAll) {
      queue(.everything)
    } else {
      for id in 0..<deviceTableEntries { queue(.entry(of: UInt16(truncatingIfNeeded: id))) }
      for id in 0..<deviceTableEntries where platform.remapsInterrupts {
        queue(.interruptTable(of: UInt16(truncatingIfNeeded: id)))
      }
      for domain in 0...UInt16.max { queue(.pages(.everything, domain: domain, tables: true)) }
    }
    wait()
  }

  /// MSI for all logs, or one x2APIC interrupt for each. `iommu_setup_msi`, `iommu_setup_intcapxt`.
  private func enableInterrupts() {
    if usesX2APIC {
      let word = UInt64(Self.interruptVector) << 32
      for register in [
        AMDViRegister.x2apicEventInterrupt, AMDViRegister.x2apicPPRInterrupt,
        AMDViRegister.x2apicGAInterrupt,
      ] {
        port.write64(register, word)
      }
      enable(AMDViControl.intCapXTEn)
      return
    }
    port.write32(AMDViRegister.msiAddressLow, UInt32(truncatingIfNeeded: Self.interruptAddress))
    port.write32(AMDViRegister.msiAddressHigh, UInt32(truncatingIfNeeded: Self.interruptAddress >> 32))
    port.write32(AMDViRegister.msiData, Self.interruptVector)
    port.write32(AMDViRegister.msiCapability, UInt32(truncatingIfNeeded: AMDViRegister.msiEnable))
  }

  /// `iommu_enable_event_buffer`.
  private func startEvents() {
    port.write64(AMDViRegister.eventLogBase, rings.events.register)
    port.write32(AMDViRegister.eventHead, 0)
    port.write32(AMDViRegister.eventTail, 0)
    enable(AMDViControl.eventIntEn)
    enable(AMDViControl.eventLogEn)
  }

  /// `amd_iommu_enable_ppr_log`.
  private func startPageRequests() {
    guard takesPageRequests else { return }
    enable(AMDViControl.pprEn)
    port.write64(AMDViRegister.pprLogBase, rings.pageRequests.register)
    port.write32(AMDViRegister.pprHead, 0)
    port.write32(AMDViRegister.pprTail, 0)
    enable(AMDViControl.pprIntEn)
    enable(AMDViControl.pprLogEn)
  }
}

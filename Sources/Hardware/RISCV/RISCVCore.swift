// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension RISCVIOMMU {
  /// Registers, caches, and memory as the IOMMU sees it.
  struct Core: ~Copyable {
    let view: RISCVMemoryView
    let walker: RISCVPageWalker
    let configuration: Configuration
    let capabilities: UInt64
    let extendedFormat: Bool
    /// Width of a guest physical page number: MGPAW - 12, section 3.1.3.6.
    let guestPageBits: UInt64
    let cachesTranslations: Bool
    /// Size of a translation without tables.
    let bareSizeLg2: UInt8

    var registers: Registers
    var monitor: PerformanceMonitor

    // Caches. A place more than a mask reaches holds what is not to be cached.
    var deviceContexts: [DeviceContext]
    var processContexts: [ProcessContext]
    let deviceMask: Int
    let processMask: Int
    var translations: TranslationCache<RISCVAddressSpaceTag, CachedTranslation>
    var tables: TableCache

    init(_ memory: PhysicalMemory, _ configuration: Configuration) {
      self.configuration = configuration
      let capabilities = configuration.capabilities
      self.capabilities = capabilities
      let width = capabilities >> RISCV.Capability.pasShift & RISCV.Capability.pasMask
      var reserved = RISCV.PTE.reserved
      if capabilities & RISCV.Capability.svrsw60t59b == 0 { reserved |= RISCV.PTE.rsw60t59b }
      if capabilities & RISCV.Capability.svpbmt == 0 { reserved |= RISCV.PTE.pbmt }
      view = RISCVMemoryView(
        memory: memory, lastAddress: (1 << width) &- 1, hazards: RISCVMemoryView.Hazards())
      walker = RISCVPageWalker(
        view: view, reservedPTEBits: reserved, strictNAPOT: configuration.strictNAPOT,
        reportsImplicitOffset: configuration.reportsImplicitOffset,
        cachesTables: configuration.caches.cachesTables)
      extendedFormat = capabilities & RISCV.Capability.msiFlat != 0
      guestPageBits = Self.guestPageBits(capabilities, width)
      bareSizeLg2 = min(max(configuration.bareSizeLg2, 12), 56)
      registers = Registers(configuration)
      monitor = PerformanceMonitor(
        counters: capabilities & RISCV.Capability.hpm == 0 ? 0 : configuration.counters,
        bits: configuration.counterBits)
      let caches = configuration.caches
      cachesTranslations = caches.cachesTranslations
      deviceMask = (1 << min(max(caches.deviceContextsLg2, 0), 16)) - 1
      processMask = (1 << min(max(caches.processContextsLg2, 0), 16)) - 1
      deviceContexts = Array(repeating: DeviceContext(), count: deviceMask + 2)
      processContexts = Array(repeating: ProcessContext(), count: processMask + 2)
      translations = TranslationCache(capacityLg2: min(max(caches.translationsLg2, 0), 20))
      let tablesLg2 = min(max(caches.tablesLg2, 0), 20)
      tables = TableCache(
        first: TranslationCache(capacityLg2: tablesLg2), second: TranslationCache(capacityLg2: tablesLg2))
    }

    private static func guestPageBits(_ capabilities: UInt64, _ physicalWidth: UInt64) -> UInt64 {
      func has(_ bit: UInt64) -> Bool { capabilities & bit != 0 }
      if has(RISCV.Capability.sv57x4) { return 59 - 12 }
      if has(RISCV.Capability.sv48x4) { return 50 - 12 }
      if has(RISCV.Capability.sv39x4) { return 41 - 12 }
      if has(RISCV.Capability.sv32x4) { return 34 - 12 }
      return min(max(physicalWidth, 12), 64) - 12
    }

    func has(_ capability: UInt64) -> Bool { capabilities & capability != 0 }
  }
}

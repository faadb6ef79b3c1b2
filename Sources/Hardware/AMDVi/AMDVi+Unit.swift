// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension AMDVi {
  /// All state of the IOMMU, as a value. What must be told to the world outside goes into `outbox`, which
  /// the IOMMU empties when it is done here: an interrupt handler may come right back and read registers.
  struct Unit {
    let memory: PhysicalMemory
    let configuration: Configuration
    var registers = RegisterFile()
    var outbox: [Message] = []

    // What the hot path asks of the registers.
    /// IommuEn.
    var enabled = false
    /// Lookups go straight to the caches: translation is on and the policy is `keep`.
    var quick = false
    /// The exclusion range is on.
    var excludes = false
    /// Hardware sets accessed and dirty bits of v2 tables.
    var marksGuest = true

    var devices = DeviceCache()
    var pages: TranslationCache<UInt64, Page>
    var tables: TranslationCache<UInt64, TablePointer>
    var gcr3: TranslationCache<UInt64, UInt64>
    var interrupts: TranslationCache<UInt64, InterruptEntry>
    /// Devices with a page fault in the log since their entry was last invalidated: DTE.SE.
    var faulted: Set<UInt16> = []
    /// Entries of logs whose bytes are still on their way: `Configuration.logDelay`.
    var delayed: [DelayedEntry] = []
    /// Status bits that were set, or set again, since software last read them: `Configuration.erbt1312`.
    var arrived: UInt64 = 0
    private var dice: UInt64

    /// What goes out.
    enum Message {
      case interrupt(InterruptSource)
      case respond(PageResponse)
    }
    enum InterruptSource { case event, ppr, ga }

    init(_ memory: PhysicalMemory, _ configuration: Configuration) {
      self.memory = memory
      self.configuration = configuration
      fillsCaches = configuration.cachePolicy != .none
      fillsTables = fillsCaches && configuration.cachesTables
      let capacity = min(max(configuration.cacheCapacityLg2, 0), 20)
      pages = TranslationCache(capacityLg2: capacity)
      tables = TranslationCache(capacityLg2: max(0, capacity - 2))
      gcr3 = TranslationCache(capacityLg2: max(0, capacity - 4))
      interrupts = TranslationCache(capacityLg2: max(0, capacity - 4))
      if case .random(let seed) = configuration.cachePolicy { dice = seed } else { dice = 0 }
      registers[.extendedFeature] = configuration.features
      registers[.extendedFeature2] = configuration.features2
      // Queues of the least length, as after a reset.
      for base: Register in [.commandBufferBase, .eventLogBase, .pprLogBase, .gaLogBase] {
        registers[base] = 8 << AMDViRegister.lengthShift
      }
    }

    var control: UInt64 { registers[.control] }
    func controls(_ bit: UInt64) -> Bool { registers[.control] & bit != 0 }

    /// Whether caches are asked this time.
    mutating func asksCaches() -> Bool {
      switch configuration.cachePolicy {
      case .keep: return true
      case .none: return false
      case .random:
        dice = dice &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return dice >> 62 != 0
      }
    }
    /// Whether a walk asks caches this time. One that leaves no trace always does.
    @inline(__always)
    mutating func asksCaches<O: AMDViObserver>(_: O.Type) -> Bool {
      O.asks && fillsCaches && (!O.live || asksCaches())
    }
    /// Whether caches hold anything at all.
    let fillsCaches: Bool
    let fillsTables: Bool

    /// A step of time: entries of logs arrive.
    mutating func tick() {
      guard !delayed.isEmpty else { return }
      for index in delayed.indices { delayed[index].steps -= 1 }
      while let first = delayed.first, first.steps <= 0 {
        store(first.words, at: first.address)
        delayed.removeFirst()
      }
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension AMDVi {
  /// What an IOMMU supports, and how it behaves where implementations differ.
  public struct Configuration: Hashable, Sendable {
    /// EFR, MMIO 0030: see `AMDViFeature`.
    public var extendedFeatures: UInt64
    /// EFR2, MMIO 01A0: see `AMDViFeature2`.
    public var extendedFeatures2: UInt64
    /// Capability header, IotlbSup: devices may have translation caches of their own.
    public var iotlbSupported = true
    /// Capability header, NpCache: entries that are not present are cached too. Quirk switch `npCache`.
    public var npCache = false
    /// Capability header, EFRSup: without it both feature registers read as zero and nothing of them exists.
    public var efrSupported = true
    /// Bits of a physical address; table addresses of a v2 table that is not nested have zeros above them.
    public var physicalAddressBits: Int = 52
    /// Firmware turned SNP on: no identity translation, and completion stores stay within a window.
    public var snpEnabled = false
    /// Revision 3.11 gave meanings to bits 6:4 of the device table entry and 58:57 of page-table entries.
    public var revision311 = false
    /// The PCI segment of its functions: upper half of their `Transaction.source`.
    public var segment: UInt16 = 0
    /// The wire that carries interrupts while neither MSI nor x2APIC interrupts are enabled.
    public var wire: UInt32 = 0

    /// A device table entry with V=1 and TV=0.
    public enum TranslationInvalid: UInt8, Sendable { case abort, abortWithEvent, pass }
    /// Doubt: the manual says that the walk ends, not whether that is an event.
    public var translationInvalid = TranslationInvalid.abort

    /// Whose fault it is when the host stage of a nested translation fails: GN=0 and the guest-physical
    /// address, or with this GN=1 and the guest-virtual one.
    public var nestedFaultsNameGuest = false
    /// A leaf of the level's default size whose address has bits below that size: a reserved encoding, or
    /// ignored bits.
    public var misalignedLeafIsReserved = true
    /// Accessed bits of upper levels are set although a lower level refuses the access.
    public var accessedOnFault = false

    /// Quirk `no512G`: what becomes of leaves of 512 GiB.
    public enum Leaf512G: UInt8, Sendable { case works, rejected, mistranslated }
    public var leaf512G = Leaf512G.works
    /// Quirk `erratum63`: with SysMgt = 1 and IW = 0 system management writes abort.
    public var erratum63 = false
    /// Quirk `erratum732`, `erratum733`: so many steps pass between a log's tail and the entry's bytes.
    /// A step is any call of the IOMMU.
    public var logDelay = 0
    /// Quirk `erbt1312`: an interrupt bit that is cleared while another entry has come since the status
    /// register was last read stays set, and while it is set there are no interrupts.
    public var erbt1312 = false
    /// Quirk `atsWriteCheck`: without it the answer to a translation request grants writes wherever it
    /// grants reads.
    public var atsWriteCheck = true

    public enum CachePolicy: Hashable, Sendable {
      /// Every translation walks.
      case none
      /// Entries stay until they are invalidated, or another takes their slot: the worst case for software
      /// that forgets to.
      case keep
      /// A lookup in four misses.
      case random(seed: UInt64)
    }
    public var cachePolicy = CachePolicy.keep
    /// Pointers to tables are cached, which PDE=1 invalidates; otherwise every miss walks from the root.
    public var cachesTables = true
    /// Slots of the translation cache, as a base-2 logarithm, 0 to 20.
    public var cacheCapacityLg2 = 12

    /// Commands run as soon as the tail moves; otherwise one with each `step`.
    public var commandsRunAtOnce = true

    public init(extendedFeatures: UInt64 = Profile.genoa, extendedFeatures2: UInt64 = 0) {
      self.extendedFeatures = extendedFeatures
      self.extendedFeatures2 = extendedFeatures2
    }

    /// Everything, with GCR3 table roots that may be guest-physical: what nesting in Linux asks for.
    public static var nesting: Configuration {
      Configuration(extendedFeatures2: AMDViFeature2.gcr3TRPMode)
    }
    /// A host that runs confidential guests.
    public static var snpHost: Configuration {
      var configuration = Configuration(extendedFeatures: Profile.snpHost, extendedFeatures2: 0x1D)
      configuration.snpEnabled = true
      return configuration
    }
    /// The unit that QEMU 11.1 emulates.
    public static var qemu: Configuration {
      var configuration = Configuration(extendedFeatures: Profile.qemu)
      configuration.npCache = true
      return configuration
    }
  }

  /// Extended feature registers of real machines.
  public enum Profile {
    public static let zen2: UInt64 = 0x058F_77EF_2229_4A5A
    public static let apu: UInt64 = 0x206D_73EF_2225_4ADE
    public static let ryzen7040: UInt64 = 0x2465_77EF_A225_4AFA
    public static let snpHost: UInt64 = 0xA5BF_7320_A229_4AEE
    public static let qemu: UInt64 = 0x29D3
    public static let genoa: UInt64 = 0x25BF_732F_A229_5AFE
  }
}

extension AMDVi.Configuration {
  func has(_ feature: UInt64) -> Bool { features & feature != 0 }
  /// What the extended feature register reads as.
  var features: UInt64 { efrSupported ? extendedFeatures : 0 }
  var features2: UInt64 { efrSupported ? extendedFeatures2 : 0 }
  /// Levels of a host table that the hardware walks; 0 for none.
  var hostLevels: Int {
    let hats = features >> AMDViFeature.hatsShift & 3
    return hats == 3 ? 0 : 4 + Int(hats)
  }
  var guestLevels: Int { 4 + Int(features >> AMDViFeature.gatsShift & 3) }
  var gcr3Levels: Int { 1 + Int(features >> AMDViFeature.glxShift & 3) }
  var pasidBits: Int { 1 + Int(features >> AMDViFeature.pasMaxShift & 0x1F) }
  /// Header of the PCI capability block; publication 48882, section 3.2.1.
  public var capabilityHeader: UInt32 {
    AMDViCapability.identity | (iotlbSupported ? AMDViCapability.iotlb : 0)
      | (npCache ? AMDViCapability.npCache : 0)
      | (efrSupported ? AMDViCapability.extendedFeature : 0)
  }
}

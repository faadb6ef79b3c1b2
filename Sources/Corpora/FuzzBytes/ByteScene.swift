// SPDX-License-Identifier: GPL-3.0-or-later

/// The machine that a program in bytes starts on: an IOMMU and the functions behind it.
///
///     flags of the header:   3:0 family   7:4 variant   15:8 of no meaning yet
///
/// The header says it, so that an input means the same wherever it is replayed; both numbers count round what there is.
/// What differs between the families below the waist is here as well, since a record says *which* object and not whose
/// struct: the same record makes a guest's page table for Intel's driver and for Arm's.
///
/// Families and variants belong to a version as its operations do: their order is frozen.
public struct ByteScene: Sendable, Hashable {
  public enum Family: Int, Sendable, CaseIterable {
    /// No IOMMU but the kernel's mock; what the programs of version 0 start on.
    case mock
    case vtd, amd, smmuv3, riscv, s390
  }

  /// A PCI function that is there from the beginning; its number is its place in `functions`.
  public struct Function: Sendable, Hashable {
    public var ats = false
    public var pri = false
    public var pasidBits = 0
    /// The number of a function whose group it joins.
    public var companion: Int?
  }

  public let family: Family
  public let variant: Int

  public init(_ family: Family, variant: Int = 0) {
    self.family = family
    self.variant = variant % Self.variants(family).count
  }

  init(flags: UInt16) {
    let families = Family.allCases
    self.init(families[Int(flags & 15) % families.count], variant: Int(flags >> 4 & 15))
  }

  /// The header's flags that mean it.
  public var flags: UInt16 { UInt16(family.rawValue) | UInt16(variant) << 4 }

  /// The hardware as a command line names it: `vtd:mode=legacy`.
  public var backend: String { Self.variants(family)[variant] }

  /// Every variant of a family, as a command line names it.
  public static func variants(_ family: Family) -> [String] {
    switch family {
    case .mock: ["mock"]
    case .vtd:
      [
        "vtd", "vtd:mode=legacy", "vtd:caching-mode",
        "vtd:mode=legacy,caching-mode,rmrr-base=0x80000000,rmrr-size=0x2000,rmrr-relaxable",
      ]
    case .amd:
      // A function on an identity domain reaches every table of the machine.
      [
        "amd:default-domain=dma", "amd:default-domain=dma,pgtbl=v2", "amd:default-domain=dma,np-cache",
        "amd:default-domain=dma,unity-first=0x80000000,unity-last=0x80001fff",
      ]
    case .smmuv3:
      ["smmuv3", "smmuv3:can-stall", "smmuv3:cmdqv", "smmuv3:profile=mmu600", "smmuv3:gran4k=0,gran64k=0"]
    case .riscv:
      ["riscv:vfio=isolated", "riscv:vfio=isolated,sv=39,svx4=39", "riscv:vfio=coherent", "riscv"]
    case .s390: ["s390", "s390:profile=kvm", "s390:origin=rf"]
    }
  }

  /// A plain function, one with everything, one with a cache only, and one that shares its group.
  public var functions: [Function] {
    guard family != .mock else { return [] }
    return [
      Function(pasidBits: 16), Function(ats: true, pri: true, pasidBits: 20), Function(ats: true),
      Function(companion: 2),
    ]
  }

  /// What the functions are that a program plugs in later.
  public static let spareFunction = Function(ats: true, pri: true, pasidBits: 8)
  /// Device nodes that a program may open.
  static let mostFunctions = 8

  // MARK: What differs

  /// Added to every address that a record means: s390 has none below 4 GiB.
  var iovaOffset: UInt64 { family == .s390 ? 0x1_0000_0000 : 0 }

  /// IOMMU_HWPT_ALLOC_* that make a parent of what a guest owns, where the hardware has such.
  var parentFlags: UInt64 {
    switch family {
    case .mock, .vtd: 3
    case .amd, .smmuv3: 1
    case .riscv, .s390: 0
    }
  }

  /// A guest's page table: what it is called, and how it is handed over.
  struct Nesting: Sendable {
    let format: String
    let dataType: UInt64
    let dataLength: UInt64
    /// On a vIOMMU, or on the parent itself.
    let isOnVIOMMU: Bool
    let invalidation: UInt64
    let entryLength: UInt64
  }

  /// Families without one get a request that is refused.
  var nesting: Nesting {
    switch family {
    case .amd:
      Nesting(
        format: "x86_64", dataType: 3, dataLength: 32, isOnVIOMMU: true, invalidation: 0, entryLength: 16)
    case .smmuv3:
      Nesting(
        format: "smmuv3-s1", dataType: 2, dataLength: 16, isOnVIOMMU: true, invalidation: 1, entryLength: 16)
    case .mock, .vtd, .riscv, .s390:
      Nesting(
        format: "x86_64", dataType: 1, dataLength: 24, isOnVIOMMU: false, invalidation: 0, entryLength: 24)
    }
  }

  private var hasCommandQueues: Bool { backend == "smmuv3:cmdqv" }

  var viommuType: UInt64 { family == .mock ? 0xDEAD_BEEF : hasCommandQueues ? 2 : 1 }
  var viommuDataLength: UInt64 { hasCommandQueues ? 16 : 0 }
  var eventQueueType: UInt64 { family == .mock ? 0xBEEF_BEEF : hasCommandQueues ? 2 : 1 }
  var hardwareQueueType: UInt64 { family == .mock ? 0xDEAD_BEEF : 1 }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU

/// What the driver learns of an IOMMU from elsewhere than its registers: firmware's IVRS table, the PCI capability
/// block, and the kernel's command line. Source: `drivers/iommu/amd/init.c`.
public struct AMDViPlatform: Sendable {
  // PCI and firmware.

  /// Header of the PCI capability block: IotlbSup, NpCache. Publication 48882, section 3.2.1.
  public var capabilityHeader: UInt32 = AMDViCapability.identity | AMDViCapability.iotlb
  public var segment: UInt16 = 0
  /// The highest DevID that the IVRS names: the device table is made for it.
  public var lastDeviceID: UInt16 = 0xFFFF
  /// Flags of the IVHD block.
  public var htTunnel = true
  public var passPW = false
  public var resPassPW = false
  public var isochronous = false
  /// Bits that the IVHD entries want in every DTE of the IOMMU: QW1 SysMgt, QW2 pass bits.
  /// `set_dev_entry_from_acpi`.
  public var persistentEntryBits: [UInt64] = [0, 0, 0, 0]
  /// An IVMD block: all functions behind the IOMMU need this range mapped one to one.
  public var unityRegion: ReservedRegion?
  /// Firmware turned SNP on.
  public var snpEnabled = false

  // The kernel and its command line.

  public enum TableVersion: String, Sendable, CaseIterable { case v1, v2 }
  /// `amd_iommu=pgtbl_v1` and `pgtbl_v2`: what a domain has whose flags ask for neither.
  public var tables = TableVersion.v1
  /// The processor has five levels of page tables, and so has the guest table of the IOMMU if it can.
  public var fiveLevelProcessor = false
  /// `automatic`: identity for functions with PASIDs, else DMA through a table.
  public enum DefaultDomain: String, Sendable, CaseIterable { case automatic, dma, identity }
  /// `iommu.passthrough=0` and `=1`.
  public var defaultDomain = DefaultDomain.automatic
  /// Interrupt remapping is in use: `intremap=on`.
  public var remapsInterrupts = true
  /// Interrupt remapping with x2APIC destinations.
  public var x2apic = false
  /// `amd_iommu=irtcachedis`.
  public var disablesInterruptCache = false
  /// Domain IDs below 64 that functions outside of the model have, as a bit set.
  public var domainsElsewhere: UInt64 = 0
  /// Completion waits that were done for them.
  public var waitsElsewhere: UInt64 = 0

  public init() {}

  var hasDeviceCaches: Bool { capabilityHeader & AMDViCapability.iotlb != 0 }
  var cachesAbsentEntries: Bool { capabilityHeader & AMDViCapability.npCache != 0 }
  /// SysMgt = 1 in the IVRS. `amd_iommu_apply_erratum_63`.
  var needsErratum63: Bool { persistentEntryBits[1] >> AMDViDTE.sysMgtShift & 3 == 1 }
}

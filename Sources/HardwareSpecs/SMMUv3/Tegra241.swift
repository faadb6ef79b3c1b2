// SPDX-License-Identifier: GPL-3.0-or-later

/// The command queue virtualisation of NVIDIA's Tegra241 (Grace) in front of its SMMUv3, as its public Linux
/// driver and device documentation name it.
public enum Tegra241 {
  /// Registers of the whole block.
  public enum Register {
    public static let config: UInt64 = 0x000
    public static let param: UInt64 = 0x004
    public static let status: UInt64 = 0x008
    public static let vintfErrorMap: UInt64 = 0x014
    public static let interruptMask: UInt64 = 0x01C
    public static let cmdqErrorMap: UInt64 = 0x024
    /// CMDQ_ALLOC(q), 4 bytes each.
    public static let cmdqAllocation: UInt64 = 0x200
    /// VINTF(v), 256 bytes each.
    public static let vintf: UInt64 = 0x1000
    public static let vintfStride: UInt64 = 0x100
    /// Pages 0 and 1 of the physical queues, 128 bytes a queue.
    public static let queuePage0: UInt64 = 0x1_0000
    public static let queuePage1: UInt64 = 0x2_0000
    public static let queueStride: UInt64 = 0x80
    /// Pages 0 and 1 of the logical queues of VINTF v.
    public static let vintfPages: UInt64 = 0x3_0000
    public static let vintfPagesStride: UInt64 = 0x2_0000
    public static let pageSize: UInt64 = 0x1_0000
  }

  /// CONFIG and STATUS of the block, of a VINTF and of a queue: bit 0 enables.
  public static let enable: UInt32 = 1

  public enum Param {
    public static let version = SMMU.Field(0, 3, 0)
    public static let cmdqsLg2 = SMMU.Field(0, 7, 4)
    public static let vintfsLg2 = SMMU.Field(0, 11, 8)
    public static let sidsLg2 = SMMU.Field(0, 15, 12)
  }

  public enum Allocation {
    public static let allocated: UInt32 = 1
    public static let logical = SMMU.Field(0, 7, 1)
    public static let vintf = SMMU.Field(0, 20, 15)
  }

  /// Offsets in a VINTF, and fields of its CONFIG.
  public enum VINTF {
    public static let config: UInt64 = 0x00
    public static let status: UInt64 = 0x04
    public static let sidMatch: UInt64 = 0x40
    public static let sidReplace: UInt64 = 0x80
    public static let errorMap: UInt64 = 0xC0
    public static let vmid = SMMU.Field(0, 16, 1)
    public static let hypervisorOwned: UInt32 = 1 << 17
    public static let matchEnable: UInt32 = 1
    public static let matchSID = SMMU.Field(0, 20, 1)
  }

  /// Offsets in page 0 and page 1 of a queue.
  public enum Queue {
    public static let cons: UInt64 = 0x00
    public static let prod: UInt64 = 0x04
    public static let config: UInt64 = 0x08
    public static let status: UInt64 = 0x0C
    public static let gerror: UInt64 = 0x10
    public static let gerrorN: UInt64 = 0x14
    public static let base: UInt64 = 0x00
    public static let consIndexBase: UInt64 = 0x08
    public static let baseMask: UInt64 = 0x0000_FFFF_FFFF_FFE0
    public static let commandError: UInt32 = 1
    /// Index and wrap bit of CONS and PROD.
    public static let indexMask: UInt32 = 0x000F_FFFF
  }
}

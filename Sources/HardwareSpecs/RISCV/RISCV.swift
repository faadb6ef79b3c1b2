// SPDX-License-Identifier: GPL-3.0-or-later

/// Constants of the RISC-V IOMMU Architecture Specification 1.0 and of the documents it refers to: the
/// Privileged Architecture (page tables) and the Advanced Interrupt Architecture (MSI page tables).
///
/// Names are the specification's; a single bit is a mask, a field has a shift and a mask of its own width.
public enum RISCV {
  /// Section 3: all structures hold physical page numbers of 44 bits.
  public static let ppnMask: UInt64 = (1 << 44) - 1
  /// Where a PPN lies in a PTE, in a non-leaf directory entry and in the queue base registers.
  public static let ppnShift: UInt64 = 10
  public static let pageShift: UInt64 = 12
  /// Bits of a device_id, a process_id, a GSCID and a PSCID.
  public static let deviceIDBits = 24
  public static let processIDBits = 20
  public static let gscidMask: UInt64 = 0xFFFF
  public static let pscidMask: UInt64 = 0xF_FFFF
}

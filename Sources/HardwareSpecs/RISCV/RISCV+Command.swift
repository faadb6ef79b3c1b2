// SPDX-License-Identifier: GPL-3.0-or-later

extension RISCV {
  /// RISC-V IOMMU 1.0, section 4.1: commands, 16 bytes; bits of word 0 unless it says otherwise.
  public enum Command {
    public static let opcodeMask: UInt64 = 0x7F
    public static let functionShift: UInt64 = 7
    public static let functionMask: UInt64 = 7

    public static let iotinval: UInt64 = 1
    public static let vma: UInt64 = 0
    public static let gvma: UInt64 = 1
    public static let iofence: UInt64 = 2
    public static let fenceC: UInt64 = 0
    public static let iodir: UInt64 = 3
    public static let invalDDT: UInt64 = 0
    public static let invalPDT: UInt64 = 1
    public static let ats: UInt64 = 4
    public static let inval: UInt64 = 0
    public static let prgr: UInt64 = 1

    // IOTINVAL
    public static let av: UInt64 = 1 << 10
    public static let pscidShift: UInt64 = 12
    public static let pscv: UInt64 = 1 << 32
    public static let gv: UInt64 = 1 << 33
    public static let nl: UInt64 = 1 << 34
    public static let gscidShift: UInt64 = 44
    public static let iotinvalReserved: UInt64 = 0xF000_0FF8_0000_0800
    /// Word 1: ADDR[63:12] in bits 61:10, S in bit 9.
    public static let s: UInt64 = 1 << 9
    public static let addressShift: UInt64 = 10
    public static let addressMask: UInt64 = (1 << 52) - 1
    public static let iotinvalReserved1: UInt64 = 0xC000_0000_0000_01FF

    // IOFENCE.C
    public static let wsi: UInt64 = 1 << 11
    public static let pr: UInt64 = 1 << 12
    public static let pw: UInt64 = 1 << 13
    public static let dataShift: UInt64 = 32
    public static let iofenceReserved: UInt64 = 0xFFFF_C000
    /// Word 1: ADDR[63:2] in bits 61:0.
    public static let iofenceReserved1: UInt64 = 0xC000_0000_0000_0000

    // IODIR
    public static let pidShift: UInt64 = 12
    public static let pidMask: UInt64 = 0xF_FFFF
    public static let dv: UInt64 = 1 << 33
    public static let didShift: UInt64 = 40
    public static let iodirReserved: UInt64 = 0xFD_0000_0C00

    // ATS
    public static let pv: UInt64 = 1 << 32
    public static let dsv: UInt64 = 1 << 33
    public static let ridShift: UInt64 = 40
    public static let dsegShift: UInt64 = 56
    public static let atsReserved: UInt64 = 0xFC_0000_0C00
    /// Payload of ATS.INVAL: all address spaces, and a size in the address.
    public static let payloadGlobal: UInt64 = 1 << 0
    public static let payloadSize: UInt64 = 1 << 11
    /// Payload of ATS.PRGR.
    public static let payloadGroupShift: UInt64 = 32
    public static let payloadGroupMask: UInt64 = 0x1FF
    public static let payloadCodeShift: UInt64 = 44
    public static let payloadCodeMask: UInt64 = 0xF
  }
}

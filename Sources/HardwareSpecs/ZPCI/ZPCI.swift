// SPDX-License-Identifier: GPL-3.0-or-later

/// Constants of s390's PCI, zPCI. IBM does not publish its architecture: these are the numbers that Linux (arch/s390,
/// `pci_*.h`) and QEMU (hw/s390x) agree on. Bits are counted from the right, as masks.
public enum ZPCI {
  /// Function handles: enabled, and the index that identifies the function.
  public enum Handle {
    public static let enabled: UInt32 = 0x8000_0000
    public static let indexMask: UInt32 = 0xFFFF
  }

  /// The I/O translation anchor, IOTA.
  public enum Anchor {
    public static let originMask: UInt64 = 0xFFFF_FFFF_FFFF_C000
    public static let translationEnabled: UInt64 = 0x800
    public static let protected: UInt64 = 0x200
    public static let designationShift: UInt64 = 2
    public static let designationMask: UInt64 = 7
    /// Designation types: the table that the origin is of. 4, 5 and 7 designate frames.
    public static let segmentTable: UInt64 = 0
    public static let regionThird: UInt64 = 1
    public static let regionSecond: UInt64 = 2
    public static let regionFirst: UInt64 = 3
    /// The bit of designation type 0 in a function group's DTSM.
    public static let supportBit: UInt8 = 0x80
  }

  /// Entries of region, segment and page tables: 8 bytes, big-endian.
  public enum Entry {
    public static let regionOriginMask: UInt64 = 0xFFFF_FFFF_FFFF_C000
    public static let pageTableOriginMask: UInt64 = 0xFFFF_FFFF_FFFF_F800
    public static let segmentFrameMask: UInt64 = 0xFFFF_FFFF_FFF0_0000
    public static let pageFrameMask: UInt64 = 0xFFFF_FFFF_FFFF_F000
    public static let lengthMask: UInt64 = 3
    public static let length: UInt64 = 3
    public static let typeShift: UInt64 = 2
    public static let typeMask: UInt64 = 3
    public static let invalid: UInt64 = 0x20
    public static let offsetMask: UInt64 = 0xC0
    public static let protected: UInt64 = 0x200
    /// Of a segment entry: it is a frame of 1 MiB.
    public static let frame: UInt64 = 0x400
    /// Of a page entry.
    public static let pageInvalid: UInt64 = 0x400

    public static let indexMask: UInt64 = 0x7FF
    public static let pageIndexMask: UInt64 = 0xFF
    /// Address bits below the index of a segment table; each region level adds 11.
    public static let segmentShift: UInt64 = 20
    public static let levelBits: UInt64 = 11
  }

  /// CLP, the call-logical-processor commands: response codes.
  public enum CLP {
    public static let ok: UInt16 = 0x0010
    public static let badHandle: UInt16 = 0x0101
    public static let noResources: UInt16 = 0x0104
    public static let alreadyInState: UInt16 = 0x0105
    public static let permanentError: UInt16 = 0x0106
    public static let unknownGroup: UInt16 = 0x010B
    /// Group data, FR: translations must be refreshed after tables are filled as well.
    public static let refresh: UInt8 = 1
    /// Function type of internal shared memory.
    public static let typeISM: UInt8 = 5
  }

  /// Where writes are interrupts: the default of a group's MSIA.
  public static let messageAddress: UInt64 = 0xFE00_0000_0000_0000
  /// Bytes of that window.
  public static let messageWindow: UInt64 = 0x1000
  /// An interrupt's vector, in the data of the message.
  public static let vectorMask: UInt32 = 0x7FF
}

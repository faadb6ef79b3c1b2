// SPDX-License-Identifier: GPL-3.0-or-later

// Structures in memory that lead from a requester to its page tables. VT-d chapter 9.

extension VTd {
  /// Root entry: 16 bytes a bus. In scalable mode the first word leads to the devices 0 to 15 (device-function
  /// below 0x80), the second to the rest. VT-d sections 9.1 and 9.2.
  public enum RootEntry {
    public static let size: UInt64 = 16
    public static let p = Field(0)
    public static let reserved = Field(1...11)
    public static let contextTable = Field(12...63)
  }

  /// Legacy mode context entry: 16 bytes a device-function. VT-d section 9.3.
  public enum ContextEntry {
    public static let size: UInt64 = 16
    public static let p = Field(0)
    public static let fpd = Field(1)
    public static let tt = Field(2...3)
    public static let reserved0 = Field(4...11)
    public static let ssptptr = Field(12...63)
    /// In the second word.
    public static let aw = Field(0...2)
    public static let reserved1 = Field(7)
    public static let did = Field(8...23)
    public static let reserved1High = Field(24...63)

    public enum TranslationType {
      public static let untranslatedOnly: UInt64 = 0
      public static let all: UInt64 = 1
      public static let passThrough: UInt64 = 2
    }
  }

  /// Scalable mode context entry: 32 bytes a device-function, 128 a table. VT-d section 9.4.
  public enum ScalableContextEntry {
    public static let size: UInt64 = 32
    public static let p = Field(0)
    public static let fpd = Field(1)
    public static let dte = Field(2)
    public static let paside = Field(3)
    public static let pre = Field(4)
    public static let reserved0 = Field(5...8)
    public static let pdts = Field(9...11)
    public static let pasiddirptr = Field(12...63)
    /// In the second word.
    public static let ridPASID = Field(0...19)
    public static let ridPriv = Field(20)
    public static let reserved1 = Field(21...63)
  }

  /// PASID directory entry: 8 bytes for 64 PASIDs. VT-d section 9.5.
  public enum PASIDDirectoryEntry {
    public static let size: UInt64 = 8
    public static let p = Field(0)
    public static let fpd = Field(1)
    public static let reserved = Field(2...11)
    public static let table = Field(12...63)
    /// The bits of a PASID that select within a table.
    public static let tableIndexBits: UInt64 = 6
  }

  /// PASID table entry: 64 bytes. VT-d section 9.6.
  public enum PASIDEntry {
    public static let size: UInt64 = 64
    // First word.
    public static let p = Field(0)
    public static let fpd = Field(1)
    public static let aw = Field(2...4)
    public static let reserved0 = Field(5)
    public static let pgtt = Field(6...8)
    public static let ssade = Field(9)
    public static let reserved0High = Field(10...11)
    public static let ssptptr = Field(12...63)
    // Second word.
    public static let did = Field(0...15)
    public static let reserved1 = Field(16...22)
    public static let pwsnp = Field(23)
    public static let pgsnp = Field(24)
    public static let cd = Field(25)
    public static let emte = Field(26)
    public static let emt = Field(27...29)
    public static let pwt = Field(30)
    public static let pcd = Field(31)
    public static let pat = Field(32...63)
    // Third word.
    public static let sre = Field(0)
    public static let ere = Field(1)
    public static let fspm = Field(2...3)
    public static let wpe = Field(4)
    public static let nxe = Field(5)
    public static let smep = Field(6)
    public static let eafe = Field(7)
    public static let reserved2 = Field(8...11)
    public static let fsptptr = Field(12...63)

    /// PASID granular translation type.
    public enum TranslationType {
      public static let firstStage: UInt64 = 1
      public static let secondStage: UInt64 = 2
      public static let nested: UInt64 = 3
      public static let passThrough: UInt64 = 4
    }
  }

  /// Second-stage paging entry. VT-d section 9.8.
  public enum SecondStageEntry {
    public static let r: UInt64 = 1 << 0
    public static let w: UInt64 = 1 << 1
    public static let x: UInt64 = 1 << 2
    public static let ps: UInt64 = 1 << 7
    public static let a: UInt64 = 1 << 8
    public static let d: UInt64 = 1 << 9
    public static let snp: UInt64 = 1 << 11
    public static let tm: UInt64 = 1 << 62
  }

  /// First-stage paging entry. VT-d section 9.7.
  public enum FirstStageEntry {
    public static let p: UInt64 = 1 << 0
    public static let rw: UInt64 = 1 << 1
    public static let us: UInt64 = 1 << 2
    public static let a: UInt64 = 1 << 5
    public static let d: UInt64 = 1 << 6
    public static let ps: UInt64 = 1 << 7
    public static let g: UInt64 = 1 << 8
    public static let ea: UInt64 = 1 << 10
    public static let xd: UInt64 = 1 << 63
  }

  /// Interrupt remapping table entry, remapped mode: 16 bytes. VT-d section 9.10.
  public enum InterruptEntry {
    public static let size: UInt64 = 16
    public static let p = Field(0)
    public static let fpd = Field(1)
    public static let dm = Field(2)
    public static let rh = Field(3)
    public static let tm = Field(4)
    public static let dlm = Field(5...7)
    public static let reserved0 = Field(12...14)
    public static let im = Field(15)
    public static let v = Field(16...23)
    public static let reserved0High = Field(24...31)
    public static let dst = Field(32...63)
    /// The destination of an 8-bit APIC ID, in bits 15:8 of the field.
    public static let dstShort = Field(40...47)
    // Second word.
    public static let sid = Field(0...15)
    public static let sq = Field(16...17)
    public static let svt = Field(18...19)
    public static let reserved1 = Field(20...63)
  }

  /// Address of an interrupt request. VT-d section 5.1.2.
  public enum InterruptRequest {
    public static let handleHigh = Field(2)
    public static let shv = Field(3)
    public static let format = Field(4)
    public static let handle = Field(5...19)
    /// In the data.
    public static let subhandle = Field(0...15)
    public static let reservedData = Field(16...31)
  }
}

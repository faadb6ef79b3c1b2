// SPDX-License-Identifier: GPL-3.0-or-later

// Memory-mapped registers. VT-d section 11.4.

extension VTd {
  /// Offsets from the unit's base address.
  public enum Register {
    public static let ver: UInt64 = 0x00
    public static let cap: UInt64 = 0x08
    public static let ecap: UInt64 = 0x10
    public static let gcmd: UInt64 = 0x18
    public static let gsts: UInt64 = 0x1C
    public static let rtaddr: UInt64 = 0x20
    public static let ccmd: UInt64 = 0x28
    public static let fsts: UInt64 = 0x34
    public static let fectl: UInt64 = 0x38
    public static let fedata: UInt64 = 0x3C
    public static let feaddr: UInt64 = 0x40
    public static let feuaddr: UInt64 = 0x44
    public static let pmen: UInt64 = 0x64
    public static let plmbase: UInt64 = 0x68
    public static let plmlimit: UInt64 = 0x6C
    public static let phmbase: UInt64 = 0x70
    public static let phmlimit: UInt64 = 0x78
    public static let iqh: UInt64 = 0x80
    public static let iqt: UInt64 = 0x88
    public static let iqa: UInt64 = 0x90
    public static let ics: UInt64 = 0x9C
    public static let iectl: UInt64 = 0xA0
    public static let iedata: UInt64 = 0xA4
    public static let ieaddr: UInt64 = 0xA8
    public static let ieuaddr: UInt64 = 0xAC
    public static let iqercd: UInt64 = 0xB0
    public static let irta: UInt64 = 0xB8
    public static let pqh: UInt64 = 0xC0
    public static let pqt: UInt64 = 0xC8
    public static let pqa: UInt64 = 0xD0
    public static let prs: UInt64 = 0xDC
    public static let pectl: UInt64 = 0xE0
    public static let pedata: UInt64 = 0xE4
    public static let peaddr: UInt64 = 0xE8
    public static let peuaddr: UInt64 = 0xEC
    /// Distance from the IVA register, at 16 * ECAP.IRO, to the IOTLB register.
    public static let iotlbAfterIVA: UInt64 = 8
    /// Bytes of a fault recording register; the first is at 16 * CAP.FRO.
    public static let faultRecordSize: UInt64 = 16
  }

  /// Global command register; the status register has the same bits. VT-d sections 11.4.4.1 and 11.4.4.2.
  public enum GlobalCommand {
    public static let te: UInt64 = 1 << 31
    public static let srtp: UInt64 = 1 << 30
    public static let sfl: UInt64 = 1 << 29
    public static let eafl: UInt64 = 1 << 28
    public static let wbf: UInt64 = 1 << 27
    public static let qie: UInt64 = 1 << 26
    public static let ire: UInt64 = 1 << 25
    public static let sirtp: UInt64 = 1 << 24
    public static let cfi: UInt64 = 1 << 23
    /// The bits that a write has to repeat: the others start something once.
    public static let persistent: UInt64 = te | eafl | qie | ire | cfi
  }

  /// Root table address register. VT-d section 11.4.5.
  public enum RootTableAddress {
    public static let ttm = Field(10...11)
    public static let base = Field(12...63)
  }

  /// Context command register. VT-d section 11.4.6.1.
  public enum ContextCommand {
    public static let icc = Field(63)
    public static let cirg = Field(61...62)
    public static let caig = Field(59...60)
    public static let fm = Field(32...33)
    public static let sid = Field(16...31)
    public static let did = Field(0...15)
  }

  /// IOTLB invalidate register and invalidate address register. VT-d sections 11.4.6.2 and 11.4.6.3.
  public enum IOTLBCommand {
    public static let ivt = Field(63)
    public static let iirg = Field(60...61)
    public static let iaig = Field(57...58)
    public static let dr = Field(49)
    public static let dw = Field(48)
    public static let did = Field(32...47)
    public static let ivaAddress = Field(12...63)
    public static let ivaIH = Field(6)
    public static let ivaAM = Field(0...5)
  }

  /// Fault status register. VT-d section 11.4.7.1.
  public enum FaultStatus {
    public static let pfo: UInt64 = 1 << 0
    public static let ppf: UInt64 = 1 << 1
    public static let iqe: UInt64 = 1 << 4
    public static let ice: UInt64 = 1 << 5
    public static let ite: UInt64 = 1 << 6
    public static let pro: UInt64 = 1 << 7
    public static let fri = Field(8...15)
  }

  /// Event control registers: FECTL, IECTL and PECTL. VT-d sections 11.4.7.2, 11.4.9.7 and 11.4.11.5.
  public enum EventControl {
    public static let im: UInt64 = 1 << 31
    public static let ip: UInt64 = 1 << 30
  }

  /// Invalidation queue: head, tail, address and error record. VT-d section 11.4.9.
  public enum InvalidationQueue {
    public static let offset = Field(4...18)
    public static let qs = Field(0...2)
    public static let dw = Field(11)
    public static let base = Field(12...63)
    /// ICS: an invalidation wait descriptor with its interrupt flag has completed.
    public static let iwc: UInt64 = 1
    public static let iqei = Field(0...3)
    public static let itesid = Field(32...47)
    public static let icesid = Field(48...63)
  }

  /// Why the queue stopped: IQERCD.IQEI. VT-d section 11.4.9.9.
  public enum InvalidationQueueError {
    public static let tailBeyondQueue: UInt64 = 1
    public static let fetch: UInt64 = 2
    public static let type: UInt64 = 3
    public static let reservedField: UInt64 = 4
    public static let descriptorWidth: UInt64 = 5
    public static let tailAlignment: UInt64 = 6
    public static let tableMode: UInt64 = 7
  }

  /// Page request queue: head, tail, address and status. VT-d section 11.4.11.
  public enum PageRequestQueue {
    public static let offset = Field(5...18)
    public static let size = Field(0...2)
    public static let base = Field(12...63)
    public static let ppr: UInt64 = 1 << 0
    public static let pro: UInt64 = 1 << 1
  }

  /// Protected memory enable register. VT-d section 11.4.8.1.
  public enum ProtectedMemory {
    public static let epm: UInt64 = 1 << 31
    public static let prs: UInt64 = 1 << 0
  }

  /// Interrupt remapping table address register. VT-d section 11.4.10.
  public enum InterruptTableAddress {
    public static let size = Field(0...3)
    public static let eime = Field(11)
    public static let base = Field(12...63)
  }
}

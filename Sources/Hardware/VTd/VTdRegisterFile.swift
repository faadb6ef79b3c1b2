// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// One register: where it is, and which bits software may write, or clear by writing ones.
struct VTdRegisterRow: Sendable {
  var name: String
  var offset: UInt64
  var width: Int
  var initial: UInt64 = 0
  var writable: UInt64 = 0
  var clearable: UInt64 = 0
}

/// The registers as bits; what happens when they are written is the unit's. VT-d section 11.4.
///
/// A 64-bit register may be read and written by halves.
struct VTdRegisterFile: Sendable {
  let rows: [VTdRegisterRow]
  /// Offset of the invalidate address register; the IOTLB register follows.
  let iva: UInt64
  /// Offset of the first fault recording register, and how many there are.
  let faultRecords: UInt64
  let faultRecordCount: Int
  private var words: [UInt32]
  private var writable: [UInt32]
  private var clearable: [UInt32]

  init(_ configuration: VTdConfiguration) {
    iva = 16 * VTd.ECap.iro.of(configuration.ecap)
    faultRecords = 16 * VTd.Cap.fro.of(configuration.cap)
    faultRecordCount = Int(VTd.Cap.nfr.of(configuration.cap)) + 1
    var rows = Self.fixedRows(configuration)
    typealias IOTLB = VTd.IOTLBCommand
    rows.append(
      VTdRegisterRow(
        name: "IVA", offset: iva, width: 8,
        writable: IOTLB.ivaAddress.mask | IOTLB.ivaIH.mask | IOTLB.ivaAM.mask))
    rows.append(
      VTdRegisterRow(
        name: "IOTLB", offset: iva + VTd.Register.iotlbAfterIVA, width: 8,
        writable: ~IOTLB.iaig.mask & ~UInt64(0xFFFF_FFFF)))
    for index in 0..<UInt64(faultRecordCount) {
      let offset = faultRecords + index * VTd.Register.faultRecordSize
      rows.append(VTdRegisterRow(name: "FRCD\(index) low", offset: offset, width: 8))
      rows.append(
        VTdRegisterRow(
          name: "FRCD\(index) high", offset: offset + 8, width: 8, clearable: VTd.FaultRecord.f.mask))
    }
    self.rows = rows
    let end = rows.map { $0.offset + 8 }.max() ?? 0
    let count = Int(max(end, 0x1000) / 4) + 1
    words = Array(repeating: 0, count: count)
    writable = words
    clearable = words
    // The fixed ones last: capabilities that put two registers in one place do not break them.
    for row in rows.reversed() {
      for half in 0..<row.width / 4 {
        let word = Int(row.offset / 4) + half
        words[word] = UInt32(truncatingIfNeeded: row.initial >> UInt64(32 * half))
        writable[word] = UInt32(truncatingIfNeeded: row.writable >> UInt64(32 * half))
        clearable[word] = UInt32(truncatingIfNeeded: row.clearable >> UInt64(32 * half))
      }
    }
  }

  private static func fixedRows(_ configuration: VTdConfiguration) -> [VTdRegisterRow] {
    typealias R = VTd.Register
    typealias Queue = VTd.InvalidationQueue
    typealias Pages = VTd.PageRequestQueue
    let has = { (field: VTd.Field) in field.of(configuration.ecap) != 0 }
    let low = VTd.Cap.plmr.of(configuration.cap) != 0
    let high = VTd.Cap.phmr.of(configuration.cap) != 0
    let queue = has(VTd.ECap.qi)
    let pages = has(VTd.ECap.prs)
    let addresses: UInt64 = 0xFFFF_FFFC
    var rows: [VTdRegisterRow] = [
      .init(name: "VER", offset: R.ver, width: 4, initial: UInt64(configuration.version)),
      .init(name: "CAP", offset: R.cap, width: 8, initial: configuration.cap),
      .init(name: "ECAP", offset: R.ecap, width: 8, initial: configuration.ecap),
      .init(name: "GCMD", offset: R.gcmd, width: 4),
      .init(name: "GSTS", offset: R.gsts, width: 4),
      .init(
        name: "RTADDR", offset: R.rtaddr, width: 8,
        writable: VTd.RootTableAddress.base.mask | VTd.RootTableAddress.ttm.mask),
      .init(
        name: "CCMD", offset: R.ccmd, width: 8, writable: 0xE000_0003_FFFF_FFFF),
      .init(
        name: "FSTS", offset: R.fsts, width: 4,
        clearable: VTd.FaultStatus.pfo | VTd.FaultStatus.iqe | VTd.FaultStatus.ice | VTd.FaultStatus.ite),
      .init(
        name: "PMEN", offset: R.pmen, width: 4, writable: low || high ? VTd.ProtectedMemory.epm : 0),
      .init(name: "PLMBASE", offset: R.plmbase, width: 4, writable: low ? 0xFFE0_0000 : 0),
      .init(name: "PLMLIMIT", offset: R.plmlimit, width: 4, writable: low ? 0xFFE0_0000 : 0),
      .init(name: "PHMBASE", offset: R.phmbase, width: 8, writable: high ? ~0x1F_FFFF : 0),
      .init(name: "PHMLIMIT", offset: R.phmlimit, width: 8, writable: high ? ~0x1F_FFFF : 0),
      .init(name: "IQH", offset: R.iqh, width: 8),
      .init(name: "IQT", offset: R.iqt, width: 8, writable: queue ? Queue.offset.mask : 0),
      .init(
        name: "IQA", offset: R.iqa, width: 8,
        writable: queue ? Queue.base.mask | Queue.dw.mask | Queue.qs.mask : 0),
      .init(name: "ICS", offset: R.ics, width: 4, clearable: queue ? Queue.iwc : 0),
      .init(name: "IQERCD", offset: R.iqercd, width: 8),
      .init(
        name: "IRTA", offset: R.irta, width: 8,
        writable: has(VTd.ECap.ir)
          ? VTd.InterruptTableAddress.base.mask | VTd.InterruptTableAddress.size.mask
            | (has(VTd.ECap.eim) ? VTd.InterruptTableAddress.eime.mask : 0) : 0),
      .init(name: "PQH", offset: R.pqh, width: 8, writable: pages ? Pages.offset.mask : 0),
      .init(name: "PQT", offset: R.pqt, width: 8, writable: pages ? Pages.offset.mask : 0),
      .init(
        name: "PQA", offset: R.pqa, width: 8, writable: pages ? Pages.base.mask | Pages.size.mask : 0),
      .init(name: "PRS", offset: R.prs, width: 4, clearable: pages ? Pages.ppr | Pages.pro : 0),
    ]
    for (prefix, control, exists) in [("FE", R.fectl, true), ("IE", R.iectl, queue), ("PE", R.pectl, pages)]
    where exists {
      rows.append(
        .init(
          name: prefix + "CTL", offset: control, width: 4, initial: VTd.EventControl.im,
          writable: VTd.EventControl.im))
      rows.append(.init(name: prefix + "DATA", offset: control + 4, width: 4, writable: 0xFFFF_FFFF))
      rows.append(.init(name: prefix + "ADDR", offset: control + 8, width: 4, writable: addresses))
      rows.append(.init(name: prefix + "UADDR", offset: control + 12, width: 4, writable: 0xFFFF_FFFF))
    }
    return rows
  }

  /// Whether there is room for an access: aligned, 4 or 8 bytes, inside the register page.
  func holds(_ offset: UInt64, width: Int) -> Bool {
    (width == 4 || width == 8) && offset & UInt64(width - 1) == 0 && offset / 4 < UInt64(words.count - 1)
  }

  /// - Precondition: `offset` is one of a register, or `holds` says that it is inside.
  func read32(_ offset: UInt64) -> UInt64 { UInt64(words[Int(offset / 4)]) }
  func read64(_ offset: UInt64) -> UInt64 { read32(offset) | read32(offset + 4) << 32 }

  /// What hardware itself writes.
  mutating func set32(_ offset: UInt64, _ value: UInt64) {
    words[Int(offset / 4)] = UInt32(truncatingIfNeeded: value)
  }
  mutating func set64(_ offset: UInt64, _ value: UInt64) {
    set32(offset, value)
    set32(offset + 4, value >> 32)
  }

  /// What software writes: bits that may be written are, and ones clear those that may be cleared.
  mutating func software32(_ offset: UInt64, _ value: UInt32) {
    let word = Int(offset / 4)
    let kept = words[word] & ~writable[word] | value & writable[word]
    words[word] = kept & ~(value & clearable[word])
  }

  /// Offsets of a fault record's two words.
  func faultRecord(_ index: Int) -> UInt64 {
    faultRecords + UInt64(index % faultRecordCount) * VTd.Register.faultRecordSize
  }
}

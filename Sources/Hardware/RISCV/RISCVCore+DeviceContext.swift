// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension RISCVIOMMU.Core {
  /// A device context that was found valid, sections 3.1.3 and 3.1.4.
  struct DeviceContext: Hashable, BitwiseCopyable, Sendable {
    /// The device_id; all ones for none.
    var device: UInt32 = .max
    var tc: UInt64 = 0
    var fsc: UInt64 = 0
    var msiTable: UInt64 = 0
    var msiMask: UInt64 = 0
    var msiPattern: UInt64 = 0
    /// Without a process: `DC.fsc` as `iosatp`, or Bare with PDTV.
    var space = AddressSpace()

    func has(_ bit: UInt64) -> Bool { tc & bit != 0 }
    /// `pdtp.MODE`: levels of the process directory, 0 for Bare.
    var processLevels: Int { Int(fsc >> RISCV.TablePointer.modeShift) }
    var processRoot: UInt64 { (fsc & RISCV.ppnMask) << RISCV.pageShift }
    /// Bits of a process_id that the directory takes.
    var processBits: UInt32 {
      switch fsc >> RISCV.TablePointer.modeShift {
      case RISCV.TablePointer.pd8: 8
      case RISCV.TablePointer.pd17: 17
      default: 20
      }
    }
  }

  /// Decodes a context of 4 or 8 words; nil when it is misconfigured, section 3.1.4.
  func deviceContext(_ words: InlineArray<8, UInt64>, device: UInt32) -> DeviceContext? {
    typealias TC = RISCV.TranslationControl
    typealias TA = RISCV.TranslationAttributes
    typealias Pointer = RISCV.TablePointer
    typealias Cap = RISCV.Capability
    let tc = words[0]
    let iohgatp = words[1]
    let ta = words[2]
    let fsc = words[3]
    let guest = iohgatp >> Pointer.modeShift
    let narrow = tc & TC.sxl != 0
    func isSet(_ bit: UInt64) -> Bool { tc & bit != 0 }

    // 1. Reserved bits.
    guard tc & TC.reserved == 0, ta & TA.deviceReserved == 0, fsc & Pointer.reserved == 0 else { return nil }
    let rcid = ta >> TA.rcidShift & TA.qosMask
    let mcid = ta >> TA.mcidShift & TA.qosMask
    let widest = has(Cap.qosid) ? UInt64(min(max(configuration.qosBits, 0), 12)) : 0
    guard rcid >> widest == 0, mcid >> widest == 0 else { return nil }
    // 2 to 7. ATS, PRI and T2GPA.
    guard has(Cap.ats) || tc & (TC.enATS | TC.enPRI | TC.prpr) == 0,
      isSet(TC.enATS) || tc & (TC.t2gpa | TC.enPRI) == 0,
      isSet(TC.enPRI) || !isSet(TC.prpr),
      !isSet(TC.t2gpa) || has(Cap.t2gpa) && guest != Pointer.bare
    else { return nil }
    // 8 to 12. The first stage.
    if isSet(TC.pdtv) {
      guard supportsProcessMode(fsc >> Pointer.modeShift) else { return nil }
    } else {
      guard !isSet(TC.dpe), supportsFirstStage(fsc >> Pointer.modeShift, narrow: narrow) else { return nil }
    }
    // 13 to 15, 17. The second stage: `fctl.GXL` decides which schemes there are.
    guard supportsSecondStage(guest) else { return nil }
    guard guest == Pointer.bare || iohgatp & 3 == 0 else { return nil }
    // 18. A and D.
    guard has(Cap.amoHWAD) || tc & (TC.sade | TC.gade) == 0 else { return nil }
    // 19, 21. Byte order: `fctl.BE` can be written when there are two.
    guard has(Cap.end) || isSet(TC.sbe) == registers.bigEndian else { return nil }
    // 20. SXL.
    guard registers.gxl ? narrow : !narrow || configuration.gxlWritable else { return nil }
    // 1, 16. What the extended format adds.
    let hasMSI = extendedFormat && words[4] >> Pointer.modeShift != Pointer.msiOff
    if extendedFormat {
      guard words[4] & Pointer.reserved == 0, words[4] >> Pointer.modeShift <= Pointer.msiFlat,
        words[5] >> guestPageBits == 0, words[6] >> guestPageBits == 0, words[7] == 0,
        !hasMSI || guest != Pointer.bare
      else { return nil }
    }
    // Addresses may be checked now or when they are used.
    if configuration.checksContextAddresses {
      let last = view.lastAddress >> RISCV.pageShift
      guard guest == Pointer.bare || iohgatp & RISCV.ppnMask <= last,
        guest != Pointer.bare || fsc & RISCV.ppnMask <= last,
        !hasMSI || words[4] & RISCV.ppnMask <= last
      else { return nil }
    }

    var space = AddressSpace()
    if !isSet(TC.pdtv) { space.first = Stage(fsc, narrow: narrow) }
    space.second = Stage(iohgatp, narrow: registers.gxl)
    space.tag = RISCVAddressSpaceTag(
      gscid: space.second.isBare ? nil : iohgatp >> Pointer.gscidShift & RISCV.gscidMask,
      pscid: space.first.isBare ? nil : ta >> TA.pscidShift & RISCV.pscidMask)
    space.updatesFirst = isSet(TC.sade)
    space.updatesSecond = isSet(TC.gade)
    space.firstBigEndian = isSet(TC.sbe)
    space.secondBigEndian = registers.bigEndian
    space.sxl = narrow
    space.hasMSI = hasMSI
    return DeviceContext(
      device: device, tc: tc, fsc: fsc, msiTable: (words[4] & RISCV.ppnMask) << RISCV.pageShift,
      msiMask: words[5], msiPattern: words[6], space: space)
  }

  /// `iosatp.MODE`, tables 3 and 4.
  func supportsFirstStage(_ mode: UInt64, narrow: Bool) -> Bool {
    switch mode {
    case RISCV.TablePointer.bare: true
    case RISCV.TablePointer.sv39OrSv32: has(narrow ? RISCV.Capability.sv32 : RISCV.Capability.sv39)
    case RISCV.TablePointer.sv48: !narrow && has(RISCV.Capability.sv48)
    case RISCV.TablePointer.sv57: !narrow && has(RISCV.Capability.sv57)
    default: false
    }
  }

  /// `iohgatp.MODE`, tables 1 and 2.
  private func supportsSecondStage(_ mode: UInt64) -> Bool {
    let narrow = registers.gxl
    return switch mode {
    case RISCV.TablePointer.bare: true
    case RISCV.TablePointer.sv39OrSv32: has(narrow ? RISCV.Capability.sv32x4 : RISCV.Capability.sv39x4)
    case RISCV.TablePointer.sv48: !narrow && has(RISCV.Capability.sv48x4)
    case RISCV.TablePointer.sv57: !narrow && has(RISCV.Capability.sv57x4)
    default: false
    }
  }

  /// `pdtp.MODE`, table 5.
  private func supportsProcessMode(_ mode: UInt64) -> Bool {
    switch mode {
    case RISCV.TablePointer.bare: true
    case RISCV.TablePointer.pd8: has(RISCV.Capability.pd8)
    case RISCV.TablePointer.pd17: has(RISCV.Capability.pd17)
    case RISCV.TablePointer.pd20: has(RISCV.Capability.pd20)
    default: false
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory

/// Who watches a walk: nobody, or a recorder.
protocol ZPCITrace {
  mutating func note(_ structure: @autoclosure () -> String, at address: UInt64, _ word: UInt64?)
}

struct ZPCISilence: ZPCITrace {
  // An empty value has no address, and the thread sanitizer looks at the one that it is passed by.
  private let place: UInt8 = 0
  @inline(__always)
  mutating func note(_ structure: @autoclosure () -> String, at address: UInt64, _ word: UInt64?) {}
}

/// Writes down every entry on the way.
struct ZPCIStepRecorder: ZPCITrace {
  var steps: [WalkStep] = []

  mutating func note(_ structure: @autoclosure () -> String, at address: UInt64, _ word: UInt64?) {
    let name = structure()
    guard let word else {
      steps.append(WalkStep(name, at: address, []))
      return
    }
    typealias Bit = ZPCI.Entry
    func flag(_ bit: UInt64) -> Fact { .flag(word & bit != 0) }
    let fields: [(name: String, value: Fact)] =
      switch name {
      case "page entry":
        [
          ("frame", .hex(word & Bit.pageFrameMask)), ("invalid", flag(Bit.pageInvalid)),
          ("protect", flag(Bit.protected)),
        ]
      case "segment entry":
        [
          ("origin", .hex(word & Bit.pageTableOriginMask)),
          ("type", .number(word >> Bit.typeShift & Bit.typeMask)),
          ("invalid", flag(Bit.invalid)), ("protect", flag(Bit.protected)), ("frame", flag(Bit.frame)),
        ]
      default:
        [
          ("origin", .hex(word & Bit.regionOriginMask)), ("length", .number(word & Bit.lengthMask)),
          ("type", .number(word >> Bit.typeShift & Bit.typeMask)), ("invalid", flag(Bit.invalid)),
          ("offset", .number((word & Bit.offsetMask) >> 6)), ("protect", flag(Bit.protected)),
        ]
      }
    steps.append(WalkStep(name, at: address, [word], fields))
  }
}

/// Walks the I/O address translation tables.
///
/// Nothing says which of several defects of one entry comes first; here it is: all zeros, the invalid bit, length and
/// offset, the type.
struct ZPCIWalker {
  let memory: PhysicalMemory
  let zeroEntryIsInvalid: Bool
  /// DTSM.
  let designations: UInt8

  /// The page that an address of a function maps to, with its size and protection.
  func walk<Trace: ZPCITrace>(
    _ anchor: UInt64, _ address: UInt64, _ trace: inout Trace
  ) throws(ZPCIFault) -> ZPCIPage {
    typealias Bit = ZPCI.Entry
    // The designation says how many region tables there are.
    let designation = anchor >> ZPCI.Anchor.designationShift & ZPCI.Anchor.designationMask
    guard designation <= ZPCI.Anchor.regionFirst,
      designations & (ZPCI.Anchor.supportBit >> UInt8(designation)) != 0
    else { throw ZPCIFault(code: ZPCI.Event.invalidFormat, spanLg2: 64) }
    var level = designation
    // An address beyond the table that is designated is out of range.
    let span = Bit.segmentShift &+ Bit.levelBits &* (level &+ 1)
    guard address >> span == 0 else { throw ZPCIFault(code: ZPCI.Event.outOfRange, spanLg2: 64) }
    var table = anchor & ZPCI.Anchor.originMask
    var protected = anchor & ZPCI.Anchor.protected
    while level > 0 {
      let shift = Bit.segmentShift &+ Bit.levelBits &* level
      let place = table &+ (address >> shift & Bit.indexMask) &* 8
      let entry = try load(
        place, ["region-third", "region-second", "region-first"][Int(level) - 1] + " entry", spanLg2: shift,
        invalid: Bit.invalid, &trace)
      guard entry & Bit.lengthMask == Bit.length, entry & Bit.offsetMask == 0 else {
        throw ZPCIFault(code: ZPCI.Event.invalidLength, spanLg2: UInt8(shift))
      }
      guard entry >> Bit.typeShift & Bit.typeMask == level else {
        throw ZPCIFault(code: ZPCI.Event.type, spanLg2: UInt8(shift))
      }
      protected |= entry
      table = entry & Bit.regionOriginMask
      level -= 1
    }
    let place = table &+ (address >> Bit.segmentShift & Bit.indexMask) &* 8
    let segment = try load(place, "segment entry", spanLg2: Bit.segmentShift, invalid: Bit.invalid, &trace)
    guard segment >> Bit.typeShift & Bit.typeMask == 0 else {
      throw ZPCIFault(code: ZPCI.Event.type, spanLg2: UInt8(Bit.segmentShift))
    }
    protected |= segment
    if segment & Bit.frame != 0 {
      return ZPCIPage(
        frame: segment & Bit.segmentFrameMask | address & ~Bit.segmentFrameMask & ~0xFFF, sizeLg2: 20,
        protected: protected & Bit.protected != 0)
    }
    let last = (segment & Bit.pageTableOriginMask) &+ (address >> 12 & Bit.pageIndexMask) &* 8
    let page = try load(last, "page entry", spanLg2: 12, invalid: Bit.pageInvalid, &trace)
    return ZPCIPage(
      frame: page & Bit.pageFrameMask, sizeLg2: 12, protected: (protected | page) & Bit.protected != 0)
  }

  @inline(__always)
  private func load<Trace: ZPCITrace>(
    _ place: UInt64, _ name: @autoclosure () -> String, spanLg2: UInt64, invalid: UInt64, _ trace: inout Trace
  ) throws(ZPCIFault) -> UInt64 {
    let entry = memory.load64(at: PhysAddr(place))?.byteSwapped
    trace.note(name(), at: place, entry)
    let span = UInt8(truncatingIfNeeded: spanLg2)
    guard let entry else { throw ZPCIFault(code: ZPCI.Event.storage, spanLg2: span) }
    guard entry != 0 || !zeroEntryIsInvalid else {
      throw ZPCIFault(code: ZPCI.Event.invalidEntry, spanLg2: span)
    }
    guard entry & invalid == 0 else { throw ZPCIFault(code: ZPCI.Event.protection, spanLg2: span) }
    return entry
  }
}

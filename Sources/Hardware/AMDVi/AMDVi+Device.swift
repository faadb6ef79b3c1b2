// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension AMDVi {
  /// A device table entry as the IOMMU caches it: its words, and what follows from them.
  /// AMD IOMMU Specification, publication 48882, section 2.2.2.1.
  struct Device: Sendable {
    enum Kind: UInt8, Sendable {
      /// V=0: everything passes.
      case pass
      /// ILLEGAL_DEV_TABLE_ENTRY.
      case illegal
      /// V=1, TV=0.
      case blocked
      case translate
    }

    let id: UInt16
    let words: (UInt64, UInt64, UInt64, UInt64)
    let kind: Kind
    /// IR and IW, as `Page.readable` and `Page.writable`.
    let permission: UInt16
    /// Tag of translations of requests without PASID; 0 where none is cached under one.
    let plainTag: UInt64
    /// Tag of translations of requests with PASID, before the PASID is put in; 0 where there are none.
    let guestTag: UInt64
    /// Tag of the host table's translations; 0 without a host table.
    let hostTag: UInt64

    init(
      _ id: UInt16, _ words: (UInt64, UInt64, UInt64, UInt64), _ configuration: Configuration,
      control: UInt64
    ) {
      self.id = id
      self.words = words
      kind = Self.judge(words, configuration, control: control)
      permission =
        (words.0 & AMDViDTE.ir != 0 ? Page.readable : 0) | (words.0 & AMDViDTE.iw != 0 ? Page.writable : 0)
      let mode = words.0 >> AMDViDTE.modeShift & 7
      let domain = words.1 & AMDViDTE.domainMask
      guard kind == .translate else {
        (plainTag, guestTag, hostTag) = (0, 0, 0)
        return
      }
      hostTag = mode == 0 ? 0 : Tag.host(domain: domain)
      if words.0 & AMDViDTE.gv != 0 {
        guestTag = Tag.guest(domain: domain, nested: mode != 0)
        plainTag = words.0 & AMDViDTE.giov != 0 ? guestTag : hostTag
      } else {
        guestTag = 0
        plainTag = hostTag
      }
    }

    /// B5 steps 5 to 7: what is to become of requests, before any table is looked at.
    private static func judge(
      _ words: (UInt64, UInt64, UInt64, UInt64), _ configuration: Configuration, control: UInt64
    ) -> Kind {
      let (w0, w1, w2, _) = words
      guard w0 & AMDViDTE.valid != 0 else { return .pass }
      let translationValid = w0 & AMDViDTE.translationValid != 0
      // Reserved bits: those of the word, and those of features that are not there.
      var reserved0: UInt64 = 1 << 63 | (configuration.revision311 ? 0x0C : 0x7C)
      if !configuration.has(AMDViFeature.ppr) { reserved0 |= AMDViDTE.ppr | AMDViDTE.gprp }
      if !configuration.has(AMDViFeature.gio) { reserved0 |= AMDViDTE.giov }
      if !configuration.has(AMDViFeature.gt) || control & AMDViControl.gtEn == 0 {
        reserved0 |= AMDViDTE.gv
      }
      let reserved1 = configuration.has(AMDViFeature.secureATS) ? 0 : AMDViDTE.secureATS
      let reserved2: UInt64 = 3 << 52
      if w0 & reserved0 != 0 || w1 & reserved1 != 0 || w2 & reserved2 != 0 { return .illegal }
      if w1 >> AMDViDTE.ioCtlShift & 3 == 3 { return .illegal }
      switch w0 >> AMDViDTE.hadShift & 3 {
      case 0: break
      case 1: if !configuration.has(AMDViFeature.ha) { return .illegal }
      case 3:
        if !configuration.has(AMDViFeature.ha) || !configuration.has(AMDViFeature.hd) { return .illegal }
      default: return .illegal
      }
      let mode = Int(w0 >> AMDViDTE.modeShift & 7)
      if mode > configuration.hostLevels || mode == 7 { return .illegal }
      if configuration.snpEnabled, translationValid, mode == 0 { return .illegal }
      if w0 & AMDViDTE.gv != 0 {
        let glx = Int(w0 >> AMDViDTE.glxShift & 3)
        let gpm = Int(w2 >> AMDViDTE.guestPagingModeShift & 3)
        if glx == 3 || glx + 1 > configuration.gcr3Levels { return .illegal }
        if gpm > 1 || gpm + 4 > configuration.guestLevels { return .illegal }
      }
      return translationValid ? .translate : .blocked
    }

    var mode: Int { Int(words.0 >> AMDViDTE.modeShift & 7) }
    var hostRoot: UInt64 { words.0 & AMDViDTE.rootMask }
    var domain: UInt64 { words.1 & AMDViDTE.domainMask }
    var setsAccessed: Bool { words.0 >> AMDViDTE.hadShift & 1 != 0 }
    var setsDirty: Bool { words.0 >> AMDViDTE.hadShift & 3 == 3 }
    var hasGuest: Bool { words.0 & AMDViDTE.gv != 0 }
    var hasPlainGuest: Bool { hasGuest && words.0 & AMDViDTE.giov != 0 }
    var nested: Bool { hasGuest && mode != 0 }
    var gcr3Levels: Int { Int(words.0 >> AMDViDTE.glxShift & 3) + 1 }
    var guestLevels: Int { Int(words.2 >> AMDViDTE.guestPagingModeShift & 3) + 4 }
    var gcr3Root: UInt64 {
      (words.0 >> AMDViDTE.gcr3LowShift & 0x7) << 12 | (words.1 >> AMDViDTE.gcr3MiddleShift & 0xFFFF) << 15
        | (words.1 >> AMDViDTE.gcr3HighShift & 0x1F_FFFF) << 31
    }
    var translatesForDevice: Bool { words.1 & AMDViDTE.iotlb != 0 }
    var sysMgt: UInt64 { words.1 >> AMDViDTE.sysMgtShift & 3 }
    var ioCtl: UInt64 { words.1 >> AMDViDTE.ioCtlShift & 3 }
    var interruptsValid: Bool { words.2 & AMDViDTE.interruptValid != 0 }
    var interruptControl: UInt64 { words.2 >> AMDViDTE.intCtlShift & 3 }
    var interruptLengthLg2: UInt64 { words.2 >> AMDViDTE.interruptLengthShift & 0xF }
  }

  /// Cached device table entries: one for each device that was seen, until it is invalidated.
  struct DeviceCache: Sendable {
    /// One more than the place in `entries`, by DevID; empty before the first entry.
    private var places: [UInt32] = []
    private var entries: [Device] = []
    var count: Int { entries.count }
    var all: [Device] { entries.sorted { $0.id < $1.id } }

    @inline(__always)
    func place(of id: UInt32) -> Int? {
      let id = Int(id & 0xFFFF)
      guard id < places.count else { return nil }
      let place = places[id]
      return place == 0 ? nil : Int(place) - 1
    }

    @inline(__always)
    subscript(place: Int) -> Device { entries[place] }

    mutating func insert(_ device: Device) {
      if places.isEmpty { places = Array(repeating: 0, count: 1 << 16) }
      if let place = place(of: UInt32(device.id)) {
        entries[place] = device
      } else {
        entries.append(device)
        places[Int(device.id)] = UInt32(entries.count)
      }
    }

    mutating func remove(_ id: UInt16) {
      guard let place = place(of: UInt32(id)) else { return }
      let moved = entries[entries.count - 1]
      entries[place] = moved
      places[Int(moved.id)] = UInt32(place + 1)
      entries.removeLast()
      places[Int(id)] = 0
    }

    mutating func removeAll() {
      for device in entries { places[Int(device.id)] = 0 }
      entries.removeAll(keepingCapacity: true)
    }

    /// The same words, judged by another control register.
    mutating func judgeAgain(_ configuration: Configuration, control: UInt64) {
      for place in entries.indices {
        let old = entries[place]
        entries[place] = Device(old.id, old.words, configuration, control: control)
      }
    }
  }
}

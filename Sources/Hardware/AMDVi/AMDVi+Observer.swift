// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs

// One algorithm translates and explains. A walk for a device is live: it fills caches and sets accessed and
// dirty bits. A walk for a person looks at memory only, and writes down what it saw. Which of both is decided
// when the code is compiled, so a live walk pays nothing for the other.

/// Who looks at the entries that a walk reads.
protocol AMDViObserver {
  static var live: Bool { get }
  /// Whether caches are looked at.
  static var asks: Bool { get }
  /// A cache had the answer, or a part of it.
  mutating func usedCache()
  mutating func device(_ address: UInt64, _ device: AMDVi.Device)
  mutating func host(level: Int, _ address: UInt64, _ word: UInt64?)
  mutating func gcr3(level: Int, _ address: UInt64, _ word: UInt64?)
  mutating func guest(level: Int, _ address: UInt64, _ word: UInt64?)
  mutating func interrupt(_ address: UInt64, _ words: [UInt64])
}

extension AMDVi {
  struct Live: AMDViObserver {
    // An empty value has no address, and the thread sanitizer looks at the one that it is passed by.
    private let place: UInt8 = 0
    static var live: Bool { true }
    static var asks: Bool { true }
    @inline(__always) mutating func usedCache() {}
    @inline(__always) mutating func device(_ address: UInt64, _ device: Device) {}
    @inline(__always) mutating func host(level: Int, _ address: UInt64, _ word: UInt64?) {}
    @inline(__always) mutating func gcr3(level: Int, _ address: UInt64, _ word: UInt64?) {}
    @inline(__always) mutating func guest(level: Int, _ address: UInt64, _ word: UInt64?) {}
    @inline(__always) mutating func interrupt(_ address: UInt64, _ words: [UInt64]) {}
  }

  /// Looks without marking, and writes nothing down.
  struct Silent: AMDViObserver {
    // An empty value has no address, and the thread sanitizer looks at the one that it is passed by.
    private let place: UInt8 = 0
    static var live: Bool { false }
    static var asks: Bool { false }
    mutating func usedCache() {}
    mutating func device(_ address: UInt64, _ device: Device) {}
    mutating func host(level: Int, _ address: UInt64, _ word: UInt64?) {}
    mutating func gcr3(level: Int, _ address: UInt64, _ word: UInt64?) {}
    mutating func guest(level: Int, _ address: UInt64, _ word: UInt64?) {}
    mutating func interrupt(_ address: UInt64, _ words: [UInt64]) {}
  }

  /// Looks at caches first, as a live walk does, and leaves no trace.
  struct CacheReader: AMDViObserver {
    static var live: Bool { false }
    static var asks: Bool { true }
    private(set) var used = false
    mutating func usedCache() { used = true }
    mutating func device(_ address: UInt64, _ device: Device) {}
    mutating func host(level: Int, _ address: UInt64, _ word: UInt64?) {}
    mutating func gcr3(level: Int, _ address: UInt64, _ word: UInt64?) {}
    mutating func guest(level: Int, _ address: UInt64, _ word: UInt64?) {}
    mutating func interrupt(_ address: UInt64, _ words: [UInt64]) {}
  }

  struct Recorder: AMDViObserver {
    static var live: Bool { false }
    static var asks: Bool { false }
    mutating func usedCache() {}
    var steps: [WalkStep] = []

    mutating func device(_ address: UInt64, _ device: Device) {
      steps.append(
        WalkStep(
          "device table entry", at: address,
          [device.words.0, device.words.1, device.words.2, device.words.3], device.fields))
    }

    mutating func host(level: Int, _ address: UInt64, _ word: UInt64?) {
      add("host level \(level)", address, word) { word in
        [
          ("PR", .flag(word & AMDViPTE.present != 0)),
          ("NextLevel", .number(word >> AMDViPTE.nextLevelShift & 7)),
          ("address", .hex(word & AMDViPTE.addressMask)),
          ("IR", .flag(word & AMDViPTE.ir != 0)), ("IW", .flag(word & AMDViPTE.iw != 0)),
          ("A", .flag(word & AMDViPTE.accessed != 0)), ("D", .flag(word & AMDViPTE.dirty != 0)),
          ("FC", .flag(word & AMDViPTE.forceCoherent != 0)), ("U", .flag(word & AMDViPTE.user != 0)),
        ]
      }
    }

    mutating func gcr3(level: Int, _ address: UInt64, _ word: UInt64?) {
      add("GCR3 level \(level)", address, word) { word in
        [
          ("V", .flag(word & AMDViGCR3.valid != 0)), ("address", .hex(word & AMDViGCR3.addressMask)),
        ]
      }
    }

    mutating func guest(level: Int, _ address: UInt64, _ word: UInt64?) {
      add("guest level \(level)", address, word) { word in
        [
          ("P", .flag(word & AMDViGuestPTE.present != 0)),
          ("address", .hex(word & AMDViGuestPTE.addressMask)),
          ("RW", .flag(word & AMDViGuestPTE.write != 0)), ("US", .flag(word & AMDViGuestPTE.user != 0)),
          ("A", .flag(word & AMDViGuestPTE.accessed != 0)), ("D", .flag(word & AMDViGuestPTE.dirty != 0)),
          ("PS", .flag(word & AMDViGuestPTE.pageSize != 0)),
          ("G", .flag(word & AMDViGuestPTE.global != 0)),
          ("NX", .flag(word & AMDViGuestPTE.noExecute != 0)),
        ]
      }
    }

    mutating func interrupt(_ address: UInt64, _ words: [UInt64]) {
      steps.append(WalkStep("interrupt remapping table entry", at: address, words))
    }

    private mutating func add(
      _ structure: String, _ address: UInt64, _ word: UInt64?,
      _ fields: (UInt64) -> [(name: String, value: Fact)]
    ) {
      steps.append(
        WalkStep(structure, at: address, word.map { [$0] } ?? [], word.map(fields) ?? []))
    }
  }
}

extension AMDVi.Device {
  /// The entry's fields by the manual's names.
  var fields: [(name: String, value: Fact)] {
    [
      ("V", .flag(words.0 & AMDViDTE.valid != 0)), ("TV", .flag(words.0 & AMDViDTE.translationValid != 0)),
      ("HAD", .number(words.0 >> AMDViDTE.hadShift & 3)), ("Mode", .number(UInt64(mode))),
      ("root", .hex(hostRoot)), ("PPR", .flag(words.0 & AMDViDTE.ppr != 0)),
      ("GPRP", .flag(words.0 & AMDViDTE.gprp != 0)), ("GIoV", .flag(words.0 & AMDViDTE.giov != 0)),
      ("GV", .flag(hasGuest)), ("GLX", .number(UInt64(gcr3Levels - 1))), ("GCR3", .hex(gcr3Root)),
      ("IR", .flag(words.0 & AMDViDTE.ir != 0)), ("IW", .flag(words.0 & AMDViDTE.iw != 0)),
      ("DomainID", .number(domain)), ("I", .flag(translatesForDevice)),
      ("SE", .flag(words.1 & AMDViDTE.suppressRepeated != 0)),
      ("SA", .flag(words.1 & AMDViDTE.suppressAll != 0)),
      ("IoCtl", .number(ioCtl)), ("EX", .flag(words.1 & AMDViDTE.exclusion != 0)),
      ("SysMgt", .number(sysMgt)), ("GuestPagingMode", .number(UInt64(guestLevels - 4))),
      ("IV", .flag(interruptsValid)), ("IntTabLen", .number(interruptLengthLg2)),
      ("interruptRoot", .hex(words.2 & AMDViDTE.interruptRootMask)), ("IntCtl", .number(interruptControl)),
    ]
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware

// Each manual numbers its faults in its own way. What scripts that run on every IOMMU can ask for is what they have in
// common: did a page table refuse the access, or did it not get as far as one?

extension IOMMUUnit {
  /// What a device makes of an abort.
  func fault(_ abort: Abort, at address: UInt64, done: [UInt8]) -> DMAFault {
    DMAFault(
      address: address, code: abort.code, name: abort.name, reason: kind.reason(abort.code),
      recorded: abort.recorded, completion: "\(abort.completion)", done: done)
  }
}

extension TranslationAnswer {
  /// For `ats` and `walk`.
  func facts(_ kind: IOMMUKind) -> [(name: String, value: Fact)] {
    switch self {
    case .translated(let translation):
      [
        ("result", .text("translated")), ("address", .hex(translation.address)),
        ("size", .hex(1 << UInt64(min(63, translation.sizeLg2)))), ("readable", .flag(translation.readable)),
        ("writable", .flag(translation.writable)), ("executable", .flag(translation.executable)),
        ("global", .flag(translation.global)), ("cached", .flag(translation.fromCache)),
      ]
    case .aborted(let abort):
      [
        ("result", .text("fault")), ("code", .hex(UInt64(abort.code))), ("name", .text(abort.name)),
        ("reason", .text(kind.reason(abort.code).rawValue)), ("recorded", .flag(abort.recorded)),
      ]
    case .stalled(let tag): [("result", .text("stalled")), ("tag", .number(UInt64(tag)))]
    }
  }
}

extension IOMMUKind {
  /// What a fault code of this kind means on every IOMMU.
  func reason(_ code: UInt32) -> DMAFault.Reason {
    for (reason, codes) in Self.reasons[name] ?? [] where codes.contains(code) { return reason }
    return .malformed
  }

  /// Fault codes by kind; what is in no list is malformed. Sources: VT-d specification section 7.1 (fault reasons); AMD
  /// IOMMU specification section 2.5 (event codes); IHI 0070 section 7.3 (event numbers); RISC-V IOMMU specification
  /// section 3.2 (causes); the event codes of zPCI.
  private static let reasons: [String: [(DMAFault.Reason, Set<UInt32>)]] = [
    "vtd": [
      (
        .page,
        [0x04, 0x05, 0x06, 0x71, 0x74, 0x75, 0x76, 0x77, 0x79, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86]
      ),
      (
        .blocked,
        [
          0x01, 0x02, 0x0D, 0x0E, 0x25, 0x31, 0x32, 0x39, 0x41, 0x44, 0x45, 0x46, 0x47, 0x48, 0x51, 0x59,
          0x5C, 0x5D,
          0x87,
        ]
      ),
      (
        .external,
        [0x07, 0x08, 0x09, 0x23, 0x38, 0x40, 0x50, 0x58, 0x70, 0x73, 0x78, 0x7B, 0x7C, 0x90, 0x91]
      ),
    ],
    "amd": [(.page, [0x2]), (.blocked, [0x0, 0x8, 0x9]), (.external, [0x3, 0x4])],
    "smmuv3": [
      (.page, [0x10, 0x11, 0x12, 0x13]), (.blocked, [0x00, 0x01, 0x02, 0x05, 0x06, 0x07, 0x08]),
      (.external, [0x03, 0x09, 0x0B, 0x25]),
    ],
    "riscv": [
      (.page, [12, 13, 15, 20, 21, 23]), (.blocked, [256, 258, 260, 262, 266]),
      (.external, [1, 5, 7, 257, 261, 264, 265, 272, 273]),
    ],
    "s390": [(.page, [0x02, 0x04, 0x07]), (.blocked, [0x00, 0x01]), (.external, [0x0B])],
  ]
}

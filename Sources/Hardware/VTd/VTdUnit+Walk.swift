// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory

// A translation for people to read: the same code as for devices, with an observer that notes each structure.

/// Notes where the structures are; their words are read when the walk is over, which changes nothing.
struct VTdReport: VTdObserver {
  static var isReport: Bool { true }
  static var looksIntoCaches: Bool { false }
  mutating func hit() {}
  var seen: [(structure: VTdStructure, address: UInt64)] = []
  mutating func saw(_ structure: VTdStructure, at address: UInt64) { seen.append((structure, address)) }
}

extension VTdUnit {
  public func walk(_ transaction: Transaction) -> WalkReport {
    let request = VTdRequest(transaction)
    if request.kind == .untranslated, !request.hasPASID, transaction.access == .write,
      isVTdInterruptRange(transaction.address)
    {
      return WalkReport(
        steps: [],
        answer: .translated(
          Translation(
            address: transaction.address, sizeLg2: 12,
            interrupt: InterruptMessage(address: transaction.address, data: 0))))
    }
    guard isTranslating else { return WalkReport(steps: [], answer: untranslated(request)) }
    // On a copy: not even a negative cache entry or a counter may stay behind.
    var scratch = translator
    var report = VTdReport()
    let answer: TranslationAnswer
    do throws(VTdFault) {
      answer = .translated(Self.translation(try scratch.translate(request, &report)))
    } catch {
      answer = self.answer(error, request, records: false)
    }
    return WalkReport(steps: report.seen.map { step($0.structure, $0.address) }, answer: answer)
  }

  /// Whether the unit would translate a request otherwise than its structures in memory say now: an invalidation
  /// is missing, or has not been done yet. Like `walk`, this has no effects.
  public func isStale(_ transaction: Transaction) -> Bool {
    // The short way on a copy: it answers from caches, and sets no bits.
    var scratch = translator
    guard let leaf = scratch.quick(transaction) else { return false }
    guard case .translated(let fresh) = walk(transaction).answer else { return true }
    let cached = Self.translation(leaf)
    return cached.address != fresh.address || cached.readable && !fresh.readable
      || cached.writable && !fresh.writable
  }

  private func step(_ structure: VTdStructure, _ address: UInt64) -> WalkStep {
    let (name, count, fields) = describe(structure)
    var words: [UInt64] = []
    for index in 0..<UInt64(count) {
      guard let word = load(address &+ 8 * index) else { break }
      words.append(word)
    }
    var decoded: [(name: String, value: Fact)] = []
    for field in fields where field.word < words.count {
      let word = words[field.word]
      if field.bits.ones == 1 {
        decoded.append((field.name, .flag(field.bits.of(word) != 0)))
      } else if field.bits.low >= 12, field.bits.ones > 0xFFFF_FFFF {
        // An address, with its low bits.
        decoded.append((field.name, .hex(word & field.bits.mask)))
      } else {
        decoded.append((field.name, .hex(field.bits.of(word))))
      }
    }
    return WalkStep(name, at: address, words, decoded)
  }

  private struct Named {
    var name: String
    var word: Int
    var bits: VTd.Field
    init(_ name: String, _ bits: VTd.Field, word: Int = 0) {
      self.name = name
      self.word = word
      self.bits = bits
    }
  }

  private func describe(_ structure: VTdStructure) -> (name: String, words: Int, fields: [Named]) {
    switch structure {
    case .rootEntry:
      typealias E = VTd.RootEntry
      let scalable = translator.mode == VTd.TranslationTableMode.scalable
      return (
        scalable ? "scalable-mode root entry" : "root entry", scalable ? 1 : 2,
        [Named("P", E.p), Named("context-table", E.contextTable)]
      )
    case .contextEntry:
      typealias E = VTd.ContextEntry
      return (
        "context entry", 2,
        [
          Named("P", E.p), Named("FPD", E.fpd), Named("TT", E.tt), Named("SSPTPTR", E.ssptptr),
          Named("AW", E.aw, word: 1), Named("DID", E.did, word: 1),
        ]
      )
    case .scalableContextEntry:
      typealias E = VTd.ScalableContextEntry
      return (
        "scalable-mode context entry", 4,
        [
          Named("P", E.p), Named("FPD", E.fpd), Named("DTE", E.dte), Named("PASIDE", E.paside),
          Named("PRE", E.pre), Named("PDTS", E.pdts), Named("PASIDDIRPTR", E.pasiddirptr),
          Named("RID_PASID", E.ridPASID, word: 1), Named("RID_PRIV", E.ridPriv, word: 1),
        ]
      )
    case .pasidDirectoryEntry:
      typealias E = VTd.PASIDDirectoryEntry
      return (
        "PASID directory entry", 1, [Named("P", E.p), Named("FPD", E.fpd), Named("table", E.table)]
      )
    case .pasidEntry:
      typealias E = VTd.PASIDEntry
      return (
        "PASID table entry", 8,
        [
          Named("P", E.p), Named("FPD", E.fpd), Named("AW", E.aw), Named("PGTT", E.pgtt),
          Named("SSADE", E.ssade), Named("SSPTPTR", E.ssptptr), Named("DID", E.did, word: 1),
          Named("PWSNP", E.pwsnp, word: 1), Named("PGSNP", E.pgsnp, word: 1), Named("SRE", E.sre, word: 2),
          Named("ERE", E.ere, word: 2), Named("FSPM", E.fspm, word: 2), Named("WPE", E.wpe, word: 2),
          Named("NXE", E.nxe, word: 2), Named("SMEP", E.smep, word: 2), Named("EAFE", E.eafe, word: 2),
          Named("FSPTPTR", E.fsptptr, word: 2),
        ]
      )
    case .firstStage(let level):
      return (
        "first-stage level \(level)", 1,
        [
          Named("P", VTd.Field(0)), Named("R/W", VTd.Field(1)), Named("U/S", VTd.Field(2)),
          Named("A", VTd.Field(5)), Named("D", VTd.Field(6)), Named(level == 1 ? "PAT" : "PS", VTd.Field(7)),
          Named("G", VTd.Field(8)), Named("EA", VTd.Field(10)), Named("address", VTd.Field(12...51)),
          Named("XD", VTd.Field(63)),
        ]
      )
    case .secondStage(let level):
      return (
        "second-stage level \(level)", 1,
        [
          Named("R", VTd.Field(0)), Named("W", VTd.Field(1)), Named("X", VTd.Field(2)),
          Named("PS", VTd.Field(7)), Named("A", VTd.Field(8)), Named("D", VTd.Field(9)),
          Named("SNP", VTd.Field(11)), Named("address", VTd.Field(12...51)),
        ]
      )
    }
  }
}

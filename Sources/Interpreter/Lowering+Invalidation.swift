// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Entries of `invalidate`, in the layouts of the drivers:
//
//     { iotlb=2 } { all }                         the selftest driver, on a page table
//     { vdevice=$vd cache=1 } { all vdevice=$vd } the selftest driver, on a virtual IOMMU
//     { addr=0x1000 pages=1 leaf }                VT-d: struct iommu_hwpt_vtd_s1_invalidate
//     { tlbi-nh-va asid=1 addr=0x1000 leaf }      SMMUv3: a command of 16 bytes, IHI 0070 section 4
//     { raw le64(0x10, 0) }                       anything
//
// What words and fields an entry has decides whose it is.

/// A layout of entries.
private enum InvalidationLayout {
  case mock, mockVirtual, vtd
  case smmu(SMMUInvalidation)

  var fields: [String] {
    switch self {
    case .mock: ["flags", "iotlb"]
    case .mockVirtual: ["flags", "vdevice", "cache"]
    case .vtd: ["flags", "addr", "pages"]
    case .smmu(let command): command.fields
    }
  }
  var words: [String] {
    switch self {
    case .mock, .mockVirtual: ["all"]
    case .vtd: ["leaf"]
    case .smmu(let command): command.isLeafAllowed ? [command.word, "leaf"] : [command.word]
    }
  }
  /// `enum iommu_hwpt_invalidate_data_type`.
  var type: UInt64 {
    switch self {
    case .mock, .mockVirtual: 0xDEAD_BEEF
    case .vtd: 0
    case .smmu: 1
    }
  }
  var length: Int {
    switch self {
    case .mock: 8
    case .mockVirtual: 12
    case .vtd: 24
    case .smmu: 16
    }
  }
}

/// A command that SMMUv3's driver takes from user space. IHI 0070, sections 4.3 to 4.5.
private struct SMMUInvalidation {
  let word: String
  let opcode: UInt64
  let fields: [String]
  let isLeafAllowed: Bool

  static let all = [
    SMMUInvalidation(word: "tlbi-nsnh-all", opcode: 0x30, fields: [], isLeafAllowed: false),
    SMMUInvalidation(word: "tlbi-nh-all", opcode: 0x10, fields: [], isLeafAllowed: false),
    SMMUInvalidation(word: "tlbi-nh-asid", opcode: 0x11, fields: ["asid"], isLeafAllowed: false),
    SMMUInvalidation(word: "tlbi-nh-va", opcode: 0x12, fields: ["asid", "addr"], isLeafAllowed: true),
    SMMUInvalidation(word: "tlbi-nh-vaa", opcode: 0x13, fields: ["addr"], isLeafAllowed: true),
    SMMUInvalidation(word: "cfgi-cd", opcode: 0x05, fields: ["sid", "ssid"], isLeafAllowed: true),
    SMMUInvalidation(word: "cfgi-cd-all", opcode: 0x06, fields: ["sid"], isLeafAllowed: false),
    SMMUInvalidation(
      word: "atc-inv", opcode: 0x40, fields: ["sid", "ssid", "addr", "size"], isLeafAllowed: false),
  ]
}

extension Verb {
  /// What may stand in an entry of `invalidate`: words, and fields with a `=` behind.
  public static let invalidationEntries: [(text: String, summary: String)] =
    [
      ("all", "everything (selftest)"), ("iotlb=", "one word of the IOTLB (selftest)"),
      ("vdevice=", "a device of a virtual IOMMU (selftest)"), ("cache=", "one word of its cache (selftest)"),
      ("addr=", "an address (VT-d, SMMUv3)"), ("pages=", "how many pages (VT-d)"),
      ("leaf", "leaves only (VT-d, SMMUv3)"), ("raw", "bytes"),
    ]
    + SMMUInvalidation.all.map { command in
      (command.word, "SMMUv3" + (command.fields.isEmpty ? "" : ": " + command.fields.joined(separator: " ")))
    }
}

extension Lowering {
  mutating func invalidation() {
    if let data = code("data") {
      if !rest.isEmpty { reportConflict(["data", "entries"]) }
      set("data_type", code("type") ?? .number(0xDEAD_BEEF))
      payload(.bytes(data), pointer: "data_uptr")
      return
    }
    let records = rest.compactMap { argument -> Record? in
      if case .record(let record)? = argument.expression?.kind { record } else { nil }
    }
    var parts: [Code] = []
    var length: Int?
    var type: UInt64?
    let standard = records.compactMap { layout(of: $0) }.first
    for record in records {
      let layout = layout(of: record) ?? standard
      guard let (code, size) = entry(record, layout ?? fallback) else { return }
      if let layout { type = type ?? layout.type }
      if let size {
        if length == nil { length = size }
        if length != size && !overrides("entry_len") {
          report(.badRecord, "entries differ in length", help: ["give entry_len=, or make them alike"])
        }
      }
      parts.append(code)
    }
    set("data_type", code("type") ?? .number(type ?? fallback.type))
    set("entry_num", .number(UInt64(records.count)))
    set("entry_len", .number(UInt64(length ?? (standard ?? fallback).length)))
    if !parts.isEmpty { payload(.bytes(.concatenation(parts, place)), pointer: "data_uptr") }
  }

  /// The layout of an entry that says nothing of it.
  private var fallback: InvalidationLayout { argument("on")?.kind == .viommu ? .mockVirtual : .mock }

  /// Whose entry it is, where its words or fields tell.
  private func layout(of record: Record) -> InvalidationLayout? {
    for operand in record.entries.flatMap({ $0.operands }) {
      switch operand.kind {
      case .positional(let value):
        guard case .word(let word) = value.kind else { continue }
        if let command = SMMUInvalidation.all.first(where: { $0.word == word }) { return .smmu(command) }
      case .named(let name, _):
        switch name.text {
        case "iotlb": return .mock
        case "vdevice", "cache": return .mockVirtual
        case "pages": return .vtd
        default: continue
        }
      case .mapped: continue
      }
    }
    return nil
  }

  /// One entry as bytes, with its length where that is known.
  private func entry(_ record: Record, _ layout: InvalidationLayout) -> (Code, Int?)? {
    if let raw = rawBytes(record, row: nil) { return raw }
    var words: Set<String> = []
    var values: [String: Code] = [:]
    for operand in record.entries.flatMap({ $0.operands }) {
      let here = Place(source: place.source, span: operand.span)
      switch operand.kind {
      case .positional(let value):
        guard case .word(let word) = value.kind, layout.words.contains(word) else {
          resolver.report(
            .badRecord, here,
            "an entry has fields, \(layout.words.map { "'\($0)'" }.joined(separator: ", ")), or raw bytes",
            help: [
              "{ \(layout.fields.filter { $0 != "flags" }.joined(separator: "= "))=... }, "
                + "{ \(layout.words.joined(separator: " ")) }, { raw hex\"...\" }"
            ])
          return nil
        }
        words.insert(word)
      case .named(let name, let value):
        guard layout.fields.contains(name.text) else {
          resolver.report(
            .badRecord, Place(source: place.source, span: name.span), "an entry has no field '\(name.text)'",
            help: [
              Suggest.help(for: name.text, in: layout.fields)
                ?? "fields: " + layout.fields.joined(separator: " ")
            ])
          return nil
        }
        values[name.text] = resolver.resolve(value).code
      case .mapped:
        resolver.report(.badRecord, here, "an entry has no addresses")
        return nil
      }
    }
    return (bytes(layout, words, values), layout.length)
  }

  private func bytes(_ layout: InvalidationLayout, _ words: Set<String>, _ values: [String: Code]) -> Code {
    func value(_ name: String) -> Code { values[name] ?? .number(0) }
    func flags(_ word: String) -> Code { values["flags"] ?? .number(words.contains(word) ? 1 : 0) }
    switch layout {
    case .mock: return .function(.le32, [flags("all"), value("iotlb")], place)
    case .mockVirtual: return .function(.le32, [flags("all"), value("vdevice"), value("cache")], place)
    case .vtd:
      return .concatenation(
        [
          .function(.le64, [value("addr"), value("pages")], place),
          .function(.le32, [flags("leaf"), .number(0)], place),
        ], place)
    case .smmu(let command):
      func shifted(_ name: String, _ bits: UInt64) -> Code {
        .binary(.shiftLeft, value(name), .number(bits), place)
      }
      var first: [Code] = [.number(command.opcode)]
      var second: [Code] = [.number(words.contains("leaf") ? 1 : 0)]
      if command.fields.contains("asid") { first.append(shifted("asid", 48)) }
      if command.fields.contains("sid") { first.append(shifted("sid", 32)) }
      if values["ssid"] != nil {
        first.append(shifted("ssid", 12))
        if command.word == "atc-inv" { first.append(.number(1 << 11)) }
      }
      if command.fields.contains("addr") { second.append(value("addr")) }
      if command.fields.contains("size") { second.append(value("size")) }
      return .function(.le64, [.union(first, place), .union(second, place)], place)
    }
  }
}

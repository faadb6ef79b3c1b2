// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import HardwareSpecs

// What `show` prints and `expect` walks.

extension VTdUnit {
  public func facts() -> Fact {
    .record([
      ("mode", .text(modeName)),
      ("translating", .flag(isTranslating)),
      ("registers", registerFacts),
      ("caches", cacheFacts),
      ("invalidation-queue", queueFacts(head: VTd.Register.iqh, tail: VTd.Register.iqt, VTd.Register.iqa)),
      ("page-request-queue", queueFacts(head: VTd.Register.pqh, tail: VTd.Register.pqt, VTd.Register.pqa)),
      ("faults", faultFacts),
      (
        "anomalies",
        .record(anomalies.sorted { $0.key < $1.key }.map { ($0.key, .number($0.value)) })
      ),
    ])
  }

  private var modeName: String {
    switch translator.mode {
    case VTd.TranslationTableMode.legacy: "legacy"
    case VTd.TranslationTableMode.scalable: "scalable"
    case VTd.TranslationTableMode.abortDMA: "abort"
    default: "reserved"
    }
  }

  private var registerFacts: Fact {
    .record(
      registers.rows.sorted { $0.offset < $1.offset }.map { row in
        let value = row.width == 8 ? registers.read64(row.offset) : registers.read32(row.offset)
        return (row.name, .hex(value))
      })
  }

  private func queueFacts(head: UInt64, tail: UInt64, _ address: UInt64) -> Fact {
    let pointer = registers.read64(address)
    let wide = address == VTd.Register.pqa || VTd.InvalidationQueue.dw.of(pointer) != 0
    let width: UInt64 = wide ? 32 : 16
    let size = UInt64(4096) << VTd.InvalidationQueue.qs.of(pointer)
    let first = registers.read64(head) % size & ~(width - 1)
    let end = registers.read64(tail) % size & ~(width - 1)
    var entries: [Fact] = []
    var at = first
    while at != end {
      let base = pointer & VTd.InvalidationQueue.base.mask &+ at
      let words = (0..<width / 8).map { load(base &+ 8 * $0) }
      entries.append(.list(words.map { $0.map(Fact.hex) ?? .none }))
      at = (at + width) % size
    }
    return .record([
      ("base", .hex(pointer & VTd.InvalidationQueue.base.mask)), ("size", .number(size / width)),
      ("head", .number(first / width)), ("tail", .number(end / width)), ("entries", .list(entries)),
    ])
  }

  private var faultFacts: Fact {
    var pending: [Fact] = []
    for index in 0..<registers.faultRecordCount {
      typealias Record = VTd.FaultRecord
      let at = registers.faultRecord(index)
      let high = registers.read64(at + 8)
      guard Record.f.of(high) != 0 else { continue }
      let code = UInt8(truncatingIfNeeded: Record.fr.of(high))
      pending.append(
        .record([
          ("index", .number(UInt64(index))), ("code", .hex(UInt64(code))),
          ("name", .text(VTd.faultReason(code)?.name ?? "unknown")),
          ("source", .hex(Record.sid.of(high))), ("address", .hex(registers.read64(at))),
          ("pasid", Record.pp.of(high) != 0 ? .hex(Record.pv.of(high)) : .none),
          ("type", .text(Self.requestName(t1: Record.t1.of(high), t2: Record.t2.of(high)))),
        ]))
    }
    return .list(pending)
  }

  private static func requestName(t1: UInt64, t2: UInt64) -> String {
    switch (t1, t2) {
    case (0, 0): "write"
    case (1, 0): "read"
    case (0, _): "page request"
    default: "atomic"
    }
  }

  // MARK: Caches

  private var cacheFacts: Fact {
    .record([
      ("context", contextFacts), ("pasid", pasidFacts), ("iotlb", iotlbFacts),
      ("paging-structures", pagingFacts),
      (
        "interrupt-entries",
        .list(
          interruptEntries.sorted { $0.key < $1.key }.map { index, entry in
            .record([
              ("index", .hex(UInt64(index))), ("words", .list([.hex(entry.first), .hex(entry.second)])),
            ])
          })
      ),
    ])
  }

  private var contextFacts: Fact {
    .list(
      translator.contexts.sorted { $0.key < $1.key }.map { sid, line in
        .record([
          ("source", .hex(UInt64(sid))), ("domain", .hex(UInt64(line.did))),
          ("present", .flag(line.missing == 0)), ("words", .list([.hex(line.first), .hex(line.second)])),
        ])
      })
  }

  private var pasidFacts: Fact {
    .list(
      translator.pasidEntries.sorted { $0.key < $1.key }.map { key, line in
        .record([
          ("source", .hex(key >> 20)), ("pasid", .hex(key & 0xF_FFFF)), ("domain", .hex(UInt64(line.did))),
          ("present", .flag(line.missing == 0)),
          ("words", .list([.hex(line.first), .hex(line.second), .hex(line.third)])),
        ])
      })
  }

  private static func tagFacts(_ tag: UInt64) -> [(name: String, value: Fact)] {
    let pasid = tag & 0xFFFF_FFFF
    return [
      ("domain", .hex(tag >> 32 & 0xFFFF)), ("pasid", pasid == 0xFFFF_FFFF ? .none : .hex(pasid)),
    ]
  }

  private var iotlbFacts: Fact {
    .list(
      translator.iotlb.entries.map { address, tag, leaf in
        .record(
          [("address", .hex(address))] + Self.tagFacts(tag) + [
            ("physical", .hex(leaf.address)), ("size", .hex(1 << UInt64(leaf.sizeLg2))),
            ("present", .flag(!leaf.flags.contains(.notPresent))),
            ("readable", .flag(leaf.flags.contains(.read))),
            ("writable", .flag(leaf.flags.contains(.write))),
            ("user", .flag(leaf.flags.contains(.user))),
            ("dirty", .flag(leaf.flags.contains(.dirty))),
            ("snoop", .flag(leaf.flags.contains(.snoop))),
          ])
      })
  }

  private var pagingFacts: Fact {
    .list(
      translator.tables.entries.map { prefix, tag, line in
        let level = Int(tag >> 48)
        return .record(
          [
            ("address", .hex((prefix >> 12) << VTdTranslator.shift(level))),
            ("level", .number(UInt64(level))),
          ] + Self.tagFacts(tag & (1 << 48 - 1)) + [("table", .hex(line.table))])
      })
  }
}

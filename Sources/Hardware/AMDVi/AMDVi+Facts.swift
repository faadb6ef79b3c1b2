// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory

// The IOMMU for people to read: registers, caches, queues.

extension AMDVi.Unit {
  func facts(_ configuration: AMDVi.Configuration) -> Fact {
    .record([
      ("registers", .record(AMDVi.Register.allCases.map { ($0.row.name, .hex(registers[$0])) })),
      ("capability", .hex(UInt64(configuration.capabilityHeader))),
      ("running", running),
      ("caches", caches),
      ("queues", queues),
    ])
  }

  private var running: Fact {
    func runs(_ bit: UInt64) -> Fact { .flag(registers[.status] & bit != 0) }
    return .record([
      ("commands", runs(AMDViStatus.cmdBufRun)), ("events", runs(AMDViStatus.eventLogRun)),
      ("pageRequests", runs(AMDViStatus.pprRun)), ("guestInterrupts", runs(AMDViStatus.gaLogRun)),
    ])
  }

  private var caches: Fact {
    .record([
      (
        "devices",
        .list(devices.all.map { .record([("device", .hex(UInt64($0.id)))] + $0.fields) })
      ),
      ("pages", .list(pages.entries.map { address, tag, page in Self.fact(address, tag, page) })),
      (
        "tables",
        .list(
          tables.entries.map { region, tag, pointer in
            let level = AMDVi.Tag.level(tag)
            let address = AMDVi.regionStart(region, level: Int(level))
            return .record(
              Self.fields(tag) + [
                ("address", .hex(address)), ("level", .number(level)), ("table", .hex(pointer.table)),
              ])
          })
      ),
      (
        "gcr3",
        .list(
          gcr3.entries.map { piece, tag, root in
            .record([
              ("device", .hex(tag >> 16 & 0xFFFF)), ("domain", .number(AMDVi.Tag.domain(tag))),
              ("pasid", .hex(piece >> 12)), ("root", .hex(root)),
            ])
          })
      ),
      (
        "interrupts",
        .list(
          interrupts.entries.map { piece, tag, entry in
            .record([
              ("device", .hex(tag & 0xFFFF)), ("index", .number(piece >> 12)), ("low", .hex(entry.low)),
              ("high", .hex(entry.high)),
            ])
          })
      ),
    ])
  }

  private static func fields(_ tag: UInt64) -> [(name: String, value: Fact)] {
    [
      ("domain", .number(AMDVi.Tag.domain(tag))),
      ("pasid", AMDVi.Tag.isGuest(tag) ? .hex(AMDVi.Tag.pasid(tag)) : .none),
      ("nested", .flag(AMDVi.Tag.isNested(tag))),
    ]
  }

  private static func fact(_ address: UInt64, _ tag: UInt64, _ page: AMDVi.Page) -> Fact {
    func has(_ flag: UInt16) -> Fact { .flag(page.flags & flag != 0) }
    return .record(
      fields(tag) + [
        ("address", .hex(address)), ("base", .hex(page.base)), ("sizeLg2", .number(UInt64(page.sizeLg2))),
        ("readable", has(AMDVi.Page.readable)), ("writable", has(AMDVi.Page.writable)),
        ("executable", has(AMDVi.Page.executable)), ("user", has(AMDVi.Page.user)),
        ("global", has(AMDVi.Page.global)), ("dirtyPending", has(AMDVi.Page.dirtyPending)),
        ("absent", has(AMDVi.Page.absent)),
      ])
  }

  private var queues: Fact {
    .record([
      ("commands", queue(.commandBufferBase, .commandHead, .commandTail, entry: 16)),
      ("events", queue(.eventLogBase, .eventHead, .eventTail, entry: 16)),
      ("pageRequests", queue(.pprLogBase, .pprHead, .pprTail, entry: 16)),
      ("guestInterrupts", queue(.gaLogBase, .gaHead, .gaTail, entry: 8)),
    ])
  }

  /// The entries between head and tail.
  private func queue(
    _ base: AMDVi.Register, _ head: AMDVi.Register, _ tail: AMDVi.Register, entry: UInt64
  ) -> Fact {
    let ring = registers.ring(base)
    var place = registers[head] & (ring.size - entry)
    let end = registers[tail] & (ring.size - entry)
    var entries: [Fact] = []
    while place != end {
      let words = stride(from: UInt64(0), to: entry, by: 8).map { offset -> Fact in
        memory.load64(at: PhysAddr(ring.base + place + offset)).map { .hex($0) } ?? .none
      }
      entries.append(.list(words))
      place = (place + entry) & (ring.size - 1)
    }
    return .record([
      ("base", .hex(ring.base)), ("size", .number(ring.size / entry)), ("head", .hex(registers[head])),
      ("tail", .hex(registers[tail])), ("entries", .list(entries)),
    ])
  }
}

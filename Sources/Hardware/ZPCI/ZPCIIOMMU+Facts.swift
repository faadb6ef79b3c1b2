// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import HardwareSpecs

extension ZPCIIOMMU {
  /// The functions with their states and windows, the group, the caches and the events that wait.
  public func facts() -> Fact {
    let group = configuration.group
    return .record([
      (
        "group",
        .record([
          ("id", .hex(UInt64(group.id))), ("dtsm", .hex(UInt64(group.designations))),
          ("refresh", .flag(group.refreshes)), ("relaxed translation", .flag(group.relaxedTranslation)),
          ("msia", .hex(group.messageAddress)), ("interrupts", .number(UInt64(group.interrupts))),
        ])
      ), ("functions", .list(core.functions.compactMap { $0.map(Self.fact) })),
      ("translations", .list(translationFacts())), ("mirrored pages", .number(UInt64(core.mirroredPages))),
      (
        "events",
        .list(
          events.map {
            .record([
              ("content code", .number(UInt64($0.contentCode))), ("pec", .hex(UInt64($0.code))),
              ("name", .text(Self.name(of: $0.code))), ("handle", .hex(UInt64($0.handle))),
              ("fid", .hex(UInt64($0.id))), ("address", .hex($0.address)),
            ])
          })
      ), ("lost events", .number(UInt64(lostEvents))),
    ])
  }

  private static func fact(_ function: ZPCIFunction) -> Fact {
    .record([
      ("handle", .hex(UInt64(function.handle))), ("fid", .hex(UInt64(function.id))),
      ("state", .text("\(function.state)")), ("sdma", .hex(function.firstDMA)),
      ("edma", .hex(function.lastDMA)),
      ("pft", .number(UInt64(function.type))), ("registered", .flag(function.isRegistered)),
      ("pba", .hex(function.base)), ("pal", .hex(function.limit)), ("iota", .hex(function.anchor)),
      ("interrupts", function.interrupts.map { .number(UInt64($0.count)) } ?? .none),
      ("refreshes", .number(function.refreshes)),
    ])
  }

  private func translationFacts() -> [Fact] {
    core.translations.entries.map { address, tag, page in
      .record([
        ("function", .number(tag)), ("address", .hex(address)), ("frame", .hex(page.frame)),
        ("size", .hex(1 << UInt64(page.sizeLg2))), ("protected", .flag(page.protected)),
      ])
    }
  }
}

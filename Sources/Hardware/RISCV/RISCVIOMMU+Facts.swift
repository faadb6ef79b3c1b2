// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import HardwareSpecs

extension RISCVIOMMU {
  /// Registers by name, the queues with what is in them, and the caches.
  public func facts() -> Fact {
    .record([
      ("registers", registerFacts()),
      ("command queue", queue(core.registers.command, words: 2)),
      ("fault queue", queue(core.registers.fault, words: 4)),
      ("page request queue", queue(core.registers.pageRequest, words: 2)),
      ("device contexts", contextFacts()), ("process contexts", processFacts()),
      ("translations", translationFacts()), ("first-stage tables", tableFacts(core.tables.first)),
      ("second-stage tables", tableFacts(core.tables.second)),
      ("ordered reads", .number(orderedReads)), ("ordered writes", .number(orderedWrites)),
    ])
  }

  private func registerFacts() -> Fact {
    let names: [(String, UInt64, Int)] = [
      ("capabilities", RISCV.Register.capabilities, 8), ("fctl", RISCV.Register.fctl, 4),
      ("cqb", RISCV.Register.cqb, 8), ("cqh", RISCV.Register.cqh, 4), ("cqt", RISCV.Register.cqt, 4),
      ("fqb", RISCV.Register.fqb, 8), ("fqh", RISCV.Register.fqh, 4), ("fqt", RISCV.Register.fqt, 4),
      ("pqb", RISCV.Register.pqb, 8), ("pqh", RISCV.Register.pqh, 4), ("pqt", RISCV.Register.pqt, 4),
      ("cqcsr", RISCV.Register.cqcsr, 4), ("fqcsr", RISCV.Register.fqcsr, 4),
      ("pqcsr", RISCV.Register.pqcsr, 4), ("ipsr", RISCV.Register.ipsr, 4),
      ("iocountovf", RISCV.Register.iocountovf, 4), ("iocountinh", RISCV.Register.iocountinh, 4),
      ("iohpmcycles", RISCV.Register.iohpmcycles, 8), ("tr_req_iova", RISCV.Register.trReqIOVA, 8),
      ("tr_req_ctl", RISCV.Register.trReqCtl, 8), ("tr_response", RISCV.Register.trResponse, 8),
      ("iommu_qosid", RISCV.Register.iommuQOSID, 4), ("icvec", RISCV.Register.icvec, 8),
    ]
    // Looking at ddtp does not count as a read: its busy bit would go.
    let pointer: (name: String, value: Fact) = ("ddtp", .hex(core.registers.ddtp))
    let counters: [(name: String, value: Fact)] = (0..<core.monitor.count).flatMap { index in
      [
        ("iohpmctr\(index + 1)", Fact.hex(core.monitor.counter(index))),
        ("iohpmevt\(index + 1)", Fact.hex(core.monitor.selector(index))),
      ]
    }
    return .record(
      names.map { ($0.0, .hex(readRegister($0.1, width: $0.2))) } + [pointer] + counters + [
        (
          "msi_cfg_tbl",
          .list(
            core.registers.vectors.map {
              .record([
                ("address", .hex($0.address)), ("data", .hex(UInt64($0.data))),
                ("masked", .flag($0.control & RISCV.Interrupt.vectorMasked != 0)),
                ("pending", .flag($0.pending)),
              ])
            })
        )
      ])
  }

  /// A queue, with at most 64 of the entries between head and tail.
  private func queue(_ queue: QueueRegisters, words: Int) -> Fact {
    var entries: [Fact] = []
    var index = queue.head
    while index != queue.tail, entries.count < 64 {
      let place = queue.address(of: index)
      entries.append(
        .list(
          (0..<words).map { word in
            core.view.load64(place &+ UInt64(word) &* 8, bigEndian: core.registers.bigEndian).map { .hex($0) }
              ?? .none
          }))
      index = (index &+ 1) & queue.indexMask
    }
    return .record([
      ("on", .flag(queue.isOn)), ("base", .hex(queue.address(of: 0))),
      ("entries", .number(UInt64(queue.indexMask) + 1)), ("head", .number(UInt64(queue.head))),
      ("tail", .number(UInt64(queue.tail))),
      ("waiting", .number(UInt64((queue.tail &- queue.head) & queue.indexMask))),
      ("contents", .list(entries)),
    ])
  }

  private func contextFacts() -> Fact {
    .list(
      core.deviceContexts.dropLast().filter { $0.device != .max }.map {
        .record(
          [("device", .hex(UInt64($0.device))), ("tc", .hex($0.tc)), ("fsc", .hex($0.fsc))]
            + tag($0.space.tag))
      })
  }

  private func processFacts() -> Fact {
    .list(
      core.processContexts.dropLast().filter { $0.device != .max }.map {
        .record(
          [("device", .hex(UInt64($0.device))), ("process", .hex(UInt64($0.process))), ("ta", .hex($0.ta))]
            + tag($0.space.tag))
      })
  }

  private func translationFacts() -> Fact {
    .list(
      core.translations.entries.map { address, tag, entry in
        .record(
          self.tag(tag) + [
            ("iova", .hex(address)), ("gpa", .hex(entry.gpa)), ("address", .hex(entry.address)),
            ("size", .hex(entry.sizeLg2 < 64 ? 1 << UInt64(entry.sizeLg2) : 0)),
            ("first", .hex(UInt64(entry.first))), ("second", .hex(UInt64(entry.second))),
            ("msi", .flag(entry.isMSI)),
          ])
      })
  }

  private func tableFacts(_ cache: TranslationCache<RISCVAddressSpaceTag, Core.CachedTable>) -> Fact {
    .list(
      cache.entries.map { key, tag, entry in
        .record(self.tag(tag) + [("address", .hex(key << 9)), ("table", .hex(entry.table))])
      })
  }

  private func tag(_ tag: RISCVAddressSpaceTag) -> [(name: String, value: Fact)] {
    [
      ("GSCID", tag.hasGSCID ? .number(tag.gscid) : .none),
      ("PSCID", tag.hasPSCID ? .number(tag.pscid) : .none),
    ]
  }
}

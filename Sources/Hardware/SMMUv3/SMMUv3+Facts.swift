// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import HardwareSpecs
internal import Memory

extension SMMUv3 {
  public func walk(_ transaction: Transaction) -> WalkReport {
    var recorder = Recorder()
    let answer = procedure(transaction, &recorder)
    return WalkReport(steps: recorder.steps, answer: answer)
  }

  public func facts() -> Fact {
    var members: [(name: String, value: Fact)] = [
      ("registers", registerFacts),
      ("CMDQ", queueFacts(commands)),
      ("EVENTQ", queueFacts(events)),
      ("PRIQ", queueFacts(requests)),
      ("STEs", .list(streams.sorted { $0.key < $1.key }.map { streamFact($0.key, $0.value) })),
      (
        "CDs", .list(contextDescriptors.sorted { $0.key < $1.key }.map { contextFact($0.key, $0.value) })
      ),
      ("TLB", .list(tlb.pointee.entries.map { translationFact($0.address, $0.tag, $0.entry) })),
      (
        "walkCache",
        .list(
          walkEntries.pointee.entries.map { address, tag, pointer in
            .record([
              ("address", .hex(address)), ("level", .number(Tag.level(tag))),
              ("VMID", .number(Tag.vmid(tag))), ("ASID", .number(Tag.asid(tag))),
              ("table", .hex(pointer.table)),
            ])
          })
      ),
      (
        "stalled",
        .list(
          stalled.sorted { $0.key < $1.key }.map { tag, transaction in
            .record([("STAG", .hex(UInt64(tag))), ("SID", .hex(UInt64(transaction.source)))])
          })
      ),
      ("waitingEvents", .number(UInt64(waitingEvents.count - waitingFrom))),
      ("outstanding", .number(UInt64(outstanding.count))),
      ("mistakes", .list(mistakes.last.map(Fact.text))),
    ]
    if let cmdqv { members.append(("CMDQV", cmdqv.facts())) }
    return .record(members)
  }

  private var registerFacts: Fact {
    typealias R = SMMU.Register
    let narrow: [(String, UInt64)] = [
      ("IDR0", R.idr0), ("IDR1", R.idr1), ("IDR3", R.idr3), ("IDR5", R.idr5), ("IIDR", R.iidr),
      ("AIDR", R.aidr), ("CR0", R.cr0), ("CR1", R.cr1), ("CR2", R.cr2), ("GBPA", R.gbpa),
      ("IRQ_CTRL", R.irqControl), ("GERROR", R.gerror), ("GERRORN", R.gerrorN),
      ("STRTAB_BASE_CFG", R.streamTableConfig), ("CMDQ_PROD", R.commandQueueProd),
      ("CMDQ_CONS", R.commandQueueCons),
    ]
    let wide: [(String, UInt64)] = [
      ("STRTAB_BASE", streamTableBase), ("CMDQ_BASE", commands.base), ("EVENTQ_BASE", events.base),
      ("EVENTQ_PROD", UInt64(events.prod)), ("EVENTQ_CONS", UInt64(events.cons)),
      ("PRIQ_BASE", requests.base), ("PRIQ_PROD", UInt64(requests.prod)),
      ("PRIQ_CONS", UInt64(requests.cons)),
    ]
    return .record(
      narrow.map { ($0.0, .hex(readRegister($0.1, width: 4))) } + wide.map { ($0.0, .hex($0.1)) })
  }

  /// The entries between CONS and PROD, the first 64.
  private func queueFacts(_ queue: Queue) -> Fact {
    let entries = (0..<min(queue.count, 64)).map { offset -> Fact in
      let place = queue.address(queue.cons &+ UInt32(offset))
      return .list(
        (0..<1 << (queue.bytesLg2 - 3)).map { word in
          memory.load64(at: PhysAddr(place &+ UInt64(word) << 3)).map(Fact.hex) ?? .none
        })
    }
    return .record([
      ("sizeLg2", .number(UInt64(queue.sizeLg2))), ("full", .flag(queue.isFull)),
      ("overflow", .flag(queue.overflowed)), ("entries", .list(entries)),
    ])
  }

  private func streamFact(_ source: UInt32, _ ste: StreamTableEntry) -> Fact {
    .record(
      [("SID", .hex(UInt64(source))), ("legal", .flag(ste.legal))]
        + Self.steFields.map { ($0.name, .hex(ste.raw[$0.field])) })
  }

  private func contextFact(_ key: UInt64, _ cd: ContextDescriptor) -> Fact {
    .record(
      [
        ("SID", .hex(key >> 32)), ("SSID", .hex(key & 0xFFFF_FFFF)), ("legal", .flag(cd.legal)),
        ("TTB0", .hex(cd.raw.words[1] & SMMU.CD.ttbMask)),
        ("TTB1", .hex(cd.raw.words[2] & SMMU.CD.ttbMask)),
      ] + Self.cdFields.map { ($0.name, .hex(cd.raw[$0.field])) })
  }

  private func translationFact(_ address: UInt64, _ tag: UInt64, _ entry: Entry) -> Fact {
    let worlds = ["EL1", "EL2", "EL2-E2H", "stage 2"]
    return .record([
      ("address", .hex(address)), ("world", .text(worlds[Int(Tag.world(tag))])),
      ("VMID", .number(Tag.vmid(tag))), ("ASID", .number(Tag.asid(tag))),
      ("global", .flag(Tag.isGlobal(tag))), ("output", .hex(entry.output)),
      ("sizeLg2", .number(entry.sizeLg2)), ("level", .number(entry.level)),
      ("allow", .hex(UInt64(entry.allow))),
    ])
  }
}

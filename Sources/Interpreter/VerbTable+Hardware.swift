// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// IOMMUs, what PCI functions do with them, and what can be seen of both. All of it goes through the bench.

extension Lowering {
  /// `{ 0x1000 = gpa 0x8000 len=8K rw }`: what a guest's table maps. `gpa` and `pa` are there to be read.
  mutating func tableEntries() -> [TableEntryCode] {
    var entries: [TableEntryCode] = []
    for argument in rest {
      guard case .record(let record)? = argument.expression?.kind else { continue }
      for entry in record.entries {
        if let code = tableEntry(entry.operands) { entries.append(code) }
      }
    }
    return entries
  }

  private mutating func tableEntry(_ operands: [Operand]) -> TableEntryCode? {
    guard let first = operands.first else { return nil }
    let here = Place(source: place.source, span: first.span)
    let shape = "{ 0x1000 = gpa 0x8000 rw; 0x2000 = 0x9000 len=8K ro }"
    guard case .mapped(let iova, let value) = first.kind else {
      resolver.report(.badRecord, here, "an entry of a table is an IOVA and what it maps to", help: [shape])
      return nil
    }
    var target: Expression? = value
    if case .word(let word) = value.kind {
      guard word == "gpa" || word == "pa" else {
        resolver.report(.badRecord, here, "an entry of a table maps to an address", help: [shape])
        return nil
      }
      target = nil
    }
    var length: Code = .number(4096)
    var rights: (read: Bool, write: Bool) = (true, true)
    for operand in operands.dropFirst() {
      switch operand.kind {
      case .positional(let value):
        if target == nil {
          target = value
          continue
        }
        switch value.kind {
        case .word("ro"): rights = (true, false)
        case .word("wo"): rights = (false, true)
        case .word("rw"): rights = (true, true)
        default:
          resolver.report(
            .badRecord, Place(source: place.source, span: operand.span),
            "an entry of a table has no place for this",
            help: [shape])
          return nil
        }
      case .named(let name, let value) where name.text == "len": length = resolver.resolve(value).code
      default:
        resolver.report(
          .badRecord, Place(source: place.source, span: operand.span),
          "an entry of a table has no such option",
          help: [shape])
        return nil
      }
    }
    guard let target else {
      resolver.report(.badRecord, here, "an entry of a table maps to an address", help: [shape])
      return nil
    }
    return TableEntryCode(
      iova: resolver.resolve(iova).code, target: resolver.resolve(target).code, length: length,
      readable: rights.read, writable: rights.write)
  }

  /// The options that every access of a device has.
  func dma(_ access: DMACode.Access, _ address: Code) -> DMACode {
    DMACode(
      access: access, address: address, pasid: code("pasid"), execute: has("exec"), privileged: has("priv"),
      isTranslated: has("translated"), avoidsCache: has("untranslated"))
  }
}

extension VerbTable {
  private static let device = Parameter.value("dev", .object([.device]), .required)
  private static let address = Parameter.value("address", .iova, .required)
  private static let iommu = Parameter.value("iommu", .object([.iommu]), .required)

  private static let accessOptions: [Parameter] = [
    .value("pasid", .number), .word("exec"), .word("priv"), .word("translated"), .word("untranslated"),
  ]

  /// How a device's access ended; only what applies is there.
  private static let accessResults: [ResultSpec] = [
    ResultSpec("data", .bytes, .named), ResultSpec("reason", .text, .named), ResultSpec("code", .hex, .named),
    ResultSpec("name", .text, .named), ResultSpec("at", .hex, .named),
    ResultSpec("recorded", .number, .named),
    ResultSpec("address", .hex, .named), ResultSpec("value", .hex, .named),
  ]

  private static let translationResults: [ResultSpec] = [
    ResultSpec("result", .text, .named), ResultSpec("address", .hex, .named),
    ResultSpec("size", .hex, .named),
    ResultSpec("readable", .number, .named), ResultSpec("writable", .number, .named),
    ResultSpec("executable", .number, .named), ResultSpec("global", .number, .named),
    ResultSpec("cached", .number, .named), ResultSpec("code", .hex, .named),
    ResultSpec("name", .text, .named),
    ResultSpec("reason", .text, .named), ResultSpec("recorded", .number, .named),
    ResultSpec("tag", .number, .named),
  ]

  static let hardwareVerbs: [Verb] = [
    Verb(
      "iommu", .local, operands: [.value("name", .any)], options: [.value("kind", .any, .required)],
      results: [ResultSpec("iommu", .object(.iommu), .named)], namesResult: "name", takesAnyOption: true,
      "Plugs an IOMMU in and brings it up; its options are those of its kind, see `iommu kinds`.",
      examples: ["iommu io kind=vtd mode=legacy", "iommu smmu kind=smmuv3"]
    ) { l in
      guard let kind = l.code("kind") else { return }
      l.body = .action(
        .hardware(
          .addIOMMU(
            name: l.argument("name")?.word, kind: kind, options: l.extra.map { ($0.name, $0.value?.code) })))
    },
    Verb(
      "iommu kinds", .local, "Prints the kinds of IOMMU and their options.", examples: ["iommu kinds"]
    ) { l in l.body = .action(.show(nil, part: nil, what: .kinds)) },
    Verb(
      "device remove", .local, or: ["remove device"], operands: [device],
      "Unplugs a PCI function that no program has open.", examples: ["unbind $nic", "device remove $nic"]
    ) { l in if let device = l.code("dev") { l.body = .action(.hardware(.removeFunction(device))) } },
    Verb(
      "device enable", .local, operands: [device], options: [.word("ats"), .word("pri"), .word("pasid")],
      "Sets which capabilities of a PCI function are on, behind the back of the IOMMU's driver; those not named go off.",
      examples: ["device enable $nic ats pri"]
    ) { l in
      guard let device = l.code("dev") else { return }
      l.body = .action(
        .hardware(.configure(device, ats: l.has("ats"), pri: l.has("pri"), pasid: l.has("pasid"))))
    },
    Verb(
      "irq alloc", .local, operands: [device],
      options: [.value("vector", .number, .required), .value("cpu", .number, usual: .number(0))],
      results: [ResultSpec("address", .hex, .named), ResultSpec("data", .hex, .named)],
      "Gives a device an interrupt through the IOMMU's remapping table: what it has to write, and where.",
      examples: ["irq alloc $nic vector=0x41   -> address=?a, data=?d"]
    ) { l in
      guard let device = l.code("dev"), let vector = l.code("vector") else { return }
      l.body = .action(
        .hardware(.remapInterrupt(device, vector: vector, destination: l.codeOrUsual("cpu"))))
    },
    Verb(
      "bind", .local, operands: [device], results: [ResultSpec("id", .number, .named)],
      "Opens a PCI function's device node and binds it to the open file; what uses the function does so by itself.",
      examples: ["bind $nic   -> id=?n"]
    ) { l in if let device = l.code("dev") { l.body = .action(.hardware(.bind(device))) } },
    Verb(
      "unbind", .local, operands: [device],
      "Closes a PCI function's device node, which detaches and unbinds it.", examples: ["unbind $nic"]
    ) { l in if let device = l.code("dev") { l.body = .action(.hardware(.unbind(device))) } },
    Verb(
      "dma read", .local, operands: [device, address],
      options: [.value("len", .length, usual: .number(8))] + accessOptions,
      results: accessResults,
      "Makes a device read memory.",
      examples: [
        "dma read $nic 0x100000 len=16   -> seq(16)",
        "dma read $nic 0x9000 len=4   -> fault, reason=page, at=0x9000",
      ]
    ) { l in
      guard let device = l.code("dev"), let address = l.code("address") else { return }
      l.body = .action(
        .hardware(.dma(device, l.dma(.read(length: l.codeOrUsual("len")), address))))
    },
    Verb(
      "dma write", .local, operands: [device, address, .value("data", .bytes, .required)],
      options: accessOptions, results: accessResults,
      "Makes a device write memory.",
      examples: ["dma write $nic 0x100000 \"abc\"", "dma write $nic 0x1000 le32(7) pasid=5"]
    ) { l in
      guard let device = l.code("dev"), let address = l.code("address"), let data = l.code("data") else {
        return
      }
      l.body = .action(.hardware(.dma(device, l.dma(.write(data), address))))
    },
    Verb(
      "dma atomic", .local, operands: [device, address, .value("data", .bytes, .required)],
      options: [
        .value(
          "op", .words(DMARequest.Atomic.allCases.map(\.rawValue)),
          usual: .word(DMARequest.Atomic.fetchAdd.rawValue))
      ] + accessOptions,
      results: accessResults,
      "Makes a device change a word of 4 or 8 bytes in one step, and gives what was there.",
      examples: ["dma atomic $nic 0x1000 le64(1)   -> le64(41)"]
    ) { l in
      guard let device = l.code("dev"), let address = l.code("address"), let data = l.code("data"),
        let atomic = l.wordOrUsual("op").flatMap(DMARequest.Atomic.init(rawValue:))
      else { return }
      l.body = .action(.hardware(.dma(device, l.dma(.atomic(atomic, data), address))))
    },
    Verb(
      "dma wait", .local, operands: [device], results: accessResults,
      "Gives the outcome of a DMA that the IOMMU held; blocked while it still does.",
      examples: ["dma wait $nic   -> ok", "dma wait $nic   -> blocked"]
    ) { l in if let device = l.code("dev") { l.body = .action(.hardware(.awaitDMA(device))) } },
    Verb(
      "irq", .local, operands: [device],
      options: [
        .value("address", .iova, usual: .number(0xFEE0_0000)), .value("data", .number, usual: .number(0)),
      ] + accessOptions, results: accessResults,
      "Makes a device raise an interrupt: a write of 4 bytes to the doorbell. Gives where it arrives.",
      examples: ["irq $nic address=0xfee00000 data=0x41   -> ok, address=?a"]
    ) { l in
      guard let device = l.code("dev") else { return }
      l.body = .action(
        .hardware(
          .dma(
            device, l.dma(.interrupt(l.codeOrUsual("data")), l.codeOrUsual("address"))
          ))
      )
    },
    Verb(
      "ats", .local, operands: [device, address], options: [.value("pasid", .number), .word("write")],
      results: translationResults,
      "Makes a device ask for a translation, which it keeps.",
      examples: ["ats $nic 0x1000 write   -> ok, writable=1"]
    ) { l in
      guard let device = l.code("dev"), let address = l.code("address") else { return }
      l.body = .action(
        .hardware(
          .requestTranslation(device, address: address, pasid: l.code("pasid"), writing: l.has("write"))))
    },
    Verb(
      "walk", .local, operands: [device, address], options: [.value("pasid", .number), .word("write")],
      results: [ResultSpec("steps", .any, .named)] + translationResults,
      "Prints every step of a translation: each structure with its address, its words and its fields. No cache is used, "
        + "and with an expectation about its results nothing is printed.",
      examples: ["walk $nic 0x1000", "walk $nic 0x1000 write   -> ok, size=2M"]
    ) { l in
      guard let device = l.code("dev"), let address = l.code("address") else { return }
      l.body = .action(
        .hardware(.walk(device, address: address, pasid: l.code("pasid"), writing: l.has("write"))))
    },
    Verb(
      "reg read", .local, operands: [iommu, .value("offset", .number, .required)],
      options: [.value("width", .number, usual: .number(8))], results: [ResultSpec("value", .hex, .named)],
      "Reads a register of an IOMMU, 4 or 8 bytes.", examples: ["reg read $io 0x8 width=8   -> value=?cap"]
    ) { l in
      guard let iommu = l.code("iommu"), let offset = l.code("offset") else { return }
      l.body = .action(.hardware(.readRegister(iommu, offset: offset, width: l.codeOrUsual("width"))))
    },
    Verb(
      "reg write", .local,
      operands: [iommu, .value("offset", .number, .required), .value("value", .number, .required)],
      options: [.value("width", .number, usual: .number(8))],
      "Writes a register of an IOMMU, behind its driver's back.", examples: ["reg write $io 0x38 0 width=4"]
    ) { l in
      guard let iommu = l.code("iommu"), let offset = l.code("offset"), let value = l.code("value") else {
        return
      }
      l.body = .action(
        .hardware(.writeRegister(iommu, offset: offset, value: value, width: l.codeOrUsual("width"))))
    },
    Verb(
      "phys read", .local, operands: [.value("address", .number, .required)],
      options: [.value("len", .length, usual: .number(8))],
      results: [ResultSpec("data", .bytes, .named)],
      "Reads physical memory.", examples: ["phys read 0x1000 len=16   -> ?table"]
    ) { l in
      guard let address = l.code("address") else { return }
      l.body = .action(.hardware(.readPhysical(address, length: l.codeOrUsual("len"))))
    },
    Verb(
      "phys write", .local,
      operands: [.value("address", .number, .required), .value("data", .bytes, .required)],
      "Writes physical memory, whoever uses it.", examples: ["phys write 0x1000 le64(0)"]
    ) { l in
      guard let address = l.code("address"), let data = l.code("data") else { return }
      l.body = .action(.hardware(.writePhysical(address, bytes: data)))
    },
    Verb(
      "cut", .local, operands: [.value("hwpt", .object([.hwpt]), .required), address],
      "Cuts the large page around an IOVA into smaller ones, so that a page begins there. Nothing is unmapped meanwhile.",
      examples: ["cut $hw 0x1001000"]
    ) { l in
      guard let table = l.code("hwpt"), let address = l.code("address") else { return }
      l.body = .action(.hardware(.cut(table, iova: address)))
    },
    Verb(
      "grow", .local,
      operands: [.value("hwpt", .object([.hwpt]), .required), .value("range", .range, .required)],
      results: [ResultSpec("made", .number, .named)],
      "Merges pages of a range into the largest that fit.", examples: ["grow $hw 0x1000000...0x11fffff"]
    ) { l in
      guard let table = l.code("hwpt"), let range = l.code("range") else { return }
      l.body = .action(.hardware(.grow(table, range: range)))
    },
    Verb(
      "bug", .local, operands: [iommu, .value("name", .any, .required)], options: [.word("off")],
      "Makes the driver of an IOMMU make a mistake from now on, or no longer; `bug kinds` lists them.",
      examples: ["bug $io skip-unmap-flush", "bug $io skip-unmap-flush off"]
    ) { l in
      guard let iommu = l.code("iommu"), let name = l.code("name") else { return }
      l.body = .action(.hardware(.setBug(iommu, name: name, on: !l.has("off"))))
    },
    Verb(
      "bug lock", .local, operands: [.value("name", .any, .required)], options: [.word("off")],
      "Makes the model forget a lock from now on, or no longer, wherever `run` or `explore` decides who runs.",
      examples: ["bug lock domains", "bug lock domains off"]
    ) { l in
      guard let name = l.code("name") else { return }
      l.body = .action(.hardware(.omitLock(name: name, on: !l.has("off"))))
    },
    Verb(
      "bug kinds", .local, "Prints the mistakes that a driver can be told to make.", examples: ["bug kinds"]
    ) { l in l.body = .action(.show(nil, part: nil, what: .bugs)) },
    Verb(
      "table", .local,
      operands: [.value("format", .any, .required), .value("entries", .records, .repeated)],
      options: [.value("in", .address, .required), .value("at", .number, .required)],
      results: [
        ResultSpec("root", .hex, .named), ResultSpec("ste", .bytes, .named),
        ResultSpec("used", .number, .named),
      ],
      "Writes a guest's page table into memory that the guest sees at `at`; for SMMUv3 a context descriptor as well.",
      examples: ["root = table x86_64 in=$ram at=0x200000 { 0x1000 = gpa 0x8000 rw }"]
    ) { l in
      guard let format = l.code("format"), let memory = l.code("in"), let place = l.code("at") else { return }
      let entries = l.tableEntries()
      l.body = .action(
        .hardware(.table(format: format, memory: memory, guestAddress: place, entries: entries)))
    },
  ]
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// The VFIO requests that `/dev/iommu` answers, and requests by number or by row, with any size and byte.

extension VerbTable {
  static let vfioVerbs: [Verb] = [
    Verb(
      "vfio api", .request("VFIO_GET_API_VERSION"), results: [ResultSpec("rc", .number, .returned(nil))],
      "Reads the VFIO API version.", examples: ["vfio api   -> rc=0"]
    ) { l in l.argument = .number(0) },
    Verb(
      "vfio extension", .request("VFIO_CHECK_EXTENSION"),
      operands: [.value("extension", .choice(Names.vfioExtensions), .required)],
      results: [ResultSpec("rc", .number, .returned(nil))],
      "Asks whether an extension is there.", examples: ["vfio extension TYPE1v2   -> rc=1"]
    ) { l in l.argument = l.code("extension") },
    Verb(
      "vfio set", .request("VFIO_SET_IOMMU"),
      operands: [.value("type", .choice(Names.vfioExtensions), .required)],
      "Chooses type1 or type1v2.", examples: ["vfio set TYPE1v2"]
    ) { l in l.argument = l.code("type") },
    Verb(
      "vfio info", .request("VFIO_IOMMU_GET_INFO"), options: [.value("room", .length, usual: .number(4096))],
      results: [
        ResultSpec("pgsizes", .hex, .field(offset: 8, size: 8)),
        ResultSpec("flags", .flags(Names.vfioInfoFlags), .field(offset: 4, size: 4)),
        ResultSpec("argsz", .number, .field(offset: 0, size: 4)),
        ResultSpec("cap_offset", .number, .field(offset: 16, size: 4)),
        ResultSpec("ranges", .list(.range), .capabilities), ResultSpec("bytes", .bytes, .structure),
      ],
      "Reads page sizes and the chain of capabilities, as far as there is room.",
      examples: ["vfio info   -> pgsizes=0xfffffffffffff000"]
    ) { l in
      let room = l.codeOrUsual("room").constant ?? 4096
      guard room <= 1 << 20 else {
        l.report(.valueTooLarge, "more than 1 MiB of room")
        return
      }
      l.structSize = Int(max(24, room))
      l.set("argsz", .number(room))
    },
    Verb(
      "vfio map", .request("VFIO_IOMMU_MAP_DMA"),
      operands: [.value("memory", .address, to: "vaddr", .required)],
      options: [
        .value("iova", .iova, to: "iova", .required),
        .value("len", .length, usual: .described("that of the memory")),
      ] + Parameter.rights,
      "Maps memory into the compatibility IOAS.", examples: ["vfio map $buf iova=0x100000 rw"]
    ) { l in
      if let memory = l.code("memory"), !l.overrides("size") {
        l.set("size", l.code("len") ?? .length(memory, l.place))
      }
      l.set("flags", .number(l.rights(read: 1, write: 2)))
    },
    Verb(
      "vfio unmap", .request("VFIO_IOMMU_UNMAP_DMA"), operands: [.value("iova", .any)],
      options: [.value("len", .length), .value("last", .iova), .word("all", "flags", 2)],
      results: [ResultSpec("length", .hex, .field(offset: 16, size: 8))],
      "Unmaps from the compatibility IOAS.", examples: ["vfio unmap 0x100000 len=64K", "vfio unmap all"]
    ) { l in
      if l.has("iova") || !l.has("all") { l.setStartAndLength("iova", start: "iova", length: "size") }
    },
  ]

  static let rawVerbs: [Verb] = [
    Verb(
      "ioctl", .local,
      operands: [
        .value("file", .any, .required), .value("request", .any, .required), .value("struct", .records),
      ],
      options: [.value("arg", .address)],
      "Makes any request with any bytes; `default` is the file in use. `arg` passes a number instead.",
      examples: [
        "ioctl default 0x3b80 { u32 8; u32 99 }   -> ENOENT",
        "ioctl $ctx IOAS_ALLOC { size=12 flags=1 }   -> EOPNOTSUPP", "ioctl default 0x3bff arg=0   -> ENOTTY",
      ]
    ) { l in l.rawIoctl() },
    Verb(
      "request", .local, operands: [.value("name", .any, .required)],
      "Makes a request by the name of its row, with any of its fields by their C names.",
      examples: ["request IOAS_MAP flags=7 ioas_id=$vm user_va=$buf length=4K iova=0x1000"]
    ) { l in
      guard let argument = l.argument("name") else { return }
      guard let word = argument.word, let row = CommandTable.row(named: word) else {
        l.reportUnknown(argument, "request", CommandTable.all.map { $0.name })
        return
      }
      l.become(row.name)
      l.results = l.rawResults
      if row.sizes.isEmpty { l.argument = .number(0) }
    },
    Verb(
      "selftest", .local, operands: [.value("op", .any, .required)],
      "Makes an operation of the selftest command by its name, with any of its fields by their C names.",
      examples: ["selftest MD_CHECK_MAP id=$hw iova=0x1000 length=4K uptr=$buf"]
    ) { l in
      guard let argument = l.argument("op") else { return }
      guard let word = argument.word, let op = SelftestOp.named(word) else {
        l.reportUnknown(argument, "operation", CommandTable.selftestOps.map { $0.name })
        return
      }
      l.become(selftest: op.name)
      l.results = l.rawResults
    },
  ]
}

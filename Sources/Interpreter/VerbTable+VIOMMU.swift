// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Virtual IOMMUs, what hangs on them, and the accesses and checks of the selftest command.

extension VerbTable {
  static let viommuVerbs: [Verb] = [
    Verb(
      "viommu create", .request("VIOMMU_ALLOC"), or: ["create viommu"],
      options: [
        .value("dev", .object([.device]), to: "dev_id", .required),
        .value("parent", .object([.hwpt]), to: "hwpt_id", .required),
        .value("type", .choice(Names.viommuTypes), to: "type", usual: .number(0xDEAD_BEEF)),
        .value("data", .bytes), .value("in", .number),
      ],
      results: [
        ResultSpec("id", .object(.viommu), .object(.viommu, id: 20, fd: nil)),
        ResultSpec("data", .bytes, .payload(0, length: nil)),
        ResultSpec("out", .number, .word(payload: 0, offset: 4, size: 4)),
        ResultSpec("offset", .hex, .word(payload: 0, offset: 8, size: 8)),
        ResultSpec("length", .hex, .word(payload: 0, offset: 16, size: 8)),
        ResultSpec("window", .hex, .word(payload: 0, offset: 0, size: 8)),
        ResultSpec("room", .hex, .word(payload: 0, offset: 8, size: 8)),
      ],
      "Creates a guest's share of a physical IOMMU on a nesting parent. `in` is the selftest driver's data; "
        + "`window` and `room` are what Tegra241's answers, given data=zero(16).",
      examples: ["v = viommu create dev=$dev parent=$hw type=selftest"]
    ) { l in
      if l.has("data") && l.has("in") { l.reportConflict(["data", "in"]) }
      if let data = l.code("data") {
        l.payload(.bytes(data), pointer: "data_uptr", length: "data_len")
      } else if let value = l.code("in") {
        let bytes = Code.concatenation(
          [.function(.le32, [value], l.place), .function(.zero, [.number(20)], l.place)], l.place)
        l.payload(.bytes(bytes), pointer: "data_uptr", length: "data_len")
      }
    },
    Verb(
      "vdevice create", .request("VDEVICE_ALLOC"), or: ["create vdevice"],
      operands: [.value("viommu", .object([.viommu]), to: "viommu_id", .required)],
      options: [
        .value("dev", .object([.device]), to: "dev_id", .required),
        .value("id", .number, to: "virt_id", .required),
      ],
      results: [ResultSpec("id", .object(.vdevice), .object(.vdevice, id: 12, fd: nil))],
      "Gives a device its virtual ID on a virtual IOMMU.",
      examples: ["vd = vdevice create $v dev=$dev id=0x20"]),
    Verb(
      "veventq create", .request("VEVENTQ_ALLOC"), or: ["create veventq"],
      operands: [.value("viommu", .object([.viommu]), to: "viommu_id", .required)],
      options: [
        .value("type", .choice(Names.veventqTypes), to: "type", usual: .number(0xBEEF_BEEF)),
        .value("depth", .number, to: "veventq_depth", usual: .number(16)),
      ],
      results: [
        ResultSpec("id", .object(.veventq), .object(.veventq, id: 20, fd: 24)),
        ResultSpec("fd", .object(.fd), .object(.fd, id: nil, fd: 24)),
      ],
      "Creates a queue for the events of a virtual IOMMU.",
      examples: ["e = veventq create $v type=selftest depth=8"]
    ),
    Verb(
      "veventq read", .local, or: ["read veventq"],
      operands: [.value("queue", .descriptor([.veventq, .fd]), .required)],
      options: [.value("len", .length, usual: .number(4096))],
      results: [ResultSpec("events", .list(.vevent), .named)],
      "Reads events; `len` gives the bytes to ask for.",
      examples: ["veventq read $e   -> [{seq=0, id=0x20}]", "veventq read $e   -> none"]
    ) { l in
      guard let queue = l.code("queue") else { return }
      l.body = .action(.readEvents(queue, count: l.codeOrUsual("len")))
    },
    Verb(
      "hwqueue create", .request("HW_QUEUE_ALLOC"), or: ["create hwqueue"],
      operands: [.value("viommu", .object([.viommu]), to: "viommu_id", .required)],
      options: [
        .value("type", .choice(Names.hwQueueTypes), to: "type", usual: .number(0xDEAD_BEEF)),
        .value("index", .number, to: "index"),
        .value("iova", .iova, to: "nesting_parent_iova"), .value("len", .length, to: "length"),
      ],
      results: [ResultSpec("id", .object(.hwqueue), .object(.hwqueue, id: 20, fd: nil))],
      "Hands guest memory to a virtual IOMMU as a queue that the hardware reads itself.",
      examples: ["hq = hwqueue create $v type=selftest index=0 iova=0x1000000 len=4K"]
    ),
  ]

  static let testVerbs: [Verb] = [
    Verb(
      "access create", .selftest("CREATE_ACCESS"), or: ["create access"],
      operands: [.value("vm", .object([.ioas]), to: "id", .required)],
      options: [.word("pin", "flags", 1)],
      results: [ResultSpec("access", .object(.access), .object(.access, id: nil, fd: 16))],
      "Makes an in-kernel user of an IOAS; with `pin` one that pins pages.",
      examples: ["a = access create $vm pin"]
    ),
    Verb(
      "access pin", .selftest("ACCESS_PAGES"),
      operands: [
        .value("access", .descriptor([.access, .fd]), to: "id", .required), .value("iova", .any, .required),
      ],
      options: [
        .value("len", .length), .value("last", .iova), .value("buf", .address, to: "uptr"),
        .word("write", "flags", 1), .word("area", "flags", 0x10000),
      ],
      results: [ResultSpec("item", .object(.item), .field(offset: 20, size: 4))],
      "Pins pages through an access; with `buf` they must be the pages of that memory.",
      examples: ["access pin $a 0x1000 len=4K buf=$buf   -> item=?i"]
    ) { l in l.setStartAndLength("iova", start: "iova", length: "length") },
    Verb(
      "access unpin", .selftest("DESTROY_ACCESS_PAGES"),
      operands: [
        .value("access", .descriptor([.access, .fd]), to: "id", .required),
        .value("item", .number, to: "access_pages_id", .required),
      ],
      "Unpins what an access pinned.", examples: ["access unpin $a $i"]),
    Verb(
      "access read", .selftest("ACCESS_RW"), or: ["access rw read"],
      operands: [
        .value("access", .descriptor([.access, .fd]), to: "id", .required), .value("iova", .any, .required),
      ],
      options: [
        .value("len", .length), .value("last", .iova), .value("into", .address), .word("slow", "flags", 4),
        .word("area", "flags", 0x10000),
      ],
      results: [ResultSpec("data", .bytes, .payload(0, length: nil))],
      "Reads an IOVA range through an access.", examples: ["access read $a 0x1000 len=5   -> \"hello\""]
    ) { l in
      l.setStartAndLength("iova", start: "iova", length: "length")
      if let into = l.code("into") {
        l.set("uptr", into)
        l.payload(.memory(into, length: l.assigned("length") ?? .number(0)), pointer: "uptr")
      } else {
        l.payload(.room(l.assigned("length") ?? .number(0)), pointer: "uptr")
      }
    },
    Verb(
      "access write", .selftest("ACCESS_RW"), or: ["access rw write"],
      operands: [
        .value("access", .descriptor([.access, .fd]), to: "id", .required),
        .value("iova", .iova, to: "iova", .required),
        .value("data", .bytes),
      ],
      options: [
        .value("from", .address), .value("len", .length), .word("slow", "flags", 4),
        .word("area", "flags", 0x10000),
      ],
      "Writes bytes, or `len` bytes `from` memory, to an IOVA through an access.",
      examples: ["access write $a 0x1000 \"hello\""]
    ) { l in
      l.addBits("flags", 1)
      if let data = l.code("data") {
        if l.has("from") { l.reportConflict(["data", "from"]) }
        l.payload(.bytes(data), pointer: "uptr", length: "length")
        if let length = l.code("len") { l.set("length", length) }
      } else if let from = l.code("from") {
        l.set("uptr", from)
        l.set("length", l.code("len") ?? .length(from, l.place))
      } else if !l.overrides("uptr") {
        l.report(.missingOperand, "'access write' needs bytes to write", help: [l.verb.synopsis])
      }
    },
    Verb(
      "access move", .selftest("ACCESS_REPLACE_IOAS"),
      operands: [.value("access", .descriptor([.access, .fd]), to: "id", .required)],
      options: [.value("to", .object([.ioas]), to: "ioas_id", .required)],
      "Moves an access to another IOAS.", examples: ["access move $a to=$vm2"]),
    Verb(
      "access close", .local,
      operands: [.value("access", .descriptor([.access, .fd]), .required)],
      "Closes an access: it unpins and lets go of its IOAS.", examples: ["access close $a"]
    ) { l in
      if let access = l.code("access") { l.body = .action(.close(access)) }
    },
    Verb(
      "check map", .selftest("MD_CHECK_MAP"),
      operands: [
        .value("hwpt", .object([.hwpt]), to: "id", .required), .value("iova", .iova, to: "iova", .required),
        .value("memory", .address, to: "uptr", .required),
      ],
      options: [.value("len", .length, usual: .described("that of the memory"))],
      "Checks that a page table translates an IOVA range to the pages of that memory.",
      examples: ["check map $dev.hwpt 0x1000000 $buf"]
    ) { l in
      if let memory = l.code("memory") { l.set("length", l.code("len") ?? .length(memory, l.place)) }
    },
    Verb(
      "check refs", .selftest("MD_CHECK_REFS"),
      operands: [
        .value("memory", .address, to: "uptr", .required), .value("refs", .number, to: "refs", .required),
      ],
      options: [.value("len", .length, usual: .described("that of the memory"))],
      "Checks how often the pages of memory are pinned.", examples: ["check refs $buf 1"]
    ) { l in
      if let memory = l.code("memory") { l.set("length", l.code("len") ?? .length(memory, l.place)) }
    },
    Verb(
      "check iotlb", .selftest("MD_CHECK_IOTLB"),
      operands: [
        .value("hwpt", .object([.hwpt]), to: "id", .required), .value("index", .number, to: "id2", .required),
        .value("value", .number, to: "iotlb", .required),
      ],
      "Checks an IOTLB word of a nested page table.", examples: ["check iotlb $n 0 0xbadbeef"]),
    Verb(
      "check cache", .selftest("DEV_CHECK_CACHE"),
      operands: [
        .value("dev", .object([.device]), to: "id", .required),
        .value("index", .number, to: "id2", .required),
        .value("value", .number, to: "cache", .required),
      ],
      "Checks a cache word of a device.", examples: ["check cache $dev 0 0xbaddad"]),
    Verb(
      "check pasid", .selftest("PASID_CHECK_HWPT"),
      operands: [
        .value("dev", .object([.device]), .required), .value("pasid", .number, to: "pasid", .required),
        .value("hwpt", .object([.hwpt]), to: "hwpt_id"),
      ],
      options: [.word("none")],
      "Checks what a PASID is attached to; `none` that it is not.", examples: ["check pasid $dev 5 $hw"]
    ) { l in
      if let device = l.argument("dev") { l.set("id", device.code, role: .stdev) }
      if l.has("hwpt") == l.has("none") { l.report(.missingOperand, "say a page table, or none") }
    },
    Verb(
      "reserve", .selftest("ADD_RESERVED"),
      operands: [.value("vm", .object([.ioas]), to: "id", .required), .value("range", .any, .required)],
      options: [.value("len", .length), .value("last", .iova)],
      "Reserves an IOVA range of an IOAS for good.", examples: ["reserve $vm 0x1000...0x1fff"]
    ) { l in l.setStartAndLength("range", start: "start", length: "length") },
    Verb(
      "memory-limit", .selftest("SET_TEMP_MEMORY_LIMIT"),
      operands: [.value("bytes", .length, to: "limit", .required)],
      "Bounds the scratch memory of pinning.", examples: ["memory-limit 64K"]),
    Verb(
      "dmabuf create", .selftest("DMABUF_GET"), or: ["create dmabuf"],
      operands: [.value("len", .length, to: "length", .required)],
      results: [ResultSpec("fd", .object(.dmabuf), .returned(.dmabuf))],
      "Makes a dma-buf of zeroed memory.", examples: ["db = dmabuf create 64K"]),
    Verb(
      "dmabuf revoke", .selftest("DMABUF_REVOKE"),
      operands: [.value("dmabuf", .descriptor([.dmabuf, .fd]), to: "dmabuf_fd", .required)],
      "Takes a dma-buf away from its importers.", examples: ["dmabuf revoke $db"]
    ) { l in l.set("revoked", .number(1)) },
    Verb(
      "dmabuf restore", .selftest("DMABUF_REVOKE"),
      operands: [.value("dmabuf", .descriptor([.dmabuf, .fd]), to: "dmabuf_fd", .required)],
      "Gives a revoked dma-buf back.", examples: ["dmabuf restore $db"]
    ) { l in l.set("revoked", .number(0)) },
  ]
}

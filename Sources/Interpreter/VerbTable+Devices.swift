// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Mock devices and what they are attached to; page tables, dirty tracking, faults.

extension VerbTable {
  static let deviceVerbs: [Verb] = [
    Verb(
      "device add", .local, or: ["add device"], operands: [.value("name", .any)],
      options: [
        .value("kind", .words(["mock", "pci"]), usual: .described("mock on a machine without an IOMMU")),
        .word("no-dirty"), .word("huge-iova"), .word("pasid"),
        .value("flags", .number), .preposition("behind", .object([.iommu])), .value("rid", .number),
        .value("group", .object([.device])), .value("pasid-bits", .number), .word("ats"), .word("pri"),
        .word("virtual"),
      ],
      results: [ResultSpec("device", .object(.device), .named)], namesResult: "name",
      "Describes a mock device, which its first `attach` plugs in; or plugs in a PCI function behind an IOMMU; `pri` has `ats` in it.",
      examples: [
        "dev = device add kind=mock", "dev = device add kind=mock pasid no-dirty",
        "device add nic behind $io rid=0x18 pasid-bits=8", "device add gpu behind $io pri",
      ]
    ) { l in
      let ofMock = ["no-dirty", "huge-iova", "pasid", "flags"].filter { l.has($0) }
      let ofPCI = ["behind", "rid", "group", "pasid-bits", "ats", "pri", "virtual"].filter { l.has($0) }
      var isMock = !Environment.hardware.contains(l.resolver.environment.backend) && ofPCI.isEmpty
      if case .constant(.text(let kind))? = l.code("kind") { isMock = kind == "mock" }
      if isMock ? !ofPCI.isEmpty : !ofMock.isEmpty {
        l.report(
          .conflictingOptions,
          "'\((isMock ? ofPCI : ofMock)[0])' is of a \(isMock ? "PCI function" : "mock device")",
          help: [isMock ? "kind=pci" : "kind=mock"])
        return
      }
      guard isMock else {
        var function = FunctionCode()
        function.behind = l.code("behind")
        function.requesterID = l.code("rid")
        function.groupOf = l.code("group")
        function.pasidBits = l.code("pasid-bits")
        function.ats = l.has("ats") || l.has("pri")
        function.pri = l.has("pri")
        function.isVirtualFunction = l.has("virtual")
        l.body = .action(.hardware(.addFunction(function)))
        return
      }
      var flags: UInt64 = 0
      for (word, bit) in [("no-dirty", UInt64(1)), ("huge-iova", 2), ("pasid", 4)] where l.has(word) {
        flags |= bit
      }
      l.body = .action(.addDevice(flags: l.code("flags") ?? .number(flags)))
    },
    Verb(
      "attach", .selftest("PASID_ATTACH"),
      operands: [.value("dev", .object([.device]), .required)],
      options: [
        .value("to", .object([.ioas, .hwpt]), to: "pt_id", .required), .value("pasid", .number, to: "pasid"),
      ],
      results: [
        ResultSpec("hwpt", .object(.hwpt), .object(.hwpt, id: 20, fd: nil)),
        ResultSpec("stdev", .number, .part(.stdev)), ResultSpec("device", .number, .part(.device)),
      ],
      "Attaches a device, or one of its PASIDs, to a page table. The first time, the device is plugged in.",
      examples: ["attach $dev to=$vm   -> hwpt=?auto", "attach $dev to=$hw pasid=5"]
    ) { l in
      guard let device = l.argument("dev") else { return }
      l.set("id", device.code, role: .stdev)
      l.device = device.code
      l.attachTarget = l.code("to")
      l.attachPASID = l.code("pasid")
      guard !l.has("pasid"), let target = l.code("to") else { return }
      l.effect = .attaches
      var first = l
      first.clear()
      first.become(selftest: "MOCK_DOMAIN_FLAGS")
      first.set("id", target)
      first.set("dev_flags", .part(device.code, .flags, device.place))
      first.results = l.results
      l.first = first.plan()
    },
    Verb(
      "replace", .selftest("MOCK_DOMAIN_REPLACE"),
      operands: [.value("dev", .object([.device]), .required)],
      options: [.value("to", .object([.ioas, .hwpt]), to: "pt_id", .required), .value("pasid", .number)],
      results: [ResultSpec("hwpt", .object(.hwpt), .object(.hwpt, id: 16, fd: nil))],
      "Moves a device, or one of its PASIDs, to another page table without a gap.",
      examples: ["replace $dev to=$hw", "replace $dev to=$hw pasid=5"]
    ) { l in
      guard let device = l.argument("dev") else { return }
      l.attachTarget = l.code("to")
      l.attachPASID = l.code("pasid")
      if let pasid = l.code("pasid") {
        l.clear()
        l.become(selftest: "PASID_REPLACE")
        l.set("pt_id", l.code("to"))
        l.set("pasid", pasid)
        l.results = [ResultSpec("hwpt", .object(.hwpt), .object(.hwpt, id: 20, fd: nil))]
      } else {
        l.effect = .attaches
      }
      l.set("id", device.code, role: .stdev)
      l.device = device.code
    },
    Verb(
      "detach", .selftest("PASID_DETACH"),
      operands: [.value("dev", .object([.device]), .required)],
      options: [.value("pasid", .number, to: "pasid")],
      "Detaches a device, or one of its PASIDs.", examples: ["detach $dev", "detach $dev pasid=5"]
    ) { l in
      guard let device = l.argument("dev") else { return }
      l.set("id", device.code, role: .stdev)
      l.device = device.code
      l.attachPASID = l.code("pasid")
      if !l.has("pasid") { l.effect = .detaches }
    },
    Verb(
      "hwinfo", .request("GET_HW_INFO"),
      operands: [.value("dev", .object([.device]), to: "dev_id", .required)],
      options: [
        .value("len", .length, usual: .number(64)), .value("type", .choice(Names.hwInfoTypes)),
      ],
      results: [
        ResultSpec("type", .choice(Names.hwInfoTypes), .field(offset: 24, size: 4)),
        ResultSpec("caps", .flags(Names.hwCapabilities), .field(offset: 32, size: 8)),
        ResultSpec("len", .number, .field(offset: 12, size: 4)),
        ResultSpec("data", .bytes, .payload(0, length: 12)),
        ResultSpec("pasid-bits", .number, .field(offset: 28, size: 1)),
      ],
      "Reads what the IOMMU in front of a device reports of itself.",
      examples: ["hwinfo $dev   -> type=SELFTEST, caps has DIRTY_TRACKING"]
    ) { l in
      let room = l.codeOrUsual("len")
      l.payload(.room(room), pointer: "data_uptr", length: "data_len")
      if let type = l.code("type") {
        l.set("data_type", type)
        l.set("flags", .number(1))
      }
    },
    Verb(
      "fault", .selftest("TRIGGER_IOPF"),
      operands: [
        .value("dev", .object([.device]), to: "dev_id", .required),
        .value("address", .iova, to: "addr", .required),
      ],
      options: [
        .word("read", "perm", 1), .word("write", "perm", 2), .word("exec", "perm", 4),
        .word("priv", "perm", 8), .word("none"),
        .value("pasid", .number, to: "pasid"), .value("group", .number, to: "grpid"), .word("last"),
        .word("more"),
      ],
      "Makes a device ask for a page, to read it if nothing else is said; `none` asks without a permission. It is the "
        + "last request of its group unless `more` says that others follow.",
      examples: ["fault $dev 0x9000 write", "fault $dev 0x9000 read pasid=5 group=3"]
    ) { l in
      let said = ["read", "write", "exec"].filter { l.has($0) }
      if let word = said.first, l.has("none") { l.reportConflict([word, "none"]) }
      if said.isEmpty, !l.has("priv"), !l.has("none") { l.set("perm", .number(1)) }
      if l.has("last") && l.has("more") { l.reportConflict(["last", "more"]) }
      l.requester = l.code("dev")
      l.isLastRequest = !l.has("more")
      for (word, bit) in [("read", UInt64(1)), ("write", 2), ("exec", 4), ("priv", 8)] where l.has(word) {
        l.requestPermissions |= bit
      }
      if said.isEmpty, !l.has("none") { l.requestPermissions |= 1 }
    },
    Verb(
      "event", .selftest("TRIGGER_VEVENT"),
      operands: [.value("dev", .object([.device]), to: "dev_id", .required)],
      "Makes a device report an event to its virtual IOMMU.", examples: ["event $dev"]),
  ]

  static let hwptVerbs: [Verb] = [
    Verb(
      "hwpt create", .request("HWPT_ALLOC"), or: ["create hwpt"],
      options: [
        .value("dev", .object([.device]), to: "dev_id", .required),
        .value("parent", .object([.ioas, .hwpt, .viommu]), to: "pt_id", .required),
        .word("nest", "flags", 1), .word("dirty", "flags", 2), .word("pasid", "flags", 8),
        .value("fault", .object([.faultq])), .value("data", .any), .value("type", .choice(Names.hwptData)),
        .value("iotlb", .number), .value("pagetable", .number), .value("pgtbl", .number),
        .value("width", .number, usual: .number(48)), .word("sre"), .word("eafe"), .word("wpe"),
        .value("ste", .bytes),
        .value("dte", .bytes),
      ],
      results: [ResultSpec("id", .object(.hwpt), .object(.hwpt, id: 16, fd: nil))],
      "Creates a hardware page table on an IOAS, or a nested one on a parent or a virtual IOMMU.",
      examples: [
        "hw = hwpt create dev=$dev parent=$vm nest dirty",
        "n = hwpt create dev=$dev parent=$hw data=selftest iotlb=0xbadbeef fault=$q",
        "n = hwpt create dev=$nic parent=$hw pgtbl=0x200000 width=48",
      ]
    ) { l in
      if let queue = l.code("fault") {
        l.set("fault_id", queue)
        l.addBits("flags", UInt64(HWPTFlag.faultIDValid))
      }
      l.pageTableData()
    },
    Verb(
      "invalidate", .request("HWPT_INVALIDATE"),
      operands: [
        .value("on", .object([.hwpt, .viommu]), to: "hwpt_id", .required),
        .value("entry", .records, .repeated),
      ],
      options: [.value("type", .choice(Names.invalidateData)), .value("data", .bytes)],
      results: [ResultSpec("done", .number, .field(offset: 24, size: 4))],
      "Flushes caches of a nested page table or of a virtual IOMMU, entry by entry.",
      examples: [
        "invalidate $n { iotlb=2 }   -> done=1", "invalidate $n { addr=0x1000 pages=1 }",
        "invalidate $v { tlbi-nh-va asid=1 addr=0x1000 leaf }",
        "invalidate $v { vdevice=$vd cache=1 } { all vdevice=$vd }",
        "invalidate $n { raw hex\"00000000 09000000\" }   -> EINVAL, done=0",
      ]
    ) { l in l.invalidation() },
    Verb(
      "dirty start", .request("HWPT_SET_DIRTY_TRACKING"),
      operands: [.value("hwpt", .object([.hwpt]), to: "hwpt_id", .required)],
      "Turns dirty tracking on.", examples: ["dirty start $hw"]
    ) { l in l.set("flags", .number(1)) },
    Verb(
      "dirty stop", .request("HWPT_SET_DIRTY_TRACKING"),
      operands: [.value("hwpt", .object([.hwpt]), to: "hwpt_id", .required)],
      "Turns dirty tracking off.", examples: ["dirty stop $hw"]),
    Verb(
      "dirty read", .request("HWPT_GET_DIRTY_BITMAP"),
      operands: [
        .value("hwpt", .object([.hwpt]), to: "hwpt_id", .required), .value("range", .range, .required),
      ],
      options: [.value("page", .length, usual: .number(4096)), .word("keep", "flags", 1)],
      results: [
        ResultSpec("pages", .list(.hex), .pages(payload: 0, iova: 16, length: 24, page: 32)),
        ResultSpec("bitmap", .bytes, .payload(0, length: nil)),
      ],
      "Reads which pages of a range a device wrote, and unless `keep` forgets it.",
      examples: ["dirty read $hw 0x1000000...0x100ffff page=4K   -> pages=[0x1003000]"]
    ) { l in
      guard let range = l.code("range") else { return }
      let page = l.codeOrUsual("page")
      l.set("iova", .first(range, l.place))
      l.set("length", .length(range, l.place))
      l.set("page_size", page)
      l.payload(.bitmap(range: range, page: page, pages: nil), pointer: "data")
    },
    Verb(
      "dirty mark", .selftest("DIRTY"),
      operands: [
        .value("hwpt", .object([.hwpt]), to: "id", .required), .value("range", .range, .required),
      ],
      options: [.value("page", .length, usual: .number(4096)), .value("pages", .list)],
      results: [ResultSpec("count", .number, .field(offset: 56, size: 8))],
      "Marks pages of a range as written by a device: those of `pages`, or all.",
      examples: ["dirty mark $hw 0x1000000...0x100ffff pages=[0x1003000]"]
    ) { l in
      guard let range = l.code("range") else { return }
      let page = l.codeOrUsual("page")
      l.set("iova", .first(range, l.place))
      l.set("length", .length(range, l.place))
      l.set("page_size", page)
      l.payload(
        .bitmap(range: range, page: page, pages: l.code("pages") ?? .constant(.none)), pointer: "uptr")
    },
    Verb(
      "faultq create", .request("FAULT_QUEUE_ALLOC"), or: ["create faultq"],
      results: [
        ResultSpec("id", .object(.faultq), .object(.faultq, id: 8, fd: 12)),
        ResultSpec("fd", .object(.fd), .object(.fd, id: nil, fd: 12)),
      ],
      "Creates a queue of I/O page faults.", examples: ["q = faultq create"]),
    Verb(
      "faultq read", .local, or: ["read faultq"],
      operands: [.value("queue", .descriptor([.faultq, .fd]), .required)],
      options: [.value("max", .number, usual: .number(64)), .value("len", .length)],
      results: [ResultSpec("faults", .list(.fault), .named)],
      "Reads faults; `max` bounds their number, `len` gives the bytes to ask for instead.",
      examples: ["faultq read $q   -> [{dev=$dev, addr=0x9000, perm=WRITE, cookie=?c}]"]
    ) { l in
      guard let queue = l.code("queue") else { return }
      if l.has("max") && l.has("len") { l.reportConflict(["max", "len"]) }
      let max = l.codeOrUsual("max")
      let count = l.code("len") ?? .binary(.multiply, max, .number(40), l.place)
      l.body = .action(.readFaults(queue, count: count))
    },
    Verb(
      "faultq reply", .local,
      operands: [
        .value("queue", .descriptor([.faultq, .fd]), .required), .value("cookie", .number, .repeated),
      ],
      options: [.word("ok"), .word("success"), .word("invalid"), .value("code", .number)],
      results: [ResultSpec("replied", .number, .named)],
      "Answers faults by their cookies.", examples: ["faultq reply $q $c ok", "faultq reply $q $c invalid"]
    ) { l in
      guard let queue = l.code("queue") else { return }
      let said = ["ok", "success", "invalid", "code"].filter { l.has($0) }
      if said.count > 1 { l.reportConflict(said) }
      if l.rest.isEmpty { l.report(.missingOperand, "'faultq reply' needs a cookie") }
      let code = l.code("code") ?? .number(l.has("invalid") ? 1 : 0)
      l.body = .action(.replyFaults(queue, cookies: l.rest.map { $0.code }, code: code))
    },
  ]
}

extension Shape {
  /// `struct iommu_hwpt_pgfault`.
  static let fault = Shape.record([
    Member("dev", .object(.device)), Member("addr", .hex), Member("perm", .flags(Names.pageFaultPermissions)),
    Member("flags", .flags(Names.pageFaultFlags)), Member("pasid", .number), Member("group", .number),
    Member("length", .number), Member("cookie", .number),
  ])
  /// `struct iommufd_vevent_header` and what follows it.
  static let vevent = Shape.record([
    Member("seq", .number), Member("flags", .flags(Names.veventFlags)), Member("lost", .number),
    Member("id", .number), Member("data", .bytes),
  ])
}

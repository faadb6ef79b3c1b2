// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// I/O address spaces: making them, mapping into them, taking away.

extension Parameter {
  /// How memory may be used. `rw` is what is meant when nothing is said.
  static let rights: [Parameter] = [.word("ro"), .word("wo"), .word("rw"), .word("none")]
}

extension Lowering {
  /// The flag bits for what `ro`, `wo`, `rw` and `none` say.
  mutating func rights(read: UInt64, write: UInt64) -> UInt64 {
    let said = ["ro", "wo", "rw", "none"].filter { has($0) }
    if said.count > 1 { reportConflict(said) }
    switch said.first {
    case "ro": return read
    case "wo": return write
    case "none": return 0
    default: return read | write
    }
  }

  /// The number of bytes that `len`, `last` or the memory itself says.
  mutating func length(of memory: Code?, from start: Code?) -> Code? {
    if let length = code("len") {
      if has("last") { reportConflict(["len", "last"]) }
      return length
    }
    if let last = code("last") {
      guard let start else {
        report(.missingOperand, "'last' needs a start address to count from", help: ["give iova="])
        return nil
      }
      let here = argument("last")?.place ?? place
      return .binary(.add, .binary(.subtract, last, start, here), .number(1), here)
    }
    return memory.map { .length($0, place) }
  }
}

extension VerbTable {
  static let ioasVerbs: [Verb] = [
    Verb(
      "ioas create", .request("IOAS_ALLOC"), or: ["create ioas"],
      results: [ResultSpec("id", .object(.ioas), .object(.ioas, id: 8, fd: nil))],
      "Creates an I/O address space.",
      examples: ["vm = ioas create"]),
    Verb(
      "show iovas", .request("IOAS_IOVA_RANGES"),
      operands: [.value("vm", .object([.ioas]), to: "ioas_id", .required)],
      options: [.value("room", .number, usual: .number(64))],
      results: [
        ResultSpec("ranges", .list(.range), .ranges(payload: 0, count: 8)),
        ResultSpec("alignment", .hex, .field(offset: 24, size: 8)),
        ResultSpec("num", .number, .field(offset: 8, size: 4)),
      ],
      "Lists the IOVA ranges that are not reserved; `room` bounds how many are asked for.",
      examples: ["show iovas $vm   -> ranges=[0x1000000...0x7fffffff], alignment=2048"]
    ) { l in
      let room = l.codeOrUsual("room")
      l.set("num_iovas", room)
      l.payload(.room(.binary(.multiply, room, .number(16), l.place)), pointer: "allowed_iovas")
    },
    Verb(
      "allow", .request("IOAS_ALLOW_IOVAS"),
      operands: [
        .value("vm", .object([.ioas]), to: "ioas_id", .required), .value("range", .range, .repeated),
      ],
      options: [.word("none")],
      "Confines automatic placement to these ranges; `none` lifts it.",
      examples: ["allow $vm 0x100000...0x1fffff 0x400000...0x4fffff", "allow $vm none"]
    ) { l in
      if l.rest.isEmpty && !l.has("none") {
        l.report(.missingOperand, "'allow' needs ranges", help: ["to lift the restriction: allow $vm none"])
      }
      if !l.rest.isEmpty && l.has("none") { l.reportConflict(["none", "ranges"]) }
      guard !l.rest.isEmpty else { return }
      l.payload(
        .ranges(l.rest.map { $0.code }), pointer: "allowed_iovas", count: ("num_iovas", 16))
    },
    Verb(
      "map", .request("IOAS_MAP"),
      operands: [
        .value("vm", .object([.ioas]), to: "ioas_id", .required), .value("memory", .address),
      ],
      options: [
        .value("iova", .iova, usual: .described("where the kernel likes")),
        .value("len", .length, usual: .described("that of the memory")), .value("last", .iova),
        .value("file", .descriptor([.memfd, .dmabuf, .fd])), .value("off", .length, usual: .number(0)),
        .word("auto"),
        .word("fixed"),
      ] + Parameter.rights,
      results: [ResultSpec("iova", .hex, .field(offset: 32, size: 8))],
      "Maps user memory, or a file, at `iova`, or where the kernel likes. With `auto`, `iova` is only sent.",
      examples: ["map $vm $buf iova=0x100000 ro", "map $vm $buf", "map $vm file=$mfd off=0 len=2M"]
    ) { l in
      let iova = l.code("iova")
      if l.has("auto") && l.has("fixed") { l.reportConflict(["auto", "fixed"]) }
      if let file = l.code("file") {
        if l.has("memory") { l.reportConflict(["memory", "file"]) }
        l.become("IOAS_MAP_FILE")
        l.set("fd", file)
        l.set("start", l.codeOrUsual("off"))
        let length = l.length(of: nil, from: iova)
        if length == nil && !l.overrides("length") {
          l.report(.missingOperand, "mapping a file needs a length", help: ["give len="])
        }
        l.set("length", length)
      } else {
        let memory = l.code("memory")
        if memory == nil && !l.overrides("user_va") {
          l.report(.missingOperand, "'map' needs memory to map", help: [l.verb.synopsis])
        }
        if l.has("off") { l.report(.missingOperand, "'off' belongs to file=") }
        l.set("user_va", memory)
        l.set("length", l.length(of: l.overrides("length") ? nil : memory, from: iova))
      }
      l.set("iova", iova)
      var flags = l.rights(read: UInt64(MapFlag.readable), write: UInt64(MapFlag.writeable))
      if (iova != nil || l.has("fixed")) && !l.has("auto") { flags |= UInt64(MapFlag.fixedIOVA) }
      l.set("flags", .number(flags))
    },
    Verb(
      "copy", .request("IOAS_COPY"),
      operands: [
        .value("from", .object([.ioas]), to: "src_ioas_id", .required), .value("iova", .any, .required),
      ],
      options: [
        .value("to", .object([.ioas]), to: "dst_ioas_id", .required),
        .value("at", .iova, usual: .described("where the kernel likes")),
        .value("len", .length), .value("last", .iova), .word("auto"),
      ] + Parameter.rights,
      results: [ResultSpec("iova", .hex, .field(offset: 24, size: 8))],
      "Maps what another range maps, sharing its pinned pages; `at` fixes the new address.",
      examples: ["copy $a 0x1000 len=8K to=$b at=0x9000", "copy $a 0x1000...0x2fff to=$b ro"]
    ) { l in
      l.setStartAndLength("iova", start: "src_iova", length: "length")
      l.set("dst_iova", l.code("at"))
      var flags = l.rights(read: UInt64(MapFlag.readable), write: UInt64(MapFlag.writeable))
      if l.has("at") && !l.has("auto") { flags |= UInt64(MapFlag.fixedIOVA) }
      l.set("flags", .number(flags))
    },
    Verb(
      "unmap", .request("IOAS_UNMAP"),
      operands: [
        .value("vm", .object([.ioas]), to: "ioas_id", .required), .value("iova", .any),
      ],
      options: [.value("len", .length), .value("last", .iova), .word("all")],
      results: [ResultSpec("length", .hex, .field(offset: 16, size: 8))],
      "Removes the mappings inside a range, or all of them.",
      examples: ["unmap $vm 0x1000 len=8K", "unmap $vm 0x1000...0x2fff", "unmap $vm all"]
    ) { l in
      if l.has("all") {
        if l.has("iova") { l.reportConflict(["iova", "all"]) }
        l.set("iova", .number(0))
        l.set("length", .number(.max))
      } else {
        l.setStartAndLength("iova", start: "iova", length: "length")
      }
    },
    Verb(
      "option", .request("OPTION"),
      operands: [.value("vm", .object([.ioas]), to: "object_id")],
      options: [.wordOrValue("huge-pages", .number), .wordOrValue("rlimit-mode", .number)],
      results: [ResultSpec("val", .number, .field(offset: 16, size: 8))],
      "Reads an option of an IOAS or of the file, or sets it when a value is given.",
      examples: ["option $vm huge-pages=0", "option rlimit-mode   -> val=0"]
    ) { l in
      if l.has("huge-pages") && l.has("rlimit-mode") { l.reportConflict(["huge-pages", "rlimit-mode"]) }
      let name = l.has("rlimit-mode") ? "rlimit-mode" : "huge-pages"
      if !l.has(name) && !l.overrides("option_id") {
        l.report(.missingOperand, "'option' needs the name of an option", help: ["huge-pages, rlimit-mode"])
      }
      l.set("option_id", .number(name == "rlimit-mode" ? 0 : 1))
      l.set("op", .number(l.code(name) == nil ? 1 : 0))
      l.set("val64", l.code(name))
    },
    Verb(
      "change-process", .request("IOAS_CHANGE_PROCESS"),
      "Moves the charge for pinned memory to the calling process.", examples: ["change-process"]),
    Verb(
      "destroy", .request("DESTROY"),
      operands: [.value("object", .object(Kind.objects), .required)],
      "Destroys an object; of a mock device, all there is of it.",
      examples: ["destroy $vm", "destroy id:99   -> ENOENT"]
    ) { l in
      guard let subject = l.argument("object") else { return }
      l.set("id", subject.code, role: .stdev)
      l.subject = subject.code
    },
    Verb(
      "vfio-ioas get", .request("VFIO_IOAS"),
      results: [ResultSpec("id", .object(.ioas), .object(.ioas, id: 4, fd: nil))],
      "Reads which IOAS the VFIO requests act on.", examples: ["vfio-ioas get   -> ENODEV"]
    ) { l in l.set("op", .number(0)) },
    Verb(
      "vfio-ioas set", .request("VFIO_IOAS"),
      operands: [.value("vm", .object([.ioas]), to: "ioas_id", .required)],
      "Chooses the IOAS that the VFIO requests act on.", examples: ["vfio-ioas set $vm"]
    ) { l in l.set("op", .number(1)) },
    Verb(
      "vfio-ioas clear", .request("VFIO_IOAS"), "Leaves the VFIO requests without an IOAS.",
      examples: ["vfio-ioas clear"]
    ) { l in l.set("op", .number(2)) },
  ]
}

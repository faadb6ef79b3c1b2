// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Files, memory and processes: what a program does around its ioctls; the VFIO requests; raw requests.

extension Lowering {
  /// The protection that `ro`, `wo`, `rw` and `none` say.
  mutating func mode() -> MapMode {
    MapMode(
      rawValue: UInt8(rights(read: UInt64(MapMode.read.rawValue), write: UInt64(MapMode.write.rawValue))))
  }

  /// What `fill=` puts into new memory: a pattern by name, a byte for all of it, or bytes for its beginning.
  func filling(_ length: Code) -> Code? {
    guard let fill = argument("fill") else { return nil }
    switch fill.word {
    case "seq": return .function(.seq, [length, .number(0)], fill.place)
    case "random": return .function(.random, [length, .number(1)], fill.place)
    case "zero": return .function(.zero, [length], fill.place)
    case .some:
      reportUnknown(fill, "pattern", ["seq", "random", "zero"])
      return nil
    case nil: return fill.kind == .number ? .function(.fill, [fill.code, length], fill.place) : fill.code
    }
  }
}

extension VerbTable {
  static let systemVerbs: [Verb] = [
    Verb(
      "open", .local, operands: [.value("path", .any)],
      results: [ResultSpec("context", .object(.context), .named)],
      "Opens /dev/iommu, or the path given; later statements use it.", examples: ["ctx = open"]
    ) { l in l.body = .action(.open(path: l.code("path"))) },
    Verb(
      "on", .local, operands: [.value("context", .descriptor([.context, .fd]), .required)],
      "Makes an open file the one that later statements use.", examples: ["on $ctx"]
    ) { l in if let file = l.code("context") { l.body = .action(.use(file)) } },
    Verb(
      "close", .local, operands: [.value("file", .descriptor(Kind.descriptors), .required)],
      "Closes a file descriptor.", examples: ["close $ctx", "close $q"]
    ) { l in if let file = l.code("file") { l.body = .action(.close(file)) } },
    Verb(
      "dup", .local, operands: [.value("file", .descriptor(Kind.descriptors), .required)],
      results: [ResultSpec("fd", .object(.fd), .named)], "Duplicates a file descriptor.",
      examples: ["fd2 = dup $ctx"]
    ) { l in if let file = l.code("file") { l.body = .action(.dup(file)) } },
    Verb(
      "read", .local, operands: [.value("file", .descriptor(Kind.descriptors), .required)],
      options: [.value("len", .length, usual: .number(4096))],
      results: [ResultSpec("data", .bytes, .named)], "Reads bytes from a file descriptor.",
      examples: ["read $q len=40   -> none"]
    ) { l in
      if let file = l.code("file") { l.body = .action(.read(file, count: l.codeOrUsual("len"))) }
    },
    Verb(
      "write", .local,
      operands: [
        .value("file", .descriptor(Kind.descriptors), .required), .value("data", .bytes, .required),
      ],
      results: [ResultSpec("count", .number, .named)], "Writes bytes to a file descriptor.",
      examples: ["write $q le32(1, 0)"]
    ) { l in
      if let file = l.code("file"), let data = l.code("data") { l.body = .action(.write(file, bytes: data)) }
    },
    Verb(
      "poll", .local, operands: [.value("file", .descriptor(Kind.descriptors), .required)],
      results: [ResultSpec("events", .flags(NamedValues.poll), .named)],
      "Reads which events a file descriptor has.", examples: ["poll $q   -> events=OUT"]
    ) { l in if let file = l.code("file") { l.body = .action(.poll(file)) } },
    Verb(
      "mapfd", .local, or: ["mem map"],
      operands: [.value("file", .descriptor(Kind.descriptors), .required)],
      options: [
        .value("off", .length, usual: .number(0)), .value("len", .length, usual: .number(4096)),
        .value("at", .address), .word("private"),
        .word("exec"),
      ] + Parameter.rights,
      results: [ResultSpec("memory", .memory, .named)],
      "Maps a file into the process, shared.",
      examples: ["mem map $mfd len=64K as buf", "mapfd $ctx off=0x1000 len=8K"]
    ) { l in
      guard let file = l.code("file") else { return }
      var mode = l.mode()
      if !l.has("private") { mode.insert(.shared) }
      if l.has("exec") { mode.insert(.execute) }
      l.body = .action(
        .mapFile(
          file, offset: l.codeOrUsual("off"), length: l.codeOrUsual("len"),
          address: l.code("at"), mode: mode))
    },
    Verb(
      "show", .local, operands: [.value("object", .any), .value("part", .any)],
      "Prints what is known of an object or of a part of it, or of the whole open file.",
      examples: ["show", "show $vm", "show $io registers", "show $hw table"]
    ) { l in
      l.body = .action(
        .show(l.code("object"), part: l.code("part"), what: l.has("object") ? .object : .context))
    },
    Verb(
      "show machine", .local, "Prints memory and processes.", examples: ["show machine"]
    ) { l in l.body = .action(.show(nil, part: nil, what: .machine)) },
    Verb(
      "show names", .local, "Prints the names that are bound.", examples: ["show names"]
    ) { l in l.body = .action(.show(nil, part: nil, what: .names)) },
    Verb(
      "show points", .local, "Prints the points that a thread can be run to.", examples: ["show points"]
    ) { l in l.body = .action(.show(nil, part: nil, what: .points)) },
  ]

  static let memoryVerbs: [Verb] = [
    Verb(
      "mem alloc", .local, operands: [.value("len", .length, .required)],
      options: [
        .wordOrValue("huge", .length), .value("at", .address), .value("fill", .any), .word("shared"),
      ] + Parameter.rights,
      results: [ResultSpec("memory", .memory, .named)],
      "Gives the process anonymous memory, filled with `fill`.",
      examples: ["mem alloc 64K as buf", "buf = mem alloc 2M huge fill=seq"]
    ) { l in
      guard let length = l.code("len") else { return }
      var mode = l.mode()
      if l.has("shared") { mode.insert(.shared) }
      l.body = .action(
        .allocate(
          length: length, address: l.code("at"), mode: mode, huge: l.has("huge"),
          fill: l.filling(length)))
    },
    Verb(
      "mem memfd", .local, operands: [.value("len", .length, .required)],
      options: [.word("huge"), .value("fill", .any)],
      results: [ResultSpec("fd", .object(.memfd), .named)],
      "Makes a memfd.", examples: ["mfd = mem memfd 2M"]
    ) { l in
      guard let length = l.code("len") else { return }
      l.body = .action(.createMemFD(length: length, huge: l.has("huge"), fill: l.filling(length)))
    },
    Verb(
      "mem truncate", .local,
      operands: [
        .value("file", .descriptor([.memfd, .fd]), .required), .value("len", .length, .required),
      ],
      "Sets the length of a memfd.", examples: ["mem truncate $mfd 4K"]
    ) { l in
      if let file = l.code("file"), let length = l.code("len") {
        l.body = .action(.truncate(file, length: length))
      }
    },
    Verb(
      "mem unmap", .local, operands: [.value("memory", .address, .required)],
      options: [.value("len", .length)],
      "Takes memory from the process.", examples: ["mem unmap $buf"]
    ) { l in
      if let memory = l.code("memory") { l.body = .action(.unmapMemory(memory, length: l.code("len"))) }
    },
    Verb(
      "mem protect", .local, operands: [.value("memory", .address, .required)],
      options: [.value("len", .length)] + Parameter.rights,
      "Changes what the process may do with memory.", examples: ["mem protect $buf ro"]
    ) { l in
      let mode = l.mode()
      if let memory = l.code("memory") {
        l.body = .action(.protect(memory, length: l.code("len"), mode: mode))
      }
    },
    Verb(
      "mem write", .local,
      operands: [.value("memory", .address, .required), .value("data", .bytes, .required)],
      "Writes bytes to memory.", examples: ["mem write $buf+8 \"hello\""]
    ) { l in
      if let memory = l.code("memory"), let data = l.code("data") {
        l.body = .action(.writeMemory(memory, bytes: data))
      }
    },
    Verb(
      "mem read", .local, operands: [.value("memory", .address, .required)],
      options: [.value("len", .length, usual: .described("that of the memory"))],
      results: [ResultSpec("data", .bytes, .named)],
      "Reads bytes of memory.", examples: ["mem read $buf+8 len=5   -> \"hello\""]
    ) { l in
      if let memory = l.code("memory") {
        l.body = .action(.readMemory(memory, length: l.code("len") ?? .length(memory, l.place)))
      }
    },
    Verb(
      "mem check", .local,
      operands: [.value("memory", .address, .required), .value("data", .bytes, .required)],
      results: [ResultSpec("data", .bytes, .named)],
      "Requires memory to hold these bytes.", examples: ["mem check $buf+8 \"hello\""]
    ) { l in
      if let memory = l.code("memory"), let data = l.code("data") {
        l.body = .action(.checkMemory(memory, bytes: data))
      }
    },
    Verb(
      "process fork", .local, results: [ResultSpec("process", .object(.process), .named)],
      "Copies the current process, which stays current.", examples: ["child = process fork"]
    ) { l in l.body = .action(.fork) },
    Verb(
      "process switch", .local, operands: [.value("process", .number, .required)],
      "Makes another process the current one.", examples: ["process switch $child"]
    ) { l in if let process = l.code("process") { l.body = .action(.switchProcess(process)) } },
    Verb(
      "process exit", .local, operands: [.value("process", .number, .required)],
      "Ends a process.", examples: ["process exit $child"]
    ) { l in if let process = l.code("process") { l.body = .action(.exitProcess(process)) } },
    Verb(
      "capability", .local,
      operands: [
        .value("name", .words(["ipc-lock", "sys-resource", "sys-rawio"]), .required),
        .value("held", .words(["on", "off"]), .required),
      ],
      "Gives the current process a capability, or takes it.", examples: ["capability ipc-lock off"]
    ) { l in
      if let name = l.argument("name")?.word, let held = l.argument("held")?.word {
        l.body = .action(.capability(name, held: held == "on"))
      }
    },
    Verb(
      "memlock", .local, operands: [.value("bytes", .any, .required)],
      "Sets RLIMIT_MEMLOCK of the current process; `unlimited` lifts it.", examples: ["memlock 64K"]
    ) { l in
      guard let bytes = l.argument("bytes") else { return }
      l.body = .action(.memoryLock(bytes.word == "unlimited" ? .number(.max) : bytes.code))
    },
  ]
}

extension NamedValues {
  static let poll = NamedValues(
    "POLL",
    [
      ("IN", 1, KernelVersion(6, 2)), ("OUT", 4, KernelVersion(6, 2)), ("RDNORM", 64, KernelVersion(6, 2)),
      ("WRNORM", 256, KernelVersion(6, 2)),
    ])
}

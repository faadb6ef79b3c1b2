// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

// How a random program fills the struct of a request: field by field from the command's row, then what a row
// cannot say: which fields belong together, and what lies behind a pointer.

extension RandomProgram {
  /// The fields of one request, by name, while they are being chosen.
  struct Draft {
    var values: [String: RecordedProgram.Operand] = [:]
    var before: [RecordedProgram.Step] = []
    var after: [RecordedProgram.Step] = []
    var mapping: (length: UInt64, memory: UInt64?)?

    subscript(_ name: String) -> RecordedProgram.Operand? {
      get { values[name] }
      set { values[name] = newValue }
    }

    mutating func set(_ name: String, _ value: UInt64) { values[name] = .constant(value) }
  }

  mutating func command(_ row: CommandRow) {
    // See the head of RandomProgram.swift.
    if row.name == "IOAS_COPY", isFine { return }
    isDropped = false
    lacksObject = false
    var draft = Draft()
    for field in row.fields where field.name != "size" && field.name != "argsz" {
      draft[field.name] = value(of: field)
    }
    relate(row.name, &draft)
    let size = size(of: row)
    send(row.request, size, row.fields, &draft, named: row.name)
  }

  mutating func op(_ op: SelftestOp) {
    // See the head of RandomProgram.swift.
    if op.name == "TRIGGER_IOPF", hasLostDevice { return }
    if op.name == "PASID_ATTACH" || op.name == "PASID_REPLACE" { mayLeak = true }
    isDropped = false
    lacksObject = false
    var draft = Draft()
    draft.set("op", UInt64(op.number))
    draft["id"] = object(pools(of: op.id))
    for field in op.fields { draft[field.name] = value(of: field) }
    relate(op.name, &draft)
    // `id` is also the name of a field of some unions; those are small numbers.
    var fields = [
      Field("op", Layout.Selftest.op, .input), Field("id", Layout.Selftest.id, .input, .objectID),
    ]
    fields += op.fields.filter { $0.name != "id" }
    if let id = op.fields.first(where: { $0.name == "id" }) {
      draft.values["number"] = .constant(UInt64(random.below(5)))
      fields.append(Field("number", Slot<UInt32>(id.offset)))
    }
    send(CommandTable.selftest.request, 72, fields, &draft, named: op.name)
  }

  // MARK: Fields

  /// A value for a field of which nothing is known but its row; nil leaves it 0.
  private mutating func value(of field: Field) -> RecordedProgram.Operand? {
    guard field.direction.isInput else { return nil }
    // A few of them are plain numbers in the table, since the kernel does not look.
    if field.name.hasPrefix("__reserved") { return isWrong() && random.chance(30) ? .constant(1) : nil }
    switch field.meaning {
    case .reserved: return isWrong() && random.chance(30) ? .constant(1) : nil
    case .objectID: return object(pools(ofField: field.name))
    case .flags(let names):
      var value: UInt64 = 0
      for entry in names.entries where random.chance(40) { value |= entry.value }
      if isWrong() { value |= 1 << UInt64(random.below(31)) }
      return .constant(value & field.mask)
    case .choice(let names):
      if isWrong() { return .constant(UInt64(random.below(6))) }
      if let mock = names.entries.first(where: { $0.name == "SELFTEST" }), random.chance(85) {
        return .constant(mock.value)
      }
      return .constant(random.pick(names.entries).value)
    case .iova: return anyMapping()?.iova ?? .constant(freshIOVA())
    case .length: return .constant(length())
    case .userPointer: return isWrong() ? .constant(random.pick([0, 4096, 1 << 47])) : .area(memory())
    case .fileDescriptor:
      // An object's ID would be taken for a descriptor of the runner's.
      let files: [Pool] = isWrong() ? [.context, .access, .queueFile] : [.buffer]
      return operand(of: random.pick(files)) ?? .constant(77)
    case .number: return .constant(UInt64(random.below(4)))
    }
  }

  /// An object of one of the pools, or what is none.
  mutating func object(_ wanted: [Pool]) -> RecordedProgram.Operand {
    if !isWrong() {
      if let found = operand(of: random.pick(wanted)) { return found }
      for pool in wanted {
        if let found = operand(of: pool) { return found }
      }
      lacksObject = true
    }
    // The number of a descriptor is no object ID: it says something else in every process.
    let others = Pool.allCases.filter { $0.isDescriptor == wanted[0].isDescriptor }
    if random.chance(70), let other = operand(of: random.pick(others)) { return other }
    return .constant(random.pick([0, 1, 77, 0xFFFF_FFFF]))
  }

  private func pools(ofField name: String) -> [Pool] {
    switch name {
    case "ioas_id", "src_ioas_id", "dst_ioas_id": [.ioas]
    case "pt_id": [.ioas, .hwpt, .hwpt, .nested]
    case "hwpt_id": [.hwpt]
    case "dev_id": [.idev]
    case "viommu_id": [.viommu]
    case "fault_id": [.fault]
    default: [.ioas, .hwpt, .nested, .stdev, .idev, .fault, .viommu, .vdevice, .veventq, .hwQueue]
    }
  }

  private func pools(of operand: SelftestOp.Operand) -> [Pool] {
    switch operand {
    case .none, .ioas: [.ioas]
    case .hwpt: [.hwpt]
    case .nestedHWPT: [.nested]
    case .pageTable: [.ioas, .ioas, .hwpt]
    case .stdev: [.stdev]
    case .idev: [.idev]
    case .access: [.access]
    }
  }

  /// Where the answer of a field goes.
  private func pool(ofOutput name: String, _ draft: Draft) -> Pool? {
    switch name {
    case "out_ioas_id": .ioas
    case "out_hwpt_id": draft["data_type"] == .constant(0xDEAD) ? .nested : .hwpt
    case "out_stdev_id": .stdev
    case "out_idev_id": .idev
    case "out_fault_id": .fault
    case "out_viommu_id": .viommu
    case "out_vdevice_id": .vdevice
    case "out_veventq_id": .veventq
    case "out_hw_queue_id": .hwQueue
    case "out_access_pages_id": .accessPages
    case "out_access_fd": .access
    case "out_fault_fd", "out_veventq_fd": .queueFile
    default: nil
    }
  }

  private mutating func size(of row: CommandRow) -> Int {
    let full = row.fullSize(KernelVersion(7, 3))
    guard full > 0 else { return 0 }
    if row.name == "VFIO_IOMMU_GET_INFO" { return random.pick([24, 24, 112, 112, 16, 40, 56]) }
    guard isWrong() else { return full }
    return random.pick([row.minimumSize, full + 8, max(row.minimumSize - 4, 4), full])
  }

  // MARK: Addresses

  private var grain: UInt64 { isFine ? 1 : theme == .dirty ? 4096 : 2048 }

  mutating func length() -> UInt64 {
    if isFine && random.chance(40) { return random.pick([0, 1, 63, 511, 2047, 4095, 4097, 6145, 12289]) }
    let common: [UInt64] = [4096, 4096, 8192, 16384, 65536, 65536, 262_144, 1 << 20]
    if grain <= 2048, random.chance(25) { return random.pick([2048, 6144, 10240]) }
    if isWrong() { return random.pick([0, 1 << 31, 1 << 52, UInt64.max &- 4095]) }
    return random.pick(common)
  }

  /// Where memory to be mapped lies in the data area.
  mutating func memory() -> UInt64 {
    let page = UInt64(random.below(3000)) * 4096
    guard grain < 4096 else { return page }
    return page + (random.chance(15) ? (isFine ? UInt64(random.below(4096)) : 2048) : 0)
  }

  mutating func freshIOVA() -> UInt64 {
    // Few places, so that mappings meet.
    let place = 0x100_0000 + UInt64(random.below(64)) * 0x1_0000 + UInt64(random.below(4)) * 4096
    if isWrong() { return random.pick([0, 1 << 32, 1 << 56, UInt64.max &- 4095, UInt64.max &- 0xFFFF]) }
    guard grain < 4096, random.chance(12) else { return place }
    return place + (isFine ? UInt64(random.below(4096)) : 2048)
  }

  mutating func anyMapping() -> Mapping? {
    guard !isWrong(), !mappings.isEmpty else { return nil }
    let recent = mappings.suffix(random.chance(50) ? 3 : mappings.count)
    return recent[recent.startIndex + random.below(recent.count)]
  }

  /// A mapping or a part of it.
  private mutating func part() -> (iova: RecordedProgram.Operand, length: UInt64, memory: UInt64?, Mapping)? {
    guard let mapping = anyMapping() else { return nil }
    guard case .constant(let first) = mapping.iova, mapping.length > grain, random.chance(35) else {
      let length = random.chance(85) ? mapping.length : self.length()
      return (mapping.iova, length, mapping.memory, mapping)
    }
    let step = max(grain, random.chance(50) ? 4096 : grain)
    let offset = min(
      UInt64(random.below(max(1, Int(min(mapping.length / step, 64))))) * step, mapping.length - 1)
    let length = random.chance(50) ? mapping.length - offset : min(step, mapping.length - offset)
    return (.constant(first &+ offset), length, mapping.memory.map { $0 + offset }, mapping)
  }

  // MARK: What belongs together

  private mutating func relate(_ name: String, _ draft: inout Draft) {
    switch name {
    case "DESTROY":
      if case .register(let register)? = draft["id"], pools[.stdev]?.contains(register) == true {
        if mayLeak && theme != .pasid { isDropped = true }
        hasLostDevice = true
      }
    case "IOAS_MAP", "IOAS_MAP_FILE": relateMap(name, &draft)
    case "IOAS_UNMAP":
      if let part = part() {
        draft["iova"] = part.iova
        draft.set("length", part.length)
        if !isWrong() { draft["ioas_id"] = part.3.ioas }
      }
      if random.chance(6) {
        draft.set("iova", 0)
        draft.set("length", .max)
      }
    case "IOAS_COPY":
      if let part = part() {
        draft["src_iova"] = part.iova
        draft.set("length", part.length)
        if !isWrong() { draft["src_ioas_id"] = part.3.ioas }
      }
      draft.set("dst_iova", freshIOVA())
      draft.set("flags", random.pick([6, 7, 7, 4, 2, 3, 5]))
    case "IOAS_ALLOW_IOVAS", "IOAS_IOVA_RANGES": relateRanges(name, &draft)
    case "OPTION":
      draft.set("val64", random.pick([0, 1, 1, 2]))
      if draft["option_id"] == .constant(0) {
        draft.set("object_id", 0)
      } else {
        draft["object_id"] = object([.ioas])
      }
    case "VFIO_IOMMU_MAP_DMA":
      let (place, count) = (memory(), length())
      draft["vaddr"] = .area(place)
      draft.set("size", count)
      draft.set("iova", freshIOVA())
      draft.set("flags", random.pick([3, 3, 3, 1, 2, 0, 4]))
      if case .constant? = draft["iova"] { draft.mapping = (count, place) }
    case "VFIO_IOMMU_UNMAP_DMA":
      if let part = part() {
        draft["iova"] = part.iova
        draft.set("size", part.length)
      }
      draft.set("flags", random.pick(weighted: [(0, 8), (2, 1), (1, 1)]))
      if draft["flags"] == .constant(2), random.chance(80) {
        draft.set("iova", 0)
        draft.set("size", 0)
      }
    case "ADD_RESERVED":
      draft.set("start", freshIOVA())
      draft.set("length", random.pick([4096, 65536, 1, 1 << 20]))
    case "DMABUF_GET":
      draft.set("length", random.pick([4096, 65536, 8192, 65536, 5000, 0]))
      draft.set("open_flags", 0)
    case "MOCK_DOMAIN_REPLACE":
      if attachesNewest, let newest = [pools[.hwpt]?.last, pools[.nested]?.last].compactMap({ $0 }).max() {
        draft["pt_id"] = .register(newest)
      }
    case "MOCK_DOMAIN_FLAGS":
      // Large entries would follow the physical pages.
      if theme == .dirty { draft.set("dev_flags", random.pick([0, 0, 0, 4, 1, 8])) }
    case "DMABUF_REVOKE": draft.set("revoked", UInt64(random.below(2)))
    case "HW_QUEUE_ALLOC":
      if let part = part() { draft["nesting_parent_iova"] = part.iova }
      draft.set("length", isWrong() ? 0 : random.pick([4096, 4096, 2048, 1]))
      draft.set("index", UInt64(random.below(3)))
    default: relateMore(name, &draft)
    }
  }

  private mutating func relateMap(_ name: String, _ draft: inout Draft) {
    let count = length()
    draft.set("length", count)
    let rights = random.pick(weighted: [(UInt64(6), 12), (4, 4), (2, 1), (0, 1)])
    let isFixed = random.chance(55)
    draft.set("flags", rights | (isFixed ? 1 : 0) | (isWrong() ? 8 : 0))
    draft.set("iova", isFixed ? freshIOVA() : 0)
    if name == "IOAS_MAP_FILE" {
      draft.set(
        "start",
        random.pick(isFine ? [0, 1, 4096, 5000] : [0, 0, 4096, 2048, 8192].map { $0 & ~(grain - 1) }))
      draft.mapping = (count, nil)
    } else {
      let place = memory()
      if !isWrong() { draft["user_va"] = .area(place) }
      draft.mapping = (count, place)
    }
  }

  private mutating func relateRanges(_ name: String, _ draft: inout Draft) {
    draft["__reserved"] = nil
    draft["allowed_iovas"] = .area(Area.ranges)
    let count = random.below(4)
    if name == "IOAS_IOVA_RANGES" {
      draft.set("num_iovas", UInt64(random.pick([0, 1, 2, 4, 6])))
      draft.before.append(.fill(.area(Area.ranges), byte: 0, count: 96))
      draft.after.append(.dump(.area(Area.ranges), count: 96))
      return
    }
    draft.set("num_iovas", UInt64(count))
    var first = UInt64(0x80_0000) + UInt64(random.below(16)) * 0x10_0000
    for index in 0..<UInt64(count) {
      let last = first + random.pick([0xFFFF, 0xFF_FFFF, 0x3FF_FFFF, 0xFFF])
      draft.before.append(.put(.area(Area.ranges + index * 16), width: 8, .constant(first)))
      draft.before.append(.put(.area(Area.ranges + index * 16 + 8), width: 8, .constant(last)))
      first = isWrong() ? first : last + 1 + random.pick([0, 0x1000, 0x10_0000])
    }
  }

  private mutating func relateMore(_ name: String, _ draft: inout Draft) {
    switch name {
    case "HWPT_ALLOC": relateHWPT(&draft)
    case "GET_HW_INFO":
      draft.set("data_len", random.pick([0, 4, 8, 16, 40]))
      draft["data_uptr"] = .area(Area.hwInfo)
      draft.set("flags", random.pick([0, 0, 1]))
      draft.set("data_type", random.pick([0, 0, 0xFEED_BEEF, 1]))
      draft.before.append(.fill(.area(Area.hwInfo), byte: 170, count: 64))
      draft.after.append(.dump(.area(Area.hwInfo), count: 48))
    case "HWPT_SET_DIRTY_TRACKING": draft.set("flags", isWrong() ? 2 : UInt64(random.pick([1, 1, 0])))
    case "HWPT_GET_DIRTY_BITMAP", "DIRTY":
      if let part = part() {
        draft["iova"] = part.iova
        draft.set("length", part.length & ~4095)
      } else {
        draft.set("iova", freshIOVA())
        draft.set("length", 65536)
      }
      draft.set("page_size", random.pick([4096, 4096, 2048, 8192, 1000]))
      draft.set("flags", name == "DIRTY" ? 0 : random.pick([0, 0, 1]))
      draft[name == "DIRTY" ? "uptr" : "data"] = .area(Area.bitmap)
      if name == "DIRTY" {
        draft.before.append(.put(.area(Area.bitmap), width: 8, .constant(random.next())))
        draft.before.append(.put(.area(Area.bitmap + 8), width: 8, .constant(random.next())))
      } else {
        draft.before.append(.fill(.area(Area.bitmap), byte: 0, count: 128))
        draft.after.append(.dump(.area(Area.bitmap), count: 72))
      }
    case "HWPT_INVALIDATE": relateInvalidate(&draft)
    case "VIOMMU_ALLOC":
      draft.set("flags", isWrong() ? 1 : 0)
      draft.set("data_len", random.pick([0, 24, 24, 8, 32]))
      draft["data_uptr"] = .area(Area.viommuData)
      draft.before.append(.put(.area(Area.viommuData), width: 8, .constant(0x1234_5678)))
      draft.after.append(.dump(.area(Area.viommuData), count: 24))
    case "VDEVICE_ALLOC": draft.set("virt_id", random.pick([0, 1, 0x99, 0x99, 1 << 33]))
    case "VEVENTQ_ALLOC": draft.set("veventq_depth", isWrong() ? 0 : random.pick([1, 2, 2, 8]))
    case "MD_CHECK_MAP", "MD_CHECK_REFS":
      if let part = part() {
        draft["iova"] = part.iova
        draft.set("length", part.length)
        if let memory = part.memory { draft["uptr"] = .area(memory) }
      }
      draft.set("refs", UInt64(random.below(4)))
    case "ACCESS_PAGES", "ACCESS_RW": relateAccess(name, &draft)
    case "DESTROY_ACCESS_PAGES": draft["access_pages_id"] = object([.accessPages])
    case "PASID_ATTACH", "PASID_REPLACE", "PASID_DETACH", "PASID_CHECK_HWPT":
      draft.set("pasid", random.pick([100, 100, 100, 101, 1, 0, 1 << 20]))
      draft["hwpt_id"] = object([.hwpt, .nested])
    case "TRIGGER_IOPF":
      draft.set("pasid", random.pick([0, 0, 0, 0, 100, 0xFFFF_FFFF]))
      draft.set("grpid", UInt64(random.below(3)))
      draft.set("perm", random.pick([1, 2, 3, 6, 8, 0]))
      draft.set("addr", random.pick([0xDEAD_BEAF, 0x1000, 0]))
    case "MD_CHECK_IOTLB": draft.set("iotlb", random.pick([0xBADBEEF, 0, 0xBADBEEF, 0xDEADBEEF]))
    case "DEV_CHECK_CACHE": draft.set("cache", random.pick([0, 7, 0xBADBEEF]))
    default: break
    }
  }

  private mutating func relateHWPT(_ draft: inout Draft) {
    let isNested = forcesNesting || random.chance(25) && mistakes > 0
    draft.set(
      "flags",
      random.pick(weighted: [(UInt64(0), 6), (1, 8), (2, 3), (3, 2), (8, 2), (9, 1), (4, 2), (5, 1)]))
    switch (theme, mistakes) {
    case (.dirty, 0): draft.set("flags", 2)
    case (.viommu, 0), (.queue, 0), (.hwpt, 0), (.pasid, 0): draft.set("flags", 1)
    case (.fault, _) where !isNested || random.chance(50):
      draft.set("flags", isWrong() ? 4 : random.pick([4, 4, 12, 5]))
    default: break
    }
    draft["pt_id"] = object(!isNested ? [.ioas] : random.chance(50) ? [.viommu, .hwpt] : [.hwpt, .viommu])
    if forcesNesting { draft.set("flags", pools[.fault] != nil && random.chance(50) ? 4 : 0) }
    draft["fault_id"] = nil
    if case .constant(let flags)? = draft["flags"], flags & 4 != 0 || isWrong() {
      draft["fault_id"] = object([.fault])
    }
    if isNested {
      if case .constant(let flags)? = draft["flags"] { draft.set("flags", isWrong() ? flags : flags & 4) }
      draft.set("data_type", isWrong() ? 1 : 0xDEAD)
      draft.set("data_len", random.pick(weighted: [(UInt64(4), 10), (8, 3), (0, 1), (16, 1)]))
      draft["data_uptr"] = .area(Area.hwptData)
      draft.before.append(.put(.area(Area.hwptData), width: 8, .constant(0xBADBEEF)))
    } else {
      draft.set("data_type", isWrong() ? 0xDEAD : 0)
      draft.set("data_len", isWrong() ? 4 : 0)
      draft["data_uptr"] = nil
    }
  }

  private mutating func relateInvalidate(_ draft: inout Draft) {
    let isForVIOMMU = pools[.viommu] != nil && random.chance(50)
    draft["hwpt_id"] = object(isForVIOMMU ? [.viommu] : [.nested])
    draft["data_uptr"] = .area(Area.invalidations)
    let count = random.below(4)
    draft.set("entry_num", UInt64(count))
    let length = random.pick([8, 8, 16, 12, 4])
    draft.set("entry_len", UInt64(isForVIOMMU && random.chance(70) ? 16 : length))
    draft.set(
      "data_type", isForVIOMMU ? 0xDEAD_BEEF : random.pick([0xDEAD_BEEF, 0xDEAD_BEEF, 0x0DAD_BEEF, 0]))
    for word in 0..<UInt64(max(count, 1) * 4) {
      let value = random.pick(weighted: [(UInt64(0), 5), (1, 5), (2, 2), (3, 2), (0x99, 3), (4, 1)])
      draft.before.append(.put(.area(Area.invalidations + word * 4), width: 4, .constant(value)))
    }
  }

  private mutating func relateAccess(_ name: String, _ draft: inout Draft) {
    draft["id"] = object([.access])
    let isPages = name == "ACCESS_PAGES"
    var count: UInt64 = random.pick([1, 64, 4096, 5000])
    var uptr = RecordedProgram.Operand.constant(0)
    if let part = part() {
      draft["iova"] = part.iova
      if isPages, random.chance(60) { count = part.length }
      if let memory = part.memory, random.chance(60) { uptr = .area(memory) }
    }
    draft.set("length", count)
    draft.set("flags", random.pick(isPages ? [0, 1, 1, 2] : [0, 1, 4, 5, 8]))
    if isPages {
      draft["uptr"] = uptr
      return
    }
    draft["uptr"] = .area(Area.buffer)
    draft.before.append(
      .fill(.area(Area.buffer), byte: UInt8(random.below(256)), count: Int(min(count, 8192))))
    draft.after.append(.dump(.area(Area.buffer), count: 16))
    if case .area(let memory) = uptr, isThere(memory, 16) {
      draft.after.append(.dump(.area(memory), count: 16))
    }
  }

  // MARK: The step

  private mutating func send(
    _ request: UInt32, _ size: Int, _ fields: [Field], _ draft: inout Draft, named name: String
  ) {
    // Nothing to be asked about: most often the question is not worth a step.
    if isDropped || lacksObject && random.chance(85) { return }
    var stores: [RecordedProgram.Store] = []
    var loads: [RecordedProgram.Load] = []
    var iova: RecordedProgram.Operand?
    for field in fields where field.offset + field.size <= size {
      if field.direction.isInput, let value = draft[field.name], value != .constant(0) {
        stores.append(RecordedProgram.Store(offset: field.offset, width: field.size, value: value))
      }
      if field.direction != .input, let pool = pool(ofOutput: field.name, draft) {
        let isFile = pool == .access || pool == .queueFile
        loads.append(
          RecordedProgram.Load(
            offset: field.offset, width: field.size, register: register(in: pool), isDescriptor: isFile))
      }
      if case .iova = field.meaning, field.direction == .both { iova = outcome(field, draft, &loads) }
    }
    if name == "DMABUF_GET" {
      loads.append(
        RecordedProgram.Load(offset: nil, width: 4, register: register(in: .buffer), isDescriptor: true))
    }
    let context = theContext()
    steps += draft.before
    steps.append(.ioctl(fd: context, request: request, size: size, stores: stores, loads: loads))
    steps += draft.after
    remember(name, iova, draft)
  }

  /// The descriptor that a request goes to: nearly always that of the first file.
  private mutating func theContext() -> RecordedProgram.Operand {
    let contexts = pools[.context] ?? [0]
    if contexts.count > 1, random.chance(12) { return .register(contexts[1]) }
    return .register(contexts[0])
  }

  /// Where the IOVA of a mapping will be: what was asked for, or a register.
  private mutating func outcome(_ field: Field, _ draft: Draft, _ loads: inout [RecordedProgram.Load])
    -> RecordedProgram.Operand?
  {
    if case .constant(let flags)? = draft["flags"], flags & 1 != 0 { return draft[field.name] }
    let register = nextRegister
    nextRegister = min(nextRegister + 1, 255)
    loads.append(
      RecordedProgram.Load(offset: field.offset, width: field.size, register: register, isDescriptor: false))
    return .register(register)
  }

  private mutating func remember(_ name: String, _ iova: RecordedProgram.Operand?, _ draft: Draft) {
    switch name {
    case "IOAS_MAP", "IOAS_MAP_FILE":
      guard let mapping = draft.mapping, let iova, let ioas = draft["ioas_id"] else { return }
      mappings.append(Mapping(iova: iova, length: mapping.length, memory: mapping.memory, ioas: ioas))
    case "IOAS_COPY":
      guard let iova, let ioas = draft["dst_ioas_id"], case .constant(let length)? = draft["length"] else {
        return
      }
      mappings.append(Mapping(iova: iova, length: length, memory: nil, ioas: ioas))
    case "VFIO_IOMMU_MAP_DMA":
      guard let mapping = draft.mapping, let iova = draft["iova"] else { return }
      let ioas = operand(of: .ioas) ?? .constant(0)
      mappings.append(Mapping(iova: iova, length: mapping.length, memory: mapping.memory, ioas: ioas))
    default: break
    }
  }
}

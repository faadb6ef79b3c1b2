// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI
internal import Views

extension Executor {
  /// Largest room a request can ask for beside its struct.
  private static let roomLimit: UInt64 = 16 << 20
  /// Largest struct; what a caller announces beyond it is not there to be read.
  private static let structLimit = 1 << 20

  // MARK: Bodies

  /// Carries a command out; its answer is in `errno` and the results.
  func perform(_ body: Body, watchesState: Bool) throws(Stop) {
    device = nil
    ending = .completed
    if !actionResults.isEmpty { actionResults.removeAll(keepingCapacity: true) }
    watches = watchesState
    switch body {
    case .request(let plan):
      if !plan.devices.isEmpty, try !bindFunctions(plan.devices) { return }
      try send(plan)
    case .destroy(let subject, let plan):
      if case .device(let device) = try value(subject) {
        if device.function != nil { return release(device) }
        try send(plan)
        if errno == 0 { device.forget() }
        return
      }
      try send(plan)
    case .device(let code, let plan): try send(to: code, plan)
    case .pageRequest(let code, let plan): try requestPage(code, plan)
    case .raw(let plan, let bytes):
      if let bytes {
        let data = try self.bytes(bytes, plan.place)
        try send(plan, data)
      } else {
        try send(plan)
      }
    case .action(let action):
      errno = 0
      reason = nil
      returned = 0
      lastPlan = nil
      hasChangedState = true
      if watches, let context { before = snapshot(context) }
      do throws(Errno) {
        try act(action)
      } catch {
        errno = error.code
        reason = error
      }
      if watches, let context { hasChangedState = !FactText.same(before, snapshot(context)) }
      if let pending = pendingStop {
        pendingStop = nil
        throw pending
      }
    case .call(let procedure, let arguments, let place):
      try call(procedure, arguments, place)
      errno = 0
    }
  }

  /// A request about a device: its first attachment makes it.
  private func send(to code: Code, _ plan: AttachmentPlan) throws(Stop) {
    let (first, later, effect) = (plan.first, plan.later, plan.effect)
    let subject = try value(code)
    guard case .device(let device) = subject else {
      // A SELFTEST object by its number.
      try send(later)
      return
    }
    self.device = device
    if device.function != nil { return try change(device, plan) }
    if let first, !device.exists {
      try send(first)
      guard errno == 0 else { return }
      fetch()
      device.stdev = UInt32(truncatingIfNeeded: field(Layout.Selftest.MockDomain.outStdevID.offset, 4))
      device.hwpt = UInt32(truncatingIfNeeded: field(Layout.Selftest.MockDomain.outHWPTID.offset, 4))
      device.device = UInt32(truncatingIfNeeded: field(Layout.Selftest.MockDomain.outIdevID.offset, 4))
      return
    }
    try send(later)
    guard errno == 0 else { return }
    switch effect {
    case .none: break
    case .detaches: device.hwpt = 0
    case .attaches:
      if case .object(_, let offset?, _)? = later.results.first?.source {
        fetch()
        device.hwpt = UInt32(truncatingIfNeeded: field(offset, 4))
      }
    }
  }

  // MARK: One request

  /// Fills the struct, puts it into the process's memory and asks.
  func send(_ plan: RequestPlan, _ custom: [UInt8]? = nil) throws(Stop) {
    lastPlan = plan
    isFetched = false
    if !payloads.isEmpty { payloads.removeAll(keepingCapacity: true) }
    let fd: Int32
    if let code = plan.descriptor {
      fd = try descriptor(code, plan.place)
    } else if let context {
      fd = context
    } else {
      fd = try currentContext(plan.place)
    }
    arena.reset()
    var argument: UInt64
    if let code = plan.argument {
      structCount = 0
      argument = try number(code, plan.place)
    } else {
      try fill(plan, custom)
      do throws(Errno) {
        argument = try arena.take(structCount, alignment: 16, from: target)
        try addPayloads(plan)
        if write(work, structCount, at: argument) == false {
          // The process lost its scratch memory, by an unmapping or in a fork.
          arena.forget()
          arena.reset()
          payloads.removeAll(keepingCapacity: true)
          argument = try arena.take(structCount, alignment: 16, from: target)
          try addPayloads(plan)
          _ = write(work, structCount, at: argument)
        }
      } catch {
        if let pending = pendingStop {
          pendingStop = nil
          throw pending
        }
        throw .problem(
          Problem(
            code: .noMemory, place: plan.place, message: "no memory for the request: \(error.name)"))
      }
    }
    structAddress = argument
    if watches { before = snapshot(fd) }
    if isTracing { keepSent() }
    do throws(Errno) {
      returned =
        sweep == nil && late == nil
        ? try target.ioctl(fd, plan.request, argument) : try sendSwept(plan, fd, argument)
      errno = 0
      reason = nil
    } catch {
      errno = error.code
      reason = error
      returned = -1
    }
    if watches { hasChangedState = !FactText.same(before, snapshot(fd)) }
    if isTracing { trace(plan) }
  }

  /// The same request until nothing of it is left to fail. Each time the process's struct is what it was.
  private func sendSwept(_ plan: RequestPlan, _ fd: Int32, _ argument: UInt64) throws(Errno) -> Int32 {
    let isOwn = plan.argument != nil
    // A struct of the script's own, as long as one can be; one that cannot be read needs no care.
    let kept = isOwn ? (try? target.memory.bytes(at: argument, count: plan.row?.minimumSize ?? 0)) ?? [] : []
    return try asked(plan.name, values: namedValues(plan)) { () throws(Errno) in
      if !isOwn {
        _ = write(work, structCount, at: argument)
      } else if !kept.isEmpty {
        // It may be memory that can only be read.
        try? target.memory.write(kept, at: argument)
      }
      return try target.ioctl(fd, plan.request, argument)
    }
  }

  /// The named values in the request that is about to be made: `data_type=VTD_S1`, `flags=NEST_PARENT`.
  private func namedValues(_ plan: RequestPlan) -> [String] {
    var values: [String] = []
    for input in plan.op?.fields ?? plan.row?.fields ?? []
    where input.direction.isInput && input.offset + input.size <= structCount {
      let value = field(input.offset, input.size)
      switch input.meaning {
      case .choice(let names):
        if let name = names.name(of: value) { values.append("\(input.name)=\(name)") }
      case .flags(let names):
        for entry in names.entries where value & entry.value != 0 {
          values.append("\(input.name)=\(entry.name)")
        }
      default: break
      }
    }
    return values
  }

  var noPlace: Place { Place(source: program.source, span: Span.zero) }

  /// The struct in `work`, `structCount` bytes.
  private func fill(_ plan: RequestPlan, _ custom: [UInt8]?) throws(Stop) {
    if let custom {
      try bound(custom.count, plan.place)
      structCount = custom.count
      reserveWork(max(structCount, 1))
      custom.withUnsafeBytes { work.copyMemory(from: $0) }
      return
    }
    structCount = plan.template.count
    reserveWork(max(structCount, 8))
    plan.template.withUnsafeBytes { work.copyMemory(from: $0) }
    for index in plan.fields.indices { try store(plan.fields[index]) }
    // A struct that is announced larger goes on with zeros.
    if let announced = plan.announced {
      let size = field(announced.offset, announced.size)
      if size > UInt64(structCount) {
        let count = Int(min(size, UInt64(Self.structLimit)))
        reserveWork(count)
        for index in structCount..<count { work[index] = 0 }
        structCount = count
      }
    }
  }

  private func store(_ field: FieldCode) throws(Stop) {
    var value = try number(field.code, field.place, as: field.role)
    if value & ~field.mask != 0 {
      let isNegative = field.role == .descriptor && value >= UInt64(bitPattern: Int64(Int32.min))
      guard field.truncates || isNegative else {
        throw .problem(
          Problem(
            code: .valueTooLargeAtRun, place: field.place,
            message: "\(hex(value)) does not fit into '\(field.name)', \(field.size) bytes",
            help: ["raw(...) cuts it to the field"]))
      }
      value &= field.mask
    }
    set(field.offset, field.size, value)
  }

  /// Writes an integer of the struct.
  private func set(_ offset: Int, _ size: Int, _ value: UInt64) {
    guard offset >= 0, offset + size <= work.count else { return }
    switch size {
    case 8: work.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt64.self)
    case 4:
      work.storeBytes(
        of: UInt32(truncatingIfNeeded: value).littleEndian, toByteOffset: offset, as: UInt32.self)
    default:
      for index in 0..<size { work[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8)) }
    }
  }

  /// Reads an integer of the struct; 0 beyond its end.
  func field(_ offset: Int, _ size: Int) -> UInt64 {
    guard offset >= 0, offset + size <= structCount else { return 0 }
    if size == 4 {
      return UInt64(UInt32(littleEndian: work.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
    var value: UInt64 = 0
    for index in 0..<size { value |= UInt64(work[offset + index]) << UInt64(index * 8) }
    return value
  }

  private func reserveWork(_ count: Int) {
    guard count > work.count else { return }
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, work.count * 2), alignment: 16)
    larger.initializeMemory(as: UInt8.self, repeating: 0)
    larger.copyMemory(from: UnsafeRawBufferPointer(work))
    work.deallocate()
    work = larger
  }

  private func write(_ bytes: UnsafeMutableRawBufferPointer, _ count: Int, at address: UInt64) -> Bool {
    target.memory.copyOut(address, from: UnsafeRawBufferPointer(rebasing: bytes[..<count])) == count
  }

  // MARK: Data beside the struct

  /// Errors of evaluation are kept in `pendingStop`, since only an errno can be thrown here.
  private func addPayloads(_ plan: RequestPlan) throws(Errno) {
    for index in plan.payloads.indices {
      do throws(Stop) {
        try add(plan.payloads[index])
      } catch {
        pendingStop = error
        throw .ENOMEM
      }
    }
  }

  private func add(_ payload: Payload) throws(Stop) {
    let place = payload.place
    let address: UInt64
    let count: Int
    switch payload.content {
    case .memory(let code, let length):
      payloads.append((try number(code, place), Int(clamping: try number(length, place))))
      return
    case .bytes(let code):
      let data = try bytes(code, place)
      count = data.count
      address = try self.place(data, alignment: 16, at: place)
    case .ranges(let codes):
      var data: [UInt8] = []
      for code in codes { try append(try value(code), to: &data, place) }
      count = data.count
      address = try self.place(data, alignment: 16, at: place)
    case .room(let code):
      let room = try number(code, place)
      count = try roomCount(room, place)
      address = try self.place([UInt8](repeating: 0, count: count), alignment: 16, at: place)
    case .bitmap(let range, let page, let pages):
      let data = try bitmap(range, page, pages, place)
      count = data.count
      // A kernel may set bits beyond the last one asked for, as far as the page goes.
      let padded = data + [UInt8](repeating: 0, count: 8192 - data.count % 4096)
      address = try self.place(padded, alignment: 4096, at: place)
    }
    payloads.append((address, count))
    if payload.pointer >= 0 { set(payload.pointer, 8, address) }
    if let length = payload.length { set(length.offset, length.size, UInt64(count)) }
    if let elements = payload.count {
      set(elements.offset, elements.size, UInt64(count / elements.stride))
    }
  }

  private func roomCount(_ room: UInt64, _ place: Place) throws(Stop) -> Int {
    guard room <= Self.roomLimit else {
      throw .problem(
        Problem(
          code: .valueTooLargeAtRun, place: place, message: "more than \(Self.roomLimit >> 20) MiB of room"))
    }
    return Int(room)
  }

  private func append(_ value: Value, to data: inout [UInt8], _ place: Place) throws(Stop) {
    switch value {
    case .range(let first, let last):
      for word in [first, last] {
        for index in 0..<8 { data.append(UInt8(truncatingIfNeeded: word >> UInt64(index * 8))) }
      }
    case .list(let items): for item in items { try append(item, to: &data, place) }
    case .none: return
    default:
      throw .problem(
        Problem(
          code: .wrongKindAtRun, place: place,
          message: "a range belongs here, and this is \(value.kind.described)"))
    }
  }

  private func bitmap(_ range: Code, _ page: Code, _ pages: Code?, _ place: Place) throws(Stop) -> [UInt8] {
    guard case .range(let first, let last) = try value(range) else {
      throw .problem(Problem(code: .wrongKindAtRun, place: place, message: "a range belongs here"))
    }
    let size = try number(page, place)
    guard size > 0, last >= first else { return [UInt8](repeating: 0, count: 8) }
    let bits = (last - first) / size
    _ = try roomCount(bits / 8, place)
    var data = [UInt8](repeating: 0, count: Int(bits / 64 + 1) * 8)
    guard let pages else { return data }
    switch try value(pages) {
    case .none: for bit in 0...bits { data[Int(bit / 8)] |= 1 << UInt8(bit % 8) }
    case .list(let items):
      for item in items {
        guard let address = item.number, address >= first, address <= last else {
          throw .problem(
            Problem(code: .noSuchMember, place: place, message: "a page outside \(hex(first))...\(hex(last))")
          )
        }
        let bit = (address - first) / size
        data[Int(bit / 8)] |= 1 << UInt8(bit % 8)
      }
    case let other:
      throw .problem(
        Problem(
          code: .wrongKindAtRun, place: place,
          message: "a list belongs here, and this is \(other.kind.described)"))
    }
    return data
  }

  /// Puts bytes into scratch memory.
  func place(_ data: [UInt8], alignment: UInt64, at place: Place) throws(Stop) -> UInt64 {
    let address: UInt64
    do throws(Errno) {
      address = try arena.take(max(data.count, 1), alignment: alignment, from: target)
      try target.memory.write(data, at: address)
    } catch {
      throw .problem(
        Problem(code: .noMemory, place: place, message: "no memory for the request: \(error.name)"))
    }
    return address
  }

  // MARK: Files

  /// The open file that requests go to; the first statement that needs one opens it.
  func currentContext(_ place: Place) throws(Stop) -> Int32 {
    if let context { return context }
    do throws(Errno) {
      let fd = try asked("open") { () throws(Errno) in try target.open("/dev/iommu") }
      context = fd
      return fd
    } catch {
      throw .problem(
        Problem(code: .noMachine, place: place, message: "cannot open /dev/iommu: \(error.name)"))
    }
  }

  // MARK: Looking back

  /// Brings the struct back from the process's memory, once.
  func fetch() {
    guard !isFetched, structCount > 0 else { return }
    isFetched = true
    if !isTracing { keepSent() }
    _ = target.memory.copyIn(
      structAddress, into: UnsafeMutableRawBufferPointer(rebasing: work[..<structCount]))
  }

  private func keepSent() {
    sent.removeAll(keepingCapacity: true)
    sent.append(contentsOf: work[..<structCount])
  }

  private func snapshot(_ fd: Int32) -> [Fact] {
    guard let bench else { return [] }
    return [bench.state(of: fd) ?? .none]
  }

  private func trace(_ plan: RequestPlan) {
    fetch()
    let line = PlanText(executor: self).line(plan)
    if traceLevel != nil { tell(request: plan, line) }
    if keepsRequests { keep(RequestRecord(statement: steps, line: line)) }
  }
}

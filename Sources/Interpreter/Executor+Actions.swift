// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI
internal import Views

// Everything that is no ioctl: the other system calls on a file, memory, processes, a look inside.

extension Executor {
  /// Carries an action out. What keeps it from being tried at all is left in `pendingStop`.
  func act(_ action: Action) throws(Errno) {
    do throws(ActionError) {
      try perform(action)
    } catch {
      switch error {
      case .errno(let errno): throw errno
      case .stop(let stop): pendingStop = stop
      }
    }
  }

  /// Both ways in which an action can fail.
  enum ActionError: Error {
    case errno(Errno)
    case stop(Stop)
  }

  func answer(_ name: String, _ value: Value) {
    actionResults.append(Value.Member(name: name, value: value))
  }

  // The two kinds of failure meet here: what the script got wrong, and what the target answers.
  func tried<Result>(_ body: () throws(Errno) -> Result) throws(ActionError) -> Result {
    do throws(Errno) { return try asked(actionName, body) } catch { throw .errno(error) }
  }

  func given<Result>(_ body: () throws(Stop) -> Result) throws(ActionError) -> Result {
    do throws(Stop) { return try body() } catch { throw .stop(error) }
  }

  func file(_ code: Code) throws(ActionError) -> Int32 {
    try given { () throws(Stop) in try descriptor(code, noPlace) }
  }

  func integer(_ code: Code) throws(ActionError) -> UInt64 {
    try given { () throws(Stop) in try number(code, noPlace) }
  }

  /// Address and length of memory; the length of a bare address must be given.
  func memory(_ code: Code, _ length: Code?) throws(ActionError) -> (address: UInt64, length: UInt64) {
    try given { () throws(Stop) in
      let value = try value(code)
      let address = value.number ?? 0
      if let length { return (address, try number(length, noPlace)) }
      return (address, try self.length(value, noPlace))
    }
  }

  private func theBench() throws(ActionError) -> any Bench {
    guard let bench else { throw .stop(.needsBench) }
    return bench
  }

  private func perform(_ action: Action) throws(ActionError) {
    switch action {
    case .open(let path): try open(path)
    case .close(let code): try close(try file(code))
    case .dup(let code):
      let fd = try file(code)
      let copy = try tried { () throws(Errno) in try target.dup(fd) }
      answer("fd", .handle(Handle(.fd, fd: copy)))
    case .use(let code): context = try file(code)
    case .read(let code, let count):
      answer("data", .bytes(try read(try file(code), try integer(count))))
    case .write(let code, let bytes):
      let fd = try file(code)
      let data = try given { () throws(Stop) in try self.bytes(bytes, noPlace) }
      answer("count", .number(UInt64(try write(fd, data))))
    case .poll(let code):
      let fd = try file(code)
      let events = try tried { () throws(Errno) in try target.poll(fd) }
      answer("events", .number(UInt64(UInt16(bitPattern: events.rawValue))))
    case .mapFile(let code, let offset, let length, let place, let mode):
      let fd = try file(code)
      let at: UInt64? = if let place { try integer(place) } else { nil }
      let (start, count) = (try integer(offset), try integer(length))
      let address = try tried { () throws(Errno) in
        try target.mmap(fd, at: at, length: count, offset: start, flags: mode)
      }
      answer("memory", .memory(address: address, length: count))
    case .addDevice(let flags): answer("device", .device(ScriptDevice(flags: try integer(flags))))
    case .hardware(let action): try perform(action)
    case .fork, .switchProcess, .exitProcess, .capability, .memoryLock: try processes(action)
    case .readFaults(let queue, let count): try readFaults(queue, count)
    case .replyFaults(let queue, let cookies, let code): try replyFaults(queue, cookies, code)
    case .readEvents(let queue, let count): try readEvents(queue, count)
    case .show(let code, let part, let subject): try show(code, part, subject)
    case .look(let action): try look(action)
    default: try memory(action)
    }
  }

  // MARK: Files

  private func open(_ path: Code?) throws(ActionError) {
    var name = "/dev/iommu"
    if let path {
      name = String(decoding: try given { () throws(Stop) in try bytes(path, noPlace) }, as: UTF8.self)
    }
    let fd = try tried { () throws(Errno) in try target.open(name) }
    context = fd
    answer("context", .handle(Handle(.context, fd: fd)))
  }

  private func close(_ fd: Int32) throws(ActionError) {
    try tried { () throws(Errno) in try target.close(fd) }
    if context == fd { context = nil }
  }

  private func read(_ fd: Int32, _ count: UInt64) throws(ActionError) -> [UInt8] {
    guard count <= 16 << 20 else {
      throw .stop(
        .problem(Problem(code: .valueTooLargeAtRun, place: noPlace, message: "more than 16 MiB to read")))
    }
    arena.reset()
    return try tried { () throws(Errno) in
      let address = try arena.take(max(Int(count), 1), alignment: 16, from: target)
      let done = try target.read(fd, address, Int(count))
      return try target.memory.bytes(at: address, count: done)
    }
  }

  private func write(_ fd: Int32, _ data: [UInt8]) throws(ActionError) -> Int {
    arena.reset()
    return try tried { () throws(Errno) in
      let address = try arena.take(max(data.count, 1), alignment: 16, from: target)
      try target.memory.write(data, at: address)
      return try target.write(fd, address, data.count)
    }
  }

  // MARK: Queues

  /// Records of `struct iommu_hwpt_pgfault`, 40 bytes each.
  private func readFaults(_ queue: Code, _ count: Code) throws(ActionError) {
    let data = try read(try file(queue), try integer(count))
    let records = stride(from: 0, to: data.count - data.count % 40, by: 40).map { start in
      Value.record([
        Value.Member(name: "dev", value: .number(word(data, start + 4, 4))),
        Value.Member(name: "addr", value: .number(word(data, start + 24, 8))),
        Value.Member(name: "perm", value: .number(word(data, start + 16, 4))),
        Value.Member(name: "flags", value: .number(word(data, start, 4))),
        Value.Member(name: "pasid", value: .number(word(data, start + 8, 4))),
        Value.Member(name: "group", value: .number(word(data, start + 12, 4))),
        Value.Member(name: "length", value: .number(word(data, start + 32, 4))),
        Value.Member(name: "cookie", value: .number(word(data, start + 36, 4))),
      ])
    }
    answer("faults", .list(records))
  }

  /// `struct iommu_hwpt_page_response`, 8 bytes each.
  private func replyFaults(_ queue: Code, _ cookies: [Code], _ code: Code) throws(ActionError) {
    let fd = try file(queue)
    let response = try integer(code)
    var data: [UInt8] = []
    for cookie in cookies {
      for value in [try integer(cookie), response] {
        for index in 0..<4 { data.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8))) }
      }
    }
    answer("replied", .number(UInt64(try write(fd, data) / 8)))
  }

  /// `struct iommufd_vevent_header`, 8 bytes, each with the data of its queue's type behind it.
  private func readEvents(_ queue: Code, _ count: Code) throws(ActionError) {
    let subject = try given { () throws(Stop) in try value(queue) }
    let data = try read(try file(queue), try integer(count))
    var size = data.count
    if case .handle(let handle) = subject {
      switch handle.detail {
      case 1: size = 32
      case 2: size = 16
      case 0xBEEF_BEEF: size = 4
      default: break
      }
    }
    var events: [Value] = []
    var offset = 0
    while offset + 8 <= data.count {
      let flags = word(data, offset, 4)
      let isMarker = flags & 1 != 0
      let end = min(data.count, offset + 8 + (isMarker ? 0 : size))
      let body = Array(data[(offset + 8)..<end])
      events.append(
        .record([
          Value.Member(name: "seq", value: .number(word(data, offset + 4, 4))),
          Value.Member(name: "flags", value: .number(flags)),
          Value.Member(name: "lost", value: .number(isMarker ? 1 : 0)),
          Value.Member(name: "id", value: isMarker ? .none : .number(word(body, 0, 4))),
          Value.Member(name: "data", value: .bytes(body)),
        ]))
      offset = end
    }
    answer("events", .list(events))
  }

  // MARK: Memory

  private func memory(_ action: Action) throws(ActionError) {
    let space = target.userSpace
    switch action {
    case .allocate(let length, let address, let mode, let huge, let fill):
      let count = try integer(length)
      let at: UInt64? = if let address { try integer(address) } else { nil }
      // Read-only memory is filled before it is closed.
      let first = fill == nil ? mode : mode.union([.read, .write])
      let start = try tried { () throws(Errno) in
        try space.allocate(length: count, at: at, mode: first, huge: huge)
      }
      if let fill {
        let data = try given { () throws(Stop) in try bytes(fill, noPlace) }
        try tried { () throws(Errno) in
          try target.memory.write(data, at: start)
          if first != mode { try space.protect(start, length: count, mode: mode) }
        }
      }
      answer("memory", .memory(address: start, length: count))
    case .createMemFD(let length, let huge, let fill):
      let count = try integer(length)
      let fd = try tried { () throws(Errno) in try space.createMemFD(length: count, huge: huge) }
      if let fill, count > 0 {
        let data = try given { () throws(Stop) in try bytes(fill, noPlace) }
        try tried { () throws(Errno) in
          let start = try target.mmap(fd, length: count, offset: 0, flags: [.read, .write, .shared])
          try target.memory.write(data, at: start)
          try space.unmap(start, length: count)
        }
      }
      answer("fd", .handle(Handle(.memfd, fd: fd)))
    case .truncate(let code, let length):
      let (fd, count) = (try file(code), try integer(length))
      try tried { () throws(Errno) in try space.truncate(fd, length: count) }
    case .unmapMemory(let code, let length):
      let part = try memory(code, length)
      try tried { () throws(Errno) in try space.unmap(part.address, length: part.length) }
    case .protect(let code, let length, let mode):
      let part = try memory(code, length)
      try tried { () throws(Errno) in try space.protect(part.address, length: part.length, mode: mode) }
    case .writeMemory(let code, let bytes):
      let address = try integer(code)
      let data = try given { () throws(Stop) in try self.bytes(bytes, noPlace) }
      try tried { () throws(Errno) in try target.memory.write(data, at: address) }
    case .readMemory(let code, let length):
      let address = try integer(code)
      answer("data", .bytes(try memoryBytes(address, try integer(length))))
    case .checkMemory(let code, let bytes):
      let address = try integer(code)
      let wanted = try given { () throws(Stop) in try self.value(bytes) }
      let count = try given { () throws(Stop) in try length(wanted, noPlace) }
      let found = Value.bytes(try memoryBytes(address, count))
      answer("data", found)
      if !same(wanted, found) {
        compared = (wanted, found)
        throw .stop(.mismatch)
      }
    default: break
    }
  }

  private func memoryBytes(_ address: UInt64, _ count: UInt64) throws(ActionError) -> [UInt8] {
    guard count <= UInt64(Limits.valueBytes) else {
      throw .stop(
        .problem(
          Problem(
            code: .valueTooLargeAtRun, place: noPlace,
            message: "more than \(Limits.valueBytes >> 20) MiB of bytes")))
    }
    return try tried { () throws(Errno) in try target.memory.bytes(at: address, count: Int(count)) }
  }

  // MARK: Processes

  private func processes(_ action: Action) throws(ActionError) {
    guard let bench else { throw .stop(.actsThroughBench) }
    switch action {
    case .fork:
      let child = try tried { () throws(Errno) in try bench.fork() }
      arenas[child] = arena
      answer("process", .handle(Handle(.process, fd: child)))
    case .switchProcess(let code):
      let pid = Int32(truncatingIfNeeded: try integer(code))
      let current = bench.currentProcess
      try tried { () throws(Errno) in try bench.switchProcess(pid) }
      arenas[current] = arena
      arena = arenas[pid] ?? Arena()
    case .exitProcess(let code):
      let pid = Int32(truncatingIfNeeded: try integer(code))
      try tried { () throws(Errno) in try bench.exit(pid) }
      arenas[pid] = nil
    case .capability(let name, let held):
      try tried { () throws(Errno) in try bench.setCapability(name, held) }
    case .memoryLock(let code): bench.setMemlockLimit(try integer(code))
    default: break
    }
  }

  // MARK: Looking

  private func show(_ code: Code?, _ part: Code?, _ subject: ShowSubject) throws(ActionError) {
    switch subject {
    case .kinds: output(try kindsText(try theBench().iommuKinds))
    case .bugs:
      for (name, summary) in try theBench().driverBugs { output("\(name): \(summary)\n") }
    case .points:
      let points = try theBench().schedulePoints
      let width = points.map { $0.name.utf8.count }.max() ?? 0
      for point in points {
        let space = String(repeating: " ", count: width - point.name.utf8.count)
        output("\(point.name)\(space)  \(point.summary)\n")
      }
    case .names:
      for (index, slot) in program.slots.enumerated() {
        if case .unset = slots[index] { continue }
        output("\(slot.name) = \(ValueText(executor: self).text(slots[index], .any))\n")
      }
    case .machine: output(FactText.text(try theBench().machineState()))
    case .context:
      let bench = try theBench()
      let fd = try given { () throws(Stop) in try currentContext(noPlace) }
      output(FactText.text(bench.state(of: fd) ?? .none))
    case .object:
      guard let code else { return }
      let shown = try given { () throws(Stop) in try value(code) }
      var name: String?
      if let part {
        name = String(decoding: try given { () throws(Stop) in try bytes(part, noPlace) }, as: UTF8.self)
      }
      if let fact = hardwareState(shown, try theBench()) {
        return output(FactText.text(try self.part(name, of: fact)))
      }
      if name == "table", case .handle(let handle) = shown, handle.kind == .hwpt {
        let fd = try given { () throws(Stop) in try currentContext(noPlace) }
        return output(FactText.text(try theBench().table(fd, hwpt: handle.id) ?? .none))
      }
      switch shown {
      case .handle(let handle) where handle.kind == .context:
        output(FactText.text(try theBench().state(of: handle.fd) ?? .none))
      case .handle(let handle) where Kind.objects.contains(handle.kind): try showObject(handle.id, name)
      case .device(let device) where device.exists: try showObject(device.device, name)
      default: output(ValueText(executor: self).text(shown, .any) + "\n")
      }
    }
  }

  private func showObject(_ id: UInt32, _ name: String?) throws(ActionError) {
    let bench = try theBench()
    let fd = try given { () throws(Stop) in try currentContext(noPlace) }
    output(FactText.text(try part(name, of: bench.state(of: fd, object: id) ?? .none)))
  }

  /// A member of what is known, or all of it.
  private func part(_ name: String?, of fact: Fact) throws(ActionError) -> Fact {
    guard let name else { return fact }
    if let part = fact[name] { return part }
    var known: [String] = []
    if case .record(let members) = fact { known = members.map(\.name) }
    throw .stop(
      .problem(
        Problem(
          code: .noSuchMember, place: noPlace, message: "there is no part '\(name)'",
          help: ["parts: " + known.joined(separator: " ")])))
  }
}

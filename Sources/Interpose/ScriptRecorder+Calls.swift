// SPDX-License-Identifier: GPL-3.0-or-later
internal import Conversion
internal import Memory
internal import UAPI

// A call as a statement, with what it answered as its expectation.

extension ScriptRecorder {
  func record(_ call: AnsweredCall, by process: Process, in program: any ObservedProgram) {
    if let errno = errno(call), errno == "EMFILE" || errno == "ENFILE" {
      line("# left out, for want of descriptors: \(call.line)")
      return
    }
    // A struct that cannot be reached must lie where it lay.
    isPlaced = isPlaced(call, process, program)
    let usesPlace = isPlaced
    let argument: ClosedRange<UInt64>? =
      if case .ioctl(_, let address, let sent, _) = call.kind, !sent.isEmpty, !usesPlace {
        address...(address &+ UInt64(sent.count) &- 1)
      } else { nil }
    if usesPlace, case .ioctl(_, let address, let sent, _) = call.kind {
      layOut(process, address, max(sent.count, Self.longestStruct), program)
      provide(process, address, sent)
    }
    prepare(call, by: process, argument, program)
    switch call.kind {
    case .open(let path):
      guard case .success = call.result else {
        line("open \"\(path)\"  -> \(errno(call) ?? "ok")")
        return
      }
      let name = name(call.file)
      line(path == "/dev/iommu" ? "\(name) = open" : "\(name) = open \"\(path)\"")
      process.files.insert(call.file)
      fileInUse = call.file
    case .ioctl(let request, let address, let sent, let received):
      guard let name = usable(call.file, process) else { return }
      if fileInUse != call.file {
        line("on $\(name)")
        fileInUse = call.file
      }
      line(
        statement(call, request, address, sent, program) + "  -> "
          + (errno(call) ?? outcome(call, process, request, sent, received, program)))
    case .read(_, let count, let isPlain):
      guard let name = usable(call.file, process), isRepeatable(call, isPlain) else { return }
      let data = call.memory.flatMap { event -> [UInt8] in
        if case .wrote(_, let bytes) = event { bytes } else { [] }
      }
      let length = if case .success(let moved) = call.result, !isPlain { Int(moved) } else { count }
      line("read $\(name) len=\(length)  -> " + (errno(call) ?? "ok, data=\(ScriptText.bytes(data))"))
      return
    case .write(_, let size, let isPlain):
      guard let name = usable(call.file, process), isRepeatable(call, isPlain) else { return }
      let data = call.memory.flatMap { event -> [UInt8] in
        if case .read(_, let bytes) = event { bytes } else { [] }
      }
      // What was refused unread may have held anything.
      let filler = [UInt8](repeating: 0, count: max(0, min(size, 1 << 16) - data.count))
      let count = if case .success(let count) = call.result { count } else { Int64(0) }
      line("write $\(name) \(ScriptText.bytes(data + filler))  -> " + (errno(call) ?? "ok, count=\(count)"))
      return
    case .mmap(let length, let offset, let mode):
      guard let name = usable(call.file, process) else { return }
      var words = "mem map $\(name) off=\(ScriptText.hex(offset)) len=\(ScriptText.hex(length))"
      if case .success(let address) = call.result {
        words += " at=\(ScriptText.hex(UInt64(bitPattern: address)))"
      }
      if !mode.contains(.shared) { words += " private" }
      if mode.contains(.execute) { words += " exec" }
      let rights = Piece(
        start: 0, end: 0, kind: .anonymous, readable: mode.contains(.read), writable: mode.contains(.write),
        huge: false
      ).rights
      line("\(words) \(rights)  -> \(errno(call) ?? "ok")")
      return
    }
    conclude(call, by: process, argument)
  }

  private func errno(_ call: AnsweredCall) -> String? {
    if case .failure(let errno) = call.result { errno.name } else { nil }
  }

  /// A script reads and writes with buffers of its own, one at a time; what several moved is as good as one.
  private func isRepeatable(_ call: AnsweredCall, _ isPlain: Bool) -> Bool {
    if errno(call) == nil || isPlain && errno(call) != "EFAULT" { return true }
    line("# left out: \(call.line)")
    return false
  }

  /// The name of a file that the script's process has, too. Processes may share a table of descriptors, or send one
  /// to another; the script's cannot.
  private func usable(_ file: UInt64, _ process: Process) -> String? {
    if process.files.contains(file) { return names[file] }
    line("# process \(process.number) used \(names[file] ?? "a file") of another, which is left out here")
    return nil
  }

  private func name(_ file: UInt64) -> String {
    let name = "f\(file)"
    names[file] = name
    return name
  }

  /// As far as a request looks at its struct, in bytes.
  private static let longestStruct = 128

  /// The struct is passed by its address: a request that ended with EFAULT because of where its struct was.
  private func isPlaced(_ call: AnsweredCall, _ process: Process, _ program: any ObservedProgram) -> Bool {
    guard case .ioctl(_, let address, let sent, _) = call.kind, errno(call) == "EFAULT" else { return false }
    let size = sent.count >= 4 ? sent[..<4].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) } : 4
    let (last, overflow) = address.addingReportingOverflow(max(size, 4) - 1)
    guard !overflow else { return true }
    var place = address
    for area in program.areas(of: process.real, address, last) {
      guard area.start <= place, area.readable, area.writable else { return true }
      place = area.end
    }
    return place <= last
  }

  // MARK: Memory

  /// Lays out and fills what the request looked at, before it is made.
  private func prepare(
    _ call: AnsweredCall, by process: Process, _ argument: ClosedRange<UInt64>?,
    _ program: any ObservedProgram
  ) {
    for range in pageRanges(call) { layOut(range, program) }
    for event in call.memory {
      switch event {
      case .read(let address, let bytes):
        if argument?.contains(address) == true || isTransfer(call) { continue }
        layOut(process, address, bytes.count, program)
        provide(process, address, bytes)
      case .wrote(let address, let bytes):
        if argument?.contains(address) == true || isTransfer(call) { continue }
        layOut(process, address, bytes.count, program)
      case .pages: break
      case .readPage(let page, let offset, let bytes): providePage(page, offset, bytes, process)
      case .wrotePage: break
      }
    }
  }

  /// Pages of one mapping that a call looked at.
  private struct PageRange {
    let process: Int32
    let areas: [MappedArea]
    var first: UInt64
    var last: UInt64
  }

  /// A call may look at pages one by one; those of the same mappings go together.
  private func pageRanges(_ call: AnsweredCall) -> [PageRange] {
    var ranges: [PageRange] = []
    for case .pages(let process, let first, let last, let areas) in call.memory {
      if let known = ranges.lastIndex(where: {
        $0.process == process && $0.areas.map(\.start) == areas.map(\.start) && !areas.isEmpty
      }) {
        ranges[known].first = min(ranges[known].first, first)
        ranges[known].last = max(ranges[known].last, last)
      } else {
        ranges.append(PageRange(process: process, areas: areas, first: first, last: last))
      }
    }
    return ranges
  }

  private func layOut(_ range: PageRange, _ program: any ObservedProgram) {
    guard let owner = processes.first(where: { $0.real == range.process }) else { return }
    let here = current
    change(to: owner)
    layOut(owner, range.first, range.last, range.areas, program)
    if let here { change(to: here) }
  }

  /// read and write carry their bytes themselves.
  private func isTransfer(_ call: AnsweredCall) -> Bool {
    switch call.kind {
    case .read, .write: true
    default: false
    }
  }

  private func layOut(_ process: Process, _ address: UInt64, _ count: Int, _ program: any ObservedProgram) {
    let (last, overflow) = address.addingReportingOverflow(UInt64(max(count, 1)) - 1)
    let end = overflow ? .max : last
    layOut(process, address, end, program.areas(of: process.real, address, end), program)
  }

  private func providePage(_ page: PageOwner, _ offset: UInt64, _ bytes: [UInt8], _ process: Process) {
    switch page {
    case .process(let real):
      guard let owner = processes.first(where: { $0.real == real }) else { return }
      let here = current
      change(to: owner)
      provide(owner, offset, bytes)
      if let here { change(to: here) }
    case .object(let identity):
      guard let number = knownObject(identity), !objects[number].contents.has(bytes, at: offset) else {
        return
      }
      for owner in [process] + processes {
        guard let address = owner.memory.address(ofObject: number, offset) else { continue }
        let here = current
        change(to: owner)
        provide(owner, address, bytes)
        if let here { change(to: here) }
        return
      }
      provide(object: number, offset, bytes)
    }
  }

  /// Expects and notes what the request wrote.
  private func conclude(_ call: AnsweredCall, by process: Process, _ argument: ClosedRange<UInt64>?) {
    for event in call.memory {
      switch event {
      case .wrote(let address, let bytes):
        if argument?.contains(address) != true { check(process, address, bytes) }
      case .wrotePage(let owner, let offset, let bytes): note(owner, offset, bytes)
      case .read, .pages, .readPage: break
      }
    }
  }

  // MARK: Requests

  /// The request itself: by the names of its fields where they say all of it, else byte by byte.
  private func statement(
    _ call: AnsweredCall, _ request: UInt32, _ address: UInt64, _ sent: [UInt8],
    _ program: any ObservedProgram
  ) -> String {
    if let plain = plain(request, sent) {
      return plain.inputs(kernel.version).reduce(plain.words) { words, input in
        if case .fileDescriptor = input.field.meaning {
          return
            "\(words) \(input.option)=\(descriptor(call, Int32(truncatingIfNeeded: input.value), program))"
        }
        return "\(words) \(input.option)=\(ScriptText.value(input.field, input.value))"
      }
    }
    let name = names[call.file].map { "$\($0)" } ?? "default"
    guard !sent.isEmpty, !isPlaced else {
      return "ioctl \(name) 0x\(String(request, radix: 16)) arg=\(ScriptText.hex(address))"
    }
    return "ioctl \(name) 0x\(String(request, radix: 16)) { \(PlainRequest.numbers(sent)) }"
  }

  /// Nil where the request has to be written by its bytes, or by the address of its struct.
  private func plain(_ request: UInt32, _ sent: [UInt8]) -> PlainRequest? {
    guard !isPlaced, let plain = PlainRequest(request, sent: sent) else { return nil }
    // Behind its fields this one has the capabilities that it answered.
    return plain.structure.name == "VFIO_IOMMU_GET_INFO" ? nil : plain
  }

  /// What a request answered, field by field; descriptors get names.
  private func outcome(
    _ call: AnsweredCall, _ process: Process, _ request: UInt32, _ sent: [UInt8], _ received: [UInt8],
    _ program: any ObservedProgram
  ) -> String {
    let code = if case .success(let value) = call.result { value } else { Int64(0) }
    guard let structure = RequestStruct(request, head: sent), !sent.isEmpty else {
      return code == 0 ? "ok" : "ok, rc=\(code)"
    }
    guard let plain = plain(request, sent) else { return "ok, bytes=\(ScriptText.bytes(received))" }
    var parts = ["ok"]
    if structure.returnsDescriptor {
      let name = bind(Int32(truncatingIfNeeded: code), call, process, program)
      if let name { parts.append("rc=\(name)") }
    } else if code != 0 {
      parts.append("rc=\(code)")
    }
    for output in plain.outputs(received) {
      if case .fileDescriptor = output.field.meaning {
        // A program that is being killed may have lost it already.
        let name = bind(Int32(truncatingIfNeeded: output.value), call, process, program)
        if let name { parts.append("\(output.name)=\(name)") }
      } else {
        parts.append("\(output.name)=\(ScriptText.hex(output.value))")
      }
    }
    return parts.joined(separator: ", ")
  }

  /// A name for a descriptor that a request gave; nil when it is gone.
  private func bind(
    _ descriptor: Int32, _ call: AnsweredCall, _ process: Process, _ program: any ObservedProgram
  ) -> String? {
    guard let file = program.file(ofThread: call.thread, descriptor) else { return nil }
    process.files.insert(file)
    return "?\(name(file))"
  }

  /// A descriptor that a request was given: a file of the model, an object, or nothing that is open.
  private func descriptor(_ call: AnsweredCall, _ number: Int32, _ program: any ObservedProgram) -> String {
    if let file = program.file(ofThread: call.thread, number), let name = names[file] { return "$\(name)" }
    guard let (identity, size, isMemory, isHuge) = program.realFile(ofThread: call.thread, number), isMemory
    else {
      return "-1"
    }
    return String(Self.descriptor(ofObject: object(identity, size: size, isHuge: isHuge)))
  }
}

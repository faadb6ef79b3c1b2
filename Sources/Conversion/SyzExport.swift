// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora
internal import UAPI

/// Writes a history of calls as a syzkaller program.
struct SyzExport {
  private var program = SyzProgram()
  private var memory: ExportMemory
  /// Descriptors, and the objects behind each.
  private var descriptors = SyzVariables()
  private var objects: [UInt64: SyzVariables] = [:]
  private var nextName = 0
  private var leftOut: [String] = []
  private var ownCalls = 0
  /// What the script stored since its last call.
  private var stores: [(address: UInt64, bytes: [UInt8])] = []
  private var looks = 0
  private var latest: LoggedRequest?

  private static let textBase: UInt64 = 0x7F00_0000_0000
  private static let area: UInt64 = SyzLimits.areaBytes

  var exported: ExportedProgram {
    ExportedProgram(program: program.renumbered(), leftOut: leftOut, ownCalls: ownCalls)
  }

  init(_ calls: [LoggedCall]) {
    memory = ExportMemory(used: Self.used(calls))
    for call in calls { add(call) }
    if looks > 0 { leave("\(looks) looks at memory", isPlaced: false) }
  }

  /// Every address that the history refers to, a page apart.
  private static func used(_ calls: [LoggedCall]) -> [UInt64] {
    var used: [UInt64] = []
    func add(_ address: UInt64, _ length: UInt64) {
      var place = address
      for _ in 0...min(length, area) / (1 << 20) {
        used.append(place)
        place = place &+ 1 << 20
      }
      used.append(address &+ min(length, area))
    }
    for call in calls {
      switch call {
      case .stored(let address, let bytes), .loaded(let address, let bytes): add(address, UInt64(bytes.count))
      case .unmap(let address, let length, _), .protect(let address, let length, _, _): add(address, length)
      case .mmap(_, .some(let address), let length, _, _, _): add(address, length)
      case .ioctl(let request):
        for payload in request.payloads { add(payload.address, payload.length) }
        for field in request.structure?.fields ?? [] {
          if case .userPointer = field.meaning { add(request.sent(field), 0) }
        }
      default: break
      }
    }
    return used
  }

  private static func number(_ fd: Int32) -> UInt64 { UInt64(UInt32(bitPattern: fd)) }

  private static func holds(_ first: UInt64, _ length: UInt64, _ address: UInt64) -> Bool {
    address >= first && address - first < length
  }

  // MARK: Calls

  private mutating func add(_ call: LoggedCall) {
    if case .stored(let address, let bytes) = call {
      stores.append((address, bytes))
      return
    }
    if case .ioctl(let request) = call {
      // What lies where the struct and its arrays lie goes with the call.
      stores.removeAll { store in
        store.address == request.argument
          || request.payloads.contains { $0.address == store.address && store.bytes.count <= $0.length }
      }
    }
    switch call {
    case .loaded, .step: break
    default: flush()
    }
    switch call {
    case .open(let path, let result):
      let name = path == "/dev/iommu" ? "openat$iommufd" : path == "/dev/vfio/vfio" ? "openat$vfio" : "openat"
      let text = pointer(memory.place(path.utf8.count + 1), .data(SyzData(Array(path.utf8) + [0], .text)))
      append(
        name, [.integer(0xFFFF_FFFF_FFFF_FF9C), text, .integer(2), .integer(0)], result.error,
        opens: try? result.get())
    case .close(let fd, let error):
      append("close", [descriptor(fd)], error)
      if error == nil { descriptors.close(Self.number(fd)) }
    case .dup(let fd, let result):
      append("dup", [descriptor(fd)], result.error, opens: try? result.get())
      if case .success(let copy) = result {
        objects[Self.number(copy)] = objects[Self.number(fd)]
      }
    case .ioctl(let request): add(request)
    case .read(let fd, let address, let count, _, let result):
      let room = SyzValue.data(SyzData([], .hexadecimal, size: UInt64(count)))
      append(
        "read", [descriptor(fd), pointer(memory.offset(of: address), room), .integer(UInt64(count))],
        result.error)
    case .write(let fd, let address, let count, let bytes, let result):
      let data = bytes.map { SyzValue.data(SyzData($0, .hexadecimal)) }
      append(
        "write", [descriptor(fd), pointer(memory.offset(of: address), data), .integer(UInt64(count))],
        result.error)
    case .poll(let fd, let result):
      let entry = SyzValue.structure([
        SyzArgument(descriptor(fd)), SyzArgument(.integer(0x145)), SyzArgument(.integer(0)),
      ])
      append(
        "poll",
        [pointer(memory.place(8), .array([SyzArgument(entry)])), .integer(1), .integer(0)], result.error)
    case .mmap, .allocate, .memfd, .truncate, .unmap, .protect: addMemory(call)
    case .loaded(let address, let bytes):
      // A script reads its structs and arrays back to see what came.
      let isAnswer =
        latest.map { request in
          Self.holds(request.argument, 4096, address)
            || request.payloads.contains { Self.holds($0.address, $0.length, address) }
        } ?? false
      if !isAnswer, !bytes.isEmpty { looks += 1 }
    case .fork(let child): leave("process \(child) is forked")
    case .switchProcess(let process): leave("process \(process) goes on")
    case .exitProcess(let process): leave("process \(process) ends")
    case .memlock(let bytes):
      leave("the limit of locked memory is \(bytes == .max ? "none" : "\(bytes) bytes")")
    case .capability(let name, let isHeld): leave("the capability \(name) is \(isHeld ? "given" : "taken")")
    case .device(let action): leave("\(action)")
    case .note(let text): leave(text)
    case .stored, .step, .unanswered: break
    }
  }

  private mutating func addMemory(_ call: LoggedCall) {
    switch call {
    case .mmap(let fd, let place, let length, let offset, let mode, let result):
      let address = (try? result.get()) ?? place
      if case .success(let address) = result { memory.add(address, length: length, isHuge: false) }
      guard let address, let pages = pages(address, length) else {
        return leave("a file is mapped where a program has no memory")
      }
      append(
        "mmap",
        [
          pages, .integer(length), .integer(UInt64(mode.rawValue & 7)),
          .integer(mode.contains(.shared) ? 0x11 : 0x12), descriptor(fd), .integer(offset),
        ], result.error)
    case .allocate(let length, _, let mode, let isHuge, let result):
      guard case .success(let address) = result else {
        return leave("memory that there is none of is asked for")
      }
      memory.add(address, length: length, isHuge: isHuge)
      // A program has readable and writable memory without asking.
      guard mode.subtracting(.shared) != [.read, .write] || isHuge else { return }
      guard let pages = pages(address, length) else {
        return leave("memory that a program has no room for is asked for")
      }
      append(
        "mmap",
        [
          pages, .integer(length), .integer(UInt64(mode.rawValue & 7)), .integer(isHuge ? 0x40032 : 0x32),
          .integer(.max), .integer(0),
        ], nil)
    case .memfd(let length, let isHuge, let result):
      let name = pointer(memory.place(2), .data(SyzData([0x6D, 0], .text)))
      append("memfd_create", [name, .integer(isHuge ? 4 : 0)], result.error, opens: try? result.get())
      if case .success(let fd) = result, length > 0 {
        append("ftruncate", [descriptor(fd), .integer(length)], nil)
      }
    case .truncate(let fd, let length, let error):
      append("ftruncate", [descriptor(fd), .integer(length)], error)
    case .unmap(let address, let length, let error):
      guard let pages = pages(address, length) else {
        return leave("memory is unmapped that a program has not")
      }
      append("munmap", [pages, .integer(length)], error)
    case .protect(let address, let length, let mode, let error):
      guard let pages = pages(address, length) else {
        return leave("memory is protected that a program has not")
      }
      append("mprotect", [pages, .integer(length), .integer(UInt64(mode.rawValue & 7))], error)
    default: break
    }
  }

  private mutating func add(_ request: LoggedRequest) {
    latest = request
    let fd = Self.number(request.fd)
    guard let row = CommandTable.row(request: request.request), !row.sizes.isEmpty, !request.sent.isEmpty
    else {
      return addBare(request)
    }
    var spelling = SyzSpelling(
      request, memory, descriptors.with(objectsOf: objects[fd] ?? SyzVariables()), nextName: nextName)
    guard let (name, argument) = spelling.spell() else { return addBare(request) }
    memory = spelling.memory
    nextName += spelling.made.count
    if name.hasPrefix(SyzCalls.ownPrefix) { ownCalls += 1 }
    append(
      name, [descriptor(request.fd), .integer(UInt64(request.request)), argument.value], request.errno)
    for made in spelling.made {
      if made.kind == .descriptor {
        descriptors.add(made)
      } else {
        objects[fd, default: SyzVariables()].add(made)
      }
    }
    if case .success(let result) = request.result, request.structure?.returnsDescriptor == true {
      program.calls[program.calls.count - 1].binding = open(result)
    }
  }

  /// A request that takes a number, or whose struct no call describes.
  private mutating func addBare(_ request: LoggedRequest) {
    let named = SyzCalls.all.first { row in
      row.request == request.request && row.structure == nil
        && (row.parameters.count == 3 || request.argument == 0)
    }
    let isNumber = CommandTable.row(request: request.request)?.sizes.isEmpty ?? false
    if isNumber, let named {
      var arguments = [descriptor(request.fd), SyzValue.integer(UInt64(request.request))]
      if named.parameters.count == 3 { arguments.append(.integer(request.argument)) }
      return append(named.name, arguments, request.errno)
    }
    let bytes = SyzValue.data(SyzData(request.sent, .hexadecimal))
    // A struct that could not be read lay partly outside of the script's memory; in a program's there is no outside.
    let place = request.sent.isEmpty ? nil : memory.place(request.sent.count)
    let argument = request.argument == 0 ? SyzValue.integer(0) : pointer(place, bytes)
    append(
      "ioctl", [descriptor(request.fd), .integer(UInt64(request.request)), argument], request.errno)
  }

  /// A store by itself is no system call. One that fails for its descriptor puts its bytes there all the same.
  private mutating func flush() {
    for (address, bytes) in stores {
      guard let offset = memory.offset(of: address) else {
        leave("memory is written that a program has no room for")
        continue
      }
      append(
        "write",
        [
          .integer(.max), pointer(offset, .data(SyzData(bytes, .hexadecimal))), .integer(UInt64(bytes.count)),
        ], .EBADF)
    }
    stores = []
  }

  // MARK: Parts

  private mutating func append(_ name: String, _ values: [SyzValue], _ error: Errno?, opens fd: Int32? = nil)
  {
    var call = SyzCall(name, values.map { SyzArgument($0) }, comment: error?.name)
    if let fd { call.binding = open(fd) }
    program.calls.append(call)
  }

  private mutating func open(_ fd: Int32) -> String {
    let name = "r\(nextName)"
    nextName += 1
    descriptors.add(SyzVariables.Made(name: name, value: Self.number(fd), kind: .descriptor, field: ""))
    return name
  }

  private func descriptor(_ fd: Int32) -> SyzValue {
    let number = Self.number(fd)
    return descriptors.name(number, .descriptor).map { .result(SyzVariable($0)) }
      ?? .integer(fd < 0 ? .max : number)
  }

  /// An address that no memory has: all ones, or one of the kernel's that begins a page as most of a script's do.
  static func nowhere(_ address: UInt64) -> SyzValue { .integer(address == .max ? .max : .max - 2) }

  /// A pointer to an offset; to nowhere where there is none.
  private func pointer(_ offset: UInt64?, _ contents: SyzValue?) -> SyzValue {
    guard let offset else { return Self.nowhere(0) }
    return .pointer(.address(Self.textBase + offset), contents.map { SyzArgument($0) }, isAny: false)
  }

  private mutating func pages(_ address: UInt64, _ length: UInt64) -> SyzValue? {
    guard address % 4096 == 0, length > 0, let offset = memory.offset(of: address),
      offset + length <= Self.area
    else { return nil }
    return .pointer(
      .range(Self.textBase + offset, length: length), SyzArgument(.absent), isAny: false)
  }

  /// Something that no program can do: said where it was, and once in the report.
  private mutating func leave(_ text: String, isPlaced: Bool = true) {
    if isPlaced {
      program.comments.append(SyzProgram.Comment(before: program.calls.count, "left out: \(text)"))
    }
    if !leftOut.contains(text) { leftOut.append(text) }
  }
}

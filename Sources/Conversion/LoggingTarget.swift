// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// Hands everything on to a target and keeps what was done, with the structs and the memory that requests are about.
public final class LoggingTarget: IoctlTarget {
  let target: any IoctlTarget
  public private(set) var calls: [LoggedCall] = []
  /// Whether what comes is kept.
  public var isOn = true
  /// Whether it is handed on; otherwise it is kept as what would have been done next, and answered with EINTR.
  var performs = true {
    didSet { if !performs { note(.unanswered) } }
  }

  private let watchedMemory: LoggingMemory
  private let watchedSpace: LoggingSpace

  public init(_ target: any IoctlTarget) {
    self.target = target
    watchedMemory = LoggingMemory(target)
    watchedSpace = LoggingSpace(target)
    watchedMemory.note = { [unowned self] in note($0) }
    watchedSpace.note = { [unowned self] in note($0) }
  }

  public func note(_ call: LoggedCall) {
    if isOn { calls.append(call) }
  }

  public var memory: any UserMemory { watchedMemory }
  public var userSpace: any UserSpace { watchedSpace }
  public var kernel: KernelVersion { target.kernel }

  public func open(_ path: String) throws(Errno) -> Int32 {
    try noted({ () throws(Errno) in try target.open(path) }) { .open(path: path, $0) }
  }

  public func close(_ fd: Int32) throws(Errno) {
    _ = try noted({ () throws(Errno) in try target.close(fd) }) { .close(fd, $0.error) }
  }

  public func dup(_ fd: Int32) throws(Errno) -> Int32 {
    try noted({ () throws(Errno) in try target.dup(fd) }) { .dup(fd, $0) }
  }

  public func poll(_ fd: Int32) throws(Errno) -> PollEvents {
    try noted({ () throws(Errno) in try target.poll(fd) }) { .poll(fd, $0) }
  }

  public func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode)
    throws(Errno) -> UInt64
  {
    try noted({ () throws(Errno) in
      try target.mmap(fd, at: address, length: length, offset: offset, flags: flags)
    }) { .mmap(fd, at: address, length: length, offset: offset, flags, $0) }
  }

  public func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    try noted({ () throws(Errno) in try target.read(fd, address, count) }) { result in
      var bytes: [UInt8] = []
      if case .success(let count) = result {
        bytes = (try? target.memory.bytes(at: address, count: count)) ?? []
      }
      return .read(fd, address: address, count: count, bytes, result)
    }
  }

  public func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    let bytes = bytes(address, UInt64(max(0, count)))
    return try noted({ () throws(Errno) in try target.write(fd, address, count) }) {
      .write(fd, address: address, count: count, bytes, $0)
    }
  }

  public func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32 {
    guard isOn else { return try target.ioctl(fd, request, argument) }
    let sent = structure(request, argument)
    var payloads: [LoggedPayload] = []
    if !sent.isEmpty, let structure = RequestStruct(request, head: sent) {
      for (field, length) in PayloadRule.payloads(structure, sent) {
        let address = LoggedRequest.word(sent, field.offset, field.size)
        payloads.append(
          LoggedPayload(
            field: field, address: address, length: length, before: bytes(address, length), after: nil))
      }
    }
    return try noted({ () throws(Errno) in try target.ioctl(fd, request, argument) }) { result in
      let received = sent.isEmpty ? [] : (try? target.memory.bytes(at: argument, count: sent.count)) ?? sent
      return .ioctl(
        LoggedRequest(
          fd: fd, request: request, argument: argument, sent: sent, received: received,
          payloads: payloads.map {
            LoggedPayload(
              field: $0.field, address: $0.address, length: $0.length, before: $0.before,
              after: bytes($0.address, $0.length))
          }, result: result))
    }
  }

  /// The struct of a request: as many bytes as it says it has, and 4 at least, which say that.
  private func structure(_ request: UInt32, _ argument: UInt64) -> [UInt8] {
    if let row = CommandTable.row(request: request), row.sizes.isEmpty { return [] }
    guard let size = try? target.memory.load(UInt32.self, at: argument) else { return [] }
    return (try? target.memory.bytes(at: argument, count: Int(min(max(size, 4), 4096)))) ?? []
  }

  private func bytes(_ address: UInt64, _ length: UInt64) -> [UInt8]? {
    guard length <= PayloadRule.longest else { return nil }
    return try? target.memory.bytes(at: address, count: Int(length))
  }

  /// Does what is to be done and keeps what came of it.
  func noted<Value>(
    _ body: () throws(Errno) -> Value, _ call: (Result<Value, Errno>) -> LoggedCall
  ) throws(Errno) -> Value {
    let result: Result<Value, Errno>
    if performs {
      do throws(Errno) { result = .success(try body()) } catch { result = .failure(error) }
    } else {
      result = .failure(.EINTR("the history ends before it"))
    }
    note(call(result))
    return try result.get()
  }
}

extension Result {
  var error: Failure? {
    if case .failure(let failure) = self { failure } else { nil }
  }
}

/// The memory of a process, with a note of each access.
private final class LoggingMemory: UserMemory {
  private let target: any IoctlTarget
  var note: (LoggedCall) -> Void = { _ in }

  init(_ target: any IoctlTarget) { self.target = target }

  func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = target.memory.copyIn(address, into: buffer)
    note(.loaded(address, Array(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))))
    return count
  }

  func copyOut(_ address: UInt64, from bytes: UnsafeRawBufferPointer) -> Int {
    let count = target.memory.copyOut(address, from: bytes)
    if count > 0 { note(.stored(address, Array(UnsafeRawBufferPointer(rebasing: bytes[..<count])))) }
    return count
  }
}

/// What gives a process memory, with a note of each gift.
private final class LoggingSpace: UserSpace {
  private let target: any IoctlTarget
  var note: (LoggedCall) -> Void = { _ in }

  init(_ target: any IoctlTarget) { self.target = target }

  func allocate(length: UInt64, at address: UInt64?, mode: MapMode, huge: Bool) throws(Errno) -> UInt64 {
    try noted({ () throws(Errno) in
      try target.userSpace.allocate(length: length, at: address, mode: mode, huge: huge)
    }) { .allocate(length: length, at: address, mode, isHuge: huge, $0) }
  }

  func createMemFD(length: UInt64, huge: Bool) throws(Errno) -> Int32 {
    try noted({ () throws(Errno) in try target.userSpace.createMemFD(length: length, huge: huge) }) {
      .memfd(length: length, isHuge: huge, $0)
    }
  }

  func truncate(_ fd: Int32, length: UInt64) throws(Errno) {
    try noted({ () throws(Errno) in try target.userSpace.truncate(fd, length: length) }) {
      .truncate(fd, length: length, $0.error)
    }
  }

  func unmap(_ address: UInt64, length: UInt64) throws(Errno) {
    try noted({ () throws(Errno) in try target.userSpace.unmap(address, length: length) }) {
      .unmap(address, length: length, $0.error)
    }
  }

  func protect(_ address: UInt64, length: UInt64, mode: MapMode) throws(Errno) {
    try noted({ () throws(Errno) in try target.userSpace.protect(address, length: length, mode: mode) }) {
      .protect(address, length: length, mode, $0.error)
    }
  }

  private func noted<Value>(
    _ body: () throws(Errno) -> Value, _ call: (Result<Value, Errno>) -> LoggedCall
  ) throws(Errno) -> Value {
    let result: Result<Value, Errno>
    do throws(Errno) { result = .success(try body()) } catch { result = .failure(error) }
    note(call(result))
    return try result.get()
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// Runs recorded programs on a target and tells what each step did, in the words of the recordings: one line
/// a step, with the result, the errno and every 32-bit word of the argument that the call changed.
public final class RecordedReplay {
  private static let area: UInt64 = 0x2000_0000_0000
  private static let registerCount = 256
  /// No command's struct is longer, whatever size it is said to have.
  private static let anyStruct = 256

  private let target: any IoctlTarget
  /// Asked before each step; false ends the program there.
  public var mayGoOn: () -> Bool = { true }
  /// Where the struct of an ioctl lies.
  private let buffer: UInt64
  /// Bytes of it that the last call may have left not zero.
  private var used = 0
  private var registers = [UInt64](repeating: 0, count: registerCount)
  private var descriptors: [Int32] = []
  /// What the last successful call of the same kind returned at the same offset: a failed call leaves that in
  /// its register, so that later steps stay plausible. A program has a few kinds.
  private var lastGood: [(kind: Int, value: UInt64)] = []
  private var lines: [String] = []
  private var line = AnswerLine()
  /// Hears of each step before it is made, by its index, and of the end of the program, by the number of steps.
  public var onStep: ((_ index: Int) -> Void)?

  /// - Throws: ENOMEM when the target's process gets no memory.
  public init(_ target: any IoctlTarget) throws(Errno) {
    self.target = target
    buffer = try target.userSpace.allocate(
      length: UInt64(RecordedProgram.longestStruct), at: nil, mode: [.read, .write], huge: false)
  }

  /// Runs one program from its beginning; every descriptor that it opened is closed at its end.
  ///
  /// - Throws: what the target's memory throws; a step's own failure is its answer.
  public func run(_ program: RecordedProgram) throws(Errno) -> [String] {
    try begin()
    defer { closeAll() }
    lines.reserveCapacity(program.steps.count)
    for (index, step) in program.steps.enumerated() where mayGoOn() {
      onStep?(index)
      try perform(step)
    }
    onStep?(program.steps.count)
    return lines
  }

  /// Runs a program in bytes. `bench` does what is no request, and tells how it went; what its operands mean now is
  /// what it is handed with it.
  public func run(
    _ program: ByteProgram,
    bench: (BenchAction, _ value: (RecordedProgram.Operand) -> UInt64) throws(Errno) -> String
  ) throws(Errno) -> [String] {
    try begin()
    defer { closeAll() }
    let actions = ByteDecoder.actions(of: program)
    for (index, action) in actions.enumerated() where mayGoOn() {
      onStep?(index)
      switch action {
      case .step(let step): try perform(step)
      case .bench(let action): answer(try bench(action, value))
      }
    }
    onStep?(actions.count)
    return lines
  }

  private func begin() throws(Errno) {
    for register in registers.indices { registers[register] = 0 }
    lastGood.removeAll(keepingCapacity: true)
    lines = []
    _ = try target.userSpace.allocate(
      length: UInt64(RecordedProgram.areaLength), at: Self.area, mode: [.read, .write, .shared], huge: false)
  }

  private func closeAll() {
    for fd in descriptors.reversed() {
      do throws(Errno) { try target.close(fd) } catch {
        // A descriptor that the program closed under another number; nothing is left to close.
      }
    }
    descriptors = []
  }

  private func value(_ operand: RecordedProgram.Operand) -> UInt64 {
    switch operand {
    case .constant(let value): value
    case .area(let offset): Self.area &+ offset
    case .register(let register): registers[register]
    }
  }

  private func perform(_ step: RecordedProgram.Step) throws(Errno) {
    switch step {
    case .open(let register): open("/dev/iommu", register)
    case .openDevice(let register, let number): open("/dev/vfio/devices/vfio\(number)", register)
    case .close(let register):
      let fd = Int32(truncatingIfNeeded: registers[register])
      descriptors.removeAll { $0 == fd }
      do throws(Errno) {
        try target.close(fd)
        answer("close 0")
      } catch { answer("close \(error.code)") }
    case .fill(let at, let byte, let count):
      try target.memory.write([UInt8](repeating: byte, count: count), at: value(at))
    case .put(let at, let width, let what):
      try target.memory.write(Self.bytes(value(what), width), at: value(at))
    case .unmap(let at, let length):
      try target.userSpace.unmap(value(at), length: length)
    case .dump(let at, let count):
      let bytes = try target.memory.bytes(at: value(at), count: count)
      beginAnswer()
      line.add("dump ")
      for byte in bytes { line.addHexadecimal(byte: byte) }
      endAnswer()
    case .ioctl(let fd, let request, let size, let stores, let loads):
      try ioctl(descriptor(fd), request, size, stores, loads)
    case .memfd(let register, let length):
      do throws(Errno) {
        let fd = try target.userSpace.createMemFD(length: length, huge: false)
        descriptors.append(fd)
        registers[register] = UInt64(fd)
        answer("memfd ok")
      } catch {
        registers[register] = .max
        answer("memfd \(error.name)")
      }
    case .read(let fd, let at, let count):
      transfer("read", fd) { fd throws(Errno) in try target.read(fd, value(at), count) }
    case .write(let fd, let at, let count):
      transfer("write", fd) { fd throws(Errno) in try target.write(fd, value(at), count) }
    case .poll(let fd):
      transfer("poll", fd) { fd throws(Errno) in Int(try target.poll(fd).rawValue) }
    }
  }

  private func open(_ path: String, _ register: Int) {
    do throws(Errno) {
      let fd = try target.open(path)
      descriptors.append(fd)
      registers[register] = UInt64(bitPattern: Int64(fd))
      answer("open ok")
    } catch {
      registers[register] = .max
      answer("open \(error.name)")
    }
  }

  private func descriptor(_ operand: RecordedProgram.Operand) -> Int32 {
    Int32(truncatingIfNeeded: value(operand))
  }

  private func transfer(
    _ name: String, _ operand: RecordedProgram.Operand, _ body: (Int32) throws(Errno) -> Int
  ) {
    do throws(Errno) {
      let fd = descriptor(operand)
      // A queue that could not be made left 0 in its register, and the standard streams are not the program's.
      guard !(0...2).contains(fd) else { throw .EBADF }
      answer("\(name) rc=\(try body(fd)) errno=0")
    } catch {
      answer("\(name) rc=-1 errno=\(error.code)")
    }
  }

  private func ioctl(
    _ fd: Int32, _ request: UInt32, _ size: Int, _ stores: [RecordedProgram.Store],
    _ loads: [RecordedProgram.Load]
  ) throws(Errno) {
    let length = span(size, stores, loads)
    try withUnsafeTemporaryAllocation(byteCount: 2 * length, alignment: 8) { bytes throws(Errno) in
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
      let before = UnsafeMutableRawBufferPointer(rebasing: bytes[..<length])
      let after = UnsafeMutableRawBufferPointer(rebasing: bytes[length...])
      if size >= 4 { Self.store(UInt64(size), 4, in: before, at: 0) }
      for store in stores { Self.store(value(store.value), store.width, in: before, at: store.offset) }
      let memory = target.memory
      guard memory.copyOut(buffer, from: UnsafeRawBufferPointer(before)) == before.count else {
        throw .EFAULT("the replay's own memory is gone", buffer)
      }
      var result: Int32 = -1
      var code: Int32 = 0
      do throws(Errno) { result = try target.ioctl(fd, request, size > 0 ? buffer : 0) } catch {
        code = error.code
      }
      guard memory.copyIn(buffer, into: after) == after.count else {
        throw .EFAULT("the replay's own memory is gone", buffer)
      }
      // A result that is a descriptor is printed as 0: its number says nothing.
      let isDescriptor = result > 0 && loads.contains { $0.offset == nil && $0.isDescriptor }
      beginAnswer()
      line.add("ioctl ")
      line.addHexadecimal(UInt64(request))
      line.add(" rc=")
      line.addDecimal(isDescriptor ? 0 : Int(result))
      line.add(" errno=")
      line.addDecimal(Int(code))
      for load in loads { take(load, request, result, before, after) }
      for offset in stride(from: 0, to: size, by: 4) {
        let (old, new) = (Self.load(4, from: before, at: offset), Self.load(4, from: after, at: offset))
        guard old != new else { continue }
        line.add(" +")
        line.addDecimal(offset)
        line.add("=")
        line.addHexadecimal(new)
      }
      endAnswer()
    }
  }

  /// As much of the buffer as a call may read or write, and what the call before it left there: all else is 0.
  private func span(_ size: Int, _ stores: [RecordedProgram.Store], _ loads: [RecordedProgram.Load]) -> Int {
    var end = max(size, Self.anyStruct)
    for store in stores { end = max(end, store.offset + store.width) }
    for load in loads { end = max(end, (load.offset ?? 0) + load.width) }
    end = min(end, RecordedProgram.longestStruct)
    defer { used = end }
    return max(end, used)
  }

  /// Loads a register from what a call returned, and makes a descriptor in the struct invisible.
  private func take(
    _ load: RecordedProgram.Load, _ request: UInt32, _ result: Int32,
    _ before: UnsafeMutableRawBufferPointer, _ after: UnsafeMutableRawBufferPointer
  ) {
    guard let offset = load.offset else {
      registers[load.register] = UInt64(bitPattern: Int64(result))
      guard load.isDescriptor else { return }
      if result >= 0 { descriptors.append(result) }
      line.add(" fd")
      return
    }
    var loaded = Self.load(load.width, from: after, at: offset)
    let kind = Self.kind(request, after, offset)
    let place = lastGood.firstIndex { $0.kind == kind }
    if result < 0 {
      loaded = place.map { lastGood[$0].value } ?? 0
    } else if let place {
      lastGood[place].value = loaded
    } else {
      lastGood.append((kind, loaded))
    }
    registers[load.register] = loaded
    guard load.isDescriptor else { return }
    if result >= 0 { descriptors.append(Int32(truncatingIfNeeded: loaded)) }
    line.add(" fd")
    Self.store(0, load.width, in: after, at: offset)
    Self.store(0, load.width, in: before, at: offset)
  }

  private func answer(_ text: String) {
    beginAnswer()
    line.add(text)
    endAnswer()
  }

  private func beginAnswer() {
    line.clear()
    line.addDecimal(lines.count)
    line.add(" ")
  }

  private func endAnswer() { lines.append(line.text) }

  /// Calls of one kind: the command, for the selftest command its op, and the offset of the output.
  private static func kind(_ request: UInt32, _ bytes: UnsafeMutableRawBufferPointer, _ offset: Int) -> Int {
    let op = request == 0x3BA0 ? Int(bytes[4]) * 67 : 0
    return ((Int(request & 0x3F) << 6) ^ op ^ offset) % 4096
  }

  private static func bytes(_ value: UInt64, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  private static func store(
    _ value: UInt64, _ width: Int, in bytes: UnsafeMutableRawBufferPointer, at offset: Int
  ) {
    for index in 0..<width where offset + index < bytes.count {
      bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
    }
  }

  private static func load(_ width: Int, from bytes: UnsafeMutableRawBufferPointer, at offset: Int) -> UInt64
  {
    if width == 4, offset >= 0, offset + 4 <= bytes.count {
      return UInt64(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }
    var value: UInt64 = 0
    for index in 0..<width where offset + index < bytes.count {
      value |= UInt64(bytes[offset + index]) << UInt64(8 * index)
    }
    return value
  }
}

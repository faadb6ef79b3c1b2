// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// Turns a program in bytes into requests and actions of the bench.
///
/// Any record means something that has a chance to succeed. An object is chosen among those that earlier records made, the
/// newest first, and where there is none yet it is made on the spot; an address is chosen among what was mapped. So
/// even random bytes reach what lies deep: a page fault of a device behind a nested page table. Mistakes are there as
/// well, by values that ask for them: IDs that nobody gave, lengths at the edges, structs of the wrong size.
///
/// The same bytes give the same requests for good; whether a request succeeds is not known here and changes nothing.
public struct ByteDecoder {
  /// One thing that a program does.
  public enum Action: Sendable, Hashable {
    case step(RecordedProgram.Step)
    case bench(BenchAction)
  }

  struct Mapping {
    let iova: RecordedProgram.Operand
    let length: UInt64
  }

  let scene: ByteScene
  let operations: [ByteOperation]
  let forms: [ByteOperation.Form?]
  private(set) var actions: [Action] = []
  /// The registers of each pool, the oldest first.
  private(set) var pools = [[Int]](repeating: [], count: ByteOperation.Pool.allCases.count)
  var mappings: [Mapping] = []
  /// Functions whose files were opened, the oldest first; and which, by the register of the file.
  var opened: [Int] = []
  private var functionOfFile: [Int: Int] = [:]
  private var nextRegister = 0
  /// Parts of the data area that are gone: a program cannot write there itself.
  var holes: [Range<UInt64>] = []

  /// Registers that a program may use; a recorded program has 256.
  private static let registerCount = 250
  private static let mostContexts = 3
  /// From this operand on, `a` and `b` are IDs and no choice.
  static let literal: UInt8 = 0xE0

  /// What a program does, from the opening of `/dev/iommu` on.
  public static func actions(of program: ByteProgram) -> [Action] {
    var decoder = ByteDecoder(version: program.version, scene: program.scene)
    decoder.perform("open")
    for record in program.records { decoder.perform(record) }
    return decoder.actions
  }

  init(version: UInt8, scene: ByteScene) {
    self.scene = scene
    operations = ByteOperation.table(version: version)
    forms = ByteOperation.forms(version: version)
  }

  func members(_ pool: ByteOperation.Pool) -> [Int] { pools[pool.rawValue] }

  var hasRegisters: Bool { nextRegister < Self.registerCount }

  /// The operation of a name.
  func index(of name: String) -> Int {
    guard let index = operations.firstIndex(where: { $0.name == name }) else {
      preconditionFailure("every version has \(name)")
    }
    return index
  }

  /// Performs an operation with operands that are all 0.
  mutating func perform(_ name: String) { perform(ByteProgram.Record(operation: index(of: name))) }

  mutating func add(_ step: RecordedProgram.Step) { actions.append(.step(step)) }
  mutating func add(_ action: BenchAction) { actions.append(.bench(action)) }

  mutating func perform(_ record: ByteProgram.Record) {
    let operation = operations[record.operation]
    switch operation.effect {
    case .command, .selftest: if let form = forms[record.operation] { request(operation, form, record) }
    case .open:
      guard members(.context).count < Self.mostContexts else { return }
      if let register = register(in: [.context]) { add(.open(register)) }
    case .openDevice: openDevice(record)
    case .close: close(record)
    case .fill:
      let count = Int(record.x % 65536)
      guard isThere(place(record), UInt64(count)) else { return }
      add(.fill(.area(place(record)), byte: UInt8(truncatingIfNeeded: record.y), count: count))
    case .put:
      guard isThere(place(record), 8) else { return }
      add(.put(.area(place(record)), width: 8, .constant(record.y)))
    case .unmapMemory:
      let first = UInt64(record.b % Self.slots) * Self.slotLength
      let length = (UInt64(record.x % 16) + 1) * 4096
      holes.append(first..<first + length)
      add(.unmap(.area(first), length: length))
    case .memfd:
      if let register = register(in: [.buffer]) { add(.memfd(register, length: length(record) % (1 << 24))) }
    case .read, .write, .poll, .answerFault: transfer(operation.effect, record)
    case .raw: raw(record)
    case .fork: add(.fork)
    case .switchProcess: add(.switchProcess(Int(record.a)))
    case .exitProcess: add(.exitProcess(Int(record.a)))
    case .memlockLimit: add(.setMemlockLimit(record.y))
    case .capability: add(.setCapability(Int(record.a), record.flags & 1 == 1))
    case .armFailure: add(.armFailure(UInt64(record.a) + 1))
    case .disarmFailure: add(.disarmFailure)
    case .dma, .translationRequest, .pageRequest, .finished, .interrupt, .plug, .unplug, .cut, .grow,
      .guestTable:
      act(operation, record)
    }
  }

  // MARK: Steps

  private mutating func openDevice(_ record: ByteProgram.Record) {
    guard let register = register(in: [.deviceFile]) else { return }
    let function = Int(record.a) % ByteScene.mostFunctions
    functionOfFile[register] = function
    opened.append(function)
    add(.openDevice(register, number: function))
  }

  private mutating func close(_ record: ByteProgram.Record) {
    // The first file stays: a program without it does nothing more.
    let all: [ByteOperation.Pool] = [.queueFile, .access, .buffer, .dmabuf, .deviceFile]
    let registers = all.flatMap { members($0).reversed() } + members(.context).dropFirst().reversed()
    if !registers.isEmpty { add(.close(registers[Int(record.a) % registers.count])) }
  }

  /// `struct iommu_hwpt_pgfault` is 40 bytes with its cookie last; `struct iommu_hwpt_page_response` is a cookie and a
  /// code. So what was read is answered where it lies.
  private static let faultLength = 40
  private static let cookieOffset: UInt64 = 36

  private mutating func transfer(_ effect: ByteOperation.Effect, _ record: ByteProgram.Record) {
    let fd = object([.queueFile], record.a)
    switch effect {
    case .read: add(.read(fd: fd, .area(Area.events), count: Int(record.x ^ 40) % 512))
    case .write:
      add(.put(.area(Area.events), width: 8, .constant(record.y)))
      add(.write(fd: fd, .area(Area.events), count: Int(record.x ^ 8) % 64))
    case .answerFault:
      let code = Area.events + UInt64(Self.faultLength)
      add(.put(.area(code), width: 4, .constant(UInt64(record.flags & 3))))
      add(.read(fd: fd, .area(Area.events), count: Self.faultLength))
      add(.write(fd: fd, .area(Area.events + Self.cookieOffset), count: 8))
    default: add(.poll(fd: fd))
    }
  }

  /// A request of any number with 16 bytes of any content: for what the tables do not say.
  private mutating func raw(_ record: ByteProgram.Record) {
    let number = Request.type << 8 | UInt32(record.b)
    let stores = [
      RecordedProgram.Store(offset: 4, width: 4, value: object(ByteOperation.Pool.objects, record.a)),
      RecordedProgram.Store(offset: 8, width: 8, value: .constant(record.y)),
    ]
    add(
      .ioctl(
        fd: context(record), request: number, size: Int(record.x) % (RecordedProgram.longestStruct + 1),
        stores: stores, loads: []))
  }

  // MARK: Requests

  private mutating func request(
    _ operation: ByteOperation, _ form: ByteOperation.Form, _ record: ByteProgram.Record
  ) {
    if record.a < Self.literal {
      for pool in operation.needs(in: scene) where members(pool).isEmpty { make(pool) }
    }
    let file = file(operation, record)
    var stores: [RecordedProgram.Store] = []
    var loads: [RecordedProgram.Load] = []
    var mapping: (place: RecordedProgram.Operand, length: UInt64) = (.constant(0), 0)
    var isFixed = true
    for part in form.parts {
      let field = part.field
      if let source = part.source {
        let value = value(source, record)
        if value != .constant(0) {
          stores.append(RecordedProgram.Store(offset: field.offset, width: field.size, value: value))
        }
        if field.name == operation.mapped { mapping.place = value }
        if case .constant(let number) = value {
          if field.name == "length" || field.name == "size" { mapping.length = number }
          if field.name == "flags" { isFixed = number & UInt64(MapFlag.fixedIOVA) != 0 }
        }
      }
      if !part.pools.isEmpty, let register = register(in: part.pools) {
        loads.append(
          RecordedProgram.Load(
            offset: field.offset, width: field.size, register: register,
            isDescriptor: part.pools[0].isDescriptor))
      }
    }
    for put in operation.puts {
      if case .patch = put.source, record.y == 0 { continue }
      add(.put(.area(put.offset), width: put.width, value(put.source, record)))
    }
    if let name = operation.mapped {
      // Where the kernel chooses the address, only a register will have it.
      if !isFixed, let field = form.parts.first(where: { $0.field.name == name })?.field,
        field.direction == .both, let register = register(in: [])
      {
        loads.append(
          RecordedProgram.Load(
            offset: field.offset, width: field.size, register: register, isDescriptor: false))
        mapping.place = .register(register)
      }
      mappings.append(Mapping(iova: mapping.place, length: mapping.length))
    }
    if operation.returnsDescriptor, let register = register(in: [.dmabuf]) {
      loads.append(RecordedProgram.Load(offset: nil, width: 4, register: register, isDescriptor: true))
    }
    if let pool = operation.provides { pools[pool.rawValue].append(0) }
    add(
      .ioctl(
        fd: file, request: form.request, size: Self.size(form, record), stores: stores, loads: loads))
  }

  /// Where a request goes.
  private mutating func file(_ operation: ByteOperation, _ record: ByteProgram.Record)
    -> RecordedProgram.Operand
  {
    guard let pool = operation.file else { return context(record) }
    let file = object([pool], record.a)
    if operation.name == "VFIO_DEVICE_BIND_IOMMUFD", case .register(let register) = file {
      pools[ByteOperation.Pool.boundFile.rawValue].append(register)
    }
    if case .register(let register) = file, let function = functionOfFile[register] {
      // What a device is told makes it the one that does something next.
      opened.removeAll { $0 == function }
      opened.append(function)
    }
    return file
  }

  /// The struct's size, or a mistaken one.
  private static func size(_ form: ByteOperation.Form, _ record: ByteProgram.Record) -> Int {
    switch record.flags >> 5 {
    case 5 where form.size > 0: form.minimum
    case 6 where form.size > 0: form.size + 8
    default: form.size
    }
  }

  // MARK: Objects

  mutating func context(_ record: ByteProgram.Record) -> RecordedProgram.Operand {
    let contexts = members(.context)
    // Another file than the first has other objects, so most requests to it would fail.
    return .register(contexts[record.flags >> 5 == 4 ? contexts.count - 1 : 0])
  }

  /// The member of the pools that `choice` counts round to, the newest first.
  mutating func object(_ wanted: [ByteOperation.Pool], _ choice: UInt8) -> RecordedProgram.Operand {
    guard let first = wanted.first else { return .constant(UInt64(choice)) }
    if choice >= Self.literal {
      // A small number could be a descriptor of whoever runs the program.
      return .constant(UInt64(choice - Self.literal) + (first.isDescriptor ? 1000 : 0))
    }
    var count = wanted.reduce(0) { $0 + members($1).count }
    if count == 0 {
      make(first)
      count = members(first).count
    }
    guard count > 0 else { return .constant(0) }
    var index = Int(choice) % count
    for pool in wanted {
      let registers = members(pool)
      if index < registers.count { return .register(registers[registers.count - 1 - index]) }
      index -= registers.count
    }
    return .constant(0)
  }

  /// Makes what a program asks for and does not have. Makers want only what stands above them, so this ends.
  mutating func make(_ pool: ByteOperation.Pool) {
    guard hasRegisters else { return }
    perform(ByteOperation.maker(of: pool, in: scene))
  }

  mutating func provide(_ pool: ByteOperation.Pool) { pools[pool.rawValue].append(0) }

  /// A new register for a member of the pools; nil when there are no more.
  private mutating func register(in pools: [ByteOperation.Pool]) -> Int? {
    guard nextRegister < Self.registerCount else { return nil }
    let register = nextRegister
    nextRegister += 1
    for pool in pools { self.pools[pool.rawValue].append(register) }
    return register
  }
}

extension ByteProgram {
  /// What the program does, as a recorded program that can be run on any target and printed. What needs a bench is left
  /// out.
  public func recorded(name: String) -> RecordedProgram {
    let steps = ByteDecoder.actions(of: self).compactMap { action -> RecordedProgram.Step? in
      if case .step(let step) = action { step } else { nil }
    }
    return RecordedProgram(name: name, steps: steps)
  }
}

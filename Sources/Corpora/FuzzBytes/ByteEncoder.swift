// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// Looks for the records of a `ByteProgram` that mean given requests: seeds for fuzzers are made so.
///
/// It is no inverse by construction. For each request it solves what every operation of that request would need in its
/// operands, and lets the decoder itself say whether the record then means the request. What no record means is left
/// out, and the caller hears of it.
public struct ByteEncoder {
  /// A request as it was made and answered.
  public struct Request {
    public let number: UInt32
    public let sent: [UInt8]
    /// Nil where the request failed.
    public let received: [UInt8]?
    /// The result, which for some is a descriptor.
    public let result: Int32
    /// The memory behind a pointer, by the pointer's offset.
    public let memory: [Int: [UInt8]]

    public init(
      number: UInt32, sent: [UInt8], received: [UInt8]?, result: Int32, memory: [Int: [UInt8]]
    ) {
      self.number = number
      self.sent = sent
      self.received = received
      self.result = result
      self.memory = memory
    }
  }

  private var decoder: ByteDecoder
  private var records: [ByteProgram.Record] = []
  /// Which of the program's places stands for an address.
  private var places: [UInt64: UInt8] = [:]
  /// What each register holds, as far as it is known.
  private var values: [Int: UInt64] = [:]

  /// A program whose `/dev/iommu` has that descriptor.
  public init(file: Int32) {
    decoder = ByteDecoder(version: ByteProgram.newestVersion, scene: ByteScene(.mock))
    // The decoder opens the first file by itself.
    decoder.perform(ByteProgram.Record(operation: decoder.index(of: "open")))
    values[decoder.members(.context)[0]] = UInt64(UInt32(bitPattern: file))
  }

  public var program: ByteProgram { ByteProgram(records: records) }

  /// Adds a memfd.
  ///
  /// - Returns: whether there is a record for one of that length.
  public mutating func addMemFD(_ fd: Int32, length: UInt64) -> Bool {
    guard let choice = ByteDecoder.lengths.firstIndex(where: { $0 % (1 << 24) == length }) else {
      return false
    }
    let record = ByteProgram.Record(operation: decoder.index(of: "memfd"), x: UInt32(choice))
    let before = decoder.members(.buffer).count
    accept(record)
    guard let register = decoder.members(.buffer).last, decoder.members(.buffer).count > before else {
      return false
    }
    values[register] = UInt64(UInt32(bitPattern: fd))
    return true
  }

  /// Adds a request.
  ///
  /// - Returns: whether there is a record for it.
  public mutating func add(_ request: Request) -> Bool {
    guard records.count < ByteProgram.mostRecords else { return false }
    for (index, operation) in decoder.operations.enumerated() {
      place(operation, request)
      guard let form = decoder.forms[index], form.request == request.number,
        let record = solve(index, operation, form, request)
      else { continue }
      var trial = decoder
      let before = trial.actions.count
      trial.perform(record)
      guard let loads = loads(trial.actions[before...], form, request) else { continue }
      decoder = trial
      records.append(record)
      for load in loads {
        let value =
          load.offset.map { Self.word(request.received ?? [], $0, load.width) }
          ?? UInt64(
            UInt32(bitPattern: request.result))
        if request.received != nil { values[load.register] = value }
      }
      return true
    }
    return false
  }

  /// Gives the addresses of a request's mapped memory places of their own, as long as there are some.
  private mutating func place(_ operation: ByteOperation, _ request: Request) {
    guard let structure = RequestStruct(request.number, head: request.sent) else { return }
    for (name, source) in operation.fields {
      guard case .memory = source, let field = structure.fields.first(where: { $0.name == name }) else {
        continue
      }
      let address = Self.word(request.sent, field.offset, field.size)
      if places[address] == nil, places.count < Int(ByteDecoder.slots) {
        places[address] = UInt8(places.count)
      }
    }
  }

  private mutating func accept(_ record: ByteProgram.Record) {
    decoder.perform(record)
    records.append(record)
  }

  private static func word(_ bytes: [UInt8], _ offset: Int, _ size: Int) -> UInt64 {
    guard offset + size <= bytes.count else { return 0 }
    return bytes[offset..<offset + size].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
  }

  // MARK: Judging

  /// The loads of the one request that these actions make, if it is the wanted one.
  private func loads(
    _ actions: ArraySlice<ByteDecoder.Action>, _ form: ByteOperation.Form, _ request: Request
  ) -> [RecordedProgram.Load]? {
    var found: [RecordedProgram.Load]?
    for action in actions {
      switch action {
      case .step(.put): break
      case .step(.ioctl(let fd, let number, let size, let stores, let loads)):
        guard found == nil, number == request.number, value(fd) == values[decoder.members(.context)[0]],
          size == form.size, isEqual(stores, size, form, request)
        else { return nil }
        found = loads
      default: return nil
      }
    }
    return found
  }

  private func value(_ operand: RecordedProgram.Operand) -> UInt64? {
    switch operand {
    case .constant(let value): value
    case .register(let register): values[register]
    case .area: nil
    }
  }

  private func isEqual(
    _ stores: [RecordedProgram.Store], _ size: Int, _ form: ByteOperation.Form, _ request: Request
  ) -> Bool {
    guard request.sent.count == size, let structure = RequestStruct(request.number, head: request.sent) else {
      return false
    }
    for field in structure.fields where field.offset > 0 && field.direction != .output {
      let wanted = Self.word(request.sent, field.offset, field.size)
      let store = stores.last { $0.offset == field.offset }
      if case .userPointer = field.meaning {
        // Where memory lies is each program's own affair; whether there is any is not.
        guard (store == nil) == (wanted == 0) else { return false }
        continue
      }
      let got = store.map { value($0.value) } ?? 0
      guard let got, got & field.mask == wanted else { return false }
    }
    return true
  }

  // MARK: Solving

  /// The operands that a record is made of; nil for one that nothing has asked for yet.
  private struct Operands {
    var a: UInt8?
    var b: UInt8?
    var flags: UInt8?
    var x: UInt32?
    var y: UInt64?
    var isPossible = true

    mutating func need<Value: Equatable>(_ operand: WritableKeyPath<Operands, Value?>, _ value: Value?) {
      guard let value, self[keyPath: operand] == nil || self[keyPath: operand] == value else {
        isPossible = false
        return
      }
      self[keyPath: operand] = value
    }
  }

  private func solve(
    _ index: Int, _ operation: ByteOperation, _ form: ByteOperation.Form, _ request: Request
  ) -> ByteProgram.Record? {
    var operands = Operands()
    for part in form.parts {
      guard let source = part.source else { continue }
      let wanted = Self.word(request.sent, part.field.offset, part.field.size)
      solve(source, wanted, &operands)
      if case .area(let base) = source, let bytes = request.memory[part.field.offset] {
        for put in operation.puts
        where put.offset >= base && Int(put.offset - base) + put.width <= bytes.count {
          solve(put.source, Self.word(bytes, Int(put.offset - base), put.width), &operands)
        }
      }
      guard operands.isPossible else { return nil }
    }
    return ByteProgram.Record(
      operation: index, a: operands.a ?? 0, b: operands.b ?? 0, flags: operands.flags ?? 0,
      x: operands.x ?? 0, y: operands.y ?? 0)
  }

  private func solve(_ source: ByteOperation.Source, _ wanted: UInt64, _ operands: inout Operands) {
    switch source {
    case .a(let pools): operands.need(\.a, choice(pools, wanted))
    case .b(let pools): operands.need(\.b, choice(pools, wanted))
    case .flags(let flipped, let mask):
      let flags = wanted ^ flipped
      operands.need(\.flags, flags <= 31 && flags & ~mask == 0 ? UInt8(flags) : nil)
    case .parentFlags:
      let flags = wanted ^ decoder.scene.parentFlags
      operands.need(\.flags, flags <= 3 ? UInt8(flags) : nil)
    case .nestingBase:
      operands.need(\.a, choice(decoder.scene.nesting.isOnVIOMMU ? [.viommu] : [.parent], wanted))
    case .nestingCaches:
      operands.need(\.a, choice(decoder.scene.nesting.isOnVIOMMU ? [.viommu] : [.nested], wanted))
    case .reserved: if wanted != 0 { operands.isPossible = false }
    case .kind(let value): if wanted != value { operands.isPossible = false }
    case .scene(let value): if wanted != value(decoder.scene) { operands.isPossible = false }
    case .length: operands.need(\.x, length(wanted, avoidsZero: false))
    case .part: operands.need(\.x, length(wanted, avoidsZero: true))
    case .iova:
      let y = wanted &- 0x100_0000
      operands.need(\.y, y >> 56 == 0 ? y : Self.literal(wanted))
    case .place: operands.need(\.y, Self.literal(wanted))
    case .freshIOVA:
      let y = wanted &- 0x200_0000
      operands.need(\.y, y >> 32 == 0 ? y : nil)
    case .memory: operands.need(\.b, places[wanted])
    // Where it lies does not matter.
    case .area: break
    case .x(let flipped): operands.need(\.x, UInt32(exactly: wanted ^ flipped & 0xFFFF_FFFF))
    case .y(let flipped): operands.need(\.y, wanted ^ flipped)
    case .fixed(let value): if wanted != value { operands.isPossible = false }
    case .guestMemory:
      if wanted != ByteDecoder.guestAddress &+ decoder.scene.iovaOffset { operands.isPossible = false }
    case .patch: operands.need(\.y, wanted)
    // Several operands make a word; other operations of the request take each word as it is.
    case .guestCommand: operands.isPossible = false
    }
  }

  /// An address as an operand that is taken as it is.
  private static func literal(_ address: UInt64) -> UInt64? {
    if address >> 56 == 0 { return 0x80 << 56 | address }
    return address >> 56 >= 0xC0 ? address : nil
  }

  private func length(_ wanted: UInt64, avoidsZero: Bool) -> UInt32? {
    if let index = ByteDecoder.lengths.firstIndex(of: wanted) {
      // Of a part, 0 is what is mapped; the choice counts round.
      return UInt32(index == 0 && avoidsZero ? ByteDecoder.lengths.count : index)
    }
    return wanted >= 256 ? UInt32(exactly: wanted) : nil
  }

  /// The choice that gives the member of the pools that is `wanted`, or the number itself.
  private func choice(_ pools: [ByteOperation.Pool], _ wanted: UInt64) -> UInt8? {
    guard let first = pools.first else { return UInt8(exactly: wanted) }
    var index = 0
    for pool in pools {
      for register in decoder.members(pool).reversed() {
        if index < Int(ByteDecoder.literal), values[register] == wanted { return UInt8(index) }
        index += 1
      }
    }
    let number = first.isDescriptor ? wanted &- 1000 : wanted
    return number < 0x20 ? ByteDecoder.literal + UInt8(number) : nil
  }
}

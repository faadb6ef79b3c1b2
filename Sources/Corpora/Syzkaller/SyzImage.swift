// SPDX-License-Identifier: GPL-3.0-or-later

/// A program made ready to run: for each call what is stored before it, its arguments, and what is read back.
///
/// Everything that can be known beforehand is: addresses, sizes and defaults. What is left are the slots, one for each
/// variable that the program binds.
///
/// Source: syzkaller `prog/encodingexec.go`; reference corpora.md section 2.
public struct SyzImage: Sendable {
  public let calls: [Call]
  public let slotCount: Int
  /// `SyzProgram.requirements`
  public let requirements: [String]
  /// What the reader mended.
  public let repairs: [SyzProblem]

  /// Where the memory of a program lies on 64-bit x86 and RISC-V.
  public static let area: UInt64 = 0x2000_0000_0000

  public struct Call: Sendable {
    public let name: String
    /// Nil for a call that is not known.
    public let row: SyzCallRow?
    public let stores: [Store]
    public let arguments: [SyzOperand]
    public let loads: [Load]
    /// The slot of the returned value.
    public let result: Int?
    public let properties: SyzCall.Properties
    public let comment: String?
    public let line: Int
  }

  /// What is written before the call, in this order.
  public enum Store: Sendable, Equatable {
    case number(at: UInt64, SyzOperand, SyzNotation)
    /// The bytes, and zeroes up to `size`.
    case bytes(at: UInt64, [UInt8], size: UInt64)
  }

  /// What is read after a call that did not fail.
  public struct Load: Sendable, Equatable {
    public let address: UInt64
    public let width: Int
    /// Nil for a descriptor that no variable takes: it is open all the same.
    public let slot: Int?
    public let isDescriptor: Bool
  }

  /// Makes `program` ready.
  ///
  /// - Parameter isStrict: what does not fit its type is an error, as in syzkaller's own tests; otherwise it is
  ///   repaired and reported.
  /// - Throws: what is wrong, at its line and column.
  public init(_ program: SyzProgram, isStrict: Bool = false) throws(SyzProblem) {
    var binder = SyzBinder(isStrict: isStrict)
    var bound: [(row: SyzCallRow?, arguments: [SyzNode], result: Int?)] = []
    for call in program.calls {
      guard let row = SyzCalls.row(named: call.name) else {
        try binder.repair("\(call.name) is not known", line: call.line, column: call.column)
        binder.forget(call)
        bound.append((nil, [], nil))
        continue
      }
      let (arguments, result) = try binder.bind(call, as: row)
      bound.append((row, arguments, result))
    }
    Self.place(bound.map(\.arguments))
    var calls: [Call] = []
    var left = SyzLimits.storedBytes
    for (call, bound) in zip(program.calls, bound) {
      var flattening = Flattening(left: left)
      var operands: [SyzOperand] = []
      for argument in bound.arguments { operands.append(flattening.argument(argument)) }
      guard !flattening.isOverflown else {
        throw SyzProblem(
          line: call.line, column: call.column, "a program stores at most \(SyzLimits.storedBytes) bytes")
      }
      left = flattening.left
      calls.append(
        Call(
          name: call.name, row: bound.row, stores: flattening.stores, arguments: operands,
          loads: flattening.loads,
          result: bound.result, properties: call.properties, comment: call.comment, line: call.line))
    }
    self.calls = calls
    requirements = program.requirements
    slotCount = binder.slotCount
    repairs = binder.repairs
  }

  /// Gives every `&AUTO` pointer its address: first what is taken is marked, by automatic pointers at offset 0; then
  /// each takes room in the order of the text, outer before inner.
  private static func place(_ calls: [[SyzNode]]) {
    var automatic: [SyzNode] = []
    var room: SyzRoom?
    for arguments in calls {
      for argument in arguments {
        visit(argument) { node in
          guard case .pointer(let offset, let pointee, let isAutomatic) = node.content else { return }
          if isAutomatic { automatic.append(node) }
          room = room ?? SyzRoom()
          room?.note(offset, size: pointee.size)
        }
      }
    }
    guard var room else { return }
    for node in automatic {
      guard case .pointer(_, let pointee, _) = node.content else { continue }
      node.content = .pointer(room.find(size: pointee.size), pointee, isAutomatic: true)
    }
  }

  private static func visit(_ node: SyzNode, _ body: (SyzNode) -> Void) {
    body(node)
    switch node.content {
    case .pointer(_, let pointee, _): visit(pointee, body)
    case .group(let parts, _, _): for part in parts { visit(part.node, body) }
    case .number, .special, .pages, .bytes: break
    }
  }
}

/// One call's arguments on their way to stores and loads: a pointer is stored before what it points to.
private struct Flattening {
  var stores: [SyzImage.Store] = []
  var loads: [SyzImage.Load] = []
  /// Bytes that the program may still store.
  var left: UInt64
  var isOverflown = false

  init(left: UInt64) { self.left = left }

  mutating func argument(_ node: SyzNode) -> SyzOperand {
    switch node.content {
    case .number(let operand, _): return operand
    case .special(let address): return .constant(address)
    case .pages(let offset, _): return .constant(SyzImage.area &+ offset)
    case .pointer(let offset, let pointee, _):
      store(pointee, at: SyzImage.area &+ offset)
      return .constant(SyzImage.area &+ offset)
    case .bytes, .group: return .constant(0)
    }
  }

  private mutating func store(_ node: SyzNode, at address: UInt64) {
    let isOutput = node.direction == .output
    switch node.content {
    case .group(let parts, _, _):
      for part in parts { store(part.node, at: address &+ part.offset) }
    case .number(let operand, let notation):
      if !isOutput, Self.room(at: address) >= notation.size {
        add(.number(at: address, operand, notation), UInt64(notation.size))
      }
      guard node.direction != .input, node.slot != nil || node.isDescriptor,
        case .binary(let width) = notation
      else {
        return
      }
      loads.append(
        SyzImage.Load(address: address, width: width, slot: node.slot, isDescriptor: node.isDescriptor))
    case .special(let value): storeAddress(value, at: address, isOutput)
    case .pages(let offset, _): storeAddress(SyzImage.area &+ offset, at: address, isOutput)
    case .pointer(let offset, let pointee, _):
      storeAddress(SyzImage.area &+ offset, at: address, isOutput)
      store(pointee, at: SyzImage.area &+ offset)
    case .bytes(let bytes, let size):
      let size = min(size, Self.room(at: address))
      if !isOutput, size > 0 { add(.bytes(at: address, Array(bytes.prefix(Int(size))), size: size), size) }
    }
  }

  private mutating func storeAddress(_ value: UInt64, at address: UInt64, _ isOutput: Bool) {
    if !isOutput, Self.room(at: address) >= 8 {
      add(.number(at: address, .constant(value), .binary(width: 8)), 8)
    }
  }

  /// Bytes of the data area from `address` on: what would lie beyond it is not stored, as a fault would have it.
  private static func room(at address: UInt64) -> UInt64 {
    let offset = address &- SyzImage.area
    return offset < SyzLimits.areaBytes ? SyzLimits.areaBytes - offset : 0
  }

  private mutating func add(_ store: SyzImage.Store, _ size: UInt64) {
    guard size <= left else {
      isOverflown = true
      return
    }
    left -= size
    stores.append(store)
  }
}

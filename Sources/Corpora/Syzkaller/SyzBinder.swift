// SPDX-License-Identifier: GPL-3.0-or-later

/// Reads the arguments of a program against the types of its calls.
///
/// What does not fit is an error where the program is read strictly, as tests are. Otherwise it is repaired, mostly
/// into the type's default, and the repair is reported: corpora omit what is a default, and outlive descriptions.
///
/// Source: syzkaller `prog/encoding.go`, `parseArg` and its kind; reference corpora.md sections 1.4 to 1.11.
struct SyzBinder {
  let vocabulary: SyzVocabulary
  let fields: [SyzSlot]
  let shapes: [SyzShape]
  let isStrict: Bool
  /// Repairs that were made, at most `mostRepairs` of them.
  private(set) var repairs: [SyzProblem] = []
  var scope = SyzScope()
  /// What nodes refer to by number.
  let nodes = SyzNodes()
  private(set) var operands: [SyzOperand] = []
  private(set) var blobs: [[UInt8]] = []

  private static let mostRepairs = 1_000
  private static let page: UInt64 = 4096
  /// The address that text calls the beginning of the data area.
  static let textBase: UInt64 = 0x7F00_0000_0000
  /// What an integer in the place of a pointer stands for, by its negative modulo their number. Source: syzkaller
  /// `sys/targets`, `prog.Target.SpecialPointers` of amd64.
  static let special: [UInt64] = [
    0, .max, 0x9999_9999_9999_9999, 0xFFFF_FFFF_8100_0000, 0xFFFF_FFFF_FF60_0000,
  ]

  init(_ vocabulary: SyzVocabulary, isStrict: Bool) {
    self.vocabulary = vocabulary
    fields = vocabulary.fields
    shapes = vocabulary.shapes
    self.isStrict = isStrict
  }

  /// The arguments of a call as the parts of a node, and the slot of its result.
  mutating func bind(_ call: SyzCall, as number: Int) throws(SyzProblem) -> (node: Int32, result: Int?) {
    let here = Place(call.line, call.column)
    if call.properties.failNth != 0, call.properties.rerun != 0 {
      throw SyzProblem(line: here.line, column: here.column, "fail_nth and rerun exclude each other")
    }
    let node = try structure(call.arguments, vocabulary.parameters[number], .input, here)
    guard let binding = call.binding else { return (node, nil) }
    guard vocabulary.rows[number].result != nil else {
      try repair("\(call.name) returns nothing that a variable can hold", here)
      return (node, nil)
    }
    return (node, scope.declare(binding))
  }

  /// Bindings of a call that is not known: they hide earlier ones and are never filled.
  mutating func forget(_ call: SyzCall) {
    var rest = call.arguments
    while let argument = rest.popLast() {
      if let name = argument.binding { _ = scope.declare(name) }
      switch argument.value {
      case .pointer(_, let pointee?, _): rest.append(pointee)
      case .option(_, let value?): rest.append(value)
      case .structure(let fields): rest += fields
      case .array(let elements): rest += elements
      case .integer, .result, .data, .absent, .automatic, .pointer(_, nil, _), .option(_, nil): break
      }
    }
    if let name = call.binding { _ = scope.declare(name) }
  }

  struct Place {
    let line: Int
    let column: Int
    init(_ line: Int, _ column: Int) {
      self.line = line
      self.column = column
    }
    init(_ argument: SyzArgument) { self.init(argument.line, argument.column) }
  }

  mutating func repair(_ message: String, _ place: Place) throws(SyzProblem) {
    let problem = SyzProblem(line: place.line, column: place.column, message)
    if isStrict { throw problem }
    if repairs.count < Self.mostRepairs { repairs.append(problem) }
  }

  // MARK: Nodes

  func add(_ node: SyzNode) -> Int32 { nodes.add(node) }

  mutating func addBytes(_ bytes: [UInt8], size: UInt64, _ direction: SyzDirection) -> Int32 {
    var node = SyzNode(.bytes, direction, size: size)
    if !bytes.isEmpty {
      node.blob = Int32(blobs.count)
      blobs.append(bytes)
    }
    return add(node)
  }

  mutating func addNumber(
    _ value: UInt64, _ width: UInt8, _ direction: SyzDirection, isDescriptor: Bool = false
  ) -> Int32 {
    add(
      SyzNode(
        .number, direction, value: value, size: UInt64(width), notation: .binary(width: Int(width)),
        isDescriptor: isDescriptor))
  }

  /// A number that is a variable's.
  mutating func addResult(
    _ slot: Int, _ variable: SyzVariable, absent: UInt64, _ direction: SyzDirection, _ notation: SyzNotation,
    isDescriptor: Bool = false
  ) -> Int32 {
    var node = SyzNode(
      .number, direction, size: UInt64(notation.size), notation: notation, isDescriptor: isDescriptor)
    node.operand = Int32(operands.count)
    operands.append(.result(slot: slot, variable.arithmetic, absent: absent))
    return add(node)
  }

  // MARK: Values

  /// What an argument is as a `shape`, with the slot of the variable that it binds.
  mutating func bind(
    _ argument: SyzArgument, _ shape: Int32, _ direction: SyzDirection
  ) throws(SyzProblem) -> Int32 {
    let node = try value(argument, shape, direction)
    if let name = argument.binding {
      switch shapes[Int(shape)].kind {
      case .descriptor, .handle: nodes[node].slot = Int32(truncatingIfNeeded: scope.declare(name))
      default: try repair("only a resource can be given a name", Place(argument))
      }
    }
    return node
  }

  private mutating func value(
    _ argument: SyzArgument, _ number: Int32, _ direction: SyzDirection
  ) throws(SyzProblem) -> Int32 {
    let shape = shapes[Int(number)]
    switch argument.value {
    case .absent: return standard(number, direction)
    case .integer(let value):
      switch shape.kind {
      case .constant, .integer, .length:
        return try integer(value, shape, direction, argument)
      case .descriptor, .handle:
        return addNumber(value, shape.width, direction, isDescriptor: shape.kind == .descriptor)
      case .pointer, .pages:
        return add(
          SyzNode(.special, direction, value: Self.special[Int((0 &- value) % UInt64(Self.special.count))]))
      default: break
      }
    case .automatic:
      switch shape.kind {
      case .constant, .length: return standard(number, direction)
      case .structure: return try structure(nil, shape, direction, Place(argument))
      default: break
      }
    case .result(let variable):
      guard shape.kind == .descriptor || shape.kind == .handle else { break }
      guard let slot = scope.slot(of: variable.name) else {
        try repair("\(variable.name) is bound nowhere before", Place(argument))
        return standard(number, direction)
      }
      let resource: SyzResource = shape.kind == .descriptor ? .descriptor : .handle
      return addResult(
        slot, variable, absent: resource.absent, direction, .binary(width: Int(shape.width)),
        isDescriptor: shape.kind == .descriptor)
    case .pointer(let target, let pointee, let isAny):
      if shape.kind == .pointer { return try pointer(target, pointee, isAny, shape, direction) }
      if shape.kind == .pages { return try pages(target, pointee, direction, Place(argument)) }
    case .data(let data):
      if shape.kind == .buffer { return try buffer(data, direction, Place(argument)) }
      if shape.kind == .text {
        return try text(data, vocabulary.texts[Int(shape.first)], direction, Place(argument))
      }
    case .structure(let arguments):
      if shape.kind == .structure { return try structure(arguments, shape, direction, Place(argument)) }
    case .array(let arguments):
      guard shape.kind == .array else { break }
      var list = beginList(direction)
      for argument in arguments { append(try bind(argument, shape.first, direction), to: &list) }
      return list.node
    case .option(let name, let value):
      guard shape.kind == .union else { break }
      if let node = try option(name, value, shape, direction) { return node }
      try repair("there is no option \(name)", Place(argument))
      return standard(number, direction)
    }
    try repair("a value of this form does not fit here", Place(argument))
    return standard(number, direction)
  }

  private mutating func integer(
    _ value: UInt64, _ shape: SyzShape, _ direction: SyzDirection, _ argument: SyzArgument
  ) throws(SyzProblem) -> Int32 {
    var value = value
    // A constant's default is its value; that of all others is 0, as is their `shape.value`.
    if case .output = direction, value != shape.value {
      try repair("what the kernel writes has no value yet", Place(argument))
      value = shape.value
    }
    return addNumber(value, shape.width, direction)
  }

  private mutating func pointer(
    _ place: SyzPlace, _ pointee: SyzArgument?, _ isAny: Bool, _ shape: SyzShape, _ direction: SyzDirection
  ) throws(SyzProblem) -> Int32 {
    var node = SyzNode(.pointer, direction)
    switch place {
    case .automatic: node.kind = .automatic
    case .address(let address): node.value = address &- Self.textBase
    case .range(let address, let length): node.value = Self.clamp(address, length).offset
    }
    // Before what it points to, as in the text.
    let number = add(node)
    let child: Int32
    if let pointee {
      child = try isAny ? squashed(pointee, shape.direction) : bind(pointee, shape.first, shape.direction)
    } else {
      child = standard(shape.first, shape.direction)
    }
    nodes[number].child = child
    return number
  }

  private mutating func pages(
    _ target: SyzPlace, _ contents: SyzArgument?, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> Int32 {
    if let contents {
      if case .absent = contents.value {} else { try repair("pages have no contents", place) }
    }
    let (address, length): (UInt64, UInt64?)
    switch target {
    case .automatic: throw SyzProblem(line: place.line, column: place.column, "pages cannot be AUTO")
    case .address(let start): (address, length) = (start, nil)
    case .range(let start, let size): (address, length) = (start, size)
    }
    if address % Self.page != 0 { try repair("the address is not that of a page", place) }
    guard let length else {
      let offset = (address &- Self.textBase) & ~(Self.page &- 1)
      return add(SyzNode(.pages, direction, value: offset, size: 0))
    }
    let range = Self.clamp(address, length)
    return add(SyzNode(.pages, direction, value: range.offset, size: range.length))
  }

  /// A range of whole pages that lies in the data area.
  private static func clamp(_ address: UInt64, _ length: UInt64) -> (offset: UInt64, length: UInt64) {
    let pages = length / page &+ (length % page == 0 ? 0 : 1)
    let length = min(max(pages, 1), SyzLimits.areaBytes / page) &* page
    return (min((address &- textBase) & ~(page &- 1), SyzLimits.areaBytes &- length), length)
  }

  mutating func buffer(
    _ data: SyzData, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> Int32 {
    var size = data.size ?? UInt64(data.bytes.count)
    if size > SyzLimits.areaBytes {
      try repair("longer than the data area", place)
      size = SyzLimits.areaBytes
    }
    if case .output = direction { return addBytes([], size: size, direction) }
    let isCut = UInt64(data.bytes.count) > size
    return addBytes(isCut ? Array(data.bytes.prefix(Int(size))) : data.bytes, size: size, direction)
  }

  private mutating func text(
    _ data: SyzData, _ expected: [UInt8], _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> Int32 {
    // Zeroes at the end are the type's: text need not have them.
    let isEqual = expected.indices.allSatisfy {
      ($0 < data.bytes.count ? data.bytes[$0] : 0) == expected[$0]
    }
    if !isEqual { try repair("the text is \(String(decoding: expected.dropLast(), as: UTF8.self))", place) }
    return addBytes(expected, size: UInt64(expected.count), direction)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// Reads the arguments of a program against the types of its calls.
///
/// What does not fit is an error where the program is read strictly, as tests are. Otherwise it is repaired, mostly
/// into the type's default, and the repair is reported: corpora omit what is a default, and outlive descriptions.
///
/// Source: syzkaller `prog/encoding.go`, `parseArg` and its kind; reference corpora.md sections 1.4 to 1.11.
struct SyzBinder {
  let isStrict: Bool
  /// Repairs that were made, at most `mostRepairs` of them.
  private(set) var repairs: [SyzProblem] = []
  /// The slot of the latest binding of each name.
  var slots: [String: Int] = [:]
  private(set) var slotCount = 0

  private static let mostRepairs = 1_000
  private static let page: UInt64 = 4096
  /// The address that text calls the beginning of the data area.
  private static let textBase: UInt64 = 0x7F00_0000_0000
  /// What an integer in the place of a pointer stands for, by its negative modulo their number. Source: syzkaller
  /// `sys/targets`, `prog.Target.SpecialPointers` of amd64.
  private static let special: [UInt64] = [
    0, .max, 0x9999_9999_9999_9999, 0xFFFF_FFFF_8100_0000, 0xFFFF_FFFF_FF60_0000,
  ]

  init(isStrict: Bool) { self.isStrict = isStrict }

  /// The arguments of a call in the order of the parameters, and the slot of its result.
  mutating func bind(_ call: SyzCall, as row: SyzCallRow) throws(SyzProblem) -> (
    arguments: [SyzNode], result: Int?
  ) {
    let here = Place(call.line, call.column)
    if call.properties.failNth != 0, call.properties.rerun != 0 {
      throw SyzProblem(line: here.line, column: here.column, "fail_nth and rerun exclude each other")
    }
    let nodes = try members(call.arguments, of: row.parameters, .input, here)
    computeLengths(row.parameters, call.arguments, nodes, parent: 0)
    guard let binding = call.binding else { return (nodes, nil) }
    guard row.result != nil else {
      try repair("\(row.name) returns nothing that a variable can hold", here)
      return (nodes, nil)
    }
    return (nodes, declare(binding))
  }

  /// Bindings of a call that is not known: they hide earlier ones and are never filled.
  mutating func forget(_ call: SyzCall) {
    var rest = call.arguments
    while let argument = rest.popLast() {
      if let name = argument.binding { _ = declare(name) }
      switch argument.value {
      case .pointer(_, let pointee?, _): rest.append(pointee)
      case .option(_, let value?): rest.append(value)
      case .structure(let fields): rest += fields
      case .array(let elements): rest += elements
      case .integer, .result, .data, .absent, .automatic, .pointer(_, nil, _), .option(_, nil): break
      }
    }
    if let name = call.binding { _ = declare(name) }
  }

  mutating func declare(_ name: String) -> Int {
    slots[name] = slotCount
    slotCount += 1
    return slotCount - 1
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

  mutating func repair(_ message: String, line: Int, column: Int) throws(SyzProblem) {
    let problem = SyzProblem(line: line, column: column, message)
    if isStrict { throw problem }
    if repairs.count < Self.mostRepairs { repairs.append(problem) }
  }

  mutating func repair(_ message: String, _ place: Place) throws(SyzProblem) {
    try repair(message, line: place.line, column: place.column)
  }

  private mutating func members(
    _ arguments: [SyzArgument], of fields: [SyzField], _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> [SyzNode] {
    if arguments.count != fields.count {
      let what = arguments.count < fields.count ? "too few" : "too many"
      try repair("\(what) values: \(arguments.count) instead of \(fields.count)", place)
    }
    var nodes: [SyzNode] = []
    for (index, field) in fields.enumerated() {
      let direction = field.direction ?? direction
      if index < arguments.count {
        nodes.append(try bind(arguments[index], field.type, direction))
      } else {
        nodes.append(standard(field.type, direction))
      }
    }
    return nodes
  }

  private func computeLengths(
    _ fields: [SyzField], _ arguments: [SyzArgument], _ nodes: [SyzNode], parent: UInt64
  ) {
    for (index, field) in fields.enumerated() {
      guard case .length(let target, let width) = field.type, index < arguments.count,
        arguments[index].value == .automatic
      else { continue }
      let measured = fields.firstIndex { $0.name == target }.map { nodes[$0].measure } ?? parent
      nodes[index].content = .number(.constant(measured), .binary(width: width))
    }
  }

  private mutating func bind(
    _ argument: SyzArgument, _ type: SyzType, _ direction: SyzDirection
  ) throws(SyzProblem) -> SyzNode {
    let node = try value(argument, type, direction)
    if let name = argument.binding {
      if case .resource = type {
        node.slot = declare(name)
      } else {
        try repair("only a resource can be given a name", Place(argument))
      }
    }
    return node
  }

  private mutating func value(
    _ argument: SyzArgument, _ type: SyzType, _ direction: SyzDirection
  ) throws(SyzProblem) -> SyzNode {
    let place = Place(argument)
    switch (argument.value, type) {
    case (.absent, _): return standard(type, direction)
    case (.integer(let value), .constant(let standard, let width)):
      return try number(value, standard, width, direction, place)
    case (.integer(let value), .integer(let width)), (.integer(let value), .length(_, let width)):
      return try number(value, 0, width, direction, place)
    case (.automatic, .constant), (.automatic, .length): return standard(type, direction)
    case (.integer(let value), .resource(let resource, let width)):
      return Self.resource(.constant(value), resource, width, direction)
    case (.result(let variable), .resource(let resource, let width)):
      guard let slot = slots[variable.name] else {
        try repair("\(variable.name) is bound nowhere before", place)
        return standard(type, direction)
      }
      return Self.resource(
        .result(slot: slot, variable, absent: resource.absent), resource, width, direction)
    case (.integer(let value), .pointer), (.integer(let value), .pages):
      return SyzNode(.special(Self.special[Int((0 &- value) % UInt64(Self.special.count))]), direction)
    case (.pointer(let target, let pointee, let isAny), .pointer(let element, let inner)):
      return try pointer(target, pointee, isAny, element, inner, direction)
    case (.pointer(let target, let pointee, _), .pages):
      return try pages(target, pointee, direction, place)
    case (.data(let data), .buffer): return try buffer(data, direction, place)
    case (.data(let data), .text(let text)): return try self.text(data, text, direction, place)
    case (.structure(let arguments), .structure(let structure)):
      let nodes = try members(arguments, of: structure.fields, direction, place)
      let node = Self.layOut(structure, nodes, direction)
      computeLengths(structure.fields, arguments, nodes, parent: node.size)
      return node
    case (.automatic, .structure(let structure)):
      var automatic = SyzArgument(.automatic)
      automatic.line = argument.line
      automatic.column = argument.column
      let arguments = structure.fields.map { _ in automatic }
      let nodes = try members(arguments, of: structure.fields, direction, place)
      let node = Self.layOut(structure, nodes, direction)
      computeLengths(structure.fields, arguments, nodes, parent: node.size)
      return node
    case (.array(let arguments), .array(let element)):
      var nodes: [SyzNode] = []
      for argument in arguments { nodes.append(try bind(argument, element, direction)) }
      return Self.list(nodes, direction)
    default:
      try repair("a value of this form does not fit here", place)
      return standard(type, direction)
    }
  }

  private mutating func number(
    _ value: UInt64, _ standard: UInt64, _ width: Int, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> SyzNode {
    var value = value
    if case .output = direction, value != standard {
      try repair("what the kernel writes has no value yet", place)
      value = standard
    }
    return SyzNode(.number(.constant(value), .binary(width: width)), direction)
  }

  static func resource(
    _ operand: SyzOperand, _ resource: SyzResource, _ width: Int, _ direction: SyzDirection
  ) -> SyzNode {
    SyzNode(.number(operand, .binary(width: width)), direction, isDescriptor: resource == .descriptor)
  }

  private mutating func pointer(
    _ place: SyzPlace, _ pointee: SyzArgument?, _ isAny: Bool, _ element: SyzType, _ inner: SyzDirection,
    _ direction: SyzDirection
  ) throws(SyzProblem) -> SyzNode {
    var contents: SyzNode?
    if let pointee {
      contents = isAny ? try squashed(pointee, inner) : try bind(pointee, element, inner)
    }
    let node = contents ?? standard(element, inner)
    switch place {
    case .automatic: return SyzNode(.pointer(0, node, isAutomatic: true), direction)
    case .address(let address):
      return SyzNode(.pointer(address &- Self.textBase, node, isAutomatic: false), direction)
    case .range(let address, let length):
      return SyzNode(.pointer(Self.clamp(address, length).offset, node, isAutomatic: false), direction)
    }
  }

  private mutating func pages(
    _ target: SyzPlace, _ contents: SyzArgument?, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> SyzNode {
    if let contents, contents.value != .absent { try repair("pages have no contents", place) }
    switch target {
    case .automatic: throw SyzProblem(line: place.line, column: place.column, "pages cannot be AUTO")
    case .address(let address):
      if address % Self.page != 0 { try repair("the address is not that of a page", place) }
      return SyzNode(.pages((address &- Self.textBase) & ~(Self.page &- 1), length: 0), direction)
    case .range(let address, let length):
      if address % Self.page != 0 { try repair("the address is not that of a page", place) }
      let range = Self.clamp(address, length)
      return SyzNode(.pages(range.offset, length: range.length), direction)
    }
  }

  /// A range of whole pages that lies in the data area.
  private static func clamp(_ address: UInt64, _ length: UInt64) -> (offset: UInt64, length: UInt64) {
    let pages = length / page &+ (length % page == 0 ? 0 : 1)
    let length = min(max(pages, 1), SyzLimits.areaBytes / page) &* page
    return (min((address &- textBase) & ~(page &- 1), SyzLimits.areaBytes &- length), length)
  }

  mutating func buffer(
    _ data: SyzData, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> SyzNode {
    var size = data.size ?? UInt64(data.bytes.count)
    if size > SyzLimits.areaBytes {
      try repair("longer than the data area", place)
      size = SyzLimits.areaBytes
    }
    if case .output = direction { return SyzNode(.bytes([], size: size), direction) }
    return SyzNode(.bytes(Array(data.bytes.prefix(Int(size))), size: size), direction)
  }

  private mutating func text(
    _ data: SyzData, _ text: String, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> SyzNode {
    let expected = Array(text.utf8) + [0]
    // Zeroes at the end are the type's: text need not have them.
    let given = data.bytes.prefix(expected.count)
    if given + [UInt8](repeating: 0, count: expected.count - given.count) != expected[...] {
      try repair("the text is \(text)", place)
    }
    return SyzNode(.bytes(expected, size: UInt64(expected.count)), direction)
  }
}

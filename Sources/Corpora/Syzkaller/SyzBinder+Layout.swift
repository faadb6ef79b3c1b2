// SPDX-License-Identifier: GPL-3.0-or-later

// Where the members of structs, arrays and unions lie, what AUTO lengths say, and what stands where a program says
// nothing.

extension SyzBinder {
  /// What is being put together: its node, its last part so far, and where the next one may begin.
  struct Whole {
    let node: Int32
    var last = SyzNode.none
    var end: UInt64 = 0
  }

  func beginGroup(_ direction: SyzDirection) -> SyzNode { SyzNode(.group, direction, size: 0) }

  mutating func beginList(_ direction: SyzDirection) -> Whole {
    Whole(node: add(SyzNode(.list, direction, size: 0)))
  }

  /// The next part of a struct, a list or a union; a list counts its elements in `value`.
  func append(_ part: Int32, to whole: inout Whole, alignment: UInt8 = 1) {
    let offset = Self.align(whole.end, alignment)
    let footprint = nodes[part].footprint
    nodes[part].offset = offset
    if whole.last == SyzNode.none {
      nodes[whole.node].child = part
    } else {
      nodes[whole.last].next = part
    }
    whole.last = part
    whole.end = offset &+ footprint
    nodes[whole.node].size = whole.end
    nodes[whole.node].value &+= 1
  }

  private static func align(_ offset: UInt64, _ alignment: UInt8) -> UInt64 {
    let mask = UInt64(alignment) &- 1
    return (offset &+ mask) & ~mask
  }

  /// Members one behind the other, each aligned, and padding at the end. Nil arguments are all AUTO.
  mutating func structure(
    _ arguments: [SyzArgument]?, _ shape: SyzShape, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> Int32 {
    let count = Int(shape.count)
    if let arguments, arguments.count != count {
      let what = arguments.count < count ? "too few" : "too many"
      try repair("\(what) values: \(arguments.count) instead of \(count)", place)
    }
    var whole = Whole(node: add(beginGroup(direction)))
    for index in 0..<count {
      let slot = fields[Int(shape.first) + index]
      let direction = slot.direction ?? direction
      guard slot.condition < 0 else {
        let isThere = holds(slot.condition, of: whole.node)
        let argument = arguments.flatMap { index < $0.count ? $0[index] : nil }
        let node = try conditional(argument, slot.shape, direction, isThere: isThere)
        append(node, to: &whole, alignment: isThere ? shapes[Int(slot.shape)].alignment : 1)
        continue
      }
      let node: Int32
      if let arguments {
        if index < arguments.count {
          node = try bind(arguments[index], slot.shape, direction)
        } else {
          node = standard(slot.shape, direction)
        }
      } else {
        let automatic = SyzArgument(.automatic, binding: nil, line: place.line, column: place.column)
        node = try bind(automatic, slot.shape, direction)
      }
      append(node, to: &whole, alignment: shapes[Int(slot.shape)].alignment)
    }
    pad(whole, shape)
    computeLengths(shape, arguments, whole.node)
    return whole.node
  }

  private func pad(_ whole: Whole, _ shape: SyzShape) {
    let size = max(Self.align(whole.end, shape.isOpen ? 1 : shape.alignment), shape.value)
    nodes[whole.node].size = size
  }

  // MARK: Lengths

  private func computeLengths(_ shape: SyzShape, _ arguments: [SyzArgument]?, _ whole: Int32) {
    var node = nodes[whole].child
    for index in 0..<Int(shape.count) {
      defer { node = nodes[node].next }
      let slot = fields[Int(shape.first) + index]
      guard shapes[Int(slot.shape)].kind == .length else { continue }
      if let arguments {
        guard index < arguments.count, case .automatic = arguments[index].value else { continue }
      }
      let measured =
        slot.measured < 0 ? nodes[whole].size : measure(part(Int(slot.measured), of: whole))
      nodes[node].value = measured
    }
  }

  private func part(_ index: Int, of whole: Int32) -> Int32 {
    var node = nodes[whole].child
    for _ in 0..<index { node = nodes[node].next }
    return node
  }

  /// What a length field says of a node: elements of an array, bytes of anything else; a pointer stands for what it
  /// points to. Source: syzkaller `prog/size.go`, `generateSize`; reference corpora.md section 1.8.
  private func measure(_ number: Int32) -> UInt64 {
    let node = nodes[number]
    switch node.kind {
    case .pointer, .automatic: return measure(node.child)
    case .special: return 0
    case .list: return node.value
    case .pages, .number, .bytes, .group: return node.size
    }
  }

  // MARK: Unions and conditional fields

  /// `@name` or `@name=...`; nil when the union has no such option.
  mutating func option(
    _ name: String, _ value: SyzArgument?, _ shape: SyzShape, _ direction: SyzDirection
  ) throws(SyzProblem) -> Int32? {
    for index in Int(shape.first)..<Int(shape.first) + Int(shape.count) {
      let slot = fields[index]
      guard vocabulary.names[Int(slot.name)] == name else { continue }
      var whole = Whole(node: add(beginGroup(direction)))
      let direction = slot.direction ?? direction
      let node: Int32
      if let value {
        node = try bind(value, slot.shape, direction)
      } else {
        node = standard(slot.shape, direction)
      }
      append(node, to: &whole)
      pad(whole, shape)
      return whole.node
    }
    return nil
  }

  /// Whether the field that a condition looks at has the value.
  private func holds(_ condition: Int32, of whole: Int32) -> Bool {
    let condition = vocabulary.conditions[Int(condition)]
    return nodes[part(condition.field, of: whole)].value & condition.mask == condition.value
  }

  /// A field that is there where its condition holds: `@value=...`, and `@void` elsewhere.
  private mutating func conditional(
    _ argument: SyzArgument?, _ shape: Int32, _ direction: SyzDirection, isThere: Bool
  ) throws(SyzProblem) -> Int32 {
    if let argument {
      switch (argument.value, isThere) {
      case (.absent, _), (.option("void", nil), false), (.option("value", nil), true): break
      case (.option("value", let value?), true): return try bind(value, shape, direction)
      case (.option("value", _), false):
        try repair("the condition of this field does not hold: it is @void", Place(argument))
      case (.option("void", _), true):
        try repair("the condition of this field holds: it is @value", Place(argument))
      default: try repair("a field with a condition is @value or @void", Place(argument))
      }
    }
    return isThere ? standard(shape, direction) : addBytes([], size: 0, direction)
  }

  // MARK: Defaults

  /// The default of a type. Source: syzkaller `prog/types.go`, `DefaultArg`.
  mutating func standard(_ number: Int32, _ direction: SyzDirection) -> Int32 {
    let shape = shapes[Int(number)]
    switch shape.kind {
    case .constant, .integer, .length: return addNumber(shape.value, shape.width, direction)
    case .descriptor:
      return addNumber(SyzResource.descriptor.absent, shape.width, direction, isDescriptor: true)
    case .handle: return addNumber(SyzResource.handle.absent, shape.width, direction)
    case .pointer:
      let node = add(SyzNode(.pointer, direction))
      let child = standard(shape.first, shape.direction)
      nodes[node].child = child
      return node
    case .pages: return add(SyzNode(.special, direction))
    case .buffer: return addBytes([], size: 0, direction)
    case .text:
      let bytes = vocabulary.texts[Int(shape.first)]
      return addBytes(bytes, size: UInt64(bytes.count), direction)
    case .structure, .union:
      var whole = Whole(node: add(beginGroup(direction)))
      for index in 0..<(shape.kind == .union ? 1 : Int(shape.count)) {
        let slot = fields[Int(shape.first) + index]
        let direction = slot.direction ?? direction
        if slot.condition >= 0, !holds(slot.condition, of: whole.node) {
          append(addBytes([], size: 0, direction), to: &whole)
        } else {
          append(
            standard(slot.shape, direction), to: &whole,
            alignment: shapes[Int(slot.shape)].alignment)
        }
      }
      pad(whole, shape)
      return whole.node
    case .array: return beginList(direction).node
    }
  }
}

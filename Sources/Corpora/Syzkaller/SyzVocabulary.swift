// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc

/// The calls that a program may make, in the form in which the reader looks at them.
///
/// Descriptions are written as trees of names (`SyzCallRow`); programs are read against tables of plain numbers that
/// are made from them once. Reading a program then touches no reference count and compares no field's name.
///
/// `linux` has the calls of `SyzCalls`. Whoever describes further ones (a device with requests of its own) makes
/// another vocabulary.
public final class SyzVocabulary: Sendable {
  public static let linux = SyzVocabulary(SyzCalls.all)

  public let rows: [SyzCallRow]
  /// The parameters of each row: fields `first..<first + count`.
  let parameters: [SyzShape]
  let fields: [SyzSlot]
  let shapes: [SyzShape]
  /// Texts that a pointer must lead to, with their zero byte.
  let texts: [[UInt8]]
  /// The options of unions by name; a union's are behind one another.
  let names: [String]
  let conditions: [(field: Int, mask: UInt64, value: UInt64)]
  private let index: SyzNameTable

  /// - Precondition: no name twice, and lengths and conditions that name fields of their own struct.
  public init(_ rows: [SyzCallRow]) {
    var compiler = SyzCompiler()
    var parameters: [SyzShape] = []
    for row in rows { parameters.append(compiler.list(row.parameters)) }
    self.rows = rows
    self.parameters = parameters
    fields = compiler.fields
    shapes = compiler.shapes
    texts = compiler.texts
    names = compiler.names
    conditions = compiler.conditions
    index = SyzNameTable(rows.map(\.name))
  }

  /// The row of the call with that name.
  func number(of name: String) -> Int? {
    var name = name
    return name.withUTF8 { index.find($0) }
  }

  func number(of name: UnsafeBufferPointer<UInt8>) -> Int? { index.find(name) }

  /// The row of a call, which may have been looked up already.
  func number(of call: SyzCall) -> Int? {
    if self === Self.linux, let number = call.number { return Int(number) }
    return number(of: call.name)
  }
}

/// A type as numbers.
struct SyzShape {
  enum Kind: UInt8 {
    case constant, integer, length, descriptor, handle, pointer, pages, buffer, text, structure, array, union
  }
  var kind: Kind
  /// Of a number, in bytes.
  var width: UInt8 = 0
  var alignment: UInt8 = 1
  /// Who writes what a pointer leads to.
  var direction = SyzDirection.input
  /// A struct or union that is as long as what it holds.
  var isOpen = false
  /// The first field of a struct or a union; the shape behind a pointer or of an array's element; a text's number.
  var first: Int32 = 0
  var count: Int32 = 0
  /// A constant; the size that a struct is padded to, or that of a union.
  var value: UInt64 = 0
}

/// A field: its shape, and what of it depends on its struct.
struct SyzSlot {
  let shape: Int32
  /// Nil as its struct has it.
  let direction: SyzDirection?
  /// The field that a length measures; -1 for the struct.
  var measured: Int32 = -1
  /// -1 for a field that is always there.
  var condition: Int32 = -1
  /// The name of a union's option; -1 for others.
  var name: Int32 = -1
}

private struct SyzCompiler {
  var fields: [SyzSlot] = []
  var shapes: [SyzShape] = []
  var texts: [[UInt8]] = []
  var names: [String] = []
  var conditions: [(field: Int, mask: UInt64, value: UInt64)] = []

  /// Fields behind one another, as the shape of a struct that has them.
  mutating func list(_ list: [SyzField], isUnion: Bool = false) -> SyzShape {
    var made: [SyzSlot] = []
    for (number, field) in list.enumerated() {
      var slot = SyzSlot(shape: add(field.type), direction: field.direction)
      if case .length(let target, _) = field.type, target != "parent" {
        guard let measured = list.firstIndex(where: { $0.name == target }) else {
          preconditionFailure("a length measures a field of its own struct, not \(target)")
        }
        slot.measured = Int32(measured)
      }
      if let condition = field.condition {
        guard let place = list[..<number].firstIndex(where: { $0.name == condition.field }) else {
          preconditionFailure("a condition looks at an earlier field, not at \(condition.field)")
        }
        slot.condition = Int32(conditions.count)
        conditions.append((place, condition.mask, condition.value))
      }
      if isUnion {
        slot.name = Int32(names.count)
        names.append(field.name)
      }
      made.append(slot)
    }
    let first = fields.count
    fields += made
    return SyzShape(kind: isUnion ? .union : .structure, first: Int32(first), count: Int32(made.count))
  }

  private mutating func add(_ type: SyzType) -> Int32 {
    var shape = make(type)
    shape.alignment = UInt8(type.alignment)
    shapes.append(shape)
    return Int32(shapes.count - 1)
  }

  private mutating func make(_ type: SyzType) -> SyzShape {
    switch type {
    case .constant(let value, let width):
      return SyzShape(kind: .constant, width: UInt8(width), value: value)
    case .integer(let width): return SyzShape(kind: .integer, width: UInt8(width))
    case .length(_, let width): return SyzShape(kind: .length, width: UInt8(width))
    case .resource(.descriptor, let width): return SyzShape(kind: .descriptor, width: UInt8(width))
    case .resource(.handle, let width): return SyzShape(kind: .handle, width: UInt8(width))
    case .pointer(let element, let direction):
      return SyzShape(kind: .pointer, direction: direction, first: add(element))
    case .pages: return SyzShape(kind: .pages)
    case .buffer: return SyzShape(kind: .buffer)
    case .text(let text):
      texts.append(Array(text.utf8) + [0])
      return SyzShape(kind: .text, first: Int32(texts.count - 1))
    case .structure(let structure):
      var shape = list(structure.fields)
      shape.isOpen = structure.isOpen
      shape.value = UInt64(structure.size)
      return shape
    case .array(let element): return SyzShape(kind: .array, first: add(element))
    case .union(let union):
      var shape = list(union.options, isUnion: true)
      shape.isOpen = union.isOpen
      shape.value = union.isOpen ? 0 : UInt64(union.options.map(\.type.size).max() ?? 0)
      return shape
    }
  }
}

/// Names of calls, found by their bytes.
private struct SyzNameTable {
  private let names: [[UInt8]]
  /// Numbers of names, or -1, by hash; a power of two of them.
  private var buckets: [Int32]

  init(_ names: [String]) {
    self.names = names.map { Array($0.utf8) }
    var size = 16
    while size < names.count * 4 { size *= 2 }
    buckets = [Int32](repeating: -1, count: size)
    for (number, name) in self.names.enumerated() {
      var place = name.withUnsafeBufferPointer { Self.hash($0) } & (size - 1)
      while buckets[place] >= 0 {
        precondition(self.names[Int(buckets[place])] != name, "every call has a name of its own")
        place = (place + 1) & (size - 1)
      }
      buckets[place] = Int32(number)
    }
  }

  func find(_ name: UnsafeBufferPointer<UInt8>) -> Int? {
    let mask = buckets.count - 1
    var place = Self.hash(name) & mask
    while buckets[place] >= 0 {
      let number = Int(buckets[place])
      if isName(number, name) { return number }
      place = (place + 1) & mask
    }
    return nil
  }

  @inline(__always)
  private func isName(_ number: Int, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
    names[number].withUnsafeBufferPointer { known in
      guard known.count == name.count, let a = known.baseAddress, let b = name.baseAddress else {
        return false
      }
      return memcmp(a, b, name.count) == 0
    }
  }

  /// FNV-1a: the names are ours, so nobody can make them collide.
  private static func hash(_ name: UnsafeBufferPointer<UInt8>) -> Int {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Int(truncatingIfNeeded: hash ^ hash >> 32)
  }
}

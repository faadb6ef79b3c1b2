// SPDX-License-Identifier: GPL-3.0-or-later

/// What a call expects in one place: it gives the text of a program its meaning and its bytes.
///
/// These are the types of syzkaller's descriptions that those of iommufd and VFIO use. Sizes and offsets are those of
/// C on a 64-bit little-endian machine.
///
/// Source: syzkaller `prog/types.go`; reference corpora.md section 1.4.
public indirect enum SyzType: Sendable {
  case constant(UInt64, width: Int)
  /// A number without a meaning of its own, or flags.
  case integer(width: Int)
  /// The size in bytes of the field of that name, of what it points to, or of the enclosing struct where it is
  /// `parent`; the number of elements where that is an array.
  case length(of: String, width: Int)
  case resource(SyzResource, width: Int)
  /// Eight bytes; the contents have a direction of their own.
  case pointer(SyzType, SyzDirection)
  /// A range of whole pages, which has no contents.
  case pages
  /// Bytes, as many as the program gives.
  case buffer
  /// One text, with a zero byte behind it.
  case text(String)
  case structure(SyzStructure)
  case array(SyzType)
  /// One of several, chosen by its name in the program.
  case union(SyzUnion)

  /// Source: the ABI's rule that an aggregate is aligned as its most aligned member.
  public var alignment: Int {
    switch self {
    case .constant(_, let width), .integer(let width), .length(_, let width), .resource(_, let width): width
    case .pointer, .pages: 8
    case .buffer, .text: 1
    case .structure(let structure): structure.fields.map(\.type.alignment).max() ?? 1
    case .array(let element): element.alignment
    case .union(let union): union.options.map(\.type.alignment).max() ?? 1
    }
  }

  /// The bytes of one that the program does not change the length of; of an open one those of its empty form.
  public var size: Int {
    switch self {
    case .constant(_, let width), .integer(let width), .length(_, let width), .resource(_, let width):
      return width
    case .pointer, .pages: return 8
    case .buffer, .array: return 0
    case .text(let text): return text.utf8.count + 1
    case .structure(let structure):
      var end = 0
      for field in structure.fields where field.condition == nil {
        let alignment = field.type.alignment
        end = (end + alignment - 1) / alignment * alignment + field.type.size
      }
      return max((end + alignment - 1) / alignment * alignment, structure.size)
    case .union(let union): return union.isOpen ? 0 : union.options.map(\.type.size).max() ?? 0
    }
  }
}

/// Who writes what a pointer points to.
public enum SyzDirection: Sendable {
  case input, output, both
}

/// What a call makes and another uses.
///
/// syzkaller does not check that the kind fits the place where it is used, and its descriptions of iommufd rely on
/// that: the kind decides the default only. Source: reference corpora.md sections 1.7 and 4.1.
public enum SyzResource: Sendable {
  case descriptor
  /// An object ID of iommufd, or an item of a selftest access.
  case handle

  /// What a use is worth when nothing was made.
  var absent: UInt64 {
    switch self {
    case .descriptor: .max
    case .handle: 0
    }
  }
}

/// A struct of a description, in the order of its fields.
public struct SyzStructure: Sendable {
  public let fields: [SyzField]
  /// The size that it is padded to, where it says more than the fields do.
  public let size: Int

  /// Whether its length depends on the program; such a struct has no padding at its end.
  var isOpen: Bool {
    if fields.contains(where: { $0.condition != nil }) { return true }
    switch fields.last?.type {
    case .buffer, .array: return true
    case .union(let union): return union.isOpen
    default: return false
    }
  }

  public init(size: Int = 0, _ fields: [SyzField]) {
    self.fields = fields
    self.size = size
  }
}

/// A union of a description: `@name=value` in a program.
public struct SyzUnion: Sendable {
  /// The first is the default.
  public let options: [SyzField]
  /// It is as long as what it holds, and not as its longest option.
  public let isOpen: Bool

  /// - Precondition: one option at least.
  public init(isOpen: Bool = false, _ options: [SyzField]) {
    precondition(!options.isEmpty)
    self.options = options
    self.isOpen = isOpen
  }
}

/// A field of a struct, a parameter of a call, or an option of a union.
public struct SyzField: Sendable {
  public let name: String
  public let type: SyzType
  /// Nil as the pointer to the struct has it.
  public let direction: SyzDirection?
  /// Where it is there only sometimes: a program writes `@value=...` where it is, `@void` where not.
  public let condition: SyzCondition?

  public init(
    _ name: String, _ type: SyzType, _ direction: SyzDirection? = nil, condition: SyzCondition? = nil
  ) {
    self.name = name
    self.type = type
    self.direction = direction
    self.condition = condition
  }
}

/// When a conditional field is there: the bits `mask` of an earlier field of the same struct are `value`.
public struct SyzCondition: Sendable {
  public let field: String
  public let mask: UInt64
  public let value: UInt64

  public init(_ field: String, mask: UInt64 = .max, is value: UInt64) {
    self.field = field
    self.mask = mask
    self.value = value
  }
}

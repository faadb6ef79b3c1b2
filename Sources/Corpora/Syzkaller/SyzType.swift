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

  /// Source: the ABI's rule that an aggregate is aligned as its most aligned member.
  var alignment: Int {
    switch self {
    case .constant(_, let width), .integer(let width), .length(_, let width), .resource(_, let width): width
    case .pointer, .pages: 8
    case .buffer, .text: 1
    case .structure(let structure): structure.fields.map(\.type.alignment).max() ?? 1
    case .array(let element): element.alignment
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
    switch fields.last?.type {
    case .buffer, .array: true
    default: false
    }
  }

  public init(size: Int = 0, _ fields: [SyzField]) {
    self.fields = fields
    self.size = size
  }
}

/// A field of a struct, or a parameter of a call.
public struct SyzField: Sendable {
  public let name: String
  public let type: SyzType
  /// Nil as the pointer to the struct has it.
  public let direction: SyzDirection?

  public init(_ name: String, _ type: SyzType, _ direction: SyzDirection? = nil) {
    self.name = name
    self.type = type
    self.direction = direction
  }
}

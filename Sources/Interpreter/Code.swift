// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

/// A place in a script, for messages.
struct Place {
  let source: SourceFile
  let span: Span

  var line: Int { source.line(of: span.start) }
}

/// An expression whose names are slots and whose words are numbers.
///
/// What can be worked out before the run is a `.number` or a `.constant`; the rest is evaluated with no
/// look-up by name but that of members.
indirect enum Code {
  case number(UInt64)
  case constant(Value)
  case slot(Int)
  case member(Code, String, Place)
  case index(Code, Code, Place)
  case range(Code, Code, Place)
  case list([Code])
  case record([(name: String, value: Code)])
  case concatenation([Code], Place)
  case union([Code], Place)
  case unary(UnaryOperator, Code, Place)
  case binary(BinaryOperator, Code, Code, Place)
  case function(Function, [Code], Place)
  /// `any:$x`, `id:$n`: the number of a value, whatever it is.
  case bare(Code, Place)
  /// A value that must be of one of these kinds, where the script alone cannot tell.
  case checked(Code, Set<Kind>, Place)
  /// The length of memory, bytes or a range.
  case length(Code, Place)
  /// The first address of a range or of memory.
  case first(Code, Place)
  /// One of the objects of a device.
  case part(Code, DevicePart, Place)

  /// The value, where it does not depend on the run.
  var constant: UInt64? {
    if case .number(let value) = self { value } else { nil }
  }
}

/// One of the objects of a device, or its properties.
enum DevicePart: Sendable {
  case stdev, device, hwpt, flags
}

/// What a script can call inside a value.
public enum Function: String, CaseIterable, Sendable {
  // Bytes.
  case fill, seq, random, zero, le16, le32, le64, file
  // Addresses and numbers.
  case raw, iova, va, length, count, area
  // The state.
  case state, machine, refs, pins, translate, physical, exists
  // The hardware.
  case leaf, cached, stale

  /// Parameter names in order; those after `required` may be left out.
  public var parameters: (names: [String], required: Int) {
    switch self {
    case .fill: (["byte", "length"], 2)
    case .seq: (["length", "at"], 1)
    case .random: (["length", "seed"], 1)
    case .zero: (["length"], 1)
    case .le16, .le32, .le64: (["value"], 1)
    case .file: (["name"], 1)
    case .raw, .iova, .va: (["value"], 1)
    case .length, .count: (["of"], 1)
    case .area: (["ioas", "index"], 2)
    case .state: (["of"], 0)
    case .machine: ([], 0)
    case .refs, .pins, .physical, .exists: (["of"], 1)
    case .translate, .leaf: (["hwpt", "iova"], 2)
    case .cached: (["device", "iova", "pasid"], 2)
    case .stale: ([], 0)
    }
  }

  /// `refs(of)`, with what may be left out in brackets.
  public var signature: String {
    let (names, required) = parameters
    let shown = names.enumerated().map { $0.offset < required ? $0.element : "[\($0.element)]" }
    return "\(rawValue)(\(shown.joined(separator: ", ")))"
  }

  /// Takes any number of values.
  var isVariadic: Bool {
    switch self {
    case .le16, .le32, .le64: true
    default: false
    }
  }

  /// Looks at what only a bench knows.
  public var needsBench: Bool {
    switch self {
    case .state, .machine, .refs, .pins, .translate, .physical, .exists, .area, .leaf, .cached, .stale: true
    default: false
    }
  }

  /// What it gives, in a few words.
  public var summary: String {
    switch self {
    case .fill: "bytes that are all the same"
    case .seq: "bytes that depend on their position, so that exchanged pages show"
    case .random: "pseudo-random bytes; the same seed gives the same bytes"
    case .zero: "zero bytes"
    case .le16, .le32, .le64: "little-endian integers as bytes"
    case .file: "the bytes of a file of the archive tail, or beside the script"
    case .raw: "a number that is cut to its field without a complaint"
    case .iova, .va: "a number as an address"
    case .length: "the length of memory, bytes or a range"
    case .count: "how many elements a list has"
    case .area: "the IOVA of the n-th area of an IOAS, from 0"
    case .state: "what the bench knows of an object, or of the whole open file"
    case .machine: "what the bench knows of memory and processes"
    case .refs: "how many users an object has, its own existence not counted"
    case .pins: "how often memory is pinned; a list where its pages differ"
    case .translate: "the physical address behind an IOVA, or none"
    case .physical: "the physical address behind user memory, or none"
    case .exists: "1 while the object exists, else 0"
    case .leaf: "the page table's entry around an IOVA: iova, physical, size, read, write, dirty; or none"
    case .cached: "what the IOMMU's caches alone would answer to a device's read, or none"
    case .stale: "caches that still reach a page which is no longer mapped"
    }
  }

  /// What its value is; nil where that depends.
  public var kind: Kind? {
    switch self {
    case .fill, .seq, .random, .zero, .le16, .le32, .le64, .file: .bytes
    case .raw, .iova, .va, .length, .count, .refs, .exists, .area: .number
    case .machine: .record
    case .translate, .physical, .state, .pins, .leaf, .cached: nil
    case .stale: .list
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// The calls that a program can make, by syzkaller's names.
///
/// A call that is not here does nothing when it is replayed: it is counted and named. Source: syzkaller
/// `sys/linux/dev_iommu.txt`, `dev_vfio.txt` and `sys.txt`; reference corpora.md section 4.
public enum SyzCalls {
  public static let all: [SyzCallRow] = files + iommufd + selftest + vfio + own

  public static func row(named name: String) -> SyzCallRow? {
    SyzVocabulary.linux.number(of: name).map { all[$0] }
  }
}

/// One call: its name, what performs it, and what it expects.
public struct SyzCallRow: Sendable {
  public let name: String
  public let action: Action
  public let parameters: [SyzField]
  /// What the returned value is, if anything can use it.
  public let result: SyzResource?

  /// The system call behind it; its variants differ only in what they expect.
  public enum Action: Sendable {
    case open, close, dup, ioctl, read, write, poll, map, unmap, protect, makeMemFD, truncate
  }

  public init(_ name: String, _ action: Action, _ parameters: [SyzField], result: SyzResource? = nil) {
    self.name = name
    self.action = action
    self.parameters = parameters
    self.result = result
  }

  /// The request of an ioctl that has a fixed one.
  public var request: UInt32? {
    guard case .ioctl = action, parameters.count > 1, case .constant(let value, _) = parameters[1].type else {
      return nil
    }
    return UInt32(exactly: value)
  }

  /// The struct that the last parameter points to.
  public var structure: SyzStructure? {
    guard case .pointer(.structure(let structure), _) = parameters.last?.type else { return nil }
    return structure
  }
}

// The words that the tables are written in.

extension SyzField {
  static func u16(_ name: String) -> SyzField { SyzField(name, .integer(width: 2)) }
  static func u32(_ name: String) -> SyzField { SyzField(name, .integer(width: 4)) }
  static func u64(_ name: String) -> SyzField { SyzField(name, .integer(width: 8)) }
  static func out32(_ name: String) -> SyzField { SyzField(name, .integer(width: 4), .output) }
  static func out64(_ name: String) -> SyzField { SyzField(name, .integer(width: 8), .output) }
  /// Read and written by the kernel.
  static func both64(_ name: String) -> SyzField { SyzField(name, .integer(width: 8), .both) }
  static func is16(_ name: String, _ value: UInt64) -> SyzField { SyzField(name, .constant(value, width: 2)) }
  static func is32(_ name: String, _ value: UInt64) -> SyzField { SyzField(name, .constant(value, width: 4)) }
  static func is64(_ name: String, _ value: UInt64) -> SyzField { SyzField(name, .constant(value, width: 8)) }
  /// A reserved field of 32 bits.
  static let reserved = is32("__reserved", 0)
  /// The size of the struct that it opens.
  static let size = SyzField("size", .length(of: "parent", width: 4))
  static func count32(_ name: String, of field: String) -> SyzField {
    SyzField(name, .length(of: field, width: 4))
  }
  static func count64(_ name: String, of field: String) -> SyzField {
    SyzField(name, .length(of: field, width: 8))
  }
  static func id(_ name: String) -> SyzField { SyzField(name, .resource(.handle, width: 4)) }
  static func outID(_ name: String) -> SyzField { SyzField(name, .resource(.handle, width: 4), .output) }
  static func descriptor(_ name: String) -> SyzField { SyzField(name, .resource(.descriptor, width: 4)) }
  static func outDescriptor(_ name: String) -> SyzField {
    SyzField(name, .resource(.descriptor, width: 4), .output)
  }
  static func pointer(_ name: String, _ type: SyzType, _ direction: SyzDirection = .input) -> SyzField {
    SyzField(name, .pointer(type, direction))
  }
}

extension SyzCallRow {
  /// An ioctl with a struct.
  static func ioctl(
    _ name: String, _ request: UInt64, size: Int = 0, direction: SyzDirection = .input, _ fields: [SyzField],
    result: SyzResource? = nil
  ) -> SyzCallRow {
    SyzCallRow(
      "ioctl$" + name, .ioctl,
      [
        .descriptor("fd"), .is64("cmd", request),
        .pointer("arg", .structure(SyzStructure(size: size, fields)), direction),
      ], result: result)
  }

  /// An ioctl with a number, or with nothing.
  static func ioctl(_ name: String, _ request: UInt64, number: SyzField?) -> SyzCallRow {
    SyzCallRow(
      "ioctl$" + name, .ioctl, [.descriptor("fd"), .is64("cmd", request)] + (number.map { [$0] } ?? []))
  }

  /// An openat of one path.
  static func open(_ name: String, _ path: String) -> SyzCallRow {
    SyzCallRow(
      "openat$" + name, .open,
      [
        .is64("fd", SyzCalls.currentDirectory), .pointer("file", .text(path)), .u64("flags"),
        .is64("mode", 0),
      ],
      result: .descriptor)
  }
}

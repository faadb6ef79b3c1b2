// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language

// What names stand for while a script runs. Values remember what they are: an object knows its type and
// number, a buffer its place and length, a device which of its three objects exist. So a statement can be
// checked before it becomes bytes, and a message can say `$vm` where the kernel said 1.

/// What a value is, as far as it can be told from the script or from the value.
public enum Kind: String, CaseIterable, Sendable, BitwiseCopyable {
  case context, ioas, device, hwpt, faultq, viommu, vdevice, veventq, hwqueue, access, item
  case memfd, dmabuf, fd, process
  /// An IOMMU of the machine.
  case iommu
  case memory, number, range, bytes, text, list, record
  /// A physical address.
  case physical
  /// The state of a machine at one moment.
  case snapshot
  case nothing

  /// `an ioas`, `a device`
  public var described: String {
    switch self {
    case .nothing: "nothing"
    case .memory: "user memory"
    case .bytes, .text: rawValue
    case .fd: "a file descriptor"
    case .physical: "a physical address"
    case .hwpt: "a hardware page table"
    case .item: "an item of an access"
    case .ioas, .access: "an \(rawValue)"
    case .iommu: "an IOMMU"
    default: "a \(rawValue)"
    }
  }

  /// Objects that the context's ID space numbers.
  static let objects: Set<Kind> = [.ioas, .device, .hwpt, .faultq, .viommu, .vdevice, .veventq, .hwqueue]
  /// What has a file descriptor.
  static let descriptors: Set<Kind> = [.context, .faultq, .veventq, .access, .memfd, .dmabuf, .fd]
}

/// An object or a descriptor of the target.
struct Handle: Equatable, Sendable, BitwiseCopyable {
  var kind: Kind
  /// The object ID; for what is only a descriptor, 0.
  var id: UInt32
  /// The descriptor; -1 for what has none.
  var fd: Int32
  /// For an event queue, its type.
  var detail: UInt32

  init(_ kind: Kind, id: UInt32 = 0, fd: Int32 = -1, detail: UInt32 = 0) {
    self.kind = kind
    self.id = id
    self.fd = fd
    self.detail = detail
  }
}

/// A device that `device add` made.
///
/// A mock device comes to exist, as the selftest command has it, with its first `attach`; until then its three objects
/// have the number 0, which is never valid. A PCI function is there from the beginning; what a program does first, it
/// opens the function's device node and binds it, and gets the number of the iommufd object.
final class ScriptDevice {
  /// Of a mock device.
  let flags: UInt64
  /// The bench's number of a PCI function; nil for a mock device.
  let function: Int?
  /// The device node of a PCI function, once it is open.
  var file: Int32?
  var stdev: UInt32 = 0
  var device: UInt32 = 0
  var hwpt: UInt32 = 0
  /// Its iommufd object exists.
  var exists: Bool { device != 0 }

  init(flags: UInt64) {
    self.flags = flags
    function = nil
  }

  init(function: Int) {
    flags = 0
    self.function = function
  }

  func forget() {
    file = nil
    stdev = 0
    device = 0
    hwpt = 0
  }
}

/// A run-time value.
enum Value {
  /// The statement that binds the name has not run, or failed.
  case unset
  case none
  case number(UInt64)
  case handle(Handle)
  case device(ScriptDevice)
  /// A part of the process's memory.
  case memory(address: UInt64, length: UInt64)
  /// A closed range.
  case range(first: UInt64, last: UInt64)
  case bytes([UInt8])
  /// Bytes of which only the bits in the mask count; only in expectations.
  case pattern(HexLiteral)
  /// A word or a text.
  case text(String)
  case physical(UInt64)
  case list([Value])
  case record([Member])
  case snapshot(KeptSnapshot)

  struct Member {
    let name: String
    let value: Value
  }

  var kind: Kind {
    switch self {
    case .unset, .none: .nothing
    case .number: .number
    case .handle(let handle): handle.kind
    case .device: .device
    case .memory: .memory
    case .range: .range
    case .bytes, .pattern: .bytes
    case .text: .text
    case .physical: .physical
    case .list: .list
    case .record: .record
    case .snapshot: .snapshot
    }
  }

  /// The value as one integer, where it can be told which.
  var number: UInt64? {
    switch self {
    case .number(let value), .physical(let value): value
    case .handle(let handle):
      Kind.objects.contains(handle.kind) || handle.kind == .iommu
        ? UInt64(handle.id) : UInt64(UInt32(bitPattern: handle.fd))
    case .device(let device): UInt64(device.device)
    case .memory(let address, _): address
    default: nil
    }
  }

  /// The descriptor, where there is one.
  var descriptor: Int32? {
    switch self {
    case .handle(let handle) where handle.fd >= 0: handle.fd
    case .number(let value): Int32(truncatingIfNeeded: value)
    default: nil
    }
  }

  subscript(_ name: String) -> Value? {
    guard case .record(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// What a bench knows, as a value.
  init(_ fact: Fact) {
    switch fact {
    case .number(let value), .hex(let value): self = .number(value)
    case .id(let value): self = .number(UInt64(value))
    case .flag(let value): self = .number(value ? 1 : 0)
    case .text(let value): self = .text(value)
    case .range(let first, let last): self = .range(first: first, last: last)
    case .list(let items): self = .list(items.map { Value($0) })
    case .record(let members):
      self = .record(members.map { Member(name: $0.name, value: Value($0.value)) })
    case .none: self = .none
    }
  }
}

extension Value {
  /// Whether two values are the same thing, however each of them was come by: an object equals its number,
  /// memory its address, a text the word.
  static func same(_ a: Value, _ b: Value) -> Bool {
    switch (a, b) {
    case (.none, .none), (.unset, .unset): return true
    case (.none, .list(let items)), (.list(let items), .none): return items.isEmpty
    case (.none, .bytes(let bytes)), (.bytes(let bytes), .none): return bytes.isEmpty
    case (.memory(let a, let n), .memory(let b, let m)): return a == b && n == m
    case (.range(let a, let b), .range(let c, let d)): return a == c && b == d
    case (.bytes(let a), .bytes(let b)): return a == b
    case (.bytes(let bytes), .pattern(let pattern)), (.pattern(let pattern), .bytes(let bytes)):
      guard bytes.count == pattern.bytes.count else { return false }
      return bytes.indices.allSatisfy { (bytes[$0] ^ pattern.bytes[$0]) & pattern.mask[$0] == 0 }
    case (.pattern(let a), .pattern(let b)): return a == b
    case (.text(let a), .text(let b)): return a == b || a.lowercased() == b.lowercased()
    case (.text(let text), .bytes(let bytes)), (.bytes(let bytes), .text(let text)):
      return Array(text.utf8) == bytes
    case (.list(let a), .list(let b)):
      return a.count == b.count && zip(a, b).allSatisfy { same($0, $1) }
    case (.record(let a), .record(let b)):
      return a.count == b.count
        && a.allSatisfy { member in b.contains { $0.name == member.name && same(member.value, $0.value) } }
    case (.device(let a), .device(let b)): return a === b
    case (.handle(let a), .handle(let b)): return a.kind == b.kind && a.id == b.id && a.fd == b.fd
    default:
      guard let left = a.number, let right = b.number else { return false }
      return left == right
    }
  }
}

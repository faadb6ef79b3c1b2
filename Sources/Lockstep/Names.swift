// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// What the second target calls the things that the first has names for.
struct Names {
  /// By descriptor of the first.
  private var descriptors: [Int32: Int32] = [:]
  /// By descriptor of the open `/dev/iommu` and object ID, where the IDs differ.
  private var objects: [Int32: [UInt64: UInt64]] = [:]

  /// A descriptor that is open in neither target.
  private static let nothing = Int32.max

  /// The standard streams are whatever they are; what was not opened through the lockstep is open in neither.
  func descriptor(_ fd: Int32) -> Int32 { descriptors[fd] ?? (fd < 3 ? fd : Self.nothing) }

  mutating func opened(_ first: Int32, _ second: Int32) { descriptors[first] = second }

  mutating func closed(_ first: Int32) {
    descriptors[first] = nil
    objects[first] = nil
  }

  /// The second's value of a field that holds a name; nil for a field that holds none.
  func other(_ value: UInt64, _ field: Field, in fd: Int32) -> UInt64? {
    switch field.meaning {
    case .fileDescriptor:
      UInt64(UInt32(bitPattern: descriptor(Int32(truncatingIfNeeded: value))))
    case .objectID: objects[fd]?[value] ?? value
    default: nil
    }
  }

  /// Learns what a call that succeeded on both answered in a field.
  mutating func learn(_ first: UInt64, _ second: UInt64, _ field: Field, in fd: Int32) {
    switch field.meaning {
    case .fileDescriptor: opened(Int32(truncatingIfNeeded: first), Int32(truncatingIfNeeded: second))
    case .objectID where field.direction == .output:
      // An ID that is used again has a new owner.
      if first != second || objects[fd]?[first] != nil { objects[fd, default: [:]][first] = second }
    default: break
    }
  }
}

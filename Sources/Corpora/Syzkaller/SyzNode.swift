// SPDX-License-Identifier: GPL-3.0-or-later

/// An argument that has met its type: what lies where in memory, with addresses that are not all known yet.
///
/// The nodes of a program lie in one array in the order of its text, an outer one before what it holds, and know
/// each other by their places in it. Room for `&AUTO` is found, and lengths are computed, when the whole call or
/// program is there.
struct SyzNode {
  enum Kind: UInt8 {
    /// `value`, or what `operand` says.
    case number
    /// `value` is an address of a process that is none of the data area: null, or one that no process can use.
    case special
    /// `value` is an offset into the data area, and `child` what lies there.
    case pointer
    /// Like it, with an offset that is to be found.
    case automatic
    /// `size` bytes of whole pages of the data area, at the offset `value`.
    case pages
    /// The bytes `blob`, and zeroes up to `size`.
    case bytes
    /// Parts at their offsets.
    case group
    /// Elements behind one another.
    case list
  }

  /// No node, no operand, no blob, no slot.
  static let none: Int32 = -1

  var kind: Kind
  /// Who writes it; what only the kernel writes is not stored before the call.
  let direction: SyzDirection
  let isDescriptor: Bool
  var notation: SyzNotation
  /// The slot that takes what the call stores here.
  var slot = none
  var operand = none
  var blob = none
  /// The first part of a group or a list; what a pointer points to.
  var child = none
  /// The next part of what holds this one.
  var next = none
  var value: UInt64
  /// The bytes that it takes in memory; of pages those that it stands for.
  var size: UInt64
  /// Where it lies in what holds it.
  var offset: UInt64 = 0

  init(
    _ kind: Kind, _ direction: SyzDirection, value: UInt64 = 0, size: UInt64 = 8,
    notation: SyzNotation = .binary(width: 8), isDescriptor: Bool = false
  ) {
    self.kind = kind
    self.direction = direction
    self.isDescriptor = isDescriptor
    self.notation = notation
    self.value = value
    self.size = size
  }

  /// The bytes that it takes in memory.
  var footprint: UInt64 { kind == .pages ? 8 : size }
}

/// The nodes of one program.
final class SyzNodes {
  private var base = UnsafeMutablePointer<SyzNode>.allocate(capacity: 256)
  private var capacity = 256
  private(set) var count = 0

  // The nodes own nothing, so they need not be destroyed one by one.
  deinit { base.deallocate() }

  /// - Returns: its number.
  func add(_ node: SyzNode) -> Int32 {
    if count == capacity { grow() }
    (base + count).initialize(to: node)
    count += 1
    return Int32(truncatingIfNeeded: count - 1)
  }

  /// - Precondition: the number of a node.
  subscript(number: Int32) -> SyzNode {
    unsafeAddress {
      assert(0 <= number && Int(number) < count)
      return UnsafePointer(base + Int(number))
    }
    unsafeMutableAddress {
      assert(0 <= number && Int(number) < count)
      return base + Int(number)
    }
  }

  private func grow() {
    let larger = UnsafeMutablePointer<SyzNode>.allocate(capacity: capacity * 2)
    larger.moveInitialize(from: base, count: count)
    base.deallocate()
    base = larger
    capacity *= 2
  }
}

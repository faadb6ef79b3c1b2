// SPDX-License-Identifier: GPL-3.0-or-later

/// An argument that has met its type: what lies where in memory, with addresses that are not all known yet.
///
/// A reference type, since room for `&AUTO` is found, and lengths are computed, when the whole call or program is
/// there.
final class SyzNode {
  enum Content {
    case number(SyzOperand, SyzNotation)
    /// An address of a process that is none of the data area: null, or one that no process can use.
    case special(UInt64)
    /// An offset into the data area, and what lies there.
    case pointer(UInt64, SyzNode, isAutomatic: Bool)
    /// Pages of the data area.
    case pages(UInt64, length: UInt64)
    /// The bytes, and the size that zeroes fill up to.
    case bytes([UInt8], size: UInt64)
    /// Parts at their offsets; `count` of them are elements where it is an array.
    case group([(offset: UInt64, node: SyzNode)], size: UInt64, isArray: Bool)
  }

  var content: Content
  /// Who writes it; what only the kernel writes is not stored before the call.
  let direction: SyzDirection
  /// The slot that takes what the call stores here, and whether that is a descriptor.
  var slot: Int?
  let isDescriptor: Bool

  init(_ content: Content, _ direction: SyzDirection, isDescriptor: Bool = false) {
    self.content = content
    self.direction = direction
    self.isDescriptor = isDescriptor
  }

  /// The bytes that it takes in memory.
  var size: UInt64 {
    switch content {
    case .number(_, let notation): UInt64(notation.size)
    case .special, .pointer, .pages: 8
    case .bytes(_, let size): size
    case .group(_, let size, _): size
    }
  }

  /// What a length field says of it: elements of an array, bytes of anything else; a pointer stands for what it
  /// points to. Source: syzkaller `prog/size.go`, `generateSize`; reference corpora.md section 1.8.
  var measure: UInt64 {
    switch content {
    case .pointer(_, let pointee, _): pointee.measure
    case .special: 0
    case .pages(_, let length): length
    case .group(let parts, _, isArray: true): UInt64(parts.count)
    case .number, .bytes, .group: size
    }
  }
}

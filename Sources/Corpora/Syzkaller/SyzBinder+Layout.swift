// SPDX-License-Identifier: GPL-3.0-or-later

// Where the members of structs and arrays lie, and what stands where a program says nothing.

extension SyzBinder {
  /// Members one behind the other, each aligned, and padding at the end.
  static func layOut(_ structure: SyzStructure, _ nodes: [SyzNode], _ direction: SyzDirection)
    -> SyzNode
  {
    var offset: UInt64 = 0
    var parts: [(offset: UInt64, node: SyzNode)] = []
    for (field, node) in zip(structure.fields, nodes) {
      offset = align(offset, field.type.alignment)
      parts.append((offset, node))
      offset &+= node.size
    }
    let size = max(
      align(offset, structure.isOpen ? 1 : SyzType.structure(structure).alignment), UInt64(structure.size))
    return SyzNode(.group(parts, size: size, isArray: false), direction)
  }

  private static func align(_ offset: UInt64, _ alignment: Int) -> UInt64 {
    let mask = UInt64(alignment) &- 1
    return (offset &+ mask) & ~mask
  }

  static func list(_ nodes: [SyzNode], _ direction: SyzDirection) -> SyzNode {
    var offset: UInt64 = 0
    var parts: [(offset: UInt64, node: SyzNode)] = []
    for node in nodes {
      parts.append((offset, node))
      offset &+= node.size
    }
    return SyzNode(.group(parts, size: offset, isArray: true), direction)
  }

  /// The default of a type. Source: syzkaller `prog/types.go`, `DefaultArg`.
  func standard(_ type: SyzType, _ direction: SyzDirection) -> SyzNode {
    switch type {
    case .constant(let value, let width):
      return SyzNode(.number(.constant(value), .binary(width: width)), direction)
    case .integer(let width), .length(_, let width):
      return SyzNode(.number(.constant(0), .binary(width: width)), direction)
    case .resource(let resource, let width):
      return Self.resource(.constant(resource.absent), resource, width, direction)
    case .pointer(let element, let inner):
      return SyzNode(.pointer(0, standard(element, inner), isAutomatic: false), direction)
    case .pages: return SyzNode(.special(0), direction)
    case .buffer: return SyzNode(.bytes([], size: 0), direction)
    case .text(let text):
      let bytes = Array(text.utf8) + [0]
      return SyzNode(.bytes(bytes, size: UInt64(bytes.count)), direction)
    case .structure(let structure):
      let nodes = structure.fields.map { standard($0.type, $0.direction ?? direction) }
      return Self.layOut(structure, nodes, direction)
    case .array: return Self.list([], direction)
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// The nodes of a program on their way to stores and loads: a pointer is stored before what it points to.
struct SyzFlattening {
  private let nodes: SyzNodes
  private let operands: [SyzOperand]
  private let blobs: [[UInt8]]
  private var stores: [SyzImage.Store] = []
  private var loads: [SyzImage.Load] = []
  /// Bytes that the program may still store.
  private var left = SyzLimits.storedBytes
  private(set) var isOverflown = false

  init(_ binder: SyzBinder) {
    nodes = binder.nodes
    operands = binder.operands
    blobs = binder.blobs
    place()
  }

  /// Gives every `&AUTO` pointer its address: first what is taken is marked, by automatic pointers at offset 0; then
  /// each takes room in the order of the text, outer before inner.
  private func place() {
    let all = 0..<Int32(nodes.count)
    guard all.contains(where: { nodes[$0].kind == .automatic }) else { return }
    var room = SyzRoom()
    for number in all where nodes[number].kind == .automatic || nodes[number].kind == .pointer {
      room.note(nodes[number].value, size: nodes[nodes[number].child].footprint)
    }
    for number in all where nodes[number].kind == .automatic {
      nodes[number].value = room.find(size: nodes[nodes[number].child].footprint)
      nodes[number].kind = .pointer
    }
  }

  /// What is done before a call and behind it, and its arguments: the parts of `node`. The nodes of the next call
  /// begin at `end`.
  mutating func call(_ node: Int32, until end: Int32) -> (
    stores: [SyzImage.Store], arguments: [SyzOperand], loads: [SyzImage.Load]
  ) {
    guard node != SyzNode.none else { return ([], [], []) }
    stores = []
    loads = []
    // One store a node, and those of the call itself are none.
    stores.reserveCapacity(Int(end - node))
    var arguments: [SyzOperand] = []
    arguments.reserveCapacity(Int(nodes[node].value))
    var part = nodes[node].child
    while part != SyzNode.none {
      arguments.append(argument(nodes[part]))
      part = nodes[part].next
    }
    return (stores, arguments, loads)
  }

  private mutating func argument(_ node: SyzNode) -> SyzOperand {
    switch node.kind {
    case .number: return operand(node)
    case .special: return .constant(node.value)
    case .pages: return .constant(SyzImage.area &+ node.value)
    case .pointer, .automatic:
      store(node.child, at: SyzImage.area &+ node.value)
      return .constant(SyzImage.area &+ node.value)
    case .bytes, .group, .list: return .constant(0)
    }
  }

  private func operand(_ node: SyzNode) -> SyzOperand {
    node.operand < 0 ? .constant(node.value) : operands[Int(node.operand)]
  }

  private mutating func store(_ number: Int32, at address: UInt64) {
    let node = nodes[number]
    let isOutput = node.direction == .output
    switch node.kind {
    case .group, .list:
      var part = node.child
      while part != SyzNode.none {
        let (offset, next) = (nodes[part].offset, nodes[part].next)
        store(part, at: address &+ offset)
        part = next
      }
    case .number:
      if !isOutput, Self.room(at: address) >= node.size {
        add(.number(at: address, operand(node), node.notation), node.size)
      }
      guard node.direction != .input, node.slot >= 0 || node.isDescriptor,
        case .binary(let width) = node.notation
      else { return }
      loads.append(
        SyzImage.Load(
          address: address, width: width, slot: node.slot < 0 ? nil : Int(node.slot),
          isDescriptor: node.isDescriptor))
    case .special: storeAddress(node.value, at: address, isOutput)
    case .pages: storeAddress(SyzImage.area &+ node.value, at: address, isOutput)
    case .pointer, .automatic:
      storeAddress(SyzImage.area &+ node.value, at: address, isOutput)
      store(node.child, at: SyzImage.area &+ node.value)
    case .bytes:
      let size = min(node.size, Self.room(at: address))
      guard !isOutput, size > 0 else { return }
      let bytes = node.blob < 0 ? [] : blobs[Int(node.blob)]
      add(
        .bytes(at: address, UInt64(bytes.count) > size ? Array(bytes.prefix(Int(size))) : bytes, size: size),
        size)
    }
  }

  private mutating func storeAddress(_ value: UInt64, at address: UInt64, _ isOutput: Bool) {
    if !isOutput, Self.room(at: address) >= 8 {
      add(.number(at: address, .constant(value), .binary(width: 8)), 8)
    }
  }

  /// Bytes of the data area from `address` on: what would lie beyond it is not stored, as a fault would have it.
  private static func room(at address: UInt64) -> UInt64 {
    let offset = address &- SyzImage.area
    return offset < SyzLimits.areaBytes ? SyzLimits.areaBytes - offset : 0
  }

  private mutating func add(_ store: SyzImage.Store, _ size: UInt64) {
    guard size <= left else {
      isOverflown = true
      return
    }
    left -= size
    stores.append(store)
  }
}

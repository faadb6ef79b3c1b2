// SPDX-License-Identifier: GPL-3.0-or-later

/// The variables of a program that hold what calls made, by the numbers that these are.
struct SyzVariables {
  enum Kind {
    /// Of an open file, as items are.
    case object, item
    case descriptor
  }

  struct Made {
    let name: String
    let value: UInt64
    let kind: Kind
    /// The field that answered it.
    let field: String
  }

  fileprivate(set) var objects: [UInt64: Made] = [:]
  private var items: [UInt64: Made] = [:]
  private var descriptors: [UInt64: Made] = [:]

  func name(_ value: UInt64, _ kind: Kind) -> String? {
    switch kind {
    case .object: objects[value]?.name
    case .item: items[value]?.name
    case .descriptor: descriptors[value]?.name
    }
  }

  mutating func add(_ made: Made) {
    switch made.kind {
    case .object: objects[made.value] = made
    case .item: items[made.value] = made
    case .descriptor: descriptors[made.value] = made
    }
  }

  mutating func close(_ descriptor: UInt64) { descriptors[descriptor] = nil }

  /// Another file is spoken to: it has objects of its own.
  func with(objectsOf other: SyzVariables) -> SyzVariables {
    var result = self
    result.objects = other.objects
    result.items = other.items
    return result
  }
}

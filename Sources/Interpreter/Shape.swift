// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// What a result looks like: how it is printed, and which words an expectation about it may use.
indirect enum Shape: Sendable {
  case number
  case hex
  case flags(NamedValues)
  case choice(NamedValues)
  case object(Kind)
  case memory
  case range
  case bytes
  case text
  case list(Shape)
  case record([Member])
  case any

  struct Member: Sendable {
    let name: String
    let shape: Shape

    init(_ name: String, _ shape: Shape) {
      self.name = name
      self.shape = shape
    }
  }

  /// The names that a word compared with it may come from.
  var names: NamedValues? {
    switch self {
    case .flags(let names), .choice(let names): names
    default: nil
    }
  }

  /// How a reference calls it.
  var described: String {
    switch self {
    case .number: "a number"
    case .hex: "a number in hexadecimal"
    case .flags(let names): "flags of " + names.entries.map(\.name).joined(separator: " ")
    case .choice(let names): "one of " + names.entries.map(\.name).joined(separator: " ")
    case .object(let kind): kind.described
    case .memory: "user memory"
    case .range: "a range"
    case .bytes: "bytes"
    case .text: "a text"
    case .list(let element): "a list; each is \(element.described)"
    case .record(let members): "{" + members.map(\.name).joined(separator: ", ") + "}"
    case .any: "a value"
    }
  }

  /// What is known of the kind of a value that is bound to it.
  var kind: Kind? {
    switch self {
    case .number, .hex, .flags, .choice: .number
    case .object(let kind): kind
    case .memory: .memory
    case .range: .range
    case .bytes: .bytes
    case .text: .text
    case .list: .list
    case .record: .record
    case .any: nil
    }
  }

  func member(_ name: String) -> Shape? {
    guard case .record(let members) = self else { return nil }
    return members.first { $0.name == name }?.shape
  }

  var element: Shape? {
    if case .list(let element) = self { element } else { nil }
  }

  init(_ meaning: Field.Meaning) {
    switch meaning {
    case .number, .reserved: self = .number
    case .flags(let names): self = .flags(names)
    case .choice(let names): self = .choice(names)
    case .objectID, .fileDescriptor: self = .number
    case .iova, .length, .userPointer: self = .hex
    }
  }
}

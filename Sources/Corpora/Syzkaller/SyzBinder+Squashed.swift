// SPDX-License-Identifier: GPL-3.0-or-later

// Pointees that were squashed into a list of pieces. Source: syzkaller `prog/any.go`; reference corpora.md section 1.9.

extension SyzBinder {
  /// `ANY=[...]`: pieces one behind the other, whatever the type.
  mutating func squashed(
    _ argument: SyzArgument, _ direction: SyzDirection
  ) throws(SyzProblem) -> Int32 {
    guard case .array(let pieces) = argument.value else {
      throw SyzProblem(line: argument.line, column: argument.column, "ANY is a list")
    }
    var list = beginList(direction)
    for piece in pieces {
      guard case .option(let name, let value) = piece.value else {
        throw SyzProblem(line: piece.line, column: piece.column, "a piece of ANY is @ANYBLOB or an @ANYRES")
      }
      let place = Place(piece)
      if name == "ANYBLOB" {
        if let value, case .data(let data) = value.value {
          append(try buffer(data, direction, place), to: &list)
        } else if value != nil {
          try repair("@ANYBLOB has bytes", place)
        }
        continue
      }
      guard let notation = Self.notation(name) else {
        throw SyzProblem(line: piece.line, column: piece.column, "no piece of ANY is called \(name)")
      }
      append(try anyResource(value, notation, direction, place), to: &list)
    }
    return list.node
  }

  private mutating func anyResource(
    _ argument: SyzArgument?, _ notation: SyzNotation, _ direction: SyzDirection, _ place: Place
  ) throws(SyzProblem) -> Int32 {
    var value = UInt64.max
    var node: Int32?
    switch argument?.value {
    case .none, .absent: break
    case .integer(let given): value = given
    case .result(let variable):
      if let slot = scope.slot(of: variable.name) {
        node = addResult(slot, variable, absent: .max, direction, notation)
      } else {
        try repair("\(variable.name) is bound nowhere before", place)
      }
    default: try repair("a value of this form does not fit here", place)
    }
    let made =
      node
      ?? add(
        SyzNode(.number, direction, value: value, size: UInt64(notation.size), notation: notation))
    if let name = argument?.binding {
      let slot = Int32(truncatingIfNeeded: scope.declare(name))
      nodes[made].slot = slot
    }
    return made
  }

  private static func notation(_ name: String) -> SyzNotation? {
    switch name {
    case "ANYRES8": .binary(width: 1)
    case "ANYRES16": .binary(width: 2)
    case "ANYRES32": .binary(width: 4)
    case "ANYRES64": .binary(width: 8)
    case "ANYRESDEC": .decimal
    case "ANYRESHEX": .hexadecimal
    case "ANYRESOCT": .octal
    default: nil
    }
  }
}

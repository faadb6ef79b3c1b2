// SPDX-License-Identifier: GPL-3.0-or-later

/// Which operands of an operation mean something, and what: for whoever makes programs, so that a change of a record is
/// mostly a change of what it does.
public struct ByteShape: Sendable {
  /// What `x` or `y` is taken for.
  public enum Number: Sendable {
    case nothing
    /// Below 256 one of 16 lengths, 0 the usual one.
    case length
    /// A mapping by the highest byte, and how far into it.
    case address
    case number
  }

  public let name: String
  public private(set) var usesA = false
  public private(set) var usesB = false
  /// `b` is a place in memory.
  public private(set) var isPlace = false
  public private(set) var usesFlags = false
  public private(set) var x = Number.nothing
  public private(set) var y = Number.nothing

  /// Every operation of the newest version, by its number; those of an older one come first.
  public static let all = ByteOperation.table(version: ByteProgram.newestVersion).map { ByteShape($0) }

  private init(_ operation: ByteOperation) {
    name = operation.name
    for (_, source) in operation.fields { use(source) }
    for put in operation.puts { use(put.source) }
    if operation.file != nil { usesA = true }
    use(operation.effect)
  }

  private mutating func use(_ source: ByteOperation.Source) {
    switch source {
    case .a, .nestingBase, .nestingCaches: usesA = true
    case .b: usesB = true
    case .flags, .parentFlags, .reserved, .kind, .scene: usesFlags = true
    case .length: x = .length
    case .part: (x, y) = (.length, .address)
    case .iova, .place, .freshIOVA: y = .address
    case .memory: (usesB, isPlace) = (true, true)
    case .x: x = .number
    case .y, .patch: y = .number
    case .guestCommand: (usesB, x, y) = (true, .number, .number)
    case .guestMemory, .area, .fixed: break
    }
  }

  private mutating func use(_ effect: ByteOperation.Effect) {
    switch effect {
    case .command, .selftest, .fork, .disarmFailure, .plug, .open: break
    case .openDevice, .close, .switchProcess, .exitProcess, .armFailure, .finished, .unplug, .poll:
      usesA = true
    case .fill, .put: (usesB, isPlace, x, y) = (true, true, .number, .number)
    case .unmapMemory: (usesB, isPlace, x) = (true, true, .number)
    case .memfd: x = .length
    case .read: (usesA, x) = (true, .number)
    case .write: (usesA, x, y) = (true, .number, .number)
    case .raw: (usesA, usesB, x, y) = (true, true, .number, .number)
    case .memlockLimit: y = .number
    case .answerFault, .capability, .guestTable: (usesA, usesFlags) = (true, true)
    case .interrupt: (usesA, x) = (true, .number)
    case .dma, .translationRequest, .pageRequest:
      (usesA, usesB, usesFlags, x, y) = (true, true, true, .number, .address)
    case .cut: (usesA, y) = (true, .address)
    case .grow: (usesA, x, y) = (true, .length, .address)
    }
  }
}

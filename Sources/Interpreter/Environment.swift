// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
public import UAPI

/// What conditions ask about: the machine a script runs on, known before its first statement.
public struct Environment: Sendable {
  public var kernel: KernelVersion
  /// `mock`, ...
  public var backend: String
  /// Whether one can look behind the waist.
  public var hasBench: Bool

  public init(kernel: KernelVersion, backend: String, hasBench: Bool) {
    self.kernel = kernel
    self.backend = backend
    self.hasBench = hasBench
  }

  /// Backends that a bare word in a condition may name.
  public static let backends = ["mock"] + hardware + ["device"]
  /// Those with a model of real hardware, whose devices are PCI functions.
  static let hardware = ["vtd", "amd", "smmuv3", "riscv", "s390"]
  /// Everything that a condition may ask about.
  public static let names = ["kernel", "backend", "bench"] + backends

  /// Whether a term holds; nil when it asks about something unknown.
  func holds(_ term: Condition.Term) -> Bool? {
    guard let value = plainly(term) else { return nil }
    return value != term.isNegated
  }

  private func plainly(_ term: Condition.Term) -> Bool? {
    switch (term.name.text, term.comparison, term.value?.kind) {
    case ("kernel", .some(let comparison), .some(.version(let version))):
      return Self.compare(comparison, kernel, Self.version(version.parts))
    case ("kernel", .some(let comparison), .some(.number(let number))):
      return Self.compare(comparison, kernel, Self.version([UInt32(clamping: number.value)]))
    case ("backend", .some(let comparison), .some(let value)):
      guard let name = Self.word(value) else { return nil }
      switch comparison {
      case .equal: return backend == name
      case .notEqual: return backend != name
      default: return nil
      }
    case ("bench", nil, nil): return hasBench
    case (let name, nil, nil) where Self.backends.contains(name): return backend == name
    default: return nil
    }
  }

  static func version(_ parts: [UInt32]) -> KernelVersion {
    KernelVersion(UInt16(clamping: parts[0]), UInt16(clamping: parts.count > 1 ? parts[1] : 0))
  }

  private static func word(_ value: Expression.Kind) -> String? {
    switch value {
    case .word(let word): word
    case .string(let bytes): String(decoding: bytes, as: UTF8.self)
    default: nil
    }
  }

  private static func compare(_ comparison: Comparison, _ a: KernelVersion, _ b: KernelVersion) -> Bool? {
    switch comparison {
    case .equal: a == b
    case .notEqual: a != b
    case .less: a < b
    case .lessOrEqual: a <= b
    case .greater: a > b
    case .greaterOrEqual: a >= b
    case .within, .has, .matches: nil
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// What must come back: everything after `->`.
///
/// `-> EEXIST` · `-> EOPNOTSUPP [kernel<6.13] | ok` · `-> ok, iova=0x1000` · `-> "hello"` · `-> [{dev=$d, cookie=?c}]`
///
/// `-> ?` has neither outcomes nor checks: nobody has said yet what must come back, so nothing that comes is right.
public struct Expectation: Sendable {
  /// The accepted outcomes; empty when only checks were written, and then the command must succeed.
  ///
  /// The first alternative whose condition holds is *the* outcome; if none holds, any of those without a
  /// condition is accepted.
  public var alternatives: [Alternative]
  /// Further demands on the results; all must hold.
  public var checks: [Check]
  /// From `->` to the end of the clause: the bytes that update mode may rewrite.
  public var span: Span

  /// `-> ?`: update mode is to fill it in.
  public var isOpen: Bool { alternatives.isEmpty && checks.isEmpty }

  public init(alternatives: [Alternative], checks: [Check], span: Span) {
    self.alternatives = alternatives
    self.checks = checks
    self.span = span
  }

  /// `EEXIST`, `EOPNOTSUPP [kernel<6.13]`
  public struct Alternative: Sendable {
    public var outcome: Outcome
    public var condition: Condition?
    public var span: Span

    public init(outcome: Outcome, condition: Condition?, span: Span) {
      self.outcome = outcome
      self.condition = condition
      self.span = span
    }
  }
}

/// How a command ended.
public enum Outcome: Hashable, Sendable {
  case ok
  /// An errno by name (`EEXIST`); whether it exists is for the table outside to say.
  case errno(String)
  case kind(Class)

  /// Outcomes that are not one errno.
  public enum Class: String, CaseIterable, Sendable {
    /// Any errno, and the state is as it was before.
    case rejected
    /// Any errno; a part may have happened.
    case failed
    /// The request waits.
    case blocked
    /// A device's access faulted.
    case fault
    /// It worked, and some cache still reaches a page that is no longer mapped.
    case stale
  }

  /// As written in a script.
  public var spelling: String {
    switch self {
    case .ok: "ok"
    case .errno(let name): name
    case .kind(let outcome): outcome.rawValue
    }
  }
}

/// `iova=0x1000`, `caps has DIRTY_TRACKING`, `iova in a...b`, `hwpt=?auto`, or a bare pattern.
public struct Check: Sendable {
  /// Which result; empty for a bare pattern, which means the command's primary result.
  public var path: [PathStep]
  /// `.equal` for a bare pattern.
  public var comparison: Comparison
  public var pattern: Pattern
  public var span: Span

  public init(path: [PathStep], comparison: Comparison, pattern: Pattern, span: Span) {
    self.path = path
    self.comparison = comparison
    self.pattern = pattern
    self.span = span
  }
}

/// One step of a path into a result: `pages[0].iova` has three.
public enum PathStep: Sendable {
  case field(Name)
  case index(Expression)
}

public enum Comparison: String, CaseIterable, Sendable {
  case equal = "="
  case notEqual = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  /// The value lies in a closed range or is an element of a list.
  case within = "in"
  /// The flags include, or the list contains.
  case has = "has"
  /// The text or bytes contain.
  case matches = "~"
}

/// What a value is compared with.
public struct Pattern: Sendable {
  public var kind: Kind
  public var span: Span

  public init(_ kind: Kind, span: Span) {
    self.kind = kind
    self.span = span
  }

  public indirect enum Kind: Sendable {
    /// Equal to this value; `hex"**"` may hold wildcards here.
    case value(Expression)
    /// `?name`: anything, and bind it.
    case binding(Symbol)
    /// `none`: nothing came back.
    case none
    /// `...`, only as an element of `ordered`: any number of elements.
    case gap
    /// `[a, ..., c]`: these, in this order.
    case ordered([Pattern])
    /// `{ a, b }`: these, in any order.
    case unordered([Pattern])
    /// `{dev=$d, cookie=?c}`: a record whose fields pass; fields not named are free.
    case record([Check])
  }
}

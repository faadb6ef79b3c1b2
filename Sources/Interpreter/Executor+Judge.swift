// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// Comparing what came back with what was demanded.

extension Executor {
  /// The slow way: with checks, or because something is wrong.
  func judge(_ command: CommandNode, _ node: Node, isAsExpected: Bool) {
    var failed: CheckCode?
    var bound: [(slot: Int, value: Value)] = []
    if isAsExpected {
      do throws(Stop) {
        for check in command.demand.checks where failed == nil {
          let value = result(check.result, command)
          if try !matches(value, check.path, check.comparison, check.pattern, &bound, check.place) {
            failed = check
          }
        }
      } catch {
        stop(error, node)
        return
      }
    }
    let isPassed = isAsExpected && failed == nil
    if isPassed { for (slot, value) in bound { slots[slot] = value } }
    settle(isPassed, node) { mismatch(command, node, failed) }
  }

  /// Counts a statement that passed or failed, which for an announced failure is the other way round.
  func settle(_ isPassed: Bool, _ node: Node, _ diagnostic: () -> Diagnostic) {
    switch (isPassed, node.expectedFailure) {
    case (true, nil): report.passed &+= 1
    case (false, nil):
      // A loop can fail a million times; what nobody will read is only counted.
      if report.hasRoom { fail(diagnostic()) } else { report.failed += 1 }
    case (false, .some): report.expectedFailures += 1
    case (true, .some(let failure)): fail(Self.unexpectedPass(failure, node.place))
    }
  }

  // MARK: Patterns

  func matches(
    _ value: Value, _ path: [StepCode], _ comparison: Comparison, _ pattern: PatternCode,
    _ bound: inout [(slot: Int, value: Value)], _ place: Place
  ) throws(Stop) -> Bool {
    var value = value
    for step in path {
      switch step {
      case .field(let name):
        guard let next = value[name] else { return false }
        value = next
      case .index(let code):
        let index = Int(clamping: try number(code, place))
        guard case .list(let items) = value, index < items.count else { return false }
        value = items[index]
      }
    }
    return try matches(value, comparison, pattern, &bound, place)
  }

  func matches(
    _ value: Value, _ comparison: Comparison, _ pattern: PatternCode,
    _ bound: inout [(slot: Int, value: Value)], _ place: Place
  ) throws(Stop) -> Bool {
    switch comparison {
    case .equal: return try equals(value, pattern, &bound, place)
    case .notEqual: return try !equals(value, pattern, &bound, place)
    default: break
    }
    guard case .value(let code) = pattern else { return false }
    let right = try self.value(code)
    switch comparison {
    case .within:
      switch right {
      case .range(let first, let last):
        if case .range(let low, let high) = value { return low >= first && high <= last }
        guard let number = value.number else { return false }
        return number >= first && number <= last
      case .list(let items): return items.contains { same(value, $0) }
      default: return false
      }
    case .has:
      if case .list(let items) = value { return items.contains { same($0, right) } }
      guard let bits = right.number, let number = value.number else { return false }
      return number & bits == bits
    case .matches:
      return contains(value, right)
    default:
      guard let a = value.number, let b = right.number else { return false }
      switch comparison {
      case .less: return a < b
      case .lessOrEqual: return a <= b
      case .greater: return a > b
      default: return a >= b
      }
    }
  }

  /// Whether text or bytes contain others.
  private func contains(_ whole: Value, _ part: Value) -> Bool {
    func bytes(_ value: Value) -> [UInt8]? {
      switch value {
      case .bytes(let bytes): bytes
      case .text(let text): Array(text.utf8)
      default: nil
      }
    }
    guard let whole = bytes(whole), let part = bytes(part) else { return false }
    if part.isEmpty { return true }
    guard whole.count >= part.count else { return false }
    return (0...whole.count - part.count).contains { start in
      whole[start] == part[0] && whole[start..<start + part.count].elementsEqual(part)
    }
  }

  private func equals(
    _ value: Value, _ pattern: PatternCode, _ bound: inout [(slot: Int, value: Value)], _ place: Place
  ) throws(Stop) -> Bool {
    switch pattern {
    case .value(let code): return same(value, try self.value(code))
    case .binding(let slot):
      if case .none = value { return false }
      bound.append((slot, value))
      return true
    case .none: return same(value, .none)
    case .gap: return true
    case .ordered(let parts):
      guard let items = elements(of: value) else { return false }
      return try ordered(items, parts, &bound, place)
    case .unordered(let parts):
      guard let items = elements(of: value), items.count == parts.count else { return false }
      return try unordered(items, parts, &bound, place)
    case .record(let members):
      var subject = value
      // One record may stand for a list of one.
      if case .list(let items) = value, items.count == 1 { subject = items[0] }
      for member in members {
        if try !matches(subject, member.path, member.comparison, member.pattern, &bound, place) {
          return false
        }
      }
      return true
    }
  }

  private func elements(of value: Value) -> [Value]? {
    switch value {
    case .list(let items): items
    case .none: []
    default: nil
    }
  }

  /// Elements in order; a gap takes as few as it can, and what follows it is tried anew further on.
  private func ordered(
    _ items: [Value], _ parts: [PatternCode], _ bound: inout [(slot: Int, value: Value)], _ place: Place
  ) throws(Stop) -> Bool {
    var item = 0
    var part = 0
    var retry: (item: Int, part: Int, bound: Int)?
    while item < items.count || part < parts.count {
      if part < parts.count, case .gap = parts[part] {
        retry = (item, part, bound.count)
        part += 1
        continue
      }
      if part < parts.count, item < items.count, try equals(items[item], parts[part], &bound, place) {
        item += 1
        part += 1
        continue
      }
      guard let last = retry, last.item < items.count else { return false }
      bound.removeLast(bound.count - last.bound)
      retry = (last.item + 1, last.part, last.bound)
      item = last.item + 1
      part = last.part + 1
    }
    return true
  }

  /// Elements in any order: a perfect matching, found by augmenting paths.
  private func unordered(
    _ items: [Value], _ parts: [PatternCode], _ bound: inout [(slot: Int, value: Value)], _ place: Place
  ) throws(Stop) -> Bool {
    guard items.count <= 2048 else { return false }
    var fits: [[Bool]] = []
    for part in parts {
      var row: [Bool] = []
      for item in items {
        var ignored: [(slot: Int, value: Value)] = []
        row.append(try equals(item, part, &ignored, place))
      }
      fits.append(row)
    }
    var owner = [Int?](repeating: nil, count: items.count)
    func assign(_ part: Int, _ seen: inout [Bool]) -> Bool {
      for item in items.indices where fits[part][item] && !seen[item] {
        seen[item] = true
        if let other = owner[item], !assign(other, &seen) { continue }
        owner[item] = part
        return true
      }
      return false
    }
    for part in parts.indices {
      var seen = [Bool](repeating: false, count: items.count)
      if !assign(part, &seen) { return false }
    }
    for (item, part) in owner.enumerated() {
      if let part { _ = try equals(items[item], parts[part], &bound, place) }
    }
    return true
  }

  // MARK: Expect

  func execute(_ expect: ExpectNode, _ node: Node) {
    guard bench != nil || !expect.needsBench else {
      stop(.needsBench, node)
      return
    }
    guard let code = expect.subject else {
      guard isQuiescent else {
        return settle(false, node) {
          Diagnostic(
            .wrongState, in: node.place.source, at: node.place.span,
            "invariants hold between statements, and a thread is inside one")
        }
      }
      let violations = bench?.violations() ?? []
      settle(violations.isEmpty, node) { brokenInvariants(violations, node.place) }
      return
    }
    do throws(Stop) {
      let found = try value(code)
      var bound: [(slot: Int, value: Value)] = []
      let isPassed = try matches(found, expect.comparison, expect.pattern, &bound, node.place)
      if isPassed { for (slot, value) in bound { slots[slot] = value } }
      settle(isPassed, node) { mismatch(expect, node, found) }
    } catch {
      stop(error, node)
    }
  }

  func checkInvariants(behind node: Node) {
    guard let bench else { return }
    let violations = bench.violations()
    if !violations.isEmpty { fail(brokenInvariants(violations, node.place)) }
    let stale = noteStaleTranslations()
    if !stale.isEmpty { fail(staleTranslations(stale, node.place)) }
  }
}

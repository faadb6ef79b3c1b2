// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// What a clause would have to be. Only what does not hold is written anew: of a clause with an outcome and three checks
// the one check, of a list the one element, of a record the one field. What holds stays as its author wrote it, however
// loosely.

extension Executor {
  private typealias Part = ClauseLog.Part

  /// Why a clause cannot be written.
  private struct Unwritable: Error {
    let why: String

    init(_ why: String) { self.why = why }
  }

  // MARK: Commands

  /// Keeps what a command's clause would have to be.
  ///
  /// - Returns: what the parts of the clause bind that hold.
  func observe(_ command: CommandNode, _ node: Node, isAsExpected: Bool, in log: ClauseLog) -> [(
    slot: Int, value: Value
  )] {
    guard node.place.source === log.source, node.expectedFailure == nil else { return [] }
    let printer = ValueText(executor: self, slots: command.visible)
    let answer = outcomeParts(command, printer, isWritten: true)
    let said = outcomeText(command, printer)
    guard let clause = log.clauses[command.demandSpan.start] else {
      if case .failSomehow = command.demand.outcome {
        noteMark(command.demandSpan, isAsExpected: isAsExpected, said, in: log)
      }
      return []
    }
    var bound: [(slot: Int, value: Value)] = []
    var parts: [Part] = []
    let isRefused = errno != 0 || ending == .faulted
    if !isAsExpected {
      parts = replaced(clause, by: answer, isRefused: isRefused, of: command.demand, in: log)
    }
    // Where another errno came, or the right one, the checks go on being about the same results.
    if isAsExpected || parts.contains(where: { $0.span != clause.span }) {
      let specs = specs(of: command)
      for (check, written) in zip(command.demand.checks, clause.checks) where check.result < specs.count {
        parts.append(
          part(check, written, result(check.result, command), specs[check.result].shape, printer, &bound, log)
        )
      }
    }
    log.note(clause.span.start, ClauseLog.Round(said: said, parts: parts))
    return bound
  }

  /// `!` in front of a command that succeeded: without it the command must succeed.
  private func noteMark(_ span: Span, isAsExpected: Bool, _ said: String, in log: ClauseLog) {
    let bytes = log.source.bytes
    var end = Int(span.end)
    while end < bytes.count, bytes[end] == 0x20 || bytes[end] == 0x09 { end += 1 }
    let whole = Span(span.start, UInt32(end))
    let text = isAsExpected ? log.source.text(whole) : ""
    log.note(
      span.start, ClauseLog.Round(said: said, parts: [Part(span: whole, text: text, kind: .success)]))
  }

  /// The parts of a clause whose outcome is another one.
  private func replaced(
    _ clause: Expectation, by answer: [String], isRefused: Bool, of demand: Demand, in log: ClauseLog
  ) -> [Part] {
    if clause.isOpen { return [whole(clause, answer, .filled, in: log)] }
    var wantedRefusal = false
    if case .oneOf(let accepted) = demand.outcome {
      wantedRefusal = accepted.allSatisfy { ![.ok, .blocked, .stale].contains($0) }
    }
    let kind: ClauseLog.Kind =
      wantedRefusal && !isRefused ? .success : Self.isLoose(clause) ? .pattern : .literal
    let isConditional = clause.alternatives.contains { $0.condition != nil }
    guard isConditional || wantedRefusal && isRefused else {
      return [whole(clause, answer, kind, in: log)]
    }
    // One errno for another, or one of several outcomes that hold on different kernels.
    guard let span = Self.outcome(of: clause, Environment(rig)),
      clause.checks.isEmpty || wantedRefusal && isRefused
    else {
      return [
        Part(
          span: clause.span, text: "", kind: kind,
          obstacle: "its outcomes depend on conditions, and which of them to change is for a person to say")
      ]
    }
    return [Part(span: span, text: answer[0], kind: kind)]
  }

  /// The outcomes that count here: the first whose condition holds, else those without one, if they stand side by side.
  private static func outcome(of clause: Expectation, _ environment: Environment) -> Span? {
    for alternative in clause.alternatives {
      guard let condition = alternative.condition,
        condition.terms.allSatisfy({ environment.holds($0) ?? false })
      else { continue }
      let start = alternative.span.start
      return Span(start, start + UInt32(alternative.outcome.spelling.utf8.count))
    }
    let free = clause.alternatives.indices.filter { clause.alternatives[$0].condition == nil }
    guard let first = free.first, let last = free.last, last - first + 1 == free.count else { return nil }
    return clause.alternatives[first].span.joined(clause.alternatives[last].span)
  }

  /// A whole clause.
  private func whole(_ clause: Expectation, _ answer: [String], _ kind: ClauseLog.Kind, in log: ClauseLog)
    -> Part
  {
    let results = answer.first == "ok" ? answer.dropFirst() : answer[...]
    let text = "-> " + (results.isEmpty ? "ok" : results.joined(separator: ", "))
    var part = Part(span: clause.span, text: text, kind: kind)
    if clause.checks.contains(where: { !Resolver.bindings(in: $0.pattern).isEmpty }) {
      part.obstacle = "it binds names, which would be gone"
    } else if log.source.bytes[Int(clause.span.start)..<Int(clause.span.end)].contains(UInt8(ascii: "#")),
      Lexer.tokenize(log.source).0.comments.contains(where: { clause.span.contains($0.span.start) })
    {
      part.obstacle = "a comment stands inside of it"
    }
    return part
  }

  // MARK: Other clauses

  /// Keeps what the clause of a statement with plain results would have to be.
  func observe(
    _ demand: Demand, at span: Span, _ node: Node, _ results: [(name: String, value: Value, shape: Shape)]
  ) {
    guard let log = clauses, node.place.source === log.source, let clause = log.clauses[span.start] else {
      return
    }
    let printer = ValueText(executor: self)
    let answer = results.map { "\($0.name)=\(printer.text($0.value, $0.shape))" }
    var bound: [(slot: Int, value: Value)] = []
    var parts: [Part] = []
    if clause.isOpen {
      parts = [whole(clause, answer, .filled, in: log)]
    } else {
      for (check, written) in zip(demand.checks, clause.checks) {
        let result = results[check.result]
        parts.append(part(check, written, result.value, result.shape, printer, &bound, log))
      }
    }
    log.note(span.start, ClauseLog.Round(said: answer.joined(separator: ", "), parts: parts))
  }

  /// The same of a thread's `run`, which answers `ok` or `blocked`.
  func observe(_ run: RunNode, _ answer: String?, _ mayBe: (ok: Bool, blocked: Bool), _ node: Node) {
    guard let log = clauses, node.place.source === log.source, let answer,
      let clause = log.clauses[run.demandSpan.start]
    else { return }
    let isAsExpected = answer == "ok" ? mayBe.ok : mayBe.blocked
    let kind: ClauseLog.Kind = clause.isOpen ? .filled : .literal
    log.note(
      clause.span.start,
      ClauseLog.Round(said: answer, parts: isAsExpected ? [] : [whole(clause, [answer], kind, in: log)]))
  }

  /// A clause `-> ?` that was met outside of update mode.
  func openClause(_ node: Node, _ answer: String) -> Diagnostic {
    Diagnostic(
      .wrongResult, in: node.place.source, at: node.place.span, "nobody has said what this must answer",
      details: [
        Diagnostic.Detail("paste", "-> \(answer)"),
        Diagnostic.Detail("fill in", "iofd run \(program.source.name) --update=accept"),
      ])
  }

  // MARK: Checks

  private func part(
    _ check: CheckCode, _ written: Check, _ result: Value, _ shape: Shape, _ printer: ValueText,
    _ bound: inout [(slot: Int, value: Value)], _ log: ClauseLog
  ) -> Part {
    let source = log.source
    do throws(Unwritable) {
      var found: [(slot: Int, value: Value)] = []
      var value = result
      var inner = shape
      do throws(Stop) {
        if try matches(value, check.path, check.comparison, check.pattern, &found, check.place) {
          bound += found
          return Part(span: written.span, text: source.text(written.span), kind: .literal)
        }
        (value, inner) = try member(check.path, of: value, shape, check.place)
      } catch { throw Unwritable("what it compares with cannot be worked out") }
      guard check.comparison == .equal else {
        let text = try text(value, inner, printer, like: nil)
        return Part(
          span: written.span, text: written.path.isEmpty ? text : "\(check.name)=\(text)", kind: .pattern)
      }
      let change = try changes(of: check.pattern, written.pattern, value, inner, printer, check.place)
      let piece = SourceFile(name: "", text: source.text(written.span))
      let edits = change.edits.map {
        TextEdit(Span($0.span.start - written.span.start, $0.span.end - written.span.start), $0.text)
      }
      return Part(
        span: written.span, text: String(decoding: TextEdit.applied(edits, to: piece), as: UTF8.self),
        kind: change.isLoose ? .pattern : .literal)
    } catch {
      return Part(span: written.span, text: "", kind: .literal, obstacle: error.why)
    }
  }

  private func member(_ path: [StepCode], of value: Value, _ shape: Shape, _ place: Place) throws(Stop) -> (
    Value, Shape
  ) {
    var (value, shape) = (value, shape)
    for step in path {
      switch step {
      case .field(let name):
        value = value[name] ?? .none
        shape = shape.member(name) ?? .any
      case .index(let code):
        let index = Int(clamping: try number(code, place))
        if case .list(let items) = value, index < items.count { value = items[index] } else { value = .none }
        shape = shape.element ?? .any
      }
    }
    return (value, shape)
  }

  private struct Changes {
    var edits: [TextEdit] = []
    /// What is replaced accepts more than one value.
    var isLoose = false
  }

  /// What has to change in a pattern for a value to match.
  private func changes(
    of pattern: PatternCode, _ written: Pattern, _ value: Value, _ shape: Shape, _ printer: ValueText,
    _ place: Place
  ) throws(Unwritable) -> Changes {
    func replaced() throws(Unwritable) -> Changes {
      guard Resolver.bindings(in: written).isEmpty else {
        throw Unwritable("it binds names, which would be gone")
      }
      return Changes(
        edits: [TextEdit(written.span, try text(value, shape, printer, like: written))],
        isLoose: Self.isLoose(written))
    }
    do throws(Stop) {
      var ignored: [(slot: Int, value: Value)] = []
      if try matches(value, .equal, pattern, &ignored, place) { return Changes() }
    } catch { throw Unwritable("what it compares with cannot be worked out") }
    switch (pattern, written.kind) {
    case (.binding, _): throw Unwritable("nothing came that it could bind")
    case (.ordered(let parts), .ordered(let elements)):
      guard case .list(let items) = value, items.count == parts.count, parts.count == elements.count,
        !elements.contains(where: { if case .gap = $0.kind { true } else { false } })
      else { return try replaced() }
      var all = Changes()
      for (index, item) in items.enumerated() {
        let change = try changes(
          of: parts[index], elements[index], item, shape.element ?? .any, printer, place)
        all.edits += change.edits
        all.isLoose = all.isLoose || change.isLoose
      }
      return all
    case (.record(let members), .record(let checks)):
      var subject = value
      var inner = shape
      if case .list(let items) = value, items.count == 1 {
        subject = items[0]
        inner = shape.element ?? .any
      }
      guard case .record = subject, members.count == checks.count else { return try replaced() }
      var all = Changes()
      for (code, check) in zip(members, checks) {
        var ignored: [(slot: Int, value: Value)] = []
        let found: Value
        let foundShape: Shape
        do throws(Stop) {
          if try matches(subject, code.path, code.comparison, code.pattern, &ignored, place) { continue }
          (found, foundShape) = try member(code.path, of: subject, inner, place)
        } catch { throw Unwritable("what it compares with cannot be worked out") }
        if code.comparison == .equal {
          let change = try changes(of: code.pattern, check.pattern, found, foundShape, printer, place)
          all.edits += change.edits
          all.isLoose = all.isLoose || change.isLoose
        } else {
          all.edits.append(
            TextEdit(check.span, "\(code.name)=\(try text(found, foundShape, printer, like: nil))"))
          all.isLoose = true
        }
      }
      return all
    default: return try replaced()
    }
  }

  // MARK: Values

  /// A value as its author would write it: in the base and unit of what stands there, objects by their names.
  private func text(_ value: Value, _ shape: Shape, _ printer: ValueText, like written: Pattern?)
    throws(Unwritable) -> String
  {
    let old: Expression.Kind? =
      if case .value(let expression)? = written?.kind { expression.kind } else { nil }
    var isNumbered = false
    switch old {
    case .number, .reference: isNumbered = true
    default: break
    }
    if case .unordered = written?.kind, case .list(let items) = value, !items.isEmpty {
      var parts: [String] = []
      for item in items { parts.append(try text(item, shape.element ?? .any, printer, like: nil)) }
      return "{ " + parts.joined(separator: ", ") + " }"
    }
    if case .number(let literal)? = old, let number = value.number {
      switch value {
      case .number, .handle, .device, .physical: return Self.spelt(number, like: literal)
      default: break
      }
    }
    if case .hex? = old, case .bytes(let bytes) = value, !bytes.isEmpty, bytes.count <= 128 {
      let literal = HexLiteral(bytes: bytes, mask: [UInt8](repeating: 0xFF, count: bytes.count))
      return Printer.text(Expression(.hex(literal), span: .zero))
    }
    let text = printer.text(value, shape)
    switch (value, shape) {
    case (.handle, _), (.device, _), (.number, .object), (.snapshot, _):
      guard text.hasPrefix("$") || isNumbered else {
        throw Unwritable("it answered an object, and no name stands for it here")
      }
    default: break
    }
    let limit = 400
    guard text.utf8.count <= limit, !text.hasSuffix(" ...") else {
      throw Unwritable("the answer is longer than a clause should be")
    }
    return text
  }

  private static func spelt(_ number: UInt64, like literal: NumberLiteral) -> String {
    var unit = literal.unit == .pages ? .one : literal.unit
    if number % (1 << UInt64(unit.scaleLg2)) != 0 || number == 0 { unit = .one }
    let radix: NumberLiteral.Radix =
      literal.radix == .decimal && unit == .one && number > 0xFFFF ? .hexadecimal : literal.radix
    return Printer.text(Expression(.number(NumberLiteral(number, radix: radix, unit: unit)), span: .zero))
  }

  // MARK: Looseness

  /// Whether a clause accepts more than one answer.
  private static func isLoose(_ clause: Expectation) -> Bool {
    clause.alternatives.count > 1
      || clause.alternatives.contains { $0.outcome == .kind(.failed) || $0.outcome == .kind(.rejected) }
      || clause.checks.contains { $0.comparison != .equal || isLoose($0.pattern) }
  }

  private static func isLoose(_ pattern: Pattern) -> Bool {
    switch pattern.kind {
    case .value(let value): if case .hex(let literal) = value.kind { literal.hasWildcards } else { false }
    case .binding, .gap: true
    case .none: false
    case .ordered(let parts), .unordered(let parts): parts.contains { isLoose($0) }
    case .record(let checks): checks.contains { $0.comparison != .equal || isLoose($0.pattern) }
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI
internal import Views

// Explaining a failure from the message alone: what was expected, what came, the request in words, the
// check that refused it, the state it met, and a line to paste.

extension Executor {
  // MARK: Counting

  func fail(_ diagnostic: Diagnostic) {
    report.failed += 1
    var diagnostic = diagnostic
    diagnostic.notes += frameNotes
    report.add(diagnostic)
  }

  func problem(_ code: DiagnosticCode, _ place: Place, _ message: String, help: [String] = []) {
    fail(Diagnostic(code, in: place.source, at: place.span, message, help: help))
  }

  /// A statement that could not be carried out.
  func stop(_ stop: Stop, _ node: Node) {
    switch stop {
    case .blocked(let slot):
      report.blocked += 1
      let info = program.slots[slot]
      report.note("\(node.place.source.name):\(node.place.line): blocked, since '\(info.name)' is not bound")
    case .needsBench, .actsThroughBench:
      report.skipped += 1
      report.note("\(node.place.source.name):\(node.place.line): skipped, the target cannot be looked into")
    case .problem(let problem):
      let place = problem.place.span.isEmpty ? node.place : problem.place
      settle(false, node) {
        Diagnostic(problem.code, in: place.source, at: place.span, problem.message, help: problem.help)
      }
    case .mismatch: settle(false, node) { memoryMismatch(compared.expected, compared.got, node) }
    }
  }

  /// The loops and calls around a statement.
  private var frameNotes: [Diagnostic.Note] {
    frames.reversed().map { frame in
      switch frame.kind {
      case .loop(let loop):
        Diagnostic.Note(
          "in the round with \(loop.name)=\(ValueText(executor: self).text(slots[loop.slot], .any))",
          in: frame.place.source, at: frame.place.span)
      case .call(let procedure):
        Diagnostic.Note(
          "in '\(procedure.name)', called here", in: frame.place.source, at: frame.place.span)
      case .include(let include):
        Diagnostic.Note("in '\(include.path)', included here", in: frame.place.source, at: frame.place.span)
      }
    }
  }

  // MARK: Mismatches

  /// A command that answered something else.
  func mismatch(_ command: CommandNode, _ node: Node, _ check: CheckCode?) -> Diagnostic {
    let printer = ValueText(executor: self)
    let name = command.verb?.name ?? command.command.words[0].text
    var details: [Diagnostic.Detail] = []
    let got = outcomeText(command, printer)
    if let check {
      let value = result(check.result, command)
      let shape = specs(of: command)[check.result].shape
      details.append(Diagnostic.Detail("-", "expected \(place(check.place))"))
      details.append(Diagnostic.Detail("+", "got      \(check.name)=\(printer.text(value, shape))"))
      details += difference(expectedBytes(check), value)
    } else {
      details.append(Diagnostic.Detail("-", "expected \(expectedText(command.demand))"))
      details.append(Diagnostic.Detail("+", "got      \(got)"))
    }
    if let reason = reason?.reason {
      details.append(Diagnostic.Detail("reason", "refused because \(reason)"))
    }
    if case .oneOf(let accepted) = command.demand.outcome, accepted.contains(.rejected), hasChangedState,
      errno != 0, let first = before.first
    {
      let now = bench.flatMap { $0.state(of: context ?? -1) } ?? .none
      let changes = FactText.difference(first, now)
      details.append(
        Diagnostic.Detail(
          "changed", changes.isEmpty ? "the state behind the file" : changes.prefix(6).joined(separator: "; ")
        ))
    }
    if let plan = lastPlan {
      keepIfUnsent()
      let text = PlanText(executor: self)
      details.append(Diagnostic.Detail("request", text.request(plan)))
      if plan.request != 0, isReplyWorthShowing(plan) {
        details.append(Diagnostic.Detail("reply", text.reply(plan)))
      }
    }
    if let plan = lastPlan { details += stateDetails(plan, sent, printer) }
    details += boundDetails(command)
    details.append(Diagnostic.Detail("paste", "-> \(got)"))
    let run = "iofd run \(program.source.name)"
    // What is typed has no file.
    if case .open = command.demand.outcome, program.source.name.first != "<" {
      details.append(Diagnostic.Detail("fill in", "\(run) --update=accept"))
    }
    details.append(Diagnostic.Detail("again", "\(run) --until \(againLine(node)) --trace"))
    let code: DiagnosticCode = check == nil ? .wrongOutcome : .wrongResult
    let message = check == nil ? "\(name) ended differently" : "\(name) gave a different result"
    return Diagnostic(
      code, in: node.place.source, at: verbSpan(command), message,
      highlights: command.demandSpan.start == command.command.span.start
        ? [] : [check?.place.span ?? command.demandSpan],
      details: details)
  }

  private func verbSpan(_ command: CommandNode) -> Span {
    let words = command.command.words
    let count = min(words.count, command.verb?.words.count ?? 1)
    return words[0].span.joined(words[max(0, count - 1)].span)
  }

  /// The line of the script that was started, however deep the statement is.
  private func againLine(_ node: Node) -> Int {
    if node.place.source === program.source { return node.place.line }
    return frames.first { $0.place.source === program.source }?.place.line ?? node.place.line
  }

  private func place(_ place: Place) -> String { place.source.text(place.span) }

  func keepIfUnsent() {
    if !isTracing && !isFetched { fetch() }
  }

  private func isReplyWorthShowing(_ plan: RequestPlan) -> Bool {
    guard structCount <= sent.count else { return false }
    return plan.decodedFields.contains { field in
      field.direction != .input && field.offset + field.size <= structCount
        && self.field(field.offset, field.size) != word(sent, field.offset, field.size)
    }
  }

  private func expectedText(_ demand: Demand) -> String {
    switch demand.outcome {
    case .succeed: "ok"
    case .failSomehow: "any errno"
    case .anything: "anything"
    case .open: "what nobody has written down yet"
    case .oneOf: demand.text
    }
  }

  private static let longestAnswer = 400

  /// What came, as it may be written behind `->`.
  func outcomeText(_ command: CommandNode, _ printer: ValueText) -> String {
    outcomeParts(command, printer).joined(separator: ", ")
  }

  /// The outcome, and each result that is worth saying: `ok`, `iova=0x1000`.
  ///
  /// - Parameter isWritten: it is to be written into the script, so a number that only this run gave an object is left out.
  func outcomeParts(_ command: CommandNode, _ printer: ValueText, isWritten: Bool = false) -> [String] {
    guard errno == 0 else { return [Errno(code: errno).name] }
    var parts: [String] =
      switch ending {
      case .completed: ["ok"]
      case .faulted: ["fault"]
      case .held: ["blocked"]
      }
    for (index, spec) in specs(of: command).enumerated() {
      let value = result(index, command)
      if case .none = value { continue }
      if case .record = spec.shape { continue }
      if case .structure = spec.source { continue }
      if isSaidByTheAuthor(spec) { continue }
      if case .bytes(let bytes) = value, bytes.count > 64 || bytes.isEmpty { continue }
      let text: String
      if case .object(let kind) = spec.shape, case .handle = value {
        // A descriptor's number is nobody's business.
        guard Kind.objects.contains(kind) else { continue }
        text = printer.text(value, spec.shape)
      } else {
        text = printer.text(value, spec.shape)
      }
      if isWritten, isObjectNumber(spec), !text.hasPrefix("$") { continue }
      // A walk's steps have been printed as lines.
      guard text.utf8.count <= Self.longestAnswer else { continue }
      parts.append("\(spec.name)=\(text)")
      if parts.count > 6 { break }
    }
    return parts
  }

  /// The number of an object, which another run may give to something else.
  private func isObjectNumber(_ spec: ResultSpec) -> Bool {
    if case .object = spec.shape { return true }
    guard case .part(let part) = spec.source else { return false }
    return part != .flags
  }

  /// A raw request has all its fields for results; those that only go in, and a result of 0, say nothing.
  private func isSaidByTheAuthor(_ spec: ResultSpec) -> Bool {
    switch spec.source {
    case .field(let offset, _):
      lastPlan?.decodedFields.first { $0.offset == offset && spec.name.hasPrefix($0.name) }?.direction
        == .input
    case .returned(nil): spec.name == "rc" && returned == 0 && lastPlan?.row?.sizes.isEmpty == false
    default: false
    }
  }

  /// The objects that a request names, as the bench sees them now.
  func stateDetails(_ plan: RequestPlan, _ sent: [UInt8], _ printer: ValueText) -> [Diagnostic.Detail] {
    guard let bench, let fd = context else { return [] }
    var seen: Set<UInt32> = []
    var details: [Diagnostic.Detail] = []
    for field in plan.decodedFields where field.direction != .output {
      guard case .objectID = field.meaning, field.offset + field.size <= sent.count else { continue }
      if case .descriptor? = plan.op.map({ _ in Role.descriptor }), field.offset == 8, plan.op?.id == .access
      {
        continue
      }
      let id = UInt32(truncatingIfNeeded: word(sent, field.offset, field.size))
      guard id != 0, seen.insert(id).inserted else { continue }
      let name = printer.name(ofObject: id).map { " ($\($0))" } ?? ""
      if let fact = bench.state(of: fd, object: id) {
        details.append(Diagnostic.Detail("state", stateText(fact, id, name, printer)))
      } else {
        details.append(Diagnostic.Detail("state", "there is no object \(id)\(name)"))
      }
      if details.count == 3 { break }
    }
    return details
  }

  /// `IOAS 1 ($vm): users=1, 2 areas: 0x1000...0x2fff rw ($buf+0), ...`
  private func stateText(_ fact: Fact, _ id: UInt32, _ name: String, _ printer: ValueText) -> String {
    guard case .record(let members) = fact else { return "object \(id)\(name): \(FactText.line(fact))" }
    var type = "object"
    var parts: [String] = []
    for member in members {
      switch (member.name, member.value) {
      case ("id", _), (_, .none): continue
      case ("type", .text(let text)): type = text
      case ("areas", .list(let areas)):
        let shown = areas.prefix(4).map { areaText($0, printer) }.joined(separator: ", ")
        let rest = areas.count > 4 ? ", ..." : ""
        parts.append(
          "\(areas.count) area\(areas.count == 1 ? "" : "s")" + (areas.isEmpty ? "" : ": \(shown)\(rest)"))
      case (_, .list(let items)) where items.isEmpty: continue
      case (_, .number(0)), (_, .flag(false)): continue
      default: parts.append("\(member.name)=\(FactText.line(member.value, limit: 80))")
      }
    }
    return "\(type) \(id)\(name): \(parts.joined(separator: ", "))"
  }

  private func areaText(_ area: Fact, _ printer: ValueText) -> String {
    guard let first = area["iova"]?.number, let last = area["last"]?.number else {
      return FactText.line(area)
    }
    var text = "\(hex(first))...\(hex(last))"
    if case .text(let access)? = area["access"] { text += " \(access)" }
    if case .text("memory")? = area["source"],
      let place = area["offset"]?.number.flatMap({ printer.place($0) })
    {
      text += " (\(place))"
    }
    return text
  }

  /// Where the names of the statement were bound.
  func boundDetails(_ command: CommandNode) -> [Diagnostic.Detail] {
    var seen: Set<Int> = []
    var parts: [String] = []
    var codes: [Code] = []
    switch command.body {
    case .request(let plan), .raw(let plan, _): codes = plan.fields.map { $0.code }
    case .destroy(let subject, _): codes = [subject]
    case .device(let device, let plan): codes = [device] + plan.later.fields.map { $0.code }
    case .pageRequest(let device, let plan): codes = [device, plan.address]
    case .action, .call: break
    }
    func visit(_ code: Code) {
      switch code {
      case .slot(let index):
        if seen.insert(index).inserted {
          let info = program.slots[index]
          let file = info.place.source === program.source ? "" : "\(info.place.source.name) "
          parts.append("$\(info.name) \(file)line \(info.place.line)")
        }
      case .member(let inner, _, _), .bare(let inner, _), .checked(let inner, _, _), .length(let inner, _),
        .first(let inner, _), .part(let inner, _, _), .unary(_, let inner, _):
        visit(inner)
      case .binary(_, let a, let b, _), .index(let a, let b, _), .range(let a, let b, _):
        visit(a)
        visit(b)
      default: break
      }
    }
    for code in codes { visit(code) }
    return parts.isEmpty ? [] : [Diagnostic.Detail("bound", parts.joined(separator: " · "))]
  }

  // MARK: Bytes

  private func expectedBytes(_ check: CheckCode) -> Value {
    guard case .value(let code) = check.pattern else { return .none }
    do throws(Stop) { return try value(code) } catch { return .none }
  }

  /// Where two runs of bytes differ first: the offset and 16 bytes of each.
  private func difference(_ expected: Value, _ got: Value) -> [Diagnostic.Detail] {
    guard case .bytes(let found) = got else { return [] }
    let wanted: [UInt8]
    let mask: [UInt8]
    switch expected {
    case .bytes(let bytes): (wanted, mask) = (bytes, [UInt8](repeating: 0xFF, count: bytes.count))
    case .pattern(let literal): (wanted, mask) = (literal.bytes, literal.mask)
    case .text(let text):
      (wanted, mask) = (Array(text.utf8), [UInt8](repeating: 0xFF, count: text.utf8.count))
    default: return []
    }
    var details: [Diagnostic.Detail] = []
    if wanted.count != found.count {
      details.append(Diagnostic.Detail("length", "expected \(wanted.count) bytes, got \(found.count)"))
    }
    let shared = min(wanted.count, found.count)
    guard let first = (0..<shared).first(where: { (wanted[$0] ^ found[$0]) & mask[$0] != 0 }) else {
      return details
    }
    let start = first & ~15
    func line(_ bytes: [UInt8]) -> String {
      bytes[min(start, bytes.count)..<min(start + 16, bytes.count)].map { byte in
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }.joined(separator: " ")
    }
    details.append(
      Diagnostic.Detail(
        "offset", "first difference at \(hex(UInt64(first))), shown from \(hex(UInt64(start)))"))
    details.append(Diagnostic.Detail("-", line(wanted)))
    details.append(Diagnostic.Detail("+", line(found)))
    if let cause = exchangedPage(wanted, found, first) { details.append(Diagnostic.Detail("cause", cause)) }
    return details
  }

  /// Whether the page that differs is another page of what was expected.
  private func exchangedPage(_ wanted: [UInt8], _ found: [UInt8], _ offset: Int) -> String? {
    let page = offset / 4096
    guard wanted.count >= 8192, found.count >= (page + 1) * 4096 else { return nil }
    let here = found[(page * 4096)..<((page + 1) * 4096)]
    for other in 0..<(wanted.count / 4096) where other != page {
      if wanted[(other * 4096)..<((other + 1) * 4096)].elementsEqual(here) {
        return "page \(page) holds what was expected in page \(other)"
      }
    }
    return nil
  }

  private func memoryMismatch(_ expected: Value, _ got: Value, _ node: Node) -> Diagnostic {
    let printer = ValueText(executor: self)
    return Diagnostic(
      .wrongMemory, in: node.place.source, at: node.place.span, "memory holds something else",
      details: [
        Diagnostic.Detail("-", "expected \(printer.text(expected, .bytes))"),
        Diagnostic.Detail("+", "got      \(printer.text(got, .bytes))"),
      ] + difference(expected, got))
  }

  // MARK: State

  func mismatch(_ expect: ExpectNode, _ node: Node, _ found: Value) -> Diagnostic {
    let printer = ValueText(executor: self)
    let got = printer.text(found, .any)
    var details = [
      Diagnostic.Detail("-", "expected \(node.place.source.text(node.place.span).dropFirst(7))"),
      Diagnostic.Detail("+", "got      \(expect.text) = \(got)"),
    ]
    if case .value(let code) = expect.pattern {
      do throws(Stop) { details += difference(try value(code), found) } catch {}
    }
    if lastPlan != nil, let plan = lastPlan {
      keepIfUnsent()
      details.append(Diagnostic.Detail("last", PlanText(executor: self).line(plan)))
    }
    if expect.comparison == .equal {
      details.append(Diagnostic.Detail("paste", "expect \(expect.text) = \(got)"))
    }
    return Diagnostic(
      .wrongState, in: node.place.source, at: node.place.span, "the state is different", details: details)
  }

  func brokenInvariants(_ violations: [Violation], _ place: Place) -> Diagnostic {
    var details: [Diagnostic.Detail] = []
    for violation in violations.prefix(5) {
      details.append(Diagnostic.Detail("rule", violation.invariant))
      details.append(Diagnostic.Detail("state", violation.evidence))
    }
    if let plan = lastPlan {
      keepIfUnsent()
      details.append(Diagnostic.Detail("last", PlanText(executor: self).line(plan)))
    }
    return Diagnostic(
      .brokenInvariant, in: place.source, at: place.span,
      violations.count == 1 ? "the model breaks a rule" : "the model breaks \(violations.count) rules",
      details: details)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Values in script syntax. What is printed can be pasted behind `->` and means the same: an object that
// has a name is called by it, an address in memory that has a name is a place in it.

struct ValueText {
  /// What is bound where the statement stands: the nearest name of each value wins.
  private let names: [(name: String, value: Value)]

  /// - Parameter slots: the names that may be used, the nearest first; nil for all.
  init(executor: Executor, slots: [Int]? = nil) {
    let program = executor.program
    var names: [(name: String, value: Value)] = []
    for index in slots ?? program.slots.indices.reversed() where index < executor.slots.count {
      if case .unset = executor.slots[index] { continue }
      names.append((program.slots[index].name, executor.slots[index]))
    }
    self.names = names
  }

  func text(_ value: Value, _ shape: Shape) -> String {
    switch value {
    case .unset, .none: return "none"
    case .number(let number): return text(number, shape)
    case .handle(let handle):
      if let name = name(of: handle) { return "$\(name)" }
      if Kind.objects.contains(handle.kind) { return "id:\(handle.id)" }
      return String(handle.fd)
    case .device(let device):
      let found = names.first { if case .device(let other) = $0.value { other === device } else { false } }
      return found.map { "$\($0.name)" } ?? "id:\(device.device)"
    case .memory(let address, _): return place(address) ?? hex(address)
    case .range(let first, let last): return "\(hex(first))...\(hex(last))"
    case .bytes(let bytes): return text(bytes)
    case .pattern(let literal): return Printer.text(Expression(.hex(literal), span: Span.zero))
    case .text(let text): return Printer.text(Expression(.string(Array(text.utf8)), span: Span.zero))
    case .physical(let address): return hex(address)
    case .snapshot(let kept):
      let found = names.first { if case .snapshot(let other) = $0.value { other === kept } else { false } }
      return found.map { "$\($0.name)" } ?? "snapshot"
    case .list(let items):
      if items.isEmpty { return "none" }
      return "[" + items.map { text($0, shape.element ?? .any) }.joined(separator: ", ") + "]"
    case .record(let members):
      return "{"
        + members.compactMap { member -> String? in
          if case .none = member.value { return nil }
          return "\(member.name)=\(text(member.value, shape.member(member.name) ?? .any))"
        }.joined(separator: ", ") + "}"
    }
  }

  private func text(_ number: UInt64, _ shape: Shape) -> String {
    switch shape {
    case .flags(let names): return names.flagNames(number)
    case .choice(let names): return names.name(of: number) ?? hex(number)
    case .hex: return hex(number)
    case .object(let kind):
      for entry in names where entry.value.kind == kind {
        if entry.value.number == number { return "$\(entry.name)" }
      }
      return Kind.objects.contains(kind) ? "id:\(number)" : String(number)
    default: return number > 0xFFFF ? hex(number) : String(number)
    }
  }

  private func text(_ bytes: [UInt8]) -> String {
    if bytes.isEmpty { return "none" }
    let isText = bytes.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    let shown = bytes.count > 4096 ? Array(bytes.prefix(64)) : bytes
    let literal: Expression.Kind =
      isText
      ? .string(shown) : .hex(HexLiteral(bytes: shown, mask: [UInt8](repeating: 0xFF, count: shown.count)))
    return Printer.text(Expression(literal, span: Span.zero)) + (shown.count < bytes.count ? " ..." : "")
  }

  /// The name that stands for an object.
  func name(of handle: Handle) -> String? {
    names.first { entry in
      switch entry.value {
      case .handle(let other):
        other == handle || (other.kind == handle.kind && other.id == handle.id && handle.id != 0)
      default: false
      }
    }?.name
  }

  /// The name of whatever has this object number.
  func name(ofObject id: UInt32) -> String? {
    guard id != 0 else { return nil }
    return names.first { entry in
      switch entry.value {
      case .handle(let handle): handle.id == id && Kind.objects.contains(handle.kind)
      case .device(let device): device.device == id || device.stdev == id
      default: false
      }
    }?.name
  }

  /// `$buf+0x1000` for an address in memory that has a name.
  func place(_ address: UInt64) -> String? {
    for entry in names {
      guard case .memory(let start, let length) = entry.value, address >= start,
        address - start < max(length, 1)
      else { continue }
      return address == start ? "$\(entry.name)+0" : "$\(entry.name)+\(hex(address - start))"
    }
    return nil
  }

  func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

/// A request of a script in words: objects and addresses have the script's names.
struct PlanText {
  let executor: Executor
  private let values: ValueText

  init(executor: Executor) {
    self.executor = executor
    values = ValueText(executor: executor)
  }

  private func words(_ plan: RequestPlan) -> RequestText {
    var text = RequestText(name: plan.name, fields: plan.decodedFields, isOperation: plan.op != nil)
    text.objectName = { id in values.name(ofObject: id).map { "$\($0)" } }
    text.placeName = { values.place($0) }
    return text
  }

  /// `IOAS_MAP size=40 flags=FIXED_IOVA|READABLE ioas_id=1($vm) user_va=$buf+0 length=0x2000 iova=0x1000`
  func request(_ plan: RequestPlan) -> String { request(plan, sent: executor.sent) }

  /// The same of a struct that was sent earlier.
  func request(_ plan: RequestPlan, sent: [UInt8]) -> String {
    guard !plan.decodedFields.isEmpty else {
      return plan.argument == nil
        ? "\(plan.name) \(sent.count) bytes"
        : "\(plan.name) arg=\(values.hex(executor.structAddress))"
    }
    return words(plan).request(sent)
  }

  /// What came back in the struct: the fields that answer.
  func reply(_ plan: RequestPlan) -> String {
    words(plan).reply(Array(executor.work[..<executor.structCount]))
  }

  /// One line for a trace: the request, `->`, the outcome and what came back, or why not.
  func line(_ plan: RequestPlan) -> String {
    let result: Result<Int32, Errno> =
      executor.errno == 0
      ? .success(executor.returned) : .failure(executor.reason ?? Errno(code: executor.errno))
    return request(plan) + " -> " + RequestText.outcome(result, reply: reply(plan))
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Literal records: structs written field by field.

extension Lowering {
  /// The integer types of a raw record.
  private static let widths: [String: Int] = ["u8": 1, "u16": 2, "u32": 4, "u64": 8]

  /// A record of integers and bytes: `{ u32 40; u64 0x1000; hex"00" }`, `{ raw hex"ff" }`; nil when it is
  /// something else.
  func rawBytes(_ record: Record, row: CommandRow?) -> (Code, Int?)? {
    var parts: [Code] = []
    var size: Int? = 0
    for entry in record.entries {
      var operands = entry.operands[...]
      while let first = operands.first {
        guard case .positional(let value) = first.kind else { return nil }
        operands.removeFirst()
        if case .word(let word) = value.kind {
          guard let next = operands.first, case .positional(let operand) = next.kind else { return nil }
          if word == "raw" || word == "bytes" {
            operands.removeFirst()
            let (code, _) = resolver.resolve(operand)
            parts.append(code)
            size = size.flatMap { total in Self.knownSize(operand).map { total + $0 } }
            continue
          }
          guard let width = Self.widths[word] else { return nil }
          operands.removeFirst()
          let (code, _) = resolver.resolve(operand)
          parts.append(integer(code, width, operand))
          size = size.map { $0 + width }
        } else {
          guard let known = Self.knownSize(value) else { return nil }
          parts.append(resolver.resolve(value).code)
          size = size.map { $0 + known }
        }
      }
    }
    return (.concatenation(parts, Place(source: place.source, span: record.span)), size)
  }

  private static func knownSize(_ value: Expression) -> Int? {
    switch value.kind {
    case .string(let bytes): bytes.count
    case .hex(let literal): literal.bytes.count
    default: nil
    }
  }

  /// An integer of that width as bytes.
  private func integer(_ code: Code, _ width: Int, _ expression: Expression) -> Code {
    let here = Place(source: place.source, span: expression.span)
    if let value = code.constant {
      let isMax = if case .max = expression.kind { true } else { false }
      if !isMax && width < 8 && value >> UInt64(width * 8) != 0 {
        resolver.report(
          .valueTooLarge, here, "0x\(String(value, radix: 16)) does not fit into \(width) bytes")
      }
      return .constant(
        .bytes((0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }))
    }
    switch width {
    case 2: return .function(.le16, [code], here)
    case 8: return .function(.le64, [code], here)
    case 1: return .function(.fill, [code, .number(1)], here)
    default: return .function(.le32, [code], here)
    }
  }

  /// `ioctl FILE REQUEST { ... }`
  mutating func rawIoctl() {
    guard let file = argument("file"), let request = argument("request") else { return }
    if file.word != "default" {
      if let word = file.word {
        resolver.reportUnknownWord(word, file.place, "'default' or a file", candidates: ["default"])
        return
      }
      descriptor = file.code
    }
    var number = request.code.constant
    var row: CommandRow?
    if let word = request.word {
      row = CommandTable.row(named: word)
      guard let row else {
        reportUnknown(request, "request", CommandTable.all.map { $0.name })
        return
      }
      number = UInt64(row.request)
    }
    guard let number else {
      report(.badRecord, "the request number must be known before the run")
      return
    }
    guard number <= UInt64(UInt32.max) else {
      report(.valueTooLarge, "a request number has 4 bytes")
      return
    }
    row = row ?? CommandTable.row(request: UInt32(number))
    if let row { become(row.name) }
    let structure = argument("struct")
    var builder: PlanBuilder
    var payloads: [Payload] = []
    var bytes: Code?
    switch structure?.expression?.kind {
    case .record(let record) where record.fields != nil && !record.entries.isEmpty:
      guard let row else {
        report(.badRecord, "a request without a row has no named fields", help: ["{ u32 8; u32 0 }"])
        return
      }
      builder = PlanBuilder(size: structBytes(record, row), resolver: resolver, place: place)
      for (name, value) in record.fields ?? [] {
        guard let field = namedFields.first(where: { Self.normalized($0.name) == Self.normalized(name.text) })
        else {
          resolver.reportUnknownOption(name, verb, fields: namedFields.map { $0.name })
          continue
        }
        let (code, kind) = resolver.resolve(value, names: Shape(field.field.meaning).names)
        let here = Place(source: place.source, span: value.span)
        let argument = Argument(code: code, kind: kind, expression: value, place: here)
        if case .userPointer = field.field.meaning, kind == .bytes || kind == .text {
          payloads.append(
            Payload(content: .bytes(code), pointer: field.field.offset, length: nil, count: nil, place: here))
          continue
        }
        builder.assign(
          code, to: field.field, role: .object, isMax: argument.isMax, truncates: argument.isRaw, place: here)
      }
    case .record(let record):
      builder = PlanBuilder(size: 0, resolver: resolver, place: place)
      guard let raw = rawBytes(record, row: row) else {
        resolver.report(
          .badRecord, Place(source: place.source, span: record.span),
          "this is neither fields nor integers and bytes",
          help: ["{ size=40 flags=6 }", "{ u32 40; u32 6; u64 0x1000 }"])
        return
      }
      bytes = raw.0
    default:
      builder = PlanBuilder(size: 0, resolver: resolver, place: place)
    }
    if structure == nil && !has("arg") {
      report(.missingOperand, "'ioctl' needs the bytes of a struct, or arg=", help: [verb.synopsis])
    }
    if structure != nil && has("arg") { reportConflict(["struct", "arg"]) }
    var results = row == nil ? [ResultSpec("rc", .number, .returned(nil))] : rawResults
    results.append(ResultSpec("bytes", .bytes, .structure))
    body = .raw(
      RequestPlan(
        place: place, name: row?.name ?? "ioctl 0x" + String(number, radix: 16), request: UInt32(number),
        row: row, op: nil,
        template: builder.template, fields: builder.fields, payloads: payloads, descriptor: descriptor,
        argument: code("arg"), results: results, announced: nil),
      bytes)
    self.results = results
  }

  /// How many bytes a struct written by fields has: as many as it says, at least up to its last field.
  private func structBytes(_ record: Record, _ row: CommandRow) -> Int {
    var size = row.sizes.map { $0.bytes }.max() ?? 0
    for (name, value) in record.fields ?? [] where name.text == namedFields.first?.name {
      if case .number(let literal) = value.kind { size = max(size, Int(min(literal.value, 1 << 16))) }
    }
    return size
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// From a verb with its operands to a request. What a row of the verb table says of an operand is put into
// its field first; then the row's own lowering adds what depends on several operands; raw fields that the
// author gave come last and win, since saying wrong things is what half of all tests are for.

/// One operand or option as given.
struct Argument {
  let code: Code
  let kind: Kind?
  let expression: Expression?
  let place: Place

  /// A bare word.
  var word: String? {
    if case .word(let word)? = expression?.kind { word } else { nil }
  }
  /// `max`: all ones, in whatever width.
  var isMax: Bool {
    if case .max? = expression?.kind { true } else { false }
  }
  var isRaw: Bool {
    if case .call(let name, _)? = expression?.kind { name.text == Function.raw.rawValue } else { false }
  }
}

struct Lowering {
  let verb: Verb
  let resolver: Resolver
  let place: Place
  /// Operands and options by the names of their parameters; a bare word is there with the value 1.
  private var arguments: [String: Argument]
  /// What the repeated operand got.
  let rest: [Argument]
  /// Options that the verb takes under any name; a bare word has no value.
  let extra: [(name: Name, value: Argument?)]
  /// Fields by their C names.
  private let raw: [(name: Name, argument: Argument)]
  private(set) var row: CommandRow?
  private(set) var op: SelftestOp?
  var results: [ResultSpec]
  /// For a verb that is no single request.
  var body: Body?
  /// What is destroyed.
  var subject: Code?
  /// The device that the request is about, and what happens to it.
  var device: Code?
  var effect = DeviceEffect.none
  var first: RequestPlan?
  var attachTarget: Code?
  var attachPASID: Code?
  /// The device that asks for a page.
  var requester: Code?
  var requestPermissions: UInt64 = 0
  var isLastRequest = true
  /// An integer in place of the struct.
  var argument: Code?
  /// Bytes of the struct where it is not the row's.
  var structSize: Int?
  var descriptor: Code?

  private struct Assignment {
    var code: Code
    var role: Role?
    var argument: Argument?
  }
  private var assignments: [String: Assignment] = [:]
  private var bits: [String: UInt64] = [:]
  private var payloads:
    [(content: Payload.Content, pointer: String, length: String?, count: (String, Int)?)] = []

  init(
    _ verb: Verb, _ resolver: Resolver, _ place: Place, arguments: [String: Argument], rest: [Argument],
    raw: [(name: Name, argument: Argument)], extra: [(name: Name, value: Argument?)] = [], descriptor: Code?
  ) {
    self.extra = extra
    self.verb = verb
    self.resolver = resolver
    self.place = place
    self.arguments = arguments
    self.rest = rest
    self.raw = raw
    self.descriptor = descriptor
    row = verb.row
    op = verb.selftestOp
    results = verb.results
    for parameter in verb.operands + verb.options {
      guard let argument = arguments[parameter.name] else {
        if case .field(let field) = parameter.target, case .number(let value)? = parameter.usual {
          assignments[field] = Assignment(code: .number(value))
        }
        continue
      }
      switch parameter.target {
      case .field(let field): assignments[field] = Assignment(code: argument.code, argument: argument)
      case .bits(let field, let value): bits[field, default: 0] |= value
      case .custom: break
      }
    }
  }

  // MARK: What was given

  func has(_ name: String) -> Bool { arguments[name] != nil }
  func argument(_ name: String) -> Argument? { arguments[name] }

  /// The value of an operand or option; nil where it was not given, or given as a bare word.
  func code(_ name: String) -> Code? {
    guard let argument = arguments[name], argument.expression != nil else { return nil }
    return argument.code
  }

  /// The same, and where it was not given the usual value of the table, which must have a number.
  func codeOrUsual(_ name: String) -> Code {
    if let code = code(name) { return code }
    guard case .number(let value)? = verb.parameter(name)?.usual else {
      preconditionFailure("'\(name)' of '\(verb.name)' has no usual value")
    }
    return .number(value)
  }

  /// The word that was given, and where nothing was the usual one of the table.
  func wordOrUsual(_ name: String) -> String? {
    if let argument = argument(name) { return argument.word }
    if case .word(let word)? = verb.parameter(name)?.usual { return word }
    return nil
  }

  func constant(_ name: String) -> UInt64? { code(name)?.constant }

  /// The author gives this field by its C name.
  func overrides(_ field: String) -> Bool {
    raw.contains { Self.normalized($0.name.text) == Self.normalized(field) }
  }

  // MARK: What is to be sent

  mutating func become(_ name: String) {
    row = CommandTable.row(named: name)
    op = nil
  }

  mutating func become(selftest name: String) {
    row = CommandTable.selftest
    op = SelftestOp.named(name)
  }

  /// Forgets the fields, for a request that has others.
  mutating func clear() {
    assignments = [:]
    bits = [:]
    payloads = []
  }

  mutating func set(_ field: String, _ code: Code?, role: Role? = nil) {
    guard let code else { return }
    let argument = arguments.values.first { argument in
      argument.isMax && code.constant == UInt64.max
    }
    assignments[field] = Assignment(code: code, role: role, argument: argument)
  }

  mutating func addBits(_ field: String, _ value: UInt64) { bits[field, default: 0] |= value }

  func assigned(_ field: String) -> Code? { assignments[field]?.code }

  mutating func payload(
    _ content: Payload.Content, pointer: String, length: String? = nil, count: (String, Int)? = nil
  ) {
    payloads.append((content, pointer, length, count))
  }

  /// A range operand, or a start and `len` or `last`.
  mutating func setStartAndLength(_ name: String, start: String, length field: String) {
    guard let argument = arguments[name] else {
      if !overrides(start) {
        report(.missingOperand, "'\(verb.name)' needs an address or a range", help: [verb.synopsis])
      }
      return
    }
    if argument.kind == .range {
      if has("len") || has("last") { reportConflict([name, has("len") ? "len" : "last"]) }
      set(start, .first(argument.code, argument.place))
      set(field, .length(argument.code, argument.place))
      return
    }
    set(start, argument.code)
    if let argument = arguments[name], argument.isMax { set(start, .number(.max)) }
    if let length = length(of: nil, from: argument.code) {
      set(field, length)
    } else if argument.kind == nil {
      set(start, .first(argument.code, argument.place))
      set(field, .length(argument.code, argument.place))
    } else if !overrides(field) {
      report(.missingOperand, "'\(verb.name)' needs a length", help: ["give len=, or a range first...last"])
    }
  }

  /// Backends by name, where their data has another.
  private static let driverWords = ["vtd": "VTD_S1", "smmuv3": "ARM_SMMUV3", "amd": "AMD_GUEST"]

  /// What `hwpt create` gives a driver: the selftest's words, VT-d's first stage, SMMUv3's stream table entry, AMD's
  /// device table entry.
  mutating func pageTableData() {
    var parts: [Code] = []
    var standard = "SELFTEST"
    for name in ["iotlb", "pagetable"] {
      if let value = code(name) { parts.append(.function(.le32, [value], place)) }
    }
    if has("pagetable") && !has("iotlb") { parts.insert(.function(.le32, [.number(0)], place), at: 0) }
    if let root = code("pgtbl") {
      standard = "VTD_S1"
      var flags: UInt64 = 0
      for (word, bit) in [("sre", UInt64(1)), ("eafe", 2), ("wpe", 4)] where has(word) { flags |= bit }
      parts += [
        .function(.le64, [.number(flags), root], place),
        .function(.le32, [codeOrUsual("width"), .number(0)], place),
      ]
    }
    if let entry = code("ste") {
      standard = "ARM_SMMUV3"
      parts.append(entry)
    }
    if let entry = code("dte") {
      standard = "AMD_GUEST"
      parts.append(entry)
    }
    let kinds = [has("iotlb") || has("pagetable"), has("pgtbl"), has("ste"), has("dte")]
    if kinds.count(where: { $0 }) > 1 {
      reportConflict(["iotlb", "pgtbl", "ste", "dte"].filter { has($0) })
    }
    typedData(
      names: Names.hwptData, fixed: parts, type: "data_type", pointer: "data_uptr", length: "data_len",
      default: standard)
  }

  /// Driver data with its type: `data=selftest` and named words, or `data=BYTES` with `type=`.
  mutating func typedData(
    names: NamedValues, fixed parts: [Code], type: String, pointer: String, length: String,
    default fallback: String
  ) {
    var number = code("type")
    var bytes = parts.isEmpty ? nil : Code.concatenation(parts, place)
    if let data = arguments["data"] {
      if let word = data.word {
        if number != nil { reportConflict(["data", "type"]) }
        guard let value = names.value(named: Self.driverWords[word] ?? word) else {
          reportUnknown(data, "kind of data", names.entries.map { $0.name })
          return
        }
        number = .number(value)
      } else {
        if bytes != nil { reportConflict(["data", "iotlb"]) }
        bytes = data.code
      }
    }
    if number == nil && bytes != nil { number = names.value(named: fallback).map { .number($0) } }
    set(type, number)
    if let bytes { payload(.bytes(bytes), pointer: pointer, length: length) }
  }

  // MARK: Fields

  static func normalized(_ name: String) -> String {
    name.filter { $0 != "[" && $0 != "]" }.drop { $0 == "_" }.lowercased()
  }

  /// The fields of the request. A field of an operation that has the name of a common one is called with
  /// a 2 behind it.
  var namedFields: [(name: String, field: Field)] {
    guard let row else { return [] }
    var fields = row.fields.map { (name: $0.name, field: $0) }
    for field in op?.fields ?? [] {
      let isTaken = row.fields.contains { $0.name == field.name }
      fields.append((isTaken ? field.name + "2" : field.name, field))
    }
    return fields
  }

  private func field(_ name: String) -> Field? {
    let wanted = Self.normalized(name)
    return namedFields.first { Self.normalized($0.name) == wanted }?.field
  }

  /// Every field as a result, the outputs first.
  var rawResults: [ResultSpec] {
    let fields = namedFields
    let ordered =
      fields.filter { $0.field.direction == .output }
      + fields.filter { $0.field.direction == .both } + fields.filter { $0.field.direction == .input }
    var results = ordered.map { entry in
      ResultSpec(
        entry.name, Shape(entry.field.meaning), .field(offset: entry.field.offset, size: entry.field.size))
    }
    let rc = ResultSpec("rc", .number, .returned(nil))
    if row?.sizes.isEmpty == true || op?.name == "DMABUF_GET" {
      results.insert(rc, at: 0)
    } else {
      results.append(rc)
    }
    return results
  }

  private func role(of field: Field) -> Role {
    if let op, field.offset == Layout.Selftest.id.offset {
      switch op.id {
      case .stdev: return .stdev
      case .access: return .descriptor
      default: return .object
      }
    }
    switch field.meaning {
    case .objectID: return .object
    case .fileDescriptor: return .descriptor
    default: return .number
    }
  }

  // MARK: The plan

  /// The request as it stands.
  func plan() -> RequestPlan? {
    guard let row else { return nil }
    var all = assignments
    for (field, value) in bits {
      let before = all[field]?.code.constant ?? 0
      all[field] = Assignment(code: .number(before | value))
    }
    for (name, argument) in raw {
      guard let field = namedFields.first(where: { Self.normalized($0.name) == Self.normalized(name.text) })
      else {
        resolver.reportUnknownOption(name, verb, fields: namedFields.map { $0.name })
        continue
      }
      all[field.name] = Assignment(code: argument.code, argument: argument)
    }
    let sizeField = row.sizes.isEmpty ? nil : namedFields.first?.field
    var builder = PlanBuilder(
      size: structSize ?? max(row.sizes.map { $0.bytes }.max() ?? 0, op == nil ? 0 : 72), resolver: resolver,
      place: place)
    if let op { builder.store(UInt64(op.number), offset: Layout.Selftest.op.offset, size: 4) }
    if let sizeField, all[sizeField.name] == nil {
      builder.store(UInt64(row.fullSize(resolver.environment.kernel)), offset: 0, size: sizeField.size)
    }
    var payloads: [Payload] = []
    for payload in self.payloads {
      guard let pointer = field(payload.pointer), !overrides(payload.pointer) else { continue }
      let length = payload.length.flatMap { overrides($0) ? nil : field($0) }
        .map { (offset: $0.offset, size: $0.size) }
      let count = payload.count.flatMap { (name, stride) in
        overrides(name) ? nil : field(name).map { (offset: $0.offset, size: $0.size, stride: stride) }
      }
      payloads.append(
        Payload(
          content: payload.content, pointer: pointer.offset, length: length, count: count, place: place))
    }
    for (name, assignment) in all.sorted(by: { $0.key < $1.key }) {
      guard let field = field(name) else { continue }
      let isBytes = assignment.argument?.kind == .bytes || assignment.argument?.kind == .text
      if case .userPointer = field.meaning, isBytes {
        payloads.append(
          Payload(
            content: .bytes(assignment.code), pointer: field.offset, length: nil, count: nil, place: place))
        continue
      }
      builder.assign(
        assignment.code, to: field, role: assignment.role ?? role(of: field),
        isMax: assignment.argument?.isMax ?? false, truncates: assignment.argument?.isRaw ?? false,
        place: assignment.argument?.place ?? place)
    }
    return RequestPlan(
      place: place, name: op.map { "TEST \($0.name)" } ?? row.name, request: row.request, row: row, op: op,
      template: builder.template, fields: builder.fields, payloads: payloads, descriptor: descriptor,
      argument: argument, results: results,
      announced: sizeField.map { (offset: $0.offset, size: $0.size) }, devices: deviceCodes)
  }

  /// Operands and options that may be devices.
  private var deviceCodes: [Code] {
    guard device == nil else { return [] }
    return (verb.operands + verb.options).compactMap { parameter in
      guard case .object(let kinds) = parameter.accepts, kinds.contains(.device) else { return nil }
      return code(parameter.name)
    }
  }

  /// The command as it stands.
  func makeBody() -> Body? {
    if let body { return body }
    guard let plan = plan() else { return nil }
    if let device {
      return .device(
        device,
        AttachmentPlan(first: first, later: plan, effect: effect, target: attachTarget, pasid: attachPASID))
    }
    if let requester, let address = code("address") {
      return .pageRequest(
        requester,
        PageRequestPlan(
          mock: plan, address: address, permissions: requestPermissions, pasid: code("pasid"),
          group: code("group"), isLast: isLastRequest))
    }
    if let subject { return .destroy(subject: subject, plan) }
    return .request(plan)
  }

  // MARK: Reports

  func report(_ code: DiagnosticCode, _ message: String, help: [String] = []) {
    resolver.report(code, place, message, help: help)
  }

  func reportConflict(_ names: [String]) {
    let shown = names.map { "'\($0)'" }.joined(separator: " and ")
    report(.conflictingOptions, "\(shown) do not go together", help: [verb.synopsis])
  }

  func reportUnknown(_ argument: Argument, _ what: String, _ known: [String]) {
    let word = argument.word ?? argument.place.source.text(argument.place.span)
    resolver.report(
      .unknownValue, argument.place, "there is no \(what) '\(word)'",
      help: [Suggest.help(for: word, in: known) ?? "known: " + known.joined(separator: " ")])
  }
}

/// Collects the bytes and the fields of a struct.
struct PlanBuilder {
  private(set) var template: [UInt8]
  private(set) var fields: [FieldCode] = []
  let resolver: Resolver
  let place: Place

  init(size: Int, resolver: Resolver, place: Place) {
    template = [UInt8](repeating: 0, count: size)
    self.resolver = resolver
    self.place = place
  }

  mutating func store(_ value: UInt64, offset: Int, size: Int) {
    for index in 0..<size where offset + index < template.count {
      template[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(index * 8))
    }
  }

  mutating func assign(
    _ code: Code, to field: Field, role: Role, isMax: Bool, truncates: Bool, place: Place
  ) {
    guard var value = code.constant else {
      fields.append(
        FieldCode(
          name: field.name, offset: field.offset, size: field.size, role: role, code: code,
          truncates: truncates, place: place))
      return
    }
    let isNegative = role == .descriptor && value >= UInt64(bitPattern: Int64(Int32.min))
    if isMax || truncates || isNegative { value &= field.mask }
    if value & ~field.mask != 0 {
      resolver.report(
        .valueTooLarge, place,
        "0x\(String(value, radix: 16)) does not fit into '\(field.name)', \(field.size) bytes",
        help: ["raw(...) cuts it to the field"])
    }
    store(value, offset: field.offset, size: field.size)
  }
}

extension Lowering {
  /// The struct was written out, and so were its fields.
  var isRawIoctl: Bool {
    if case .raw? = body { true } else { false }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter
internal import Language
internal import UAPI

// Operands and options of a verb: the value that is due, and the options that are not used yet.

/// How far the operands of a verb have been given.
struct OperandProgress {
  let verb: Verb
  /// The operand whose turn it is; nil when all are there.
  private(set) var next: Parameter?
  /// Names of the options and operands that are given.
  private(set) var given: Set<String> = []
  /// The preposition whose value comes next: `behind`.
  private(set) var awaited: Parameter?
  /// Operands that are left, the next one first.
  private(set) var left: [Parameter]

  init(_ verb: Verb, _ units: [CursorStatement.Unit]) {
    self.verb = verb
    left = verb.operands
    for unit in units { take(unit) }
    next = left.first
  }

  private mutating func take(_ unit: CursorStatement.Unit) {
    if let option = awaited {
      given.insert(option.name)
      awaited = nil
    } else if let key = unit.key {
      given.insert(key)
      left.removeAll { $0.name == key }
    } else if let option = verb.options.first(where: {
      $0.name == unit.text && ($0.isWord || $0.isPreposition)
    }) {
      if option.isPreposition { awaited = option } else { given.insert(option.name) }
    } else if let operand = left.first, operand.use != .repeated {
      given.insert(operand.name)
      left.removeFirst()
    }
  }
}

extension Assistant {
  func operands(of verb: Verb, _ units: [CursorStatement.Unit], _ cursor: CursorStatement) -> [Candidate] {
    let progress = OperandProgress(verb, units)
    if let key = cursor.key {
      guard let parameter = (verb.options + verb.operands).first(where: { $0.name == key }) else {
        return fieldValues(key, verb, units) + optionValues(key, units)
      }
      return values(parameter, verb, units, cursor)
    }
    if !cursor.lead.isEmpty { return values(cursor) }
    if let option = progress.awaited { return values(option, verb, units, cursor) }
    var all: [Candidate] = []
    if let operand = progress.next { all += values(operand, verb, units, cursor) }
    all += options(verb, progress)
    all += kindOptions(verb, units, progress)
    // An operand that may be left out does not keep `->` from coming; names come last, since they are many.
    return all
  }

  /// Options that are not given yet.
  private func options(_ verb: Verb, _ progress: OperandProgress) -> [Candidate] {
    verb.options.filter { !progress.given.contains($0.name) }.map { option in
      if option.isPreposition || option.isWord && !option.takesValue {
        return Candidate(option.name, .option, option.isPreposition ? option.accepts.described : "")
      }
      if option.isWord {
        return Candidate(option.name, .option, "or \(option.name)=, \(option.accepts.described)")
      }
      return Candidate(option.name + "=", .option, option.accepts.described, isComplete: false)
    }
  }

  /// Options of the kind of IOMMU that is plugged in: `iommu io kind=vtd mode=`.
  private func kindOptions(_ verb: Verb, _ units: [CursorStatement.Unit], _ progress: OperandProgress)
    -> [Candidate]
  {
    guard verb.takesOptionsOfAKind, let kind = iommuKind(units) else { return [] }
    return kind.options.filter { !progress.given.contains($0.name) }.map {
      Candidate($0.isFlag ? $0.name : $0.name + "=", .option, $0.summary, isComplete: $0.isFlag)
    }
  }

  private func iommuKind(_ units: [CursorStatement.Unit]) -> IOMMUDescription? {
    let name = units.first { $0.key == "kind" }?.text.dropFirst(5)
    return surroundings.bench?.iommuKinds.first { $0.name == name.map { String($0) } }
  }

  /// The words of an option that only its kind of IOMMU has.
  private func optionValues(_ key: String, _ units: [CursorStatement.Unit]) -> [Candidate] {
    let option = iommuKind(units)?.options.first { $0.name == key }
    return option?.words?.map { Candidate($0, .value) } ?? []
  }

  /// The names that the value of a field may have.
  private func fieldValues(_ key: String, _ verb: Verb, _ units: [CursorStatement.Unit]) -> [Candidate] {
    let row = verb.row ?? units.first.flatMap { CommandTable.row(named: $0.text) }
    let op = verb.selftestOp ?? units.first.flatMap { SelftestOp.named($0.text) }
    let field = ((row?.fields ?? []) + (op?.fields ?? [])).first { $0.name == key }
    switch field?.meaning {
    case .flags(let names)?, .choice(let names)?: return choices(names)
    default: return []
    }
  }

  // MARK: Values

  /// What may stand where a parameter's value belongs.
  func values(
    _ parameter: Parameter, _ verb: Verb, _ units: [CursorStatement.Unit], _ cursor: CursorStatement
  ) -> [Candidate] {
    switch parameter.accepts {
    case .object(let kinds): return named(kinds)
    case .descriptor(let kinds): return named(kinds)
    case .address: return named([.memory])
    case .number: return named([.number, .item, .process, .physical])
    case .length: return named([.number])
    case .iova: return addresses(parameter, verb, units) + named([.number])
    case .range: return mappedRanges(units) + named([.range])
    case .bytes: return functions(of: [.bytes]) + named([.bytes, .text])
    case .choice(let names): return choices(names)
    case .words(let words): return words.map { Candidate($0, .value) }
    case .list: return named([.list])
    case .records: return []
    case .any: return anything(parameter, verb, units)
    }
  }

  /// Parameters that the verb itself looks at: which words they have depends on the verb.
  private func anything(_ parameter: Parameter, _ verb: Verb, _ units: [CursorStatement.Unit]) -> [Candidate]
  {
    switch (verb.name, parameter.name) {
    // What is made gets a new name.
    case _ where verb.isNaming(parameter): return []
    case ("iommu", "kind"):
      return surroundings.bench?.iommuKinds.map { Candidate($0.name, .value, $0.summary) } ?? []
    case ("bug", "name"):
      return surroundings.bench?.driverBugs.map { Candidate($0.name, .value, $0.summary) } ?? []
    case ("bug lock", "name"): return surroundings.bench?.forgettableLocks.map { Candidate($0, .value) } ?? []
    case ("table", "format"): return surroundings.bench?.guestTableFormats.map { Candidate($0, .value) } ?? []
    case ("request", "name"), ("ioctl", "request"):
      return CommandTable.all.filter { $0.exists(in: surroundings.environment.kernel) }.map {
        Candidate($0.name, .value, $0.summary)
      }
    case ("selftest", "op"): return CommandTable.selftestOps.map { Candidate($0.name, .value, $0.summary) }
    case ("ioctl", "file"): return [Candidate("default", .value, "the file in use")] + named([.context, .fd])
    case ("show", "part"):
      guard let first = units.first, first.text.hasPrefix("$") else { return [] }
      return parts(String(first.text.dropFirst()))
    case ("memlock", "bytes"): return [Candidate("unlimited", .value)]
    case (_, "fill"): return ["seq", "random", "zero"].map { Candidate($0, .value) }
    case (_, "data") where verb.name == "hwpt create": return choices(Names.hwptData)
    case (_, "iova"), (_, "range"): return mappedRanges(units)
    case ("open", "path"): return []
    default: return named(nil)
    }
  }

  func choices(_ names: NamedValues) -> [Candidate] {
    names.entries.filter { $0.since <= surroundings.environment.kernel }.map {
      Candidate($0.name, .value, "0x" + String($0.value, radix: 16))
    }
  }

  /// Names that stand for one of these; nil for all.
  func named(_ kinds: Set<Kind>?) -> [Candidate] {
    surroundings.names.compactMap { name in
      // What a name stands for may only be known when it runs.
      if let kinds, let kind = name.kind, !kinds.contains(kind) { return nil }
      return Candidate("$" + name.name, .name, name.kind?.described ?? "")
    }
  }

  func functions(of kinds: Set<Kind>?) -> [Candidate] {
    Function.allCases.compactMap { function in
      if let kinds, !(function.kind.map { kinds.contains($0) } ?? false) { return nil }
      return Candidate(
        function.rawValue + (function.parameters.names.isEmpty ? "()" : "("), .function, function.summary,
        isComplete: function.parameters.names.isEmpty)
    }
  }

  /// Any value: names, functions.
  func values(_ cursor: CursorStatement) -> [Candidate] { named(nil) + functions(of: nil) }
}

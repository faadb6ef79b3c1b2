// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter
internal import Language
internal import UAPI

// What stands in statements that are no commands, behind `->`, in conditions and in records.

extension Assistant {
  func statement(_ keyword: Keywords.Statement, _ cursor: CursorStatement) -> [Candidate] {
    let units = cursor.units.dropFirst()
    let last = units.last?.text
    switch keyword {
    case .expect:
      if cursor.lead.isEmpty, units.isEmpty {
        return [Candidate("invariants", .value, "every rule of the model")] + values(cursor)
      }
      return values(cursor)
    case .run:
      if units.isEmpty { return surroundings.threads.map { Candidate($0, .name, "a thread") } }
      if last == "until" { return points }
      if let key = cursor.key { return key == "nth" ? named([.number]) : [] }
      return units.count == 1
        ? [Candidate("until", .option, "up to a point")]
        : [Candidate("nth=", .option, "passed that many times", isComplete: false)]
    case .explore:
      if cursor.key == "threads" { return surroundings.threads.map { Candidate($0, .name, "a thread") } }
      return unused(
        [("threads=", "the threads, [a, b]"), ("bound=", "how often one is made to wait")], units, cursor)
    case .fail:
      if cursor.key == "at" { return failures }
      return unused([("nth=", "which failure point"), ("at=", "its kind")], units, cursor)
    case .sweep:
      if cursor.key == "at" { return failures }
      return unused([("at=", "kinds of failure points")], units, cursor)
    case .require, .if: return conditions(cursor)
    case .for:
      if units.count == 1 { return [Candidate("in", .option)] }
      return units.count > 1 ? values(cursor) : []
    case .include:
      return units.isEmpty ? [] : last?.hasPrefix("\"") == true ? [Candidate("with", .option)] : []
    case .param:
      guard units.count == 1, last?.hasSuffix(":") == true || cursor.lead.hasSuffix(":") else { return [] }
      return ParameterStatement.ValueType.allCases.map { Candidate($0.rawValue, .value) }
    case .export: return surroundings.names.map { Candidate($0.name, .name, $0.kind?.described ?? "") }
    case .defer:
      // Behind it stands a statement like any other.
      let rest = cursor.units.dropFirst().map(\.text).joined(separator: " ")
      return candidates(CursorStatement(rest + (rest.isEmpty ? "" : " ") + cursor.lead + cursor.word))
    case .test: return units.count == 1 ? [Candidate("label=", .option, isComplete: false)] : []
    case .iofd: return [Candidate("1", .value, "the version of the language")]
    case .def, .section, .xfail, .thread, .parallel: return []
    }
  }

  private func unused(
    _ options: [(text: String, summary: String)], _ units: ArraySlice<CursorStatement.Unit>,
    _ cursor: CursorStatement
  ) -> [Candidate] {
    guard cursor.lead.isEmpty else { return [] }
    let given = Set(units.compactMap(\.key))
    return options.filter { !given.contains(String($0.text.dropLast())) }.map {
      Candidate($0.text, .option, $0.summary, isComplete: false)
    }
  }

  private var points: [Candidate] {
    surroundings.bench?.schedulePoints.map { Candidate($0.name, .value, $0.summary) } ?? []
  }

  private var failures: [Candidate] {
    surroundings.bench?.failurePoints.map { Candidate($0.name, .value, $0.summary) } ?? []
  }

  /// The arguments of a procedure.
  func arguments(of procedure: (name: String, parameters: [String]), _ cursor: CursorStatement) -> [Candidate]
  {
    guard cursor.lead.isEmpty else { return values(cursor) }
    let arguments = cursor.units.dropFirst()
    let given = Set(arguments.compactMap(\.key))
    return named(nil)
      + procedure.parameters.dropFirst(arguments.count { $0.key == nil }).filter { !given.contains($0) }.map {
        Candidate($0 + "=", .option, isComplete: false)
      }
  }

  func conditions(_ cursor: CursorStatement) -> [Candidate] {
    if cursor.key == "backend" { return Environment.backends.map { Candidate($0, .value) } }
    if cursor.lead.contains("kernel") {
      return Personality.allCases.map { Candidate($0.rawValue, .value) }
    }
    return [
      Candidate("kernel>=", .value, "a release or newer", isComplete: false),
      Candidate("backend=", .value, "the IOMMU hardware", isComplete: false),
      Candidate("bench", .value, "the target can be looked into"),
    ] + Environment.backends.map { Candidate($0, .value, "the backend") }
  }

  // MARK: Expectations

  /// Outcomes first, then the results of the command.
  func expectation(_ cursor: CursorStatement) -> [Candidate] {
    if cursor.word.hasPrefix("$"), cursor.word.contains(".") { return members(cursor.word) }
    let words = cursor.units.prefix { $0.isWord }.map(\.text)
    let verb = VerbTable.find(words)?.verb
    if let key = cursor.key {
      guard let verb, let names = verb.names(ofResult: key) else { return values(cursor) }
      return choices(names)
    }
    guard cursor.lead.isEmpty || cursor.lead.hasSuffix("|") else { return values(cursor) }
    var all = [Candidate("ok", .outcome, "it worked")]
    if verb?.canFault == true {
      all.append(Candidate("fault", .outcome, "the access faulted"))
      all.append(Candidate("blocked", .outcome, "the IOMMU holds it"))
    }
    all += verb?.resultNames.map { Candidate($0 + "=", .member, "a result", isComplete: false) } ?? []
    all += [
      Candidate("rejected", .outcome, "any errno, and nothing has changed"),
      Candidate("failed", .outcome, "any errno"),
    ]
    all += Errno.allNames.compactMap { name in
      Errno(name: name)?.meaning.map { Candidate(name, .outcome, $0) }
    }
    return all
  }

  // MARK: Records

  /// Entries of `invalidate`, `ioctl` and `table`.
  func record(_ cursor: CursorStatement) -> [Candidate] {
    let words = cursor.units.prefix { $0.isWord }.map(\.text)
    guard let verb = VerbTable.find(words)?.verb else { return [] }
    if cursor.key == "vdevice" { return named([.vdevice]) }
    guard cursor.lead.isEmpty || cursor.lead.hasSuffix("{") else { return values(cursor) }
    switch verb.name {
    case "invalidate":
      return Verb.invalidationEntries.map {
        Candidate($0.text, .value, $0.summary, isComplete: !$0.text.hasSuffix("="))
      }
    case "table": return ["gpa", "ro", "wo", "rw"].map { Candidate($0, .value) }
    case "ioctl":
      let name = cursor.units.dropFirst(2).first?.text
      let row = name.flatMap { CommandTable.row(named: $0) }
      return ["u8", "u16", "u32", "u64"].map { Candidate($0, .value, "a number of that many bits") }
        + (row?.fields.map { Candidate($0.name + "=", .option, isComplete: false) } ?? [])
    default: return []
    }
  }
}

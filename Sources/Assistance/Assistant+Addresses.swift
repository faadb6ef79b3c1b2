// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Interpreter
internal import Language
internal import Views

// Addresses that make sense now: free ones for what maps, mapped ones for everything else.

extension Assistant {
  /// Most addresses that are offered.
  private static let most = 8

  func addresses(_ parameter: Parameter, _ verb: Verb, _ units: [CursorStatement.Unit]) -> [Candidate] {
    switch (verb.name, parameter.name) {
    case ("map", "iova"), ("vfio map", "iova"), ("copy", "at"): return free(verb, units)
    case (_, "last"): return []
    default:
      return mappedRanges(units).map { Candidate(String($0.text.prefix { $0 != "." }), .address, $0.summary) }
    }
  }

  /// The space that a statement is about: the first name in it that stands for one, or the only one there is.
  private func space(_ units: [CursorStatement.Unit], target: String? = nil) -> Fact? {
    let spaces = surroundings.names.filter { $0.kind == .ioas }.map(\.name)
    if let target, spaces.contains(target) { return surroundings.facts(of: target) }
    for unit in units {
      let value = unit.key.map { unit.text.dropFirst($0.count + 1) } ?? unit.text[...]
      guard value.hasPrefix("$") else { continue }
      let name = String(value.dropFirst())
      if spaces.contains(name) { return surroundings.facts(of: name) }
    }
    return spaces.count == 1 ? surroundings.facts(of: spaces[0]) : nil
  }

  /// The beginnings of free ranges that what is mapped fits into.
  private func free(_ verb: Verb, _ units: [CursorStatement.Unit]) -> [Candidate] {
    let target = units.first { $0.key == "to" }.map { String($0.text.dropFirst(4)) }
    guard let facts = space(units, target: target) else { return [] }
    let length = max(1, length(units))
    let alignment = max(facts["alignment"]?.number ?? 1, Self.page)
    var taken = Self.ranges(facts["areas"]) + Self.ranges(facts["reserved"])
    taken.sort { $0.first < $1.first }
    var found: [Candidate] = []
    for range in Self.ranges(facts["iovas"]) {
      var start = range.first
      for hole in taken + [(UInt64.max, UInt64.max)] where found.count < Self.most {
        if hole.last < start && hole.first != .max { continue }
        guard let aligned = Self.aligned(start, alignment), aligned <= range.last else { break }
        let end = hole.first == .max ? range.last : min(range.last, hole.first == 0 ? 0 : hole.first - 1)
        if end >= aligned, end - aligned >= length - 1 {
          let size = end - aligned == .max ? "everything" : "0x" + String(end - aligned + 1, radix: 16)
          found.append(Candidate("0x" + String(aligned, radix: 16), .address, "free: \(size)"))
        }
        if hole.last == .max || hole.last >= range.last { break }
        start = max(start, hole.last + 1)
      }
    }
    return found
  }

  private static let page: UInt64 = 4096

  private static func aligned(_ address: UInt64, _ alignment: UInt64) -> UInt64? {
    let rest = address % alignment
    guard rest != 0 else { return address }
    let (sum, overflow) = address.addingReportingOverflow(alignment - rest)
    return overflow ? nil : sum
  }

  /// How much a statement maps, as far as it is typed.
  private func length(_ units: [CursorStatement.Unit]) -> UInt64 {
    for unit in units where unit.key == "len" {
      if let value = Self.size(unit.text.dropFirst(4)) { return value }
    }
    for unit in units where unit.text.hasPrefix("$") {
      let name = unit.text.dropFirst().prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      if let length = surroundings.names.first(where: { $0.name == name })?.length { return length }
    }
    return Self.page
  }

  /// `64K` as a number.
  private static func size(_ text: Substring) -> UInt64? {
    let shifts: [Character: UInt64] = ["K": 10, "M": 20, "G": 30, "T": 40]
    if let shift = text.last.flatMap({ shifts[$0] }) {
      return UInt64(text.dropLast()).flatMap { $0 < 1 << 24 ? $0 << shift : nil }
    }
    return text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }

  /// What the space maps, as ranges.
  func mappedRanges(_ units: [CursorStatement.Unit]) -> [Candidate] {
    guard let facts = space(units), case .list(let areas)? = facts["areas"] else { return [] }
    return areas.prefix(Self.most).compactMap { area in
      guard let first = area["iova"]?.number, let last = area["last"]?.number else { return nil }
      var access = ""
      if case .text(let text)? = area["access"] { access = text }
      return Candidate(
        "0x\(String(first, radix: 16))...0x\(String(last, radix: 16))", .address, "mapped \(access)")
    }
  }

  /// Ranges among what is known: `{iova, last}` records, `{first...last}` ranges.
  private static func ranges(_ fact: Fact?) -> [(first: UInt64, last: UInt64)] {
    guard case .list(let items)? = fact else { return [] }
    return items.compactMap { item in
      if case .range(let first, let last) = item { return (first, last) }
      guard let first = item["iova"]?.number, let last = item["last"]?.number else { return nil }
      return (first, last)
    }
  }

  // MARK: Members

  /// The parts of what a name stands for: `$vm.areas.count`.
  func members(_ word: String) -> [Candidate] {
    var path = word.dropFirst().split(separator: ".", omittingEmptySubsequences: false).map { String($0) }
    guard path.count >= 2, !path[0].isEmpty else { return [] }
    path.removeLast()
    guard var fact = surroundings.facts(of: Self.plain(path[0])) else { return [] }
    for step in path.dropFirst() {
      guard let next = fact[Self.plain(step)] else { return [] }
      fact = next
      if step.hasSuffix("]"), case .list(let items) = next, let first = items.first { fact = first }
    }
    let prefix = "$" + path.joined(separator: ".") + "."
    if case .list = fact { return [Candidate(prefix + "count", .member, "how many there are")] }
    guard case .record(let members) = fact else { return [] }
    return members.map { Candidate(prefix + $0.name, .member, FactText.line($0.value, limit: 60)) }
  }

  /// A step without its index: `areas` of `areas[0]`.
  private static func plain(_ step: String) -> String { String(step.prefix { $0 != "[" }) }

  /// The parts that `show $x PART` knows.
  func parts(_ name: String) -> [Candidate] {
    guard case .record(let members)? = surroundings.facts(of: name) else { return [] }
    let table =
      surroundings.names.contains { $0.name == name && $0.kind == .hwpt } ? [Candidate("table", .member)] : []
    return members.map { Candidate($0.name, .member, FactText.line($0.value, limit: 60)) } + table
  }
}

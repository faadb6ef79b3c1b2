// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

// A verb is a row of data: what people type, what it means, and which request it becomes. The resolver,
// the diagnostics, `explain` and completion read the same row, so a verb is added once.

/// What an operand or option may be.
public enum Accepts: Sendable {
  /// An object of one of these kinds, or any object number as `id:3` or `any:3`.
  case object(Set<Kind>)
  /// Something with a file descriptor, or a descriptor's number.
  case descriptor(Set<Kind>)
  case number
  case iova
  case length
  /// User memory, or an address as a number.
  case address
  case bytes
  case range
  case choice(NamedValues)
  case words([String])
  case list
  /// Literal records: `{ iotlb=1 }`.
  case records
  case any

  /// How help calls it.
  public var described: String {
    switch self {
    case .object(Kind.objects): "an object"
    case .object(let kinds): kinds.map { $0.described }.sorted().joined(separator: " or ")
    case .descriptor: "a file descriptor"
    case .number: "a number"
    case .iova: "an IOVA"
    case .length: "a size"
    case .address: "memory or an address"
    case .bytes: "bytes"
    case .range: "a range first...last"
    case .choice(let names): "one of " + names.entries.map { $0.name }.joined(separator: " ")
    case .words(let words): "one of " + words.joined(separator: " ")
    case .list: "a list"
    case .records: "{ ... }"
    case .any: "a value"
    }
  }
}

/// An operand in its place, or an option by its name.
public struct Parameter: Sendable {
  public enum Use: Sendable {
    case required, optional
    /// Any number of them, last in the list of operands.
    case repeated
  }
  /// Where the value goes.
  enum Target: Sendable {
    case field(String)
    case bits(String, UInt64)
    /// The verb's own lowering looks at it.
    case custom
  }
  public let name: String
  public let accepts: Accepts
  public let use: Use
  /// The option may stand as a bare word, without `=`.
  public let isWord: Bool
  /// The option may have a value.
  public let takesValue: Bool
  /// The value follows the option's name as a word of its own: `behind $io`.
  public var isPreposition = false
  /// What is meant where nothing is said; nil where that is nothing, or said in the summary.
  public var usual: Usual?
  let target: Target

  /// A value that is meant where nothing is said.
  public enum Usual: Sendable {
    case number(UInt64)
    case word(String)
    /// In words: it comes from something else.
    case described(String)
  }

  /// `len=SIZE` or an operand.
  static func value(
    _ name: String, _ accepts: Accepts, to field: String? = nil, _ use: Use = .optional, usual: Usual? = nil
  ) -> Parameter {
    Parameter(
      name: name, accepts: accepts, use: use, isWord: false, takesValue: true, usual: usual,
      target: field.map { .field($0) } ?? .custom)
  }

  /// A bare word that sets bits of a field.
  static func word(_ name: String, _ field: String, _ bits: UInt64) -> Parameter {
    Parameter(
      name: name, accepts: .any, use: .optional, isWord: true, takesValue: false, target: .bits(field, bits))
  }

  /// A bare word that the verb looks at itself.
  static func word(_ name: String) -> Parameter {
    Parameter(name: name, accepts: .any, use: .optional, isWord: true, takesValue: false, target: .custom)
  }

  /// `name $value`, or `name=value`.
  static func preposition(_ name: String, _ accepts: Accepts) -> Parameter {
    var parameter = value(name, accepts)
    parameter.isPreposition = true
    return parameter
  }

  /// A bare word, or `name=value`.
  static func wordOrValue(_ name: String, _ accepts: Accepts) -> Parameter {
    Parameter(name: name, accepts: accepts, use: .optional, isWord: true, takesValue: true, target: .custom)
  }
}

extension Parameter {
  /// As a synopsis shows an operand: `$vm`, `[$memory]`, `RANGE...`.
  public var operandSynopsis: String {
    let shown =
      switch accepts {
      case .object, .descriptor, .address: "$\(name)"
      case .words(let words): words.joined(separator: "|")
      case .records: "{ \(name) }"
      default: name.uppercased()
      }
    return switch use {
    case .required: shown
    case .optional: "[\(shown)]"
    case .repeated: "\(shown)..."
    }
  }

  /// As a synopsis shows an option: `[iova=]`, `[ro]`, `to=`.
  public var optionSynopsis: String {
    let shown =
      isPreposition
      ? "\(name) $\(name)" : isWord && !takesValue ? name : isWord ? "\(name)[=]" : "\(name)="
    return use == .required ? shown : "[\(shown)]"
  }
}

extension Parameter {
  /// As help shows the usual value: `64`, `SELFTEST`; nil where there is none.
  public var usualText: String? {
    switch usual {
    case .number(let value):
      if case .choice(let names) = accepts, let name = names.name(of: value) { return name }
      if case .iova = accepts { return "0x" + String(value, radix: 16) }
      return String(value)
    case .word(let text), .described(let text): return text
    case nil: return nil
    }
  }

  /// The C field that the value goes into as it is.
  public var field: String? { if case .field(let name) = target { name } else { nil } }

  /// The C field in which a bare word sets bits, and which.
  public var bits: (field: String, value: UInt64)? {
    if case .bits(let name, let value) = target { (name, value) } else { nil }
  }
}

/// A row of the verb table.
public struct Verb: Sendable {
  /// What a verb is made into.
  enum Base: Sendable {
    case request(String)
    case selftest(String)
    /// The lowering alone decides.
    case local
  }
  /// The canonical spelling, one to three words.
  public let words: [String]
  /// Other accepted orders.
  public let alternates: [[String]]
  public let operands: [Parameter]
  public let options: [Parameter]
  public let summary: String
  public let examples: [String]
  let base: Base
  let results: [ResultSpec]
  /// The operand whose word is bound to the first result: `iommu io kind=vtd` binds `$io`.
  let namesResult: String?
  /// Options of any name are taken; what they mean is known only when it runs.
  let takesAnyOption: Bool
  let lower: @Sendable (inout Lowering) -> Void

  init(
    _ words: String, _ base: Base, or alternates: [String] = [], operands: [Parameter] = [],
    options: [Parameter] = [], results: [ResultSpec] = [], namesResult: String? = nil,
    takesAnyOption: Bool = false, _ summary: String, examples: [String] = [],
    lower: @escaping @Sendable (inout Lowering) -> Void = { _ in }
  ) {
    self.words = words.split(separator: " ").map { String($0) }
    self.alternates = alternates.map { $0.split(separator: " ").map { String($0) } }
    self.base = base
    self.namesResult = namesResult
    self.takesAnyOption = takesAnyOption
    self.operands = operands
    self.options = options
    self.results = results
    self.summary = summary
    self.examples = examples
    self.lower = lower
  }

  /// `ioas create`
  public var name: String { words.joined(separator: " ") }

  /// The request's row, where the verb is one request.
  public var row: CommandRow? {
    switch base {
    case .request(let name): CommandTable.row(named: name)
    case .selftest: CommandTable.selftest
    case .local: nil
    }
  }

  /// The operation, where the verb is one of the selftest command's.
  public var selftestOp: SelftestOp? {
    if case .selftest(let name) = base { SelftestOp.named(name) } else { nil }
  }

  /// `IOAS_MAP`, `TEST MD_CHECK_MAP`; nil for what is no single ioctl.
  public var requestName: String? {
    switch base {
    case .request(let name): name
    case .selftest(let name): "TEST \(name)"
    case .local: nil
    }
  }

  /// First release that has the request.
  public var since: KernelVersion? {
    switch base {
    case .request: row?.since
    case .selftest: selftestOp?.since
    case .local: nil
    }
  }

  /// Names of the results, the primary one first.
  public var resultNames: [String] { results.map { $0.name } }

  /// The results in the same order, with what each of them is.
  public var answers: [(name: String, described: String)] { results.map { ($0.name, $0.shape.described) } }

  /// The operand or option called `name`.
  func parameter(_ name: String) -> Parameter? { (operands + options).first { $0.name == name } }

  /// The C field called `name` of the request that the verb makes.
  public func field(named name: String) -> Field? {
    selftestOp?.fields.first { $0.name == name } ?? row?.field(name)
  }

  /// The words that a result may be compared with.
  public func names(ofResult name: String) -> NamedValues? {
    results.first { $0.name == name }.flatMap { $0.shape.names ?? $0.shape.element?.names }
  }

  /// Whether its first result gets a name from an operand, as in `iommu io kind=vtd`.
  public func isNaming(_ operand: Parameter) -> Bool { namesResult == operand.name }

  /// Its options are those of a kind that one of them names: `iommu io kind=vtd mode=legacy`.
  public var takesOptionsOfAKind: Bool { takesAnyOption }

  /// How an access of a device may end besides with success or an errno.
  public var canFault: Bool { results.contains { $0.name == "reason" } }

  /// `map $vm $memory [iova=] [len=] [ro]`
  public var synopsis: String {
    var parts = [name]
    for operand in operands {
      parts.append(operand.operandSynopsis)
    }
    for option in options { parts.append(option.optionSynopsis) }
    return parts.joined(separator: " ")
  }
}

/// Every verb of the language.
public enum VerbTable {
  public static let all: [Verb] = groups.flatMap(\.verbs)

  /// The same under headings, for help.
  public static let groups: [(title: String, verbs: [Verb])] = [
    ("I/O address spaces", ioasVerbs), ("Memory and processes", memoryVerbs), ("Devices", deviceVerbs),
    ("Hardware", hardwareVerbs), ("Page tables, dirty pages, faults", hwptVerbs),
    ("Virtual IOMMUs", viommuVerbs), ("The kernel's test operations", testVerbs),
    ("Files and looking", systemVerbs + viewVerbs), ("VFIO on /dev/iommu", vfioVerbs),
    ("Raw requests", rawVerbs),
  ]

  /// The verb that a command begins with: the longest name that fits its leading words.
  ///
  /// - Returns: the verb and how many words name it, or nil.
  public static func find(_ words: [String]) -> (verb: Verb, count: Int)? {
    for count in stride(from: min(3, words.count), through: 1, by: -1) {
      if let index = byWords[words[..<count].joined(separator: " ")] { return (all[index], count) }
    }
    return nil
  }

  /// The verbs that begin with this word, for help on half a command.
  public static func beginning(with word: String) -> [Verb] { all.filter { $0.words[0] == word } }

  private static let byWords: [String: Int] = {
    var map: [String: Int] = [:]
    for (index, verb) in all.enumerated() {
      for words in [verb.words] + verb.alternates { map[words.joined(separator: " ")] = index }
    }
    return map
  }()
}

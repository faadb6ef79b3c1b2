// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language
internal import UAPI

/// The words of the language by what they are, each list taken from the table that the language itself runs on.
public struct Vocabulary: Sendable {
  /// Words that begin a statement, and `else`.
  public let statements: [String]
  /// Words with a meaning inside statements.
  public let inner: [String]
  public let reserved: [String]
  /// What may stand behind `->` besides errnos.
  public let outcomes: [String]
  public let types: [String]
  /// Every spelling of every verb, the longest first: `show iovas` before `show`.
  public let verbs: [String]
  /// Options of verbs that have a value, and the names of their operands.
  public let keys: [String]
  /// Options of verbs that are bare words.
  public let flags: [String]
  public let functions: [String]
  public let errnos: [String]
  /// The names of the uAPI's enumerations and flags.
  public let constants: [String]
  /// What conditions ask about.
  public let conditions: [String]
  public let sizeUnits: [String]
  public let timeUnits: [String]

  public init() {
    let inside = Keywords.Inner.allCases.map(\.rawValue)
    statements = Keywords.Statement.allCases.map(\.rawValue) + ["else"]
    inner = inside.filter { $0 != "else" }
    reserved = Keywords.reserved.map(\.word)
    outcomes = Keywords.outcomes
    types = ParameterStatement.ValueType.allCases.map(\.rawValue)
    let spellings = VerbTable.all.flatMap { [$0.words] + $0.alternates }.map { $0.joined(separator: " ") }
    verbs = spellings.sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
    let parameters = VerbTable.all.flatMap { $0.operands + $0.options }
    keys = Self.unique(parameters.filter(\.takesValue).map(\.name))
    flags = Self.unique(parameters.filter(\.isWord).map(\.name))
    functions = Function.allCases.map(\.rawValue)
    errnos = Errno.allNames
    constants = Self.unique(Self.enumerations.flatMap { $0.entries.map(\.name) })
    conditions = Environment.names
    sizeUnits = NumberLiteral.Unit.allCases.map(\.rawValue).filter { !$0.isEmpty }
    timeUnits = DurationLiteral.Unit.allCases.map(\.rawValue)
  }

  /// The first words of the verbs: what a statement that is a command begins with.
  var firstVerbWords: [String] { Self.unique(verbs.map { String($0.prefix { $0 != " " }) }) }

  /// Every enumeration and flag set that a request, a verb or a result speaks of.
  static let enumerations: [NamedValues] = {
    let fields = (CommandTable.all.flatMap(\.fields) + CommandTable.selftestOps.flatMap(\.fields)).map(
      \.meaning)
    let parameters = VerbTable.all.flatMap { $0.operands + $0.options }.map(\.accepts)
    var found: [NamedValues] = []
    for case .flags(let names) in fields { found.append(names) }
    for case .choice(let names) in fields { found.append(names) }
    for case .choice(let names) in parameters { found.append(names) }
    for verb in VerbTable.all { found += verb.resultNames.compactMap { verb.names(ofResult: $0) } }
    found += [Names.pageFaultFlags, Names.pageFaultPermissions, Names.pageResponses, Names.veventFlags]
    var seen: Set<String> = []
    return found.filter { seen.insert($0.type).inserted }
  }()

  private static func unique(_ words: [String]) -> [String] { Set(words).sorted() }
}

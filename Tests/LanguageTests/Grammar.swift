// SPDX-License-Identifier: GPL-3.0-or-later

import Testing

/// `grammar/iofd.grammar`, read by the rules of `grammar/README.md`.
struct Grammar {
  /// The right side of a production.
  indirect enum Rule {
    case terminal(String)
    case name(String)
    /// `~`: no space between its neighbours.
    case glue
    case sequence([Rule])
    case choice([Rule])
    case optional(Rule)
    case repeated(Rule)
  }

  struct Production {
    var name: String
    var body: String
    var rule = Rule.sequence([])
    var examples: [String] = []
    var refused: [(code: String, text: String)] = []
  }

  var productions: [Production] = []
  /// Kinds of tokens and their samples.
  var classes: [String: [String]] = [:]

  static func load() throws -> Grammar {
    var grammar = Grammar()
    for line in try Project.text("grammar/iofd.grammar").split(separator: "\n") where !line.hasPrefix("#") {
      if line.hasPrefix("  > ") {
        grammar.productions[grammar.productions.count - 1].examples.append(String(line.dropFirst(4)))
      } else if line.hasPrefix("  ! ") {
        let parts = line.dropFirst(4).split(separator: " ", maxSplits: 1).map { String($0) }
        grammar.productions[grammar.productions.count - 1].refused.append((parts[0], parts[1]))
      } else if line.hasPrefix("    ") {
        grammar.productions[grammar.productions.count - 1].body += " " + line
      } else if let range = line.firstRange(of: " := ") {
        grammar.productions.append(
          Production(name: String(line[..<range.lowerBound]), body: String(line[range.upperBound...])))
      } else if let range = line.firstRange(of: ": ") {
        let name = line[..<range.lowerBound].filter { $0 != " " }
        grammar.classes[name] = line[range.upperBound...].split(separator: " | ").map { String($0) }
      } else {
        throw Unexpected(String(line))
      }
    }
    for index in grammar.productions.indices {
      var reader = RuleReader(grammar.productions[index].body)
      grammar.productions[index].rule = try reader.choice()
      guard reader.isDone else { throw Unexpected(grammar.productions[index].body) }
    }
    return grammar
  }

  func production(_ name: String) -> Production? { productions.first { $0.name == name } }

  /// All terminals that are written somewhere.
  var terminals: Set<String> {
    var found: Set<String> = []
    func visit(_ rule: Rule) {
      switch rule {
      case .terminal(let text): found.insert(text)
      case .sequence(let parts), .choice(let parts): parts.forEach(visit)
      case .optional(let part), .repeated(let part): visit(part)
      case .name, .glue: break
      }
    }
    for production in productions { visit(production.rule) }
    return found
  }

  /// All names that are used on right sides.
  var names: Set<String> {
    var found: Set<String> = []
    func visit(_ rule: Rule) {
      switch rule {
      case .name(let name): found.insert(name)
      case .sequence(let parts), .choice(let parts): parts.forEach(visit)
      case .optional(let part), .repeated(let part): visit(part)
      case .terminal, .glue: break
      }
    }
    for production in productions { visit(production.rule) }
    return found
  }
}

/// Reads `"a" [ b { ~ "," c } ] | d`.
private struct RuleReader {
  private var symbols: [String] = []
  private var index = 0

  init(_ text: String) {
    var rest = Substring(text)
    while let first = rest.first {
      if first == " " {
        rest.removeFirst()
      } else if first == "\"", let end = rest.dropFirst().firstIndex(of: "\"") {
        symbols.append(String(rest[...end]))
        rest = rest[rest.index(after: end)...]
      } else {
        let end = rest.firstIndex(of: " ") ?? rest.endIndex
        symbols.append(String(rest[..<end]))
        rest = rest[end...]
      }
    }
  }

  var isDone: Bool { index == symbols.count }

  mutating func choice() throws -> Grammar.Rule {
    var parts = [try sequence()]
    while !isDone && symbols[index] == "|" {
      index += 1
      parts.append(try sequence())
    }
    return parts.count == 1 ? parts[0] : .choice(parts)
  }

  private mutating func sequence() throws -> Grammar.Rule {
    var parts: [Grammar.Rule] = []
    while !isDone {
      let symbol = symbols[index]
      switch symbol {
      case "|", "]", "}", ")": return .sequence(parts)
      case "~": parts.append(.glue)
      case "[": parts.append(.optional(try bracket("]")))
      case "{": parts.append(.repeated(try bracket("}")))
      case "(": parts.append(try bracket(")"))
      default:
        parts.append(
          symbol.hasPrefix("\"") ? .terminal(String(symbol.dropFirst().dropLast())) : .name(symbol))
      }
      index += 1
    }
    return .sequence(parts)
  }

  private mutating func bracket(_ close: String) throws -> Grammar.Rule {
    index += 1
    let rule = try choice()
    guard !isDone, symbols[index] == close else { throw Unexpected("missing \(close)") }
    return rule
  }
}

/// Random sentences of a grammar.
///
/// Names that bind and keys get a number, since a list of them must not repeat one; that is a rule about
/// meaning, which productions cannot say.
struct Sentences {
  private let grammar: Grammar
  private let heights: [String: Int]
  private var random: Random
  private var counter = 0
  private var pieces: [String] = []
  private var isGlued = true

  init(_ grammar: Grammar, seed: UInt64) {
    self.grammar = grammar
    random = Random(seed: seed)
    heights = Self.heights(grammar)
  }

  /// A sentence of a production, nested about as deep as `size`.
  mutating func sentence(of name: String, size: Int) -> String {
    pieces = []
    isGlued = true
    expand(.name(name), size)
    return pieces.joined()
  }

  private mutating func put(_ text: String) {
    if !isGlued && text != "\n" && pieces.last != "\n" { pieces.append(" ") }
    pieces.append(text)
    isGlued = false
  }

  private mutating func expand(_ rule: Grammar.Rule, _ size: Int) {
    switch rule {
    case .terminal(let text): put(text)
    case .glue: isGlued = true
    case .sequence(let parts): for part in parts { expand(part, size) }
    case .choice(let parts):
      let fitting = parts.filter { height($0) <= size }
      let lowest = parts.min { height($0) < height($1) }
      if let part = fitting.randomElement(using: &random) ?? lowest { expand(part, size) }
    case .optional(let part):
      if height(part) <= size && Bool.random(using: &random) { expand(part, size) }
    case .repeated(let part):
      guard height(part) <= size else { return }
      for _ in 0..<Int.random(in: 0...3, using: &random) { expand(part, size) }
    case .name(let name):
      if let samples = grammar.classes[name], let sample = samples.randomElement(using: &random) {
        counter += 1
        put(sample == "⏎" ? "\n" : name == "NAME" || name == "KEY" ? sample + String(counter) : sample)
      } else if let production = grammar.production(name) {
        expand(production.rule, size - 1)
      }
    }
  }

  private func height(_ rule: Grammar.Rule) -> Int { Self.height(rule, heights) }

  private static func height(_ rule: Grammar.Rule, _ heights: [String: Int]) -> Int {
    switch rule {
    case .terminal, .glue, .optional, .repeated: 0
    case .sequence(let parts): parts.map { height($0, heights) }.max() ?? 0
    case .choice(let parts): parts.map { height($0, heights) }.min() ?? 0
    case .name(let name): heights[name] ?? 1000
    }
  }

  /// How deep the lowest sentence of every name is.
  private static func heights(_ grammar: Grammar) -> [String: Int] {
    var heights = grammar.classes.mapValues { _ in 0 }
    for _ in grammar.productions {
      for production in grammar.productions {
        heights[production.name] = height(production.rule, heights) + 1
      }
    }
    return heights
  }
}

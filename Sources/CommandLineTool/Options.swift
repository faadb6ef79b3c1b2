// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

// The command line as data: an option is a row, and reading, help and suggestions use the same row.
// (swift-argument-parser would be twice the size of what it parses for: it takes 3 to 6 ms of the 10 ms
// that a small script may take from cold, measured, and brings Foundation with it.)

/// An option of a subcommand.
struct OptionRow: Sendable {
  enum Value: Sendable {
    case none
    /// `--jobs N`, `--jobs=N`, `-jN`
    case required(String)
    /// `--trace`, `--trace=FILE`
    case optional(String)
  }
  /// `--jobs`; the first is the one that answers are kept under.
  let names: [String]
  let value: Value
  let help: String

  init(_ names: String..., value: Value = .none, help: String) {
    self.names = names
    self.value = value
    self.help = help
  }

  /// `-j, --jobs N`
  var synopsis: String {
    let names = names.sorted { $0.utf8.count < $1.utf8.count }.joined(separator: ", ")
    switch value {
    case .none: return names
    case .required(let word): return "\(names) \(word)"
    case .optional(let word): return "\(names)[=\(word)]"
    }
  }
}

/// The command line does not say what to do.
struct UsageError: Error {
  let message: String
  var help: String?
}

/// A command line, taken apart by a table of options.
struct Arguments {
  private(set) var operands: [String] = []
  private var values: [String: [String]] = [:]

  /// - Parameter endsAtOperand: the first operand and all behind it are operands, whatever they look like.
  /// - Throws: UsageError for an option that is not in the table, or a value too many or too few.
  init(_ words: some Sequence<String>, _ rows: [OptionRow], endsAtOperand: Bool = false) throws(UsageError) {
    var words = Array(words)[...]
    while let word = words.popFirst() {
      if word == "--" {
        operands += words
        break
      }
      guard word.hasPrefix("-") && word != "-" else {
        operands.append(word)
        if endsAtOperand {
          operands += words
          break
        }
        continue
      }
      let (name, attached) = Self.split(word)
      guard let row = rows.first(where: { $0.names.contains(name) }) else {
        throw UsageError(
          message: "there is no option \(name)",
          help: Suggest.help(for: name, in: rows.flatMap { $0.names }.filter { $0.hasPrefix("--") }))
      }
      let value: String
      switch row.value {
      case .none:
        if attached != nil { throw UsageError(message: "\(name) takes no value") }
        value = ""
      case .optional: value = attached ?? ""
      case .required(let what):
        guard let given = attached ?? words.popFirst() else {
          throw UsageError(message: "\(name) needs a value: \(name) \(what)")
        }
        value = given
      }
      values[row.names[0], default: []].append(value)
    }
  }

  /// `--name=value` and `-nvalue`.
  private static func split(_ word: String) -> (name: String, value: String?) {
    if word.hasPrefix("--") {
      guard let sign = word.firstIndex(of: "=") else { return (word, nil) }
      return (String(word[..<sign]), String(word[word.index(after: sign)...]))
    }
    let rest = word.dropFirst(2)
    let value = rest.first == "=" ? rest.dropFirst() : rest
    return (String(word.prefix(2)), rest.isEmpty ? nil : String(value))
  }

  func has(_ name: String) -> Bool { values[name] != nil }

  /// All values of an option that may be repeated.
  func all(_ name: String) -> [String] { values[name] ?? [] }

  /// The value of an option; the last one counts.
  func last(_ name: String) -> String? { values[name]?.last }

  /// A whole number of at least `minimum`.
  func number(_ name: String, minimum: Int) throws(UsageError) -> Int? {
    guard let text = last(name) else { return nil }
    guard let number = Int(text), number >= minimum else {
      throw UsageError(message: "\(name) wants a whole number from \(minimum) on, not '\(text)'")
    }
    return number
  }

  /// A time in seconds: `90s`, `24m`, `2h`, and without a unit in seconds, too.
  func duration(_ name: String) throws(UsageError) -> Double? {
    guard let text = last(name) else { return nil }
    let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
    let unit = text.last.flatMap { units[$0] }
    guard let number = Double(unit == nil ? text : String(text.dropLast())), number > 0, number < 1e9 else {
      throw UsageError(message: "\(name) wants a time like 90s, 24m or 2h, not '\(text)'")
    }
    return number * (unit ?? 1)
  }

  /// A size in bytes: `512M`, `4G`.
  func size(_ name: String) throws(UsageError) -> Int? {
    guard let text = last(name) else { return nil }
    let units: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
    let shift = text.last.flatMap { units[$0] }
    guard let number = Int(shift == nil ? text : String(text.dropLast())), number > 0, number < 1 << 20 else {
      throw UsageError(message: "\(name) wants a size like 512M or 4G, not '\(text)'")
    }
    return number << (shift ?? 0)
  }

  /// One of a closed set of words.
  func choice<Choice: RawRepresentable & CaseIterable>(_ name: String, _ type: Choice.Type)
    throws(UsageError) -> Choice? where Choice.RawValue == String
  {
    guard let text = last(name) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let known = Choice.allCases.map { $0.rawValue }
    throw UsageError(
      message: "\(name) '\(text)' is not known",
      help: Suggest.help(for: text, in: known) ?? "one of: " + known.joined(separator: " "))
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language

// A hint is what is still to come of a statement, and shrinks as it is typed: the rest of the word where there is only
// one, the operands that are due, the options that are not used.

extension Assistant {
  /// What would follow behind the cursor, for the end of the line; empty when there is nothing to say.
  ///
  /// - Parameter text: everything that is typed, up to the end of the line with the cursor.
  public func hint(_ text: String) -> String {
    if let (command, rest) = PromptCommand.split(text, commands) {
      if command.operand == .statement {
        return rest.isEmpty ? "STATEMENT" : Assistant(surroundings).hint(rest)
      }
      guard rest.isEmpty, command.operand != .none else { return "" }
      return Self.spaced(text, String(command.synopsis.dropFirst(command.name.count + 1)))
    }
    let cursor = CursorStatement(text)
    guard cursor.place == .statement || cursor.place == .expectation else { return "" }
    if cursor.place == .expectation { return expectationHint(cursor, text) }
    guard let first = cursor.units.first ?? (cursor.lead.isEmpty ? nil : cursor.units.first) else {
      return beginningHint(cursor, text)
    }
    if !cursor.isMarked, let page = StatementPage.named(first.text) {
      guard cursor.units.count == 1, cursor.word.isEmpty, cursor.lead.isEmpty else { return "" }
      return Self.spaced(text, Self.behind(first.text, page.synopsis[0]))
    }
    if let procedure = surroundings.procedures.first(where: { $0.name == first.text }) {
      let given = cursor.units.count - 1
      guard cursor.word.isEmpty, cursor.lead.isEmpty else { return "" }
      return Self.spaced(
        text, procedure.parameters.dropFirst(given).map { $0.uppercased() }.joined(separator: " "))
    }
    return commandHint(cursor, text)
  }

  /// Of a statement whose first word is being typed.
  private func beginningHint(_ cursor: CursorStatement, _ text: String) -> String {
    guard !cursor.word.isEmpty, !cursor.word.hasPrefix("$") else { return "" }
    if !cursor.isMarked, let page = StatementPage.named(cursor.word) {
      return Self.spaced(text, Self.behind(cursor.word, page.synopsis[0]))
    }
    return wordHint([], cursor, text)
  }

  private func commandHint(_ cursor: CursorStatement, _ text: String) -> String {
    let words = cursor.units.prefix { $0.isWord }.map(\.text)
    guard let (verb, count) = VerbTable.find(words) else {
      return words.count == cursor.units.count ? wordHint(words, cursor, text) : ""
    }
    // `show mach` may become `show machine`.
    if count == cursor.units.count, !cursor.word.isEmpty, cursor.lead.isEmpty {
      let longer = wordHint(words, cursor, text)
      if !longer.isEmpty { return longer }
    }
    return rest(of: verb, cursor.units.dropFirst(count), cursor, text)
  }

  /// The rest of a verb's word, where only one verb has it, and what follows.
  private func wordHint(_ words: [String], _ cursor: CursorStatement, _ text: String) -> String {
    let typed = words + [cursor.word]
    let verbs = VerbTable.all.filter { verb in
      guard verb.words.count >= typed.count else { return false }
      return Array(verb.words.prefix(words.count)) == words && verb.words[words.count].hasPrefix(cursor.word)
    }
    // A word that is complete is meant, whatever longer ones there are.
    let exact = verbs.first { $0.words == typed }
    if cursor.word.isEmpty {
      let next = Set(verbs.map { $0.words[words.count] })
      return next.count > 1 || next.isEmpty
        ? next.sorted().joined(separator: "|") : verbs[0].words[words.count]
    }
    let tools = words.isEmpty && !cursor.isMarked ? PromptCommand.beginning(with: cursor.word, commands) : []
    guard let verb = exact ?? (verbs.count == 1 && tools.isEmpty ? verbs.first : nil) else {
      if verbs.isEmpty, tools.count == 1 { return String(tools[0].synopsis.dropFirst(cursor.word.count)) }
      let next = Set(verbs.map { $0.words[words.count] })
      guard next.count == 1, let word = next.first, tools.isEmpty else { return "" }
      // `ioa` is `ioas`, whichever of its verbs follows.
      return String(word.dropFirst(cursor.word.count))
    }
    let synopsis = verb.words.dropFirst(words.count).joined(separator: " ").dropFirst(cursor.word.count)
    let rest = rest(of: verb, [], nil, "")
    return String(synopsis) + (rest.isEmpty ? "" : " " + rest)
  }

  /// The operands and options that are left.
  private func rest(
    of verb: Verb, _ units: ArraySlice<CursorStatement.Unit>, _ cursor: CursorStatement?, _ text: String
  ) -> String {
    let progress = OperandProgress(verb, Array(units))
    if let cursor, let key = cursor.key {
      guard cursor.word.isEmpty, cursor.lead == key + "=",
        let parameter = (verb.options + verb.operands).first(where: { $0.name == key })
      else { return "" }
      return parameter.accepts.described
    }
    if let awaited = progress.awaited { return cursor?.word.isEmpty ?? true ? awaited.accepts.described : "" }
    var operands = progress.left
    var given = progress.given
    if let cursor, !cursor.word.isEmpty {
      // The word being typed is an option if it begins like one, else the operand that is due.
      let options = verb.options.filter { $0.name.hasPrefix(cursor.word) && !given.contains($0.name) }
      if options.count == 1, !cursor.word.hasPrefix("$") {
        let option = options[0]
        let rest = option.name.dropFirst(cursor.word.count)
        return String(rest) + (option.isWord || option.isPreposition ? "" : "=" + option.accepts.described)
      }
      guard options.isEmpty else { return "" }
      if !operands.isEmpty { operands.removeFirst() }
      given.insert(cursor.word)
    }
    let parts =
      operands.map(\.operandSynopsis)
      + verb.options.filter { !given.contains($0.name) }
      .sorted { $0.use == .required && $1.use != .required }.map(\.optionSynopsis)
    return Self.spaced(text, parts.joined(separator: " "))
  }

  private func expectationHint(_ cursor: CursorStatement, _ text: String) -> String {
    guard cursor.word.isEmpty, cursor.lead.isEmpty else { return "" }
    let words = cursor.units.prefix { $0.isWord }.map(\.text)
    let results = VerbTable.find(words)?.verb.resultNames ?? []
    return Self.spaced(text, (["ok", "ERRNO"] + results.prefix(4).map { $0 + "=" }).joined(separator: "|"))
  }

  /// With a space in front, unless one is there.
  private static func spaced(_ text: String, _ hint: String) -> String {
    hint.isEmpty || text.isEmpty || text.last == " " || text.last == "\n" ? hint : " " + hint
  }

  /// A synopsis without its first word.
  private static func behind(_ word: String, _ synopsis: String) -> String {
    String(synopsis.dropFirst(word.count).drop { $0 == " " })
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Language
internal import UAPI

/// The pages of `iofd explain`: a diagnostic's code, an errno, a request, a verb, a function, a statement.
public enum Explain {
  /// All codes this module and the language know.
  public static let codes = DiagnosticRegistry(
    DiagnosticCode.language, DiagnosticCode.resolver, DiagnosticCode.execution, DiagnosticCode.schedules,
    DiagnosticCode.lint)

  static let errnoNames: [String] = (1...133).map { Errno(code: $0).name }.filter { $0.hasPrefix("E") }

  /// The page about `topic`, or nil when there is none; `suggestion(for:)` then says what may be meant.
  public static func page(_ topic: String) -> String? {
    let words = topic.split(separator: " ").map { String($0) }
    guard let first = words.first else { return nil }
    if let code = codes.find(topic) { return page(code) }
    if let errno = Errno(name: first.uppercased()), words.count == 1 { return page(errno) }
    if let (verb, count) = VerbTable.find(words), count == words.count { return page(verb) }
    if words.count == 1 {
      if let statement = StatementPage.all.first(where: { $0.word == first }) { return statement.text }
      if let row = CommandTable.row(named: first) { return page(row) }
      if let op = SelftestOp.named(first) { return page(op) }
      if let number = requestNumber(first), let row = CommandTable.row(request: number) { return page(row) }
      if let function = Function(rawValue: first) { return page(function) }
      if let page = statements[first] { return page }
      let family = VerbTable.beginning(with: first)
      if !family.isEmpty { return family.map { "\($0.synopsis)\n    \($0.summary)\n" }.joined() }
    }
    return nil
  }

  /// What may be meant by a topic without a page.
  public static func suggestion(for topic: String) -> String? {
    let known =
      VerbTable.all.map { $0.name } + CommandTable.all.map { $0.name }
      + CommandTable.selftestOps.map { $0.name }
      + errnoNames + codes.codes.map { $0.code } + Function.allCases.map { $0.rawValue }
      + StatementPage.all.map { $0.word } + statements.keys.sorted()
    return Suggest.help(for: topic, in: known)
  }

  private static func requestNumber(_ text: String) -> UInt32? {
    guard text.hasPrefix("0x"), let number = UInt32(text.dropFirst(2), radix: 16) else { return nil }
    return number < 0x100 ? 0x3B00 | number : number
  }

  // MARK: Pages

  static func page(_ code: DiagnosticCode) -> String {
    var text = "\(code.code) · \(code.title) (\(code.severity.rawValue))\n\n\(wrapped(code.explanation))\n"
    if !code.example.isEmpty {
      text +=
        "\nExample\n"
        + code.example.split(separator: "⏎", omittingEmptySubsequences: false).map { "    \($0)\n" }
        .joined()
    }
    return text
  }

  static func page(_ errno: Errno) -> String {
    var text = "\(errno.name) · error number \(errno.code)\n"
    if let meaning = errno.meaning { text += "\n\(wrapped(meaning))\n" }
    return text
  }

  static func page(_ row: CommandRow) -> String {
    var text =
      "\(row.name) · request 0x\(String(row.request, radix: 16)), since \(row.since)\n\n\(row.summary)\n"
    if row.minimumSize > 0 { text += "\nSizes: at least \(row.minimumSize)" }
    if !row.sizes.isEmpty {
      text += row.sizes.map { "; \($0.bytes) since \($0.since)" }.joined() + "\n"
    }
    text += fields(row.fields)
    let verbs = VerbTable.all.filter { $0.requestName == row.name }
    if !verbs.isEmpty { text += "\nAs a command\n" + verbs.map { "    \($0.synopsis)\n" }.joined() }
    return text
  }

  static func page(_ op: SelftestOp) -> String {
    var text =
      "TEST \(op.name) · operation \(op.number) of request 0x3ba0, since \(op.since)\n\n\(op.summary)\n"
    text += fields(CommandTable.selftest.fields + op.fields)
    let verbs = VerbTable.all.filter { $0.requestName == "TEST \(op.name)" }
    if !verbs.isEmpty { text += "\nAs a command\n" + verbs.map { "    \($0.synopsis)\n" }.joined() }
    return text
  }

  private static func fields(_ fields: [Field]) -> String {
    guard !fields.isEmpty else { return "" }
    let width = fields.map { $0.name.count }.max() ?? 0
    var text = "\nFields (offset, size, direction)\n"
    for field in fields {
      let padding = String(repeating: " ", count: width - field.name.count)
      let direction =
        switch field.direction {
        case .input: "in"
        case .output: "out"
        case .both: "in, out"
        }
      text +=
        "    \(field.name)\(padding)  \(field.offset), \(field.size), \(direction)\(meaning(field.meaning))\n"
    }
    return text
  }

  private static func meaning(_ meaning: Field.Meaning) -> String {
    switch meaning {
    case .flags(let names), .choice(let names):
      "  " + names.entries.map { "\($0.name)=0x\(String($0.value, radix: 16))" }.joined(separator: " ")
    case .objectID: "  an object ID"
    case .userPointer: "  an address in the process"
    case .fileDescriptor: "  a file descriptor"
    case .reserved: "  must be 0"
    case .number, .iova, .length: ""
    }
  }

  public static func page(_ verb: Verb) -> String {
    var text = "\(verb.synopsis)\n\n\(wrapped(verb.summary))\n"
    if !verb.alternates.isEmpty {
      text += "\nAlso: " + verb.alternates.map { $0.joined(separator: " ") }.joined(separator: ", ") + "\n"
    }
    if let request = verb.requestName {
      text += "\nRequest: \(request)" + (verb.since.map { ", since \($0)" } ?? "") + "\n"
    }
    let parameters = verb.operands + verb.options.filter { $0.takesValue }
    if !parameters.isEmpty {
      let width = parameters.map { $0.name.count }.max() ?? 0
      text += "\nOperands\n"
      for parameter in parameters {
        let padding = String(repeating: " ", count: width - parameter.name.count)
        let usual = parameter.usualText.map { " (\($0))" } ?? ""
        text += "    \(parameter.name)\(padding)  \(parameter.accepts.described)\(usual)\n"
      }
    }
    if !verb.resultNames.isEmpty { text += "\nResults: " + verb.resultNames.joined(separator: ", ") + "\n" }
    if !verb.examples.isEmpty { text += "\nExamples\n" + verb.examples.map { "    \($0)\n" }.joined() }
    return text
  }

  static func page(_ function: Function) -> String {
    "\(function.signature)\n\n\(wrapped(function.summary))\n"
  }

  /// Lines of at most 80 columns.
  public static func wrapped(_ text: String) -> String {
    var lines: [String] = [""]
    for word in text.split(separator: " ") {
      let last = lines[lines.count - 1]
      if last.isEmpty {
        lines[lines.count - 1] = String(word)
      } else if last.count + word.count < 80 {
        lines[lines.count - 1] += " " + word
      } else {
        lines.append(String(word))
      }
    }
    return lines.joined(separator: "\n")
  }
}

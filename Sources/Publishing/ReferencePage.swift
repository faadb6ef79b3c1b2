// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Bench
internal import Interpreter
internal import Language
internal import UAPI

/// `reference.md`: every verb, statement, function, request, errno and diagnostic, each from its table.
enum ReferencePage {
  static func text(_ tool: ToolDescription, _ examples: ExampleIndex) -> String {
    var page = """
      <!-- SPDX-License-Identifier: GPL-3.0-or-later -->
      <!-- \(Origin.sentence) -->

      # Reference

      Everything that a script can say, and what comes back. `iofd explain NAME` and `help NAME` at the prompt tell the same of
      one thing. [modelled.md](modelled.md) tells what is modelled; [iofd.grammar](iofd.grammar) is the grammar.


      """
    page += contents()
    for group in VerbTable.groups {
      page += "## \(group.title)\n\n"
      for verb in group.verbs { page += self.verb(verb, examples) }
    }
    page += statements() + topics() + functions() + requests() + errnos() + diagnostics() + exits(tool)
    return page
  }

  private static func contents() -> String {
    var text = ""
    for group in VerbTable.groups {
      let verbs = group.verbs.map { "[\($0.name)](#\(Markdown.anchor($0.name)))" }
      text += "- [\(group.title)](#\(Markdown.anchor(group.title))): \(verbs.joined(separator: ", "))\n"
    }
    let sections = ["Statements", "Ideas", "Functions", "Requests", "Errnos", "Diagnostics", "Exit status"]
    return text + sections.map { "- [\($0)](#\(Markdown.anchor($0)))\n" }.joined() + "\n"
  }

  // MARK: Verbs

  private static func verb(_ verb: Verb, _ examples: ExampleIndex) -> String {
    var text = "### \(verb.name)\n\n" + Markdown.block(verb.synopsis)
    text += Markdown.prose(verb.summary) + "\n\n"
    if !verb.alternates.isEmpty {
      let others = verb.alternates.map { Markdown.code($0.joined(separator: " ")) }
      text += "Also written \(others.joined(separator: ", ")).\n\n"
    }
    let parameters =
      verb.operands.map { row($0, $0.operandSynopsis, verb) }
      + verb.options.map { row($0, $0.optionSynopsis, verb) }
    text += Markdown.table(["operand", "what it takes", "field"], parameters)
    text += request(verb)
    if !verb.answers.isEmpty {
      let answers = verb.answers.map { "\(Markdown.code($0.name)) (\($0.described))" }
      text += "Answers: \(answers.joined(separator: ", ")).\n\n"
    }
    let errors = examples[verb].errnos
    if !errors.isEmpty {
      let shown = errors.keys.sorted().map { "[\($0)](../\(errors[$0] ?? ""))" }
      text += "Errors that examples meet: \(shown.joined(separator: ", ")).\n\n"
    }
    text += Markdown.block(verb.examples.joined(separator: "\n"))
    let scripts = examples.scripts(verb, limit: 3)
    if !scripts.isEmpty {
      let links = scripts.map { "[\(name($0))](../\($0))" }
      text += "In scripts: \(links.joined(separator: ", ")).\n\n"
    }
    return text
  }

  /// `85-ioas-map` of a path.
  private static func name(_ path: String) -> String {
    let file = path.split(separator: "/").last ?? ""
    return String(file.split(separator: ".").first ?? file)
  }

  private static func row(_ parameter: Parameter, _ synopsis: String, _ verb: Verb) -> [String] {
    var takes = parameter.isWord && !parameter.takesValue ? "a word" : parameter.accepts.described
    if parameter.isWord && parameter.takesValue { takes = "a word, or " + takes }
    if let usual = parameter.usualText { takes += "; usually \(usual)" }
    switch parameter.use {
    case .required: takes += ", required"
    case .repeated: takes += ", any number"
    case .optional: break
    }
    return [Markdown.code(synopsis), takes, place(parameter, verb)]
  }

  /// The C field that a parameter goes into, with its range; empty where it is not one field.
  private static func place(_ parameter: Parameter, _ verb: Verb) -> String {
    if let bits = parameter.bits {
      var name = "0x" + String(bits.value, radix: 16)
      if case .flags(let names)? = verb.field(named: bits.field)?.meaning {
        name = names.flagNames(bits.value)
      }
      return "`\(bits.field)` gets \(name)"
    }
    guard let name = parameter.field else { return "" }
    guard let field = verb.field(named: name) else { return Markdown.code(name) }
    return "`\(name)`, 0...0x\(String(field.mask, radix: 16))"
  }

  /// Where a request of a verb is described.
  private static func heading(_ request: String, _ verb: Verb) -> String {
    verb.selftestOp == nil ? verb.row.map { heading($0) } ?? request : request
  }

  private static func request(_ verb: Verb) -> String {
    guard let name = verb.requestName else {
      return "No single request: it is made of calls, or looks behind them.\n\n"
    }
    var text = "Request: [\(name)](#\(Markdown.anchor(heading(name, verb))))"
    if let since = verb.since { text += ", since \(since)" }
    if let row = verb.row, let handler = KernelHandler.of(row.name) { text += ", \(handler)" }
    return text + ".\n\n"
  }

  // MARK: The rest of the language

  private static func statements() -> String {
    var text = "## Statements\n\nWhat is no command. Each example is a script that passes.\n\n"
    for page in StatementPage.all {
      text += "### \(page.word) (statement)\n\n" + Markdown.block(page.synopsis.joined(separator: "\n"))
      text += Markdown.prose(page.summary) + "\n\n" + Markdown.block(page.example)
    }
    for (word, summary) in Explain.injections.sorted(by: { $0.key < $1.key }) {
      guard let page = Explain.page(word) else { continue }
      text += "### \(word) (statement)\n\n\(Markdown.prose(summary))\n\n" + Markdown.block(trimmed(page))
    }
    return text
  }

  private static func topics() -> String {
    var text =
      "## Ideas\n\nHow things are written, and what there is to choose from; `help NAME` at the prompt.\n\n"
    for topic in HelpTopic.all {
      text +=
        "### \(topic.name): \(topic.title)\n\n" + Markdown.block(topic.text) + Markdown.block(topic.example)
    }
    return text
  }

  private static func trimmed(_ text: String) -> String {
    var text = text
    while text.hasSuffix("\n") { text.removeLast() }
    return text
  }

  private static func functions() -> String {
    "## Functions\n\nWhat can be called inside a value. Those of the state need a target that can be looked into.\n\n"
      + Markdown.table(
        ["function", "what it gives", "kind", "looks inside"],
        Function.allCases.map {
          [
            Markdown.code($0.signature), $0.summary, $0.kind?.described ?? "it depends",
            $0.needsBench ? "yes" : "no",
          ]
        })
  }

  private static func requests() -> String {
    var text = "## Requests\n\n`request NAME FIELD=VALUE...` makes any of them with any bytes.\n\n"
    for row in CommandTable.all {
      text +=
        "### \(heading(row))\n\n\(row.summary) Number 0x\(String(row.request, radix: 16)), since \(row.since)"
      if let size = row.sizes.last?.bytes {
        text += "; \(size) bytes, at least \(row.minimumSize)"
      }
      if let handler = KernelHandler.of(row.name) { text += "; \(handler)" }
      text += ".\n\n" + fields(row.fields)
    }
    for op in CommandTable.selftestOps {
      text +=
        "### TEST \(op.name)\n\n\(op.summary) Operation \(op.number) of TEST_CMD, since \(op.since).\n\n"
      text += fields(op.fields)
    }
    return text
  }

  /// The name with the prefix of the header: that of a verb may be the same without.
  static func heading(_ row: CommandRow) -> String {
    switch row.family {
    case .iommufd, .selftest: "IOMMU_" + row.name
    case .vfio, .vfioDevice: row.name
    }
  }

  private static func fields(_ fields: [Field]) -> String {
    Markdown.table(
      ["field", "offset", "bytes", "direction", "what it is"],
      fields.map {
        [Markdown.code($0.name), "\($0.offset)", "\($0.size)", direction($0.direction), meaning($0.meaning)]
      })
  }

  private static func direction(_ direction: Field.Direction) -> String {
    switch direction {
    case .input: "in"
    case .output: "out"
    case .both: "in, out"
    }
  }

  private static func meaning(_ meaning: Field.Meaning) -> String {
    switch meaning {
    case .flags(let names), .choice(let names):
      names.entries.map { "\($0.name)=0x\(String($0.value, radix: 16))" }.joined(separator: " ")
    case .objectID: "an object ID"
    case .userPointer: "an address in the process"
    case .fileDescriptor: "a file descriptor"
    case .reserved: "must be 0"
    case .iova: "an IOVA"
    case .length: "a size"
    case .number: ""
    }
  }

  private static func errnos() -> String {
    let rows = Errno.allNames.compactMap { name -> [String]? in
      guard let errno = Errno(name: name), let meaning = errno.meaning else { return nil }
      return [Markdown.code(name), "\(errno.code)", meaning]
    }
    let others = Errno.allNames.filter { Errno(name: $0)?.meaning == nil }
    return "## Errnos\n\nWhat they mean when iommufd answers them.\n\n"
      + Markdown.table(["errno", "number", "meaning"], rows)
      + "iommufd never answers the others, whose names are known all the same: "
      + others.joined(separator: ", ") + ".\n\n"
  }

  private static func diagnostics() -> String {
    "## Diagnostics\n\nWhat is said about a script, by code. `iofd explain CODE` has an example of each.\n\n"
      + Markdown.table(
        ["code", "severity", "title", "what to do"],
        Explain.codes.codes.map {
          [
            Markdown.code($0.code), $0.severity.rawValue, Markdown.prose($0.title),
            Markdown.prose($0.explanation),
          ]
        })
  }

  private static func exits(_ tool: ToolDescription) -> String {
    "## Exit status\n\nThe greatest of several.\n\n"
      + Markdown.table(["status", "meaning"], tool.exitStatuses.map { ["\($0.number)", $0.meaning] })
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Views

/// The grammar that VS Code, Sublime Text, TextMate and others colour scripts by.
///
/// A verb is only one where a statement may begin: at the beginning of a line, behind `{`, `;`, a condition in brackets,
/// a mark, `name =`, `defer` and `xfail "..."`.
enum TextMateGrammar {
  static func text(_ words: Vocabulary) -> String {
    FactJSON.text(
      .record([
        ("$schema", .text("https://raw.githubusercontent.com/martinring/tmlanguage/master/tmlanguage.json")),
        ("name", .text("iofd")),
        ("comment", .text(Origin.sentence)),
        ("scopeName", .text("source.iofd")),
        ("fileTypes", .list([.text("iofd")])),
        ("firstLineMatch", .text(#"^#!.*\biofd\b|^iofd 1\b"#)),
        (
          "patterns",
          .list([.record([("include", .text("#archive"))]), .record([("include", .text("#code"))])])
        ),
        (
          "repository",
          .record([
            ("archive", archive), ("code", .record([("patterns", .list(code(words)))])),
            ("values", .record([("patterns", .list(values(words)))])),
          ])
        ),
      ]))
  }

  /// From `-- name --` to the end of the file; other files, whatever is in them.
  private static let archive: Fact = .record([
    ("name", .text("meta.archive.iofd")),
    ("begin", .text("^(?=\(TokenPattern.archiveHeader)$)")),
    ("end", .text("(?!)")),
    (
      "patterns",
      .list([
        rule("markup.heading.archive.iofd", "^\(TokenPattern.archiveHeader)$"),
        rule("string.unquoted.archive.iofd", ".+"),
      ])
    ),
  ])

  /// Where a statement may begin.
  static let beginning =
    #"(?:^[ \t]*|(?<=[{;}])[ \t]*|(?<=[\]!?=])[ \t]+|(?<=\bdefer)[ \t]+)"#

  /// What may stand in front of a value, then values.
  private static func code(_ words: Vocabulary) -> [Fact] {
    let verbs = words.verbs.map { $0.replacing(" ", with: #"[ \t]+"#) }
    let verb = "(?:\(verbs.joined(separator: "|")))(?![A-Za-z0-9_]|-[A-Za-z])(?![ \\t]*=[ \\t])"
    let statement = #"else[ \t]+if\b|"# + TokenPattern.one(of: words.statements)
    return [
      rule("comment.line.number-sign.iofd", TokenPattern.comment),
      rule(
        nil,
        beginning + #"(xfail)[ \t]+("# + TokenPattern.string + #")(?:[ \t]+(until)(=)("# + TokenPattern.date
          + "))?(?:[ \\t]+(\(verb)))?",
        [
          1: "keyword.control.iofd", 2: "string.quoted.double.iofd", 3: "entity.other.attribute-name.iofd",
          4: "keyword.operator.iofd", 5: "constant.other.date.iofd", 6: "support.function.verb.iofd",
        ]),
      // The lines of a trace name events, not verbs.
      .record([
        ("begin", .text(beginning + #"(expect)[ \t]+(trace)[ \t]*(?=\{)"#)), ("end", .text(#"(?<=\})"#)),
        (
          "beginCaptures",
          .record([
            ("1", .record([("name", .text("keyword.control.iofd"))])),
            ("2", .record([("name", .text("keyword.control.iofd"))])),
          ])
        ),
        (
          "patterns",
          .list([
            rule("comment.line.number-sign.iofd", TokenPattern.comment),
            .record([("include", .text("#values"))]),
          ])
        ),
      ]),
      rule(nil, "\(beginning)(\(statement))", [1: "keyword.control.iofd"]),
      rule(nil, "\(beginning)(\(verb))", [1: "support.function.verb.iofd"]),
      .record([("include", .text("#values"))]),
    ]
  }

  private static func values(_ words: Vocabulary) -> [Fact] {
    [
      rule("string.other.hex.iofd", TokenPattern.hex),
      .record([
        ("name", .text("string.quoted.double.iofd")), ("begin", .text("\"")), ("end", .text("\"|$")),
        (
          "patterns",
          .list([
            rule("constant.character.escape.iofd", TokenPattern.escape),
            rule("invalid.illegal.escape.iofd", #"\\."#),
          ])
        ),
      ]),
      rule("variable.other.iofd", TokenPattern.variable),
      rule("constant.other.date.iofd", TokenPattern.date),
      rule("constant.numeric.version.iofd", TokenPattern.version),
      rule("constant.numeric.iofd", TokenPattern.number(words)),
      rule("invalid.illegal.number.iofd", TokenPattern.digits),
      rule(
        nil, #"(\?)("# + TokenPattern.name + ")", [1: "keyword.operator.iofd", 2: "variable.parameter.iofd"]),
      rule(
        nil, "(\(TokenPattern.one(of: words.functions)))(?=\\()", [1: "support.function.builtin.iofd"]),
      rule(
        nil, "(\(TokenPattern.name))(?=(?:[ \\t]*,[ \\t]*\(TokenPattern.name))*[ \\t]+=[ \\t])",
        [1: "variable.other.definition.iofd"]),
      rule(
        nil, "(\(TokenPattern.word))(?=(?:!=|<=|>=|=|<|>)[^ \\t=])", [1: "entity.other.attribute-name.iofd"]),
      rule("constant.language.errno.iofd", TokenPattern.one(of: words.errnos)),
      rule(
        "constant.language.iofd",
        TokenPattern.one(of: words.outcomes + ["max", "none"])),
      rule("keyword.other.iofd", TokenPattern.one(of: words.inner.filter { !["max", "none"].contains($0) })),
      rule("support.constant.iofd", TokenPattern.one(of: words.constants)),
      rule("support.type.iofd", "(?<=:)[ \\t]*\(TokenPattern.one(of: words.types))"),
      rule(nil, TokenPattern.word),
      rule("keyword.operator.arrow.iofd", "->"),
      rule("keyword.operator.range.iofd", #"\.\.\."#),
      rule("keyword.operator.iofd", #"\+\+|<<|>>|!=|<=|>=|[=<>+*/%&|^~!?-]"#),
      rule("punctuation.separator.iofd", #"[,;:.]"#),
      rule("punctuation.section.iofd", #"[{}()\[\]]"#),
    ]
  }

  private static func rule(_ name: String?, _ match: String, _ captures: [Int: String] = [:]) -> Fact {
    var members: [(name: String, value: Fact)] = []
    if let name { members.append(("name", .text(name))) }
    members.append(("match", .text(match)))
    if !captures.isEmpty {
      members.append(
        (
          "captures",
          .record(
            captures.sorted { $0.key < $1.key }.map {
              (String($0.key), .record([("name", .text($0.value))]))
            })
        ))
    }
    return .record(members)
  }
}

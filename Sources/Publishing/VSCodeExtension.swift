// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Views

/// The extension around the TextMate grammar: a directory to copy or link into `~/.vscode/extensions`. It has no code and
/// needs no package.
enum VSCodeExtension {
  static func manifest(_ tool: ToolDescription) -> String {
    FactJSON.text(
      .record([
        ("name", .text("iofd")),
        ("displayName", .text("iofd")),
        ("description", .text("Scripts for iofd, a model of Linux iommufd")),
        ("//", .text(Origin.sentence)),
        ("version", .text("\(tool.version).0")),
        ("publisher", .text("iofd")),
        ("license", .text("GPL-3.0-or-later")),
        ("engines", .record([("vscode", .text("^1.75.0"))])),
        ("categories", .list([.text("Programming Languages")])),
        (
          "contributes",
          .record([
            ("languages", .list([language])), ("grammars", .list([grammar])),
            ("problemMatchers", .list([problemMatcher])), ("configurationDefaults", defaults),
          ])
        ),
      ]))
  }

  private static let language: Fact = .record([
    ("id", .text("iofd")), ("aliases", .list([.text("iofd")])), ("extensions", .list([.text(".iofd")])),
    ("firstLine", .text(#"^#!.*\biofd\b|^iofd 1\b"#)),
    ("configuration", .text("./language-configuration.json")),
  ])

  private static let grammar: Fact = .record([
    ("language", .text("iofd")), ("scopeName", .text("source.iofd")),
    ("path", .text("./syntaxes/iofd.tmLanguage.json")),
  ])

  /// For a task that runs `iofd check --diag short`.
  private static let problemMatcher: Fact = .record([
    ("name", .text("iofd")), ("owner", .text("iofd")), ("fileLocation", .text("autoDetect")),
    (
      "pattern",
      .record([
        ("regexp", .text(#"^(.+):(\d+):(\d+): (error|warning|note)\[(\w+)\]:? (.*)$"#)),
        ("file", .number(1)), ("line", .number(2)), ("column", .number(3)), ("severity", .number(4)),
        ("code", .number(5)), ("message", .number(6)),
      ])
    ),
  ])

  /// As `iofd fmt` lays scripts out.
  private static let defaults: Fact = .record([
    (
      "[iofd]",
      .record([
        ("editor.insertSpaces", .flag(true)), ("editor.tabSize", .number(2)),
        ("editor.rulers", .list([.number(100)])),
      ])
    )
  ])

  static func languageConfiguration() -> String {
    func pairs(_ pairs: [(String, String)]) -> Fact {
      .list(pairs.map { .list([.text($0.0), .text($0.1)]) })
    }
    let brackets = [("{", "}"), ("[", "]"), ("(", ")")]
    return FactJSON.text(
      .record([
        ("comments", .record([("lineComment", .text("#"))])),
        ("brackets", pairs(brackets)),
        ("autoClosingPairs", pairs(brackets + [("\"", "\"")])),
        ("surroundingPairs", pairs(brackets + [("\"", "\"")])),
        ("wordPattern", .text(#"\$?"# + TokenPattern.word + "|" + TokenPattern.digits)),
        (
          "indentationRules",
          .record([
            ("increaseIndentPattern", .text(#"^[^#"]*(?:"(?:[^"\\]|\\.)*"[^#"]*)*[{(\[][ \t]*(?:#.*)?$"#)),
            ("decreaseIndentPattern", .text(#"^[ \t]*[})\]]"#)),
          ])
        ),
        (
          "folding",
          .record([
            (
              "markers",
              .record([
                ("start", .text(#"^[ \t]*#[ \t]*region\b"#)), ("end", .text(#"^[ \t]*#[ \t]*endregion\b"#)),
              ])
            )
          ])
        ),
      ]))
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// What the tables of the language and of the tool say, written down for others: editors, shells, `man`, readers. The files
// are checked in, so that nobody has to build anything to use them; `iofd generate --check` holds them to the tables.
//
//     tables of verbs, requests, errnos, codes, options ─┐
//     the examples (which verbs, which errnos) ──────────┼─ GeneratedFiles ── grammar/...
//     the machine's kinds of IOMMU and mistakes ─────────┘
//
// Only the shape of a token is written here a second time (`TokenPattern`), since editors know regular expressions and
// not our lexer; tests read every example with both.

/// A file that is made from the tables.
public struct GeneratedFile: Sendable {
  /// Below the directory of all of them: `vim/syntax/iofd.vim`.
  public let path: String
  public let text: String

  public init(_ path: String, _ text: String) {
    self.path = path
    self.text = text
  }
}

/// All files that are made from the tables.
public enum GeneratedFiles {
  /// - Parameter examples: scripts to read for which verbs they use and which errnos they meet, named as pages name them.
  public static func all(_ tool: ToolDescription, examples: [SourceFile]) -> [GeneratedFile] {
    let words = Vocabulary()
    let index = ExampleIndex(examples)
    let textMate = TextMateGrammar.text(words)
    return [
      GeneratedFile("textmate/iofd.tmLanguage.json", textMate),
      GeneratedFile("vscode/syntaxes/iofd.tmLanguage.json", textMate),
      GeneratedFile("vscode/package.json", VSCodeExtension.manifest(tool)),
      GeneratedFile("vscode/language-configuration.json", VSCodeExtension.languageConfiguration()),
      GeneratedFile("vim/syntax/iofd.vim", VimFiles.syntax(words)),
      GeneratedFile("vim/ftdetect/iofd.vim", VimFiles.detection),
      GeneratedFile("vim/ftplugin/iofd.vim", VimFiles.plugin),
      GeneratedFile("emacs/iofd-mode.el", EmacsMode.text(words, tool)),
      GeneratedFile("tree-sitter/grammar.js", TreeSitterGrammar.text(words)),
      GeneratedFile("tree-sitter/tree-sitter.json", TreeSitterGrammar.configuration(tool)),
      GeneratedFile("tree-sitter/queries/highlights.scm", TreeSitterGrammar.highlights(words)),
      GeneratedFile("tree-sitter/queries/folds.scm", TreeSitterGrammar.folds),
      GeneratedFile("completions/iofd.bash", ShellCompletion.bash(tool)),
      GeneratedFile("completions/_iofd", ShellCompletion.zsh(tool)),
      GeneratedFile("completions/iofd.fish", ShellCompletion.fish(tool)),
      GeneratedFile("man/iofd.1", ManPage.text(tool)),
      GeneratedFile("reference.md", ReferencePage.text(tool, index)),
      GeneratedFile("modelled.md", ModelledPage.text(tool)),
    ]
  }
}

/// The line that says where a file comes from.
enum Origin {
  static let sentence = "Made from the tables of iofd by 'iofd generate'; changes here are lost."
}

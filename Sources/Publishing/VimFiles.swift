// SPDX-License-Identifier: GPL-3.0-or-later

/// Files for Vim and Neovim: copy `vim/` into a package, or add it to 'runtimepath'.
enum VimFiles {
  static let detection = """
    " SPDX-License-Identifier: GPL-3.0-or-later
    " \(Origin.sentence)
    autocmd BufNewFile,BufRead *.iofd setfiletype iofd
    autocmd BufNewFile,BufRead * if getline(1) =~# '^#!.*\\<iofd\\>' | setfiletype iofd | endif

    """

  /// Comments, layout as by `iofd fmt`, `:make` as `iofd check`, `gq` as `iofd fmt`.
  static let plugin = """
    " SPDX-License-Identifier: GPL-3.0-or-later
    " \(Origin.sentence)
    if exists('b:did_ftplugin')
      finish
    endif
    let b:did_ftplugin = 1
    setlocal comments=:# commentstring=#\\ %s
    setlocal expandtab shiftwidth=2 softtabstop=2 textwidth=100
    setlocal formatoptions-=t formatoptions+=croql
    setlocal iskeyword=@,48-57,_,-
    setlocal smartindent
    setlocal makeprg=iofd\\ check\\ --diag\\ short\\ %:S
    setlocal errorformat=%f:%l:%c:\\ %trror[%*[^]]]:\\ %m,%f:%l:%c:\\ %tarning[%*[^]]]:\\ %m,%f:%l:%c:\\ %tote[%*[^]]]:\\ %m
    setlocal formatprg=iofd\\ fmt\\ -
    setlocal keywordprg=iofd\\ explain
    let b:undo_ftplugin = 'setlocal comments< commentstring< expandtab< shiftwidth< softtabstop< textwidth<'
      \\ . ' formatoptions< iskeyword< smartindent< makeprg< errorformat< formatprg< keywordprg<'

    """

  static func syntax(_ words: Vocabulary) -> String {
    let long = words.verbs.filter { $0.contains(" ") }.map { $0.replacing(" ", with: #"\s\+"#) }
    let short = words.verbs.filter { !$0.contains(" ") }
    let verbs = #"\%("# + (long + short).joined(separator: #"\|"#) + #"\)"#
    let units = words.sizeUnits.filter { $0.utf8.count == 1 }.joined()
    let longUnits = words.sizeUnits.filter { $0.utf8.count > 1 }.joined(separator: #"\|"#)
    let times = words.timeUnits.joined(separator: #"\|"#)
    // What may follow the beginning of a statement.
    let start = "iofdVerb,iofdStatement,iofdTrace,iofdDefer,iofdXfail,iofdBinding,iofdMark,iofdGuard"
    var lines = [
      "\" SPDX-License-Identifier: GPL-3.0-or-later",
      "\" \(Origin.sentence)",
      "if exists('b:current_syntax')", "  finish", "endif",
      "let s:cpo_save = &cpo", "set cpo&vim",
      "syn case match",
      "syn iskeyword @,48-57,_,-,$",
      "",
      "\" Words with a meaning of their own anywhere; what begins a statement is below.",
    ]
    lines += keywords("iofdInner", words.inner.filter { !["max", "none"].contains($0) })
    lines += keywords("iofdConstant", words.outcomes + ["max", "none"])
    lines += keywords("iofdErrno", words.errnos)
    lines += keywords("iofdEnum", words.constants.filter { !words.errnos.contains($0) })
    lines += [
      "",
      #"syn match iofdKey /[A-Za-z_][A-Za-z0-9_-]*\ze\%(!=\|<=\|>=\|=\|<\|>\)[^ \t=]/"#,
      #"syn match iofdFunction /\<\%("# + words.functions.joined(separator: #"\|"#) + #"\)\ze(/"#,
      #"syn match iofdOperator /->\|\.\.\.\|++\|<<\|>>\|!=\|<=\|>=\|[=<>+*\/%&|^~!?-]/"#,
      #"syn match iofdCapture /?\@1<=[A-Za-z_][A-Za-z0-9_]*/"#,
      #"syn match iofdVariable /\$[A-Za-z_][A-Za-z0-9_]*/"#,
      #"syn match iofdBadNumber /[A-Za-z0-9_$]\@1<![0-9][A-Za-z0-9_]*/"#,
      #"syn match iofdNumber /[A-Za-z0-9_$]\@1<!\%(0[xX][0-9A-Fa-f_]\+\|0[oO][0-7_]\+\|0[bB][01_]\+\|[0-9][0-9_]*\)\%(["#
        + units + #"]\%(iB\)\?\|"# + longUnits + #"\)\?[A-Za-z0-9_]\@!/"#,
      #"syn match iofdNumber /[A-Za-z0-9_$]\@1<![0-9][0-9_]*\%("# + times + #"\)[A-Za-z0-9_]\@!/"#,
      #"syn match iofdVersion /[A-Za-z0-9_$]\@1<![0-9][A-Za-z0-9_]*\%(\.[0-9][A-Za-z0-9_]*\)\+/"#,
      #"syn match iofdDate /[A-Za-z0-9_$]\@1<![0-9]\{4}-[0-9]\{2}-[0-9]\{2}[A-Za-z0-9_]\@!/"#,
      "",
      #"syn match iofdEscape /\\\%([ntr0\\"]\|x\x\{2}\|u{\x\{1,6}}\)/ contained"#,
      #"syn region iofdString start=/"/ skip=/\\./ end=/"/ end=/$/ oneline contains=iofdEscape"#,
      #"syn region iofdHex start=/\<hex"/ end=/"/ end=/$/ oneline"#,
      "",
      "\" Where a statement begins: a line, a block, behind ';', a condition, a mark, 'name =', 'defer', 'xfail \"...\"'.",
      #"syn match iofdBegin /^\s*/ nextgroup="# + start,
      #"syn match iofdBegin /[{;}]\s*/ nextgroup="# + start,
      #"syn match iofdBound /\s\+=\s\+/ contained nextgroup=iofdVerb"#,
      #"syn match iofdMark /[!?]\s\+/ contained nextgroup=iofdVerb"#,
      #"syn region iofdGuard start=/\[/ end=/\]\s*/ oneline contained contains=iofdVersion,iofdOperator nextgroup="#
        + start,
      #"syn match iofdVerb /"# + verbs + #"\%([A-Za-z0-9_]\|-[A-Za-z]\)\@!/ contained"#,
      #"syn match iofdStatement /\%(else\s\+if\|"# + words.statements.joined(separator: #"\|"#)
        + #"\)\%([A-Za-z0-9_]\|-[A-Za-z]\)\@!/ contained"#,
      #"syn region iofdTrace matchgroup=iofdStatement start=/expect\s\+trace\s*{/ end=/}/ contained"#
        + " contains=iofdComment,iofdVariable,iofdKey,iofdNumber,iofdErrno,iofdEnum,iofdString,iofdOperator",
      #"syn match iofdBinding /[A-Za-z_][A-Za-z0-9_]*\%(\s*,\s*[A-Za-z_][A-Za-z0-9_]*\)*\ze\s\+=\s/ contained nextgroup=iofdBound"#,
      #"syn match iofdDefer /defer\s\+/ contained nextgroup=iofdVerb"#,
      #"syn match iofdXfail /xfail\s\+/ contained nextgroup=iofdReason"#,
      #"syn region iofdReason start=/"/ skip=/\\./ end=/"\s*/ oneline contained contains=iofdEscape nextgroup=iofdVerb,iofdUntil"#,
      #"syn match iofdUntil /until=[0-9-]\+\s*/ contained contains=iofdKey,iofdDate nextgroup=iofdVerb"#,
      "",
      #"syn match iofdComment /#.*/"#,
      #"syn region iofdArchive start=/^-- [!-~]\+ --$/ end=/\%$/"#,
      "syn sync fromstart",
      "",
    ]
    let links = [
      ("iofdComment", "Comment"), ("iofdStatement", "Statement"), ("iofdDefer", "Statement"),
      ("iofdXfail", "Statement"), ("iofdInner", "Keyword"), ("iofdVerb", "Function"),
      ("iofdBinding", "Identifier"), ("iofdVariable", "Identifier"), ("iofdCapture", "Identifier"),
      ("iofdKey", "Type"), ("iofdFunction", "Special"), ("iofdConstant", "Constant"),
      ("iofdErrno", "Exception"),
      ("iofdEnum", "Constant"), ("iofdNumber", "Number"), ("iofdVersion", "Number"), ("iofdDate", "Number"),
      ("iofdBadNumber", "Error"), ("iofdString", "String"), ("iofdReason", "String"), ("iofdHex", "String"),
      ("iofdEscape", "SpecialChar"), ("iofdOperator", "Operator"), ("iofdMark", "Operator"),
      ("iofdArchive", "PreProc"),
    ]
    lines += links.map { "hi def link \($0.0) \($0.1)" }
    lines += ["", "let b:current_syntax = 'iofd'", "let &cpo = s:cpo_save", "unlet s:cpo_save", ""]
    return lines.joined(separator: "\n")
  }

  /// `syn keyword` lines of at most 100 columns.
  private static func keywords(_ group: String, _ words: [String]) -> [String] {
    Lines.filled(words, width: 100, first: "syn keyword \(group) ", next: "syn keyword \(group) ")
  }
}

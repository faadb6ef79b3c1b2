// SPDX-License-Identifier: GPL-3.0-or-later

// What the front end reports, code by code. Codes are stable: one that is no longer used is not given to
// something else. The explanation is the page of `iofd explain CODE`, the example a script that gets it;
// tests run every example, and hold that only codes about sizes have none.

extension DiagnosticCode {
  /// All of this module's codes, `P....`.
  public static let language: [DiagnosticCode] = [
    .fileTooLarge, .lineTooLong, .tooManyTokens, .controlCharacter, .invalidUTF8, .unexpectedCharacter,
    .strayBackslash, .tooManyDiagnostics, .nestingTooDeep, .tooManyElements, .unterminatedString,
    .unknownEscape, .malformedHex, .wildcardOutsidePattern, .leadingZero, .malformedNumber, .numberTooLarge,
    .unknownUnit, .ambiguousUnit, .malformedVersion, .malformedDate, .halfOpenRange, .backwardRange,
    .sigilWithoutName, .expectedStatement, .expectedEndOfStatement, .sigilOnBinding, .badName,
    .repeatedName, .commaBetweenOperands, .leadingDash, .reservedWord, .unknownBlock, .expectedBlock,
    .unclosedBlock, .unopenedBracket, .misplacedStatement, .elseWithoutIf, .badCondition, .expectedName,
    .expectedText, .unknownParameterType, .unknownVersion, .expectedValue, .arithmeticNeedsParentheses,
    .mixedOperators, .unclosedBracket, .statementInRecord, .foreignOperator, .commentLooksLikeExpectation,
    .emptyExpectation, .unknownOutcome, .markAndExpectation, .secondExpectation, .missingComma,
    .mixedBraces,
  ]

  // MARK: Text and limits

  static let fileTooLarge = DiagnosticCode(
    "P0001", "The script is too large",
    explanation:
      "A script may have 16 MiB. What is larger is data: put it into a file of its own and read it with "
      + "file(\"name\"), or split the script and join the parts with include.",
    example: "")

  static let lineTooLong = DiagnosticCode(
    "P0002", "A line is too long",
    explanation:
      "A line may have 1 MiB. Break it inside ( ), [ ] or { }, or end it with \\ and go on in the next "
      + "line.",
    example: "")

  static let tooManyTokens = DiagnosticCode(
    "P0003", "The script has too many words and signs",
    explanation: "A script may have about two million of them. Split it and join the parts with include.",
    example: "")

  static let controlCharacter = DiagnosticCode(
    "P0004", "A control character in the text",
    explanation:
      "A script is text. NUL and other control characters mostly come from a broken copy or from a binary "
      + "file given by mistake. Inside quotes every byte can be said with an escape: \"\\x00\".",
    example: "map $vm \u{1}")

  static let invalidUTF8 = DiagnosticCode(
    "P0005", "Bytes that are not UTF-8",
    explanation: "Scripts are UTF-8, in comments and texts too. Arbitrary bytes are written as \"\\xff\" or "
      + "hex\"ff\".",
    example: "")

  static let unexpectedCharacter = DiagnosticCode(
    "P0006", "A character that means nothing here",
    explanation:
      "Outside texts and comments a script is made of ASCII words, numbers and signs. A character that "
      + "looks like one of them may have come from a word processor.",
    example: "map $vm @buf")

  static let strayBackslash = DiagnosticCode(
    "P0007", "A backslash inside a line",
    explanation:
      "A backslash continues a statement in the next line, so it is the last thing on its line; not even "
      + "a comment may follow.",
    example: "map $vm \\ $buf")

  static let tooManyDiagnostics = DiagnosticCode(
    "P0008", "More problems than are shown",
    explanation:
      "After 20 problems the rest of a script is not reported: later ones are mostly echoes of earlier "
      + "ones.",
    example: String(repeating: "@⏎", count: 21))

  static let nestingTooDeep = DiagnosticCode(
    "P0009", "Nested too deeply",
    explanation:
      "Blocks, brackets and operators may be nested 64 levels, all counted together. Give an inner part a "
      + "name with name = value, or make a procedure of it.",
    example: "x = " + String(repeating: "(", count: 65) + "1" + String(repeating: ")", count: 65))

  static let tooManyElements = DiagnosticCode(
    "P0010", "Too many elements",
    explanation: "A list, record or list of operands may have 65,536 elements. Data belongs into a file that "
      + "file(\"name\") reads.",
    example: "")

  // MARK: Literals

  static let unterminatedString = DiagnosticCode(
    "P0101", "A text without closing quote",
    explanation:
      "A text ends on the line it begins on. A line end inside it is written \\n; long texts are joined "
      + "with ++.",
    example: "section \"plain")

  static let unknownEscape = DiagnosticCode(
    "P0102", "An unknown escape in a text",
    explanation:
      "A text knows \\n \\t \\r \\0 \\\\ \\\" \\xHH (one byte) and \\u{HEX} (a character in UTF-8).",
    example: "x = \"\\q\"")

  static let malformedHex = DiagnosticCode(
    "P0103", "hex\"...\" with something else in it",
    explanation:
      "Between the quotes stand pairs of hexadecimal digits, with spaces or _ between the pairs. In an "
      + "expectation * stands for any digit.",
    example: "x = hex\"d ead\"")

  static let wildcardOutsidePattern = DiagnosticCode(
    "P0104", "A wildcard where bytes are given",
    explanation:
      "hex\"d* **\" says which digits do not matter, which only makes sense where bytes are compared: "
      + "behind -> or in expect.",
    example: "mem write $b hex\"**\"")

  static let leadingZero = DiagnosticCode(
    "P0110", "A number that begins with zero",
    explanation: "C and syzkaller read 010 as eight, people mostly mean ten. Write 0o10 or 10.",
    example: "x = 010")

  static let malformedNumber = DiagnosticCode(
    "P0111", "A malformed number",
    explanation:
      "Numbers are decimal, 0x, 0o or 0b, with _ between digits. A hexadecimal number needs its 0x.",
    example: "x = 12ab")

  static let numberTooLarge = DiagnosticCode(
    "P0112", "A number that does not fit",
    explanation:
      "Numbers have 64 bits; the largest is 0xffff_ffff_ffff_ffff, or max for all ones in whatever width.",
    example: "x = 16E")

  static let unknownUnit = DiagnosticCode(
    "P0113", "An unknown unit",
    explanation:
      "Sizes take K M G T P E or KiB MiB ... (powers of 1024) and pg (pages of the host profile); times "
      + "take ns us ms s m.",
    example: "x = 4Q")

  static let ambiguousUnit = DiagnosticCode(
    "P0114", "A unit that could mean 1000 or 1024",
    explanation:
      "kB and KB are read as 1000 by some and as 1024 by others. Write K or KiB for 1024, or the number "
      + "itself.",
    example: "x = 4kB")

  static let malformedVersion = DiagnosticCode(
    "P0115", "A malformed version",
    explanation:
      "A version has two or three numbers: 6.15, 6.12.3. Fractions do not exist: sizes are integers.",
    example: "x = 1.5K")

  static let malformedDate = DiagnosticCode(
    "P0116", "A malformed date",
    explanation: "A day is written year-month-day, 2027-01-01, and must exist.",
    example: "xfail \"x\" until=2027-02-30")

  static let halfOpenRange = DiagnosticCode(
    "P0117", "A range that is not closed",
    explanation:
      "Ranges are closed and have one spelling, first...last. A half-open range could not reach the top "
      + "address, and two dots mean different things in different languages.",
    example: "allow $vm 0..10")

  static let backwardRange = DiagnosticCode(
    "P0118", "A range that ends before it begins",
    explanation:
      "In first...last the first is at most the last. Both belong to the range, so 5...5 holds one "
      + "address; an empty range cannot be written.",
    example: "allow $vm 5...1")

  static let sigilWithoutName = DiagnosticCode(
    "P0119", "A $ without a name",
    explanation: "A variable is $ and its name, with nothing between: $vm.",
    example: "map $ vm")

  // MARK: Statements

  static let expectedStatement = DiagnosticCode(
    "P0201", "Something that does not begin a statement",
    explanation:
      "A statement is a command (ioas create), a binding (vm = ioas create, size = 64K) or begins with a "
      + "word of the grammar (expect, test, for, ...). A value alone says nothing to do.",
    example: "4K")

  static let expectedEndOfStatement = DiagnosticCode(
    "P0202", "Something left over at the end of a statement",
    explanation: "A statement ends with its line or with ;. Something follows that cannot belong to it.",
    example: "section \"a\" \"b\"")

  static let sigilOnBinding = DiagnosticCode(
    "P0203", "A sigil where a name is bound",
    explanation:
      "A name is bound without a sigil and used with it: vm = ioas create, then $vm. So a mistyped use "
      + "cannot bind a new name.",
    example: "$vm = ioas create")

  static let badName = DiagnosticCode(
    "P0204", "A name that cannot be a variable",
    explanation:
      "A variable is made of letters, digits and _. A hyphen would read as minus where it is used, and "
      + "words that begin statements stay theirs.",
    example: "my-vm = ioas create")

  static let repeatedName = DiagnosticCode(
    "P0205", "The same name twice",
    explanation:
      "A key occurs once in a command, and a list of names holds each once; otherwise one of the two "
      + "would be lost silently.",
    example: "map $vm len=1 len=2")

  static let commaBetweenOperands = DiagnosticCode(
    "P0206", "A comma between operands",
    explanation:
      "Operands of a command are separated by spaces; commas separate what stands in brackets, names to "
      + "bind, and checks behind ->.",
    example: "map $vm, $buf")

  static let leadingDash = DiagnosticCode(
    "P0207", "An option with dashes",
    explanation: "Options are bare words (ro, all) or key=value (len=4K).",
    example: "map $vm --ro")

  static let reservedWord = DiagnosticCode(
    "P0208", "A word reserved for later",
    explanation:
      "Sequences that nobody interrupts, and states to go back to, will be statements of a later version. Their "
      + "words are kept free, so that scripts written today stay valid.",
    example: "atomic { ioas create }")

  static let unknownBlock = DiagnosticCode(
    "P0209", "A block that nobody knows",
    explanation:
      "Blocks belong to test, for, if, def, defer, thread, explore, parallel, fail and sweep. The word in front "
      + "of this one is close to one of them.",
    example: "tset \"maps\" {⏎  ioas create⏎}")

  static let expectedBlock = DiagnosticCode(
    "P0210", "A block is missing",
    explanation:
      "test, for, if, def, fail and sweep take a block. Its { stands on the same line, so that a prompt knows that "
      + "more is to come.",
    example: "test \"a\"⏎{⏎}")

  static let unclosedBlock = DiagnosticCode(
    "P0211", "A block that is never closed",
    explanation:
      "A { opens a block and the script ends before its }. The mark shows the { that is left; the missing "
      + "} may belong to an earlier one.",
    example: "test \"a\" {⏎ioas create")

  static let unopenedBracket = DiagnosticCode(
    "P0212", "A bracket that closes nothing",
    explanation: "There is a ), ] or } without its partner.",
    example: "ioas create }⏎}")

  static let misplacedStatement = DiagnosticCode(
    "P0213", "A statement in the wrong place",
    explanation:
      "param, export and test stand directly in the file; section, def, require and a lone xfail in the "
      + "file or in a test; iofd 1 is the first statement of all.",
    example: "for i in 1...2 { param x: int }")

  static let elseWithoutIf = DiagnosticCode(
    "P0214", "An else without if",
    explanation: "else stands behind the closing brace of its if, on the same line: } else {.",
    example: "if mock { ioas create }⏎else { ioas create }")

  static let badCondition = DiagnosticCode(
    "P0215", "Something that is no condition",
    explanation:
      "A condition asks about the machine the script runs on: kernel>=6.15, backend=mock, a feature by "
      + "name, or the opposite with !. It never asks about a result, so the path of a script is known "
      + "before it runs.",
    example: "if $x = 3 { ioas create }")

  static let expectedName = DiagnosticCode(
    "P0216", "A name is missing",
    explanation: "Here stands the name of a variable, procedure, parameter or field.",
    example: "for 3 in 1...2 { ioas create }")

  static let expectedText = DiagnosticCode(
    "P0217", "A quoted text is missing",
    explanation: "Names for people (test, section), reasons (xfail) and paths (include) are quoted.",
    example: "section plain")

  static let unknownParameterType = DiagnosticCode(
    "P0218", "An unknown type of parameter",
    explanation: "A parameter is an int, size, time, text, word or flag: param depth: int in 1...64 = 4.",
    example: "param depth: integer = 4")

  static let unknownVersion = DiagnosticCode(
    "P0219", "A language version that is not known",
    explanation: "The first line may name the language's version: iofd 1. This iofd reads version 1.",
    example: "iofd 9")

  // MARK: Values

  static let expectedValue = DiagnosticCode(
    "P0301", "A value is missing",
    explanation: "Here stands a value: a number, text, $name, word, list, record or call.",
    example: "map $vm len=")

  static let arithmeticNeedsParentheses = DiagnosticCode(
    "P0302", "Arithmetic among operands",
    explanation:
      "Spaces separate operands, so $a - 1 would be three of them. Arithmetic stands in parentheses: ($a "
      + "- 1), (2 * $n). The one short form is a variable with an offset stuck to it: $buf+4K.",
    example: "map $vm $buf iova=$a + 4K")

  static let mixedOperators = DiagnosticCode(
    "P0303", "Operators side by side whose order is not agreed",
    explanation:
      "* / % go before + and -, as everywhere. C, Swift and Python differ about & | ^ << >>, so these "
      + "take only themselves as neighbours, and comparisons do not chain. Parentheses say what is meant.",
    example: "x = (1 << 2 + 3)")

  static let unclosedBracket = DiagnosticCode(
    "P0304", "A bracket that is not closed",
    explanation:
      "Something stands here that cannot belong to the bracket that is open. Mostly a comma or the "
      + "closing bracket is missing.",
    example: "x = (1 2)")

  static let statementInRecord = DiagnosticCode(
    "P0305", "Statements inside a record",
    explanation:
      "After the operands of a command, { begins a literal record: fields and values, no statements. "
      + "Blocks belong to test, for, if, def and defer.",
    example: "maps $x {⏎  ioas create -> ok⏎}")

  static let foreignOperator = DiagnosticCode(
    "P0306", "An operator of another language",
    explanation:
      "Equality is written =, and there are no logical && and ||: conditions are joined with commas.",
    example: "x = (1 == 1)")

  // MARK: Expectations

  static let commentLooksLikeExpectation = DiagnosticCode(
    "P0401", "A comment that looks like an expectation",
    explanation: "Comments are never checked. A trailing comment that begins with an errno, ok, blocked or "
      + "unfinished looks as if it were, so it is refused: write -> EEXIST, or begin the comment with "
      + "another word.",
    example: "map $vm $buf   # EEXIST")

  static let emptyExpectation = DiagnosticCode(
    "P0402", "An expectation of nothing",
    explanation:
      "-> is followed by an outcome (EEXIST, ok, rejected), a value, or checks. That nothing comes back "
      + "is written -> none.",
    example: "map $vm ->")

  static let unknownOutcome = DiagnosticCode(
    "P0403", "An unknown outcome",
    explanation:
      "An outcome is an errno in capitals, ok, or a class: rejected (any errno, state unchanged), failed "
      + "(any errno), blocked, fault.",
    example: "map $vm -> reject")

  static let markAndExpectation = DiagnosticCode(
    "P0404", "Two words about the same end",
    explanation: "! (must fail), ? (may fail) and -> say how a command ends; a command has one of them.",
    example: "! map $vm -> EEXIST")

  static let secondExpectation = DiagnosticCode(
    "P0405", "Two expectations on one line",
    explanation: "A command has one -> clause; several checks in it are joined with commas.",
    example: "map $vm -> ok -> iova=1")

  static let missingComma = DiagnosticCode(
    "P0406", "A comma is missing",
    explanation: "Checks behind -> are separated by commas: -> fault, reason=permission, at=0x2000.",
    example: "dma read $d 0 -> fault reason=permission")

  static let mixedBraces = DiagnosticCode(
    "P0407", "Fields and elements between the same braces",
    explanation:
      "In a pattern, {a=1, b=2} is one record, and { x, y } are elements in any order. Which one is meant "
      + "must be clear.",
    example: "faultq read $q -> {dev=1, 5}")
}

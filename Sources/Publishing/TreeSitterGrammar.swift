// SPDX-License-Identifier: GPL-3.0-or-later

/// The grammar for tree-sitter: Neovim, Helix, Zed, Emacs 29 and what else builds parsers from `grammar.js`.
///
/// It knows statements, blocks, commands and units of values. Behind `->` and inside brackets it is a run of units and
/// operators: order of precedence is for the language's own parser, and colours, folds and outlines need none. It has no
/// conflicts that have to be declared and no scanner in C.
enum TreeSitterGrammar {
  static func configuration(_ tool: ToolDescription) -> String {
    """
    {
      "grammars": [
        {
          "name": "iofd",
          "camelcase": "Iofd",
          "scope": "source.iofd",
          "path": ".",
          "file-types": ["iofd"],
          "highlights": ["queries/highlights.scm"]
        }
      ],
      "metadata": {
        "version": "\(tool.version).0",
        "license": "GPL-3.0-or-later",
        "description": "Scripts for iofd, a model of Linux iommufd. \(Origin.sentence)"
      }
    }

    """
  }

  static func text(_ words: Vocabulary) -> String {
    """
    // SPDX-License-Identifier: GPL-3.0-or-later
    // \(Origin.sentence)
    //
    // Everything in front of a value that is written without a space is token.immediate: `iova=max`, `$buf+8`, `0...7`.

    const glued = sign => token.immediate(sign);
    const separated = (item, sign) => seq(item, repeat(seq(sign, item)));

    module.exports = grammar({
      name: 'iofd',
      extras: $ => [/[ \\t\\r\\uFEFF]/, $.comment, $.continuation],
      word: $ => $.word,

      rules: {
        source_file: $ => seq(optional($._statements), optional($.archive)),
        _statements: $ => choice(
          seq(repeat1(choice(seq($._statement, $._end), $._end)), optional($._statement)), $._statement),
        _end: $ => choice($._newline, ';'),
        _newline: $ => /\\n/,
        block: $ => seq('{', optional($._statements), '}'),
        archive: $ => /-- [!-~]+ --\\r?\\n(.|\\r|\\n)*/,

        _statement: $ => choice($._plain_statement, $.guarded_statement),
        guarded_statement: $ => seq($.guard, $._plain_statement),
        guard: $ => seq('[', $.condition, ']'),
        _plain_statement: $ => choice(
          $._checked_statement, $.version_statement, $.test, $.section, $.for, $.injection, $.def, $.if,
          $.include, $.export, $.param, $.defer, $.require, $.xfail, $.thread, $.run, $.explore, $.parallel),
        _checked_statement: $ => choice($.command_statement, $.binding, $.expect, $.trace_expectation),

        // vm = ioas create; map $vm $buf iova=0x1000 -> EEXIST; ! destroy $vm
        command_statement: $ => seq(optional($.mark), $.command, optional($.expectation)),
        mark: $ => choice('!', '?'),
        command: $ => seq(field('verb', $.word), repeat($._operand)),
        binding: $ => seq(
          optional($.mark), separated(field('name', $.word), ','), '=',
          choice($.command, $._value_operands), optional($.expectation)),
        _value_operands: $ => seq($._value_unit, repeat(choice($._unit, '++'))),
        _operand: $ => choice($.named, $._unit, '++', '-', '~'),
        named: $ => seq(field('key', $.word), glued('='), optional(choice('-', '~')), field('value', $._unit)),

        expectation: $ => seq('->', repeat1($._free)),
        expect: $ => seq('expect', repeat1($._free)),
        trace_expectation: $ => seq('expect', 'trace', $.block),

        test: $ => seq('test', field('name', $.string), repeat($.named), $.block),
        section: $ => seq('section', field('name', $.string)),
        for: $ => seq('for', field('name', $.word), 'in', $._simple, $.block),
        injection: $ => seq(choice('fail', 'sweep'), repeat($.named), $.block, optional($.expectation)),
        def: $ => seq('def', field('name', $.word), $.parameters, $.block),
        parameters: $ => seq(glued('('), optional(separated($.parameter, ',')), ')'),
        parameter: $ => seq(field('name', $.word), optional(seq('=', repeat1(choice($._unit, $.operator))))),
        if: $ => seq(
          'if', $.condition, $.block, repeat(seq('else', 'if', $.condition, $.block)),
          optional(seq('else', $.block))),
        condition: $ => separated($.term, ','),
        term: $ => seq(
          optional('!'), $.word,
          optional(seq(choice('=', '!=', '<', '<=', '>', '>='), choice($.word, $.number, $.version, $.string)))),
        include: $ => seq('include', $.string, optional(seq('with', separated($.named, ',')))),
        export: $ => seq('export', separated(field('name', $.word), ',')),
        param: $ => seq(
          'param', field('name', $.word), ':', field('type', $.word), optional(seq('in', $._simple)),
          optional(seq('=', $._unit))),
        defer: $ => seq('defer', choice($.block, $._checked_statement)),
        require: $ => seq('require', $.condition),
        xfail: $ => seq(
          'xfail', $.string, optional(seq('until', '=', $._unit)), optional($._checked_statement)),
        version_statement: $ => seq('iofd', $.number),
        thread: $ => seq('thread', field('name', $.word), $.block),
        run: $ => seq(
          'run', field('name', $.word), optional(seq('until', choice($.word, $.path))), repeat($.named),
          optional($.expectation)),
        explore: $ => seq('explore', repeat($.named), $.block, optional($.expectation)),
        parallel: $ => seq('parallel', $.block),

        // Values. A unit has no spaces outside its brackets.
        _unit: $ => choice($.word, $._value_unit, $.record, $.capture),
        _value_unit: $ => choice($._simple, $.string, $.hex, $.version, $.date, $.union, $.reference),
        _simple: $ => choice($.number, $.variable, $.path, $.call, $.list, $.group, $.range, $.offset),
        path: $ => seq(choice($.variable, $.word, $.call), repeat1(choice(seq(glued('.'), $.word), $.index))),
        index: $ => seq(glued('['), repeat($._inside), ']'),
        call: $ => seq(field('function', $.word), glued('('), repeat($._inside), ')'),
        range: $ => seq($._bound, glued('...'), choice($._bound, $.word)),
        offset: $ => seq(choice($.variable, $.path, $.call), choice(glued('+'), glued('-')), $._addend),
        _addend: $ => choice($.number, $.variable, $.call, $.group),
        _bound: $ => choice($.number, $.variable, $.path, $.call, $.group, $.offset),
        union: $ => seq($._flag, repeat1(seq(glued('|'), $._flag))),
        _flag: $ => choice($.word, $.number, $.variable),
        reference: $ => seq($.word, glued(':'), choice($.number, $.variable)),
        list: $ => seq('[', repeat($._inside), ']'),
        group: $ => seq('(', repeat($._inside), ')'),
        record: $ => seq('{', repeat(choice($._inside, ';')), '}'),
        _inside: $ => choice($._free, $._newline),
        _free: $ => choice($.named, $._unit, $.operator, ','),
        operator: $ => choice(
          '=', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', '&', '^', '|', '~', '!', '++', '<<', '>>', '...',
          '?'),

        word: $ => /\(TokenPattern.word)/,
        variable: $ => /\(TokenPattern.variable)/,
        capture: $ => /\\?\(TokenPattern.name)/,
        number: $ => /\(TokenPattern.digits)/,
        version: $ => /\(TokenPattern.version)/,
        date: $ => /[0-9]{4}-[0-9]{2}-[0-9]{2}/,
        string: $ => /\(TokenPattern.string)/,
        hex: $ => /\(TokenPattern.hex)/,
        comment: $ => /\(TokenPattern.comment)/,
        continuation: $ => /\\\\[ \\t\\r]*\\n/,
      },
    });

    """
  }

  static func highlights(_ words: Vocabulary) -> String {
    func any(_ list: [String]) -> String {
      let quoted = list.map { "\"\($0)\"" }
      return Lines.filled(quoted, width: 98, first: "", next: "    ").joined(separator: "\n")
    }
    let statements = words.statements + ["in", "with", "until", "trace"]
    return """
      ; SPDX-License-Identifier: GPL-3.0-or-later
      ; \(Origin.sentence)

      (comment) @comment
      (archive) @string.special
      (string) @string
      (hex) @string.special
      (number) @number
      (version) @number
      (date) @number
      (variable) @variable
      (capture) @variable.parameter
      [\(any(statements))] @keyword
      (mark) @operator
      (operator) @operator
      "->" @operator
      ["(" ")" "[" "]" "{" "}"] @punctuation.bracket
      ["," ";"] @punctuation.delimiter

      (binding name: (word) @variable)
      (named key: (word) @property)
      (test name: (string) @label)
      (section name: (string) @label)
      (def name: (word) @function)
      (parameter name: (word) @variable.parameter)
      (thread name: (word) @label)
      (param type: (word) @type)

      ((call function: (word) @function.builtin)
        (#any-of? @function.builtin
          \(any(words.functions))))

      ((word) @constant
        (#any-of? @constant
          \(any(words.constants))))

      ((word) @constant.builtin
        (#any-of? @constant.builtin
          \(any(words.outcomes + ["max", "none"] + words.errnos))))

      ((command verb: (word) @function)
        (#any-of? @function
          \(any(words.firstVerbWords))))

      """
  }

  static let folds = """
    ; SPDX-License-Identifier: GPL-3.0-or-later
    ; \(Origin.sentence)

    [(block) (record) (list)] @fold

    """
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// One statement, with the condition in front of it.
public struct Statement: Sendable {
  /// `[kernel>=6.15]`: where it does not hold, the statement is skipped and reported as such.
  public var condition: Condition?
  public var kind: Kind
  public var span: Span

  public init(condition: Condition?, kind: Kind, span: Span) {
    self.condition = condition
    self.kind = kind
    self.span = span
  }

  public indirect enum Kind: Sendable {
    /// `vm = ioas create`, `! map $vm $buf iova=1`, `unmap $vm all -> length=64K`
    case command(CommandStatement)
    /// `size = 64K`: a name for a value; nothing is asked of the target.
    case value(ValueStatement)
    /// `expect refs($hw) = 1`
    case expect(ExpectStatement)
    /// `expect trace { area-add iova=0x1000; next pages-charge }`: what happened since the last such statement.
    case expectTrace(TraceExpectation)
    /// `test "name" label=slow { ... }`: own model, own names.
    case test(TestStatement)
    /// `section "name"`: a heading; everything up to the next one belongs to it.
    case section(TextLiteral)
    /// `for p in [4K, 2M] { ... }`
    case loop(LoopStatement)
    /// `def name(a, b=4K) { ... }`
    case definition(DefinitionStatement)
    /// `if kernel>=6.15 { ... } else if mock { ... } else { ... }`
    case conditional(ConditionalStatement)
    /// `include "x.iofd" with vm=$vm`
    case include(IncludeStatement)
    /// `export vm, buf`: the names an including script gets.
    case export([Symbol])
    /// `param depth: int in 1...64 = 4`
    case parameter(ParameterStatement)
    /// `defer destroy $vm`, `defer { ... }`: runs at the end of the enclosing block, last one first.
    case deferred(Block)
    /// `fail nth=3 at=alloc { ... }`, `sweep { ... } -> points=12`
    case injection(InjectionStatement)
    /// `require kernel>=6.15, backend=mock`: where it does not hold, the file or test is skipped.
    case require(Condition)
    /// `xfail "reason" until=2027-01-01` on a line of its own: the file or test is known to fail.
    case expectedFailure(ExpectedFailure)
    /// `thread a { ... }`: statements that run when they are given the turn.
    case thread(ThreadStatement)
    /// `run a until pages.pinned`: gives a thread the turn.
    case run(RunStatement)
    /// `explore threads=[a, b] bound=2 { ... }`: threads in every order.
    case explore(ExploreStatement)
    /// `parallel { ... }`: each statement on a real thread.
    case parallel(Block)
  }
}

/// A request to the target or the bench, what it binds, and what must come back.
public struct CommandStatement: Sendable {
  /// `xfail "reason"` in front of this one statement.
  public var expectedFailure: ExpectedFailure?
  public var mark: Mark?
  /// `a, b =`: names for the command's results, primary result first.
  public var bindings: [Symbol]
  public var command: Command
  /// The `-> ...` clause. Nil in a script means that the command must succeed.
  public var expectation: Expectation?

  public init(
    expectedFailure: ExpectedFailure?, mark: Mark?, bindings: [Symbol], command: Command,
    expectation: Expectation?
  ) {
    self.expectedFailure = expectedFailure
    self.mark = mark
    self.bindings = bindings
    self.command = command
    self.expectation = expectation
  }
}

/// `!` or `?` in front of a command; never together with a `-> ...` clause.
public struct Mark: Sendable {
  public enum Kind: Sendable {
    /// `!`: the command must fail, with whatever errno.
    case mustFail
    /// `?`: the command may fail; the outcome is only recorded.
    case mayFail
  }
  public var kind: Kind
  public var span: Span

  public init(_ kind: Kind, span: Span) {
    self.kind = kind
    self.span = span
  }
}

/// A command as written: the bare words it begins with, then everything else in order.
///
/// The grammar does not know how many of the leading words name the verb (`ioas create`) and how many are
/// operands (`option rlimit-mode`): a table says so, by the longest name that fits. `operands(after:)` then
/// gives the rest.
public struct Command: Sendable {
  /// The unbroken run of bare words at the beginning; never empty.
  public var words: [Name]
  /// What follows the run, in source order.
  public var operands: [Operand]
  public var span: Span

  public init(words: [Name], operands: [Operand], span: Span) {
    self.words = words
    self.operands = operands
    self.span = span
  }

  /// The operands of a command whose verb is the first `count` words; leading words beyond the verb come
  /// first, as positional words.
  public func operands(after count: Int) -> [Operand] {
    if count >= words.count { return operands }
    let extra = words[max(0, count)...].map { word in
      let kind: Expression.Kind = word.text == Keywords.Inner.max.rawValue ? .max : .word(word.text)
      return Operand(.positional(Expression(kind, span: word.span)), span: word.span)
    }
    return extra + operands
  }
}

/// One operand of a command, one item of a record, or one argument of a call.
public struct Operand: Sendable {
  public enum Kind: Sendable {
    /// A value in its place: `$vm`, `0x1000`, or a bare word such as `rw`.
    case positional(Expression)
    /// `key=value`. A key occurs once in a command.
    case named(Name, Expression)
    /// `0x1000 = value`, only in records: an entry of a table.
    indirect case mapped(Expression, Expression)
  }
  public var kind: Kind
  public var span: Span

  public init(_ kind: Kind, span: Span) {
    self.kind = kind
    self.span = span
  }

  /// The value, wherever it stands.
  public var value: Expression {
    switch kind {
    case .positional(let value), .named(_, let value), .mapped(_, let value): value
    }
  }
}

/// `size = 64K`
public struct ValueStatement: Sendable {
  public var name: Symbol
  public var value: Expression

  public init(name: Symbol, value: Expression) {
    self.name = name
    self.value = value
  }
}

/// A look at the state: `expect $vm.areas.count = 2`, `expect translate($d, 0x1000) = $buf+0`, `expect invariants`.
public struct ExpectStatement: Sendable {
  public var expectedFailure: ExpectedFailure?
  /// A path from a variable, a call, or a bare word.
  public var subject: Expression
  /// Nil for a subject that is a statement by itself (`invariants`).
  public var comparison: Comparison?
  public var pattern: Pattern?

  public init(
    expectedFailure: ExpectedFailure?, subject: Expression, comparison: Comparison?, pattern: Pattern?
  ) {
    self.expectedFailure = expectedFailure
    self.subject = subject
    self.comparison = comparison
    self.pattern = pattern
  }
}

/// Events in the order in which they must have happened. A line is written as a command: an event's name, with the
/// fields that it must have, and perhaps `next`, `not` or `any` in front.
public struct TraceExpectation: Sendable {
  public var expectedFailure: ExpectedFailure?
  public var body: Block

  public init(expectedFailure: ExpectedFailure?, body: Block) {
    self.expectedFailure = expectedFailure
    self.body = body
  }
}

/// A quoted text that names something; the bytes are UTF-8.
public struct TextLiteral: Sendable {
  public var text: String
  public var span: Span

  public init(_ text: String, span: Span) {
    self.text = text
    self.span = span
  }
}

/// `test "name" label=slow { ... }`
public struct TestStatement: Sendable {
  public var name: TextLiteral
  /// `key=value` between the name and the block; all of them named.
  public var options: [Operand]
  public var body: Block

  public init(name: TextLiteral, options: [Operand], body: Block) {
    self.name = name
    self.options = options
    self.body = body
  }
}

/// `for p in [4K, 2M, 1G] { ... }`, `for i in 0...15 { ... }`
public struct LoopStatement: Sendable {
  public var variable: Symbol
  /// A list, a closed range, or a variable that holds one.
  public var values: Expression
  public var body: Block

  public init(variable: Symbol, values: Expression, body: Block) {
    self.variable = variable
    self.values = values
    self.body = body
  }
}

/// `def name(a, b=4K) { ... }`; called as a command: `name $x b=8K`.
public struct DefinitionStatement: Sendable {
  public struct Parameter: Sendable {
    public var name: Symbol
    public var defaultValue: Expression?

    public init(name: Symbol, defaultValue: Expression?) {
      self.name = name
      self.defaultValue = defaultValue
    }
  }
  public var name: Name
  public var parameters: [Parameter]
  public var body: Block

  public init(name: Name, parameters: [Parameter], body: Block) {
    self.name = name
    self.parameters = parameters
    self.body = body
  }
}

/// `fail nth=3 at=alloc { ... } -> kind=alloc`: one step of the block fails. `sweep at=alloc { ... } -> points=12`: each
/// in turn.
public struct InjectionStatement: Sendable {
  public enum Kind: String, Sendable {
    case fail, sweep
  }
  public var kind: Kind
  /// All of them named.
  public var options: [Operand]
  public var body: Block
  /// The clause behind the block.
  public var expectation: Expectation?

  public init(kind: Kind, options: [Operand], body: Block, expectation: Expectation?) {
    self.kind = kind
    self.options = options
    self.body = body
    self.expectation = expectation
  }
}

/// `if ... { } else if ... { } else { }`: the first arm whose condition holds runs.
public struct ConditionalStatement: Sendable {
  public struct Arm: Sendable {
    public var condition: Condition
    public var body: Block

    public init(condition: Condition, body: Block) {
      self.condition = condition
      self.body = body
    }
  }
  /// At least one.
  public var arms: [Arm]
  public var otherwise: Block?

  public init(arms: [Arm], otherwise: Block?) {
    self.arms = arms
    self.otherwise = otherwise
  }
}

/// `include "x.iofd" with vm=$vm, depth=4`: runs in a scope of its own that holds only what `with` gives.
public struct IncludeStatement: Sendable {
  public var path: TextLiteral
  /// All of them named.
  public var arguments: [Operand]

  public init(path: TextLiteral, arguments: [Operand]) {
    self.path = path
    self.arguments = arguments
  }
}

/// `param depth: int in 1...64 = 4`: a value that `-D depth=8` or an include may give.
public struct ParameterStatement: Sendable {
  public enum ValueType: String, CaseIterable, Sendable {
    case int, size, time, text, word, flag
  }
  public var name: Symbol
  public var type: ValueType
  /// A closed range or a list that the value must lie in.
  public var domain: Expression?
  /// Nil makes the parameter mandatory.
  public var defaultValue: Expression?

  public init(name: Symbol, type: ValueType, domain: Expression?, defaultValue: Expression?) {
    self.name = name
    self.type = type
    self.domain = domain
    self.defaultValue = defaultValue
  }
}

/// `xfail "reason" until=2027-01-01`
public struct ExpectedFailure: Sendable {
  public var reason: TextLiteral
  /// The day after which the promise is stale.
  public var until: DateLiteral?
  public var span: Span

  public init(reason: TextLiteral, until: DateLiteral?, span: Span) {
    self.reason = reason
    self.until = until
    self.span = span
  }
}

/// `kernel>=6.15, !mock`: all terms must hold.
public struct Condition: Sendable {
  public struct Term: Sendable {
    public var isNegated: Bool
    public var name: Name
    /// Nil for a bare word, which asks for a feature or a backend by name.
    public var comparison: Comparison?
    /// A version, number, word or text; present exactly when `comparison` is.
    public var value: Expression?
    public var span: Span

    public init(isNegated: Bool, name: Name, comparison: Comparison?, value: Expression?, span: Span) {
      self.isNegated = isNegated
      self.name = name
      self.comparison = comparison
      self.value = value
      self.span = span
    }
  }
  /// At least one.
  public var terms: [Term]
  public var span: Span

  public init(terms: [Term], span: Span) {
    self.terms = terms
    self.span = span
  }
}

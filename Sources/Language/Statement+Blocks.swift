// SPDX-License-Identifier: GPL-3.0-or-later

extension Statement {
  /// The blocks directly in it, in the order of the text. The lines of `expect trace` are no statements.
  public var blocks: [Block] {
    switch kind {
    case .test(let test): [test.body]
    case .loop(let loop): [loop.body]
    case .definition(let definition): [definition.body]
    case .conditional(let conditional):
      conditional.arms.map(\.body) + (conditional.otherwise.map { [$0] } ?? [])
    case .deferred(let block), .parallel(let block): [block]
    case .injection(let injection): [injection.body]
    case .thread(let thread): [thread.body]
    case .explore(let explore): [explore.body]
    case .command, .value, .expect, .expectTrace, .section, .include, .export, .parameter, .require,
      .expectedFailure, .run:
      []
    }
  }

  /// The expectation behind it.
  public var expectation: Expectation? {
    switch kind {
    case .command(let command): command.expectation
    case .injection(let injection): injection.expectation
    case .run(let run): run.expectation
    case .explore(let explore): explore.expectation
    default: nil
    }
  }
}

extension [Statement] {
  /// Calls `body` with every one of them and of the blocks in them, outer ones first.
  public func forEachNested(_ body: (Statement) -> Void) {
    for statement in self {
      body(statement)
      for block in statement.blocks { block.statements.forEachNested(body) }
    }
  }

  /// Those around a place, the outermost first. The end of a statement belongs to it.
  public func around(_ offset: UInt32) -> [Statement] {
    guard let statement = last(where: { $0.span.start <= offset && offset <= $0.span.end }) else { return [] }
    for block in statement.blocks where block.span.start <= offset && offset <= block.span.end {
      return [statement] + block.statements.around(offset)
    }
    return [statement]
  }
}

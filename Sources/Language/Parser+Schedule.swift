// SPDX-License-Identifier: GPL-3.0-or-later

// Threads and the orders they run in.

extension Parser {
  mutating func parseThread() throws(Recover) -> ThreadStatement {
    let name = try parseBindingName("the name of the thread")
    let body = try parseBlock(in: .inner, after: "the name of the thread")
    return ThreadStatement(name: Name(name.text, span: name.span), body: body)
  }

  mutating func parseRun() throws(Recover) -> RunStatement {
    guard token.kind == .word, next.kind != .equal else {
      throw error(
        .expectedName, "expected the name of a thread, found \(describedToken)",
        help: ["run a until pages.pinned"])
    }
    let thread = Name(text(token), span: token.span)
    advance()
    var point: Name?
    if isWord(.until), next.kind != .equal {
      advance()
      point = try parsePoint()
    }
    let options = try parseScheduleOptions()
    let expectation = token.kind == .arrow ? try parseExpectation() : nil
    if !isAtEndOfStatement {
      throw error(
        .expectedEndOfStatement, "\(describedToken) has no meaning behind 'run'",
        help: ["run a", "run a until pages.pinned", "run a until pages.lock nth=2 -> blocked"])
    }
    return RunStatement(thread: thread, point: point, options: options, expectation: expectation)
  }

  /// `pages.pinned`
  private mutating func parsePoint() throws(Recover) -> Name {
    let start = token.offset
    repeat {
      guard token.kind == .word else {
        throw error(
          .expectedName, "expected the name of a point, found \(describedToken)",
          help: ["'show points' lists them"])
      }
      advance()
    } while skip(.dot)
    let span = Span(start, previousEnd)
    return Name(source.text(span), span: span)
  }

  mutating func parseExplore() throws(Recover) -> ExploreStatement {
    let options = try parseScheduleOptions()
    let body = try parseBlock(in: .inner, after: "'explore' and its options")
    let expectation = token.kind == .arrow ? try parseExpectation() : nil
    return ExploreStatement(options: options, body: body, expectation: expectation)
  }

  private mutating func parseScheduleOptions() throws(Recover) -> [Operand] {
    var options: [Operand] = []
    while token.kind == .word && next.kind == .equal {
      try checkCount(options.count)
      options.append(try parseNamed())
    }
    try checkKeys(options)
    return options
  }
}

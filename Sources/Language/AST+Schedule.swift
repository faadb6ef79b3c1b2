// SPDX-License-Identifier: GPL-3.0-or-later

/// `thread a { ... }`
public struct ThreadStatement: Sendable {
  public var name: Name
  public var body: Block

  public init(name: Name, body: Block) {
    self.name = name
    self.body = body
  }
}

/// `run a until pages.pinned nth=2 -> blocked`
public struct RunStatement: Sendable {
  public var thread: Name
  /// `pages.pinned`, dots and all; nil runs it to its end.
  public var point: Name?
  /// All of them named.
  public var options: [Operand]
  public var expectation: Expectation?

  public init(thread: Name, point: Name?, options: [Operand], expectation: Expectation?) {
    self.thread = thread
    self.point = point
    self.options = options
    self.expectation = expectation
  }
}

/// `explore threads=[a, b] bound=2 { ... } -> schedules=14`
public struct ExploreStatement: Sendable {
  /// All of them named.
  public var options: [Operand]
  /// What must hold when the threads have ended.
  public var body: Block
  public var expectation: Expectation?

  public init(options: [Operand], body: Block, expectation: Expectation?) {
    self.options = options
    self.body = body
    self.expectation = expectation
  }
}

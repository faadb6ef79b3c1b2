// SPDX-License-Identifier: GPL-3.0-or-later

/// The page of a statement that is no command: what it looks like, what it does, a script that uses it.
public struct StatementPage: Sendable {
  /// The word it begins with.
  public let word: String
  public let synopsis: [String]
  public let summary: String
  /// A whole script that passes.
  public let example: String

  /// The page.
  public var text: String {
    synopsis.map { $0 + "\n" }.joined() + "\n\(Explain.wrapped(summary))\n\nExample\n"
      + example.split(separator: "\n").map { "    \($0)\n" }.joined()
  }

  /// Every page.
  public static let all: [StatementPage] = structure + threads

  /// Those about threads.
  private static let threads: [StatementPage] = [
    StatementPage(
      word: "thread", synopsis: ["thread NAME { STATEMENT... }"],
      summary:
        "Statements that run as another thread of the process, when run, explore or parallel gives them the turn. It "
        + "begins with what is bound when it first runs; what it binds anew is there for others when it has ended.",
      example: "vm = ioas create\nthread a { destroy $vm }\nrun a"),
    StatementPage(
      word: "run", synopsis: ["run NAME [until POINT [nth=N]] [-> ok|blocked]"],
      summary:
        "Gives a thread the turn: until it has passed a point N times, or to its end. 'show points' lists the points. "
        + "A thread that has to wait for what another one has gives the turn back: -> blocked. Threads that have begun "
        + "are run to their ends at the end of the file or test. A statement of the script that needs a lock of a "
        + "thread lets that thread go on until it releases it.",
      example:
        "vm = ioas create\nbuf = mem alloc 4K\nthread a { map $vm $buf iova=0x1000 }\n"
        + "run a until area.filled\nunmap $vm 0x1000 len=4K -> EBUSY\nrun a\nunmap $vm 0x1000 len=4K"),
    StatementPage(
      word: "explore",
      synopsis: ["explore threads=[NAME, ...] [bound=N] { STATEMENT... } [-> ok|failed, schedules=N]"],
      summary:
        "Runs the threads in every order in which one that could go on is made to wait at most N times, 2 where "
        + "nothing is said. Each order has a fresh machine, on which everything from the beginning of the file or test "
        + "to here is done again. Invariants are looked at whenever no thread is inside a statement; the statements of "
        + "the block say what must hold at the end. The first order that breaks something is reported as run "
        + "statements.",
      example:
        "vm = ioas create\nbuf = mem alloc 8K\nthread a { ? map $vm $buf iova=0x1000 }\n"
        + "thread b { ? map $vm $buf iova=0x2000 }\nexplore threads=[a, b] bound=1 { expect $vm.areas.count = 1 }"
    ),
    StatementPage(
      word: "parallel", synopsis: ["parallel { STATEMENT... }"],
      summary:
        "Runs each statement of the block on a real thread, all at the same time, and waits for all. A thread block in "
        + "it is one of them with several statements. Nobody decides who comes first, so only what holds in every order "
        + "can be expected.",
      example:
        "vm = ioas create\nbuf = mem alloc 4K\nparallel {\n  map $vm $buf iova=0x1000\n  map $vm $buf iova=0x2000\n}"
    ),
  ]
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language

// Threads have names of their own, which only `run` and `explore` use. What a thread binds for the first time is its
// own, as in a loop; what it binds anew is the file's, once the thread has ended.

extension Resolver {
  func resolve(_ thread: ThreadStatement) -> ThreadNode {
    let here = place(thread.name.span)
    let node = strand(named: thread.name.text, here) { resolve(thread.body) }
    if let other = scopes[scopes.count - 1].threads[node.name] {
      report(
        .repeatedThread, here, "there is a thread '\(node.name)' already",
        notes: [Diagnostic.Note("the first one is here", in: other.place.source, at: other.place.span)])
    }
    scopes[scopes.count - 1].threads[node.name] = node
    notes?.note(node, here, .binding)
    return node
  }

  /// Each statement of `parallel` is a thread.
  func resolve(parallel block: Block) -> [ThreadNode] {
    refuseInThread("parallel", place(block.span))
    return block.statements.map { statement in
      if case .thread(let thread) = statement.kind, holds(statement.condition) {
        return strand(named: thread.name.text, place(thread.name.span)) { resolve(thread.body) }
      }
      return strand(named: "", place(statement.span)) {
        resolve(Block(statements: [statement], span: statement.span))
      }
    }
  }

  private func strand(named name: String, _ here: Place, _ body: () -> [Node]) -> ThreadNode {
    pushBlock()
    bindingRecords.append([])
    threadDepth += 1
    let nodes = body()
    threadDepth -= 1
    let bound = bindingRecords.removeLast()
    pop()
    return ThreadNode(name: name, place: here, body: nodes, bound: bound.sorted())
  }

  func resolve(_ run: RunStatement, _ here: Place) -> RunNode? {
    refuseInThread("run", here)
    let demand = resolveDemand(nil, run.expectation, results: [], expectsSuccess: true)
    if case .oneOf(let accepted) = demand.outcome, accepted.contains(where: { $0 != .ok && $0 != .blocked }) {
      report(
        .badSchedule, here, "a run comes to where it should, ok, or it is blocked",
        help: ["run \(run.thread.text) -> blocked"])
    }
    var times: Code?
    for case .named(let key, let value) in run.options.map(\.kind) {
      guard key.text == "nth", run.point != nil else {
        report(
          .unknownOption, place(key.span), "'run' has no option '\(key.text)' here",
          help: ["run \(run.thread.text) until areas.lock nth=2"])
        continue
      }
      times = resolve(value).code
    }
    guard let thread = thread(named: run.thread) else { return nil }
    return RunNode(
      thread: thread, point: run.point.map { ($0.text, place($0.span)) }, times: times, demand: demand,
      demandSpan: run.expectation?.span ?? .zero)
  }

  func resolve(_ explore: ExploreStatement, _ here: Place) -> ExploreNode? {
    refuseInThread("explore", here)
    var threads: [ThreadNode] = []
    var bound: Code?
    for case .named(let key, let value) in explore.options.map(\.kind) {
      switch key.text {
      case "threads": threads = self.threads(value)
      case "bound": bound = resolve(value).code
      default:
        report(
          .unknownOption, place(key.span), "'explore' has no option '\(key.text)'",
          help: [Suggest.help(for: key.text, in: ["threads", "bound"])].compactMap { $0 } + [
            "options: threads bound"
          ])
      }
    }
    if !explore.options.contains(where: {
      if case .named(let key, _) = $0.kind { key.text == "threads" } else { false }
    }) {
      report(
        .badSchedule, here, "'explore' needs the threads to run in every order",
        help: ["explore threads=[a, b] bound=2 { expect invariants }"])
    }
    let results = [ResultSpec("schedules", .number, .named)]
    pushBlock()
    threadDepth += 1
    let body = resolve(explore.body)
    threadDepth -= 1
    pop()
    let demand = resolveDemand(nil, explore.expectation, results: results, expectsSuccess: true)
    if case .oneOf(let accepted) = demand.outcome, accepted.contains(where: { $0 != .ok && $0 != .failed }) {
      report(
        .badSchedule, here, "all schedules keep the promises, ok, or one does not, failed",
        help: ["explore threads=[a, b] bound=2 { ... } -> failed"])
    }
    return ExploreNode(
      threads: threads, bound: bound, body: body, demand: demand,
      demandSpan: explore.expectation?.span ?? .zero, text: explore.body.statements.map { Printer.text($0) })
  }

  private func threads(_ value: Expression) -> [ThreadNode] {
    guard case .list(let elements) = value.kind, !elements.isEmpty else {
      report(.badSchedule, place(value.span), "the threads are a list of names", help: ["threads=[a, b]"])
      return []
    }
    var found: [ThreadNode] = []
    for element in elements {
      guard case .word(let name) = element.kind else {
        report(
          .badSchedule, place(element.span), "a thread is named by a bare word", help: ["threads=[a, b]"])
        continue
      }
      guard let thread = thread(named: Name(name, span: element.span)) else { continue }
      if found.contains(where: { $0 === thread }) {
        report(.badSchedule, place(element.span), "thread '\(name)' is named twice")
      } else {
        found.append(thread)
      }
    }
    return found
  }

  private func thread(named name: Name) -> ThreadNode? {
    for scope in scopes.reversed() {
      if let thread = scope.threads[name.text] {
        notes?.note(thread, place(name.span), .use)
        return thread
      }
      if scope.frame != nil { break }
    }
    let known = scopes.flatMap { $0.threads.keys }.sorted()
    report(
      .unknownThread, place(name.span), "there is no thread '\(name.text)' here",
      help: [
        Suggest.help(for: name.text, in: known)
          ?? "thread \(name.text) { ... } makes one, earlier in the script"
      ])
    return nil
  }

  private func refuseInThread(_ word: String, _ here: Place) {
    if threadDepth > 0 {
      report(.badSchedule, here, "'\(word)' stands outside threads and 'explore'")
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI

// A thread of a script has an executor of its own, since everything about the answer of a command is one command's;
// it begins with what was bound when it began, makes its requests as another thread of the same process, and hands
// over what it found when it ends. One runs at a time, except in `parallel`.

extension Executor {
  /// An executor for a thread that begins now, on the same machine.
  ///
  /// - Parameter kept: takes what it prints and traces, where others do so at the same time.
  func makeThreadExecutor(keeping kept: KeptOutput? = nil) -> Executor? {
    guard let bench else { return nil }
    var options = options
    options.check = false
    // Another thread may be inside a call while one is made to fail.
    options.sweeps = false
    options.observer = nil
    options.until = nil
    if let kept, options.trace != nil { options.trace = kept }
    let (target, ownBench) = bench.sibling()
    let child = Executor(
      program: program, rig: Rig(target: target, bench: ownBench, backend: rig.backend), options: options,
      makeRig: makeRig)
    child.slots = slots
    child.context = context
    child.frames = frames
    child.knownStale = knownStale
    child.answers = answers
    child.report = CaseReport(name: report.name)
    child.output = kept.map { kept in { kept.print($0) } } ?? output
    return child
  }

  /// Takes over what a thread bound and how its statements ended.
  func collect(_ node: ThreadNode, from child: Executor) {
    for slot in node.bound { slots[slot] = child.slots[slot] }
    knownStale.formUnion(child.knownStale)
    report.add(child.report)
    refused = child.refused ?? refused
    for request in child.requests { keep(request) }
    happened += child.happened
    switch child.halted {
    case nil, .until: break
    case .some(let reason): halted = reason
    }
  }

  /// The thread of a declaration, begun if it has not.
  ///
  /// - Returns: nil after a report.
  func begin(_ node: ThreadNode, at place: Place, checking: Bool) -> ScriptThread? {
    if let thread = stage.threads[ObjectIdentifier(node)] { return thread }
    guard let bench else { return nil }
    if context == nil { context = try? target.open("/dev/iommu") }
    let scheduler = stage.scheduler ?? bench.makeScheduler()
    stage.scheduler = scheduler
    guard let child = makeThreadExecutor() else { return nil }
    child.stage.afterStatement = { [unowned child] node in
      scheduler.betweenStatements {
        if checking { child.checkInvariants(behind: node) }
      }
    }
    guard let number = scheduler.add(node.name, { child.run(node.body) }) else {
      problem(.noThread, place, "the host has no thread for '\(node.name)'")
      return nil
    }
    let thread = ScriptThread(node, number: number, child)
    stage.threads[ObjectIdentifier(node)] = thread
    return thread
  }

  /// Takes over the results of the threads that have ended, in the order of their beginning.
  func collectEnded() {
    guard let scheduler = stage.scheduler else { return }
    for thread in stage.threads.values.sorted(by: { $0.number < $1.number })
    where !thread.isCollected && scheduler.state(of: thread.number) == .ended {
      thread.isCollected = true
      collect(thread.node, from: thread.executor)
    }
  }

  /// Whether the state may be looked at: no thread is inside a statement.
  var isQuiescent: Bool { stage.scheduler?.isQuiescent ?? true }

  /// Runs a statement of the file while threads stand somewhere: what it needs they let go of first.
  func besideThreads(_ body: () -> Void) {
    if let scheduler = stage.scheduler {
      scheduler.asDriver(body)
    } else {
      body()
    }
  }

  // MARK: The end

  /// Lets every thread that has begun go on to its end.
  func finishThreads() {
    guard let scheduler = stage.scheduler else { return }
    let begun = stage.threads.values.map(\.number).sorted()
    let policy = ToTheEnd(begun)
    if let first = policy.runnable(in: scheduler) { scheduler.run(first, policy) }
    collectEnded()
    if begun.contains(where: { scheduler.state(of: $0) == .blocked }), let place = stage.scene.last?.place {
      fail(deadlock(at: place))
    }
    scheduler.close()
    stage.scheduler = nil
    stage.threads = [:]
  }

  /// Who waits for what that who has.
  func deadlock(at place: Place) -> Diagnostic {
    Diagnostic(
      .deadlock, in: place.source, at: place.span, "no thread can go on",
      details: waitTexts().map { Diagnostic.Detail("waits", $0) })
  }

  func waitTexts() -> [String] {
    guard let scheduler = stage.scheduler else { return [] }
    var names: [Int: String] = [-1: "the script"]
    for thread in stage.threads.values { names[thread.number] = thread.node.name }
    return scheduler.waits.map { wait in
      let holders = wait.holders.map { names[$0] ?? "?" }.joined(separator: ", ")
      return "\(names[wait.thread] ?? "?") waits for \(wait.name)"
        + (holders.isEmpty ? "" : ", held up by \(holders)")
    }
  }
}

/// One thread after the other, each as far as it gets.
private final class ToTheEnd: SchedulePolicy {
  private let threads: [Int]

  init(_ threads: [Int]) { self.threads = threads }

  func runnable(in scheduler: any ThreadScheduler) -> Int? {
    scheduler.runnable.first { threads.contains($0) }
  }

  func next(_ event: ScheduleEvent, of thread: Int, in scheduler: any ThreadScheduler) -> Int? {
    if case .point = event { return thread }
    return runnable(in: scheduler)
  }
}

/// What a thread prints and traces, until it can be passed on.
final class KeptOutput: TraceSink {
  private enum Item {
    case text(String)
    case event(TraceEvent)
  }
  private var items: [Item] = []

  func print(_ text: String) { items.append(.text(text)) }
  func trace(_ event: TraceEvent) { items.append(.event(event)) }

  func passOn(to executor: Executor) {
    for item in items {
      switch item {
      case .text(let text): executor.output(text)
      case .event(let event): executor.options.trace?.trace(event)
      }
    }
    items = []
  }
}

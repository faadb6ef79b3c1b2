// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Language
internal import UAPI
internal import Views

// Runs a program. The loop is: work out the fields, put the bytes into the process's memory, ask, compare.
// On the way of a statement that does what is expected nothing is allocated; everything that explains a
// failure is worked out when there is one.

/// Why a statement cannot be carried out.
enum Stop: Error {
  /// A name it needs was not bound, because the statement that binds it failed.
  case blocked(slot: Int)
  /// It looks behind the waist, and the target has nothing there.
  case needsBench
  /// It does something behind the waist.
  case actsThroughBench
  case problem(Problem)
  /// Memory does not hold what `mem check` wants; both are in `compared`.
  case mismatch
}

struct Problem {
  let code: DiagnosticCode
  let place: Place
  let message: String
  var help: [String] = []
}

final class Executor {
  enum Ending {
    case completed, faulted, held
  }

  /// Why the run ended before its last statement.
  enum Halt {
    case until, cancelled, timedOut, limit
  }

  let options: RunOptions
  // Asked at every statement, so kept beside the options.
  let isTracing: Bool
  let keepsRequests: Bool
  /// How much of what happens is told; nil for nothing.
  let traceLevel: TraceLevel?
  let checks: Bool
  let cancellation: Cancellation?
  let until: Int?
  let makeRig: () throws -> Rig
  let program: Program
  var slots: [Value] = []

  // The machine.
  var rig: Rig
  var target: any IoctlTarget
  var bench: (any Bench)?
  /// The target again, if it can find that there is no point in going on.
  var comparing: (any ComparingTarget)?
  /// The open file that requests go to.
  var context: Int32?
  var arena = Arena()
  /// Scratch memory of the processes that are not current.
  var arenas: [Int32: Arena] = [:]

  // The answer of the last command.
  var errno: Int32 = 0
  var reason: Errno?
  var returned: Int32 = 0
  /// The struct as sent and, once fetched, as it came back.
  var work: UnsafeMutableRawBufferPointer
  var structCount = 0
  var structAddress: UInt64 = 0
  var isFetched = false
  var payloads: [(address: UInt64, count: Int)] = []
  var actionResults: [Value.Member] = []
  var device: ScriptDevice?
  var lastPlan: RequestPlan?
  /// What the request looked like, kept for a message about it.
  var sent: [UInt8] = []
  var before: [Fact] = []
  var hasChangedState = false
  var watches = false
  /// An error of evaluation met where only an errno can be thrown.
  var pendingStop: Stop?
  /// The script says what the results must be, so nobody has to read them.
  var isAnswerChecked = false
  /// How the access of a device ended.
  var ending = Ending.completed
  /// IOMMUs that the script plugged in.
  var plugged = 0
  /// Stale translations that have been told of.
  var knownStale: Set<String> = []
  /// Threads, and the way to here.
  var stage = ScheduleStage()
  /// Failures that are made, by `sweep` or by the run's options.
  var sweep: FailureSweep?
  /// The run is one of those that a sweep makes for a single failure.
  var late: LateFailures?
  /// The sweep is the run's: every call is under it.
  let sweepsAll: Bool
  /// A failure is armed by `fail`.
  var isFailing = false
  /// The statement whose calls are swept.
  var sweptNode: Node?
  /// What a statement that is no request does, for messages: `device add`.
  var actionName: String {
    if case .command(let command)? = sweptNode?.kind { command.verb?.name ?? "" } else { "" }
  }
  /// What the last `fail` or `sweep` answered.
  var injectionResults: [(name: String, value: Value)] = []
  /// Takes what commands answer; nil where nobody will ask.
  var answers: AnswerLog?
  /// Takes what would have to stand in the clauses; nil where nobody writes them.
  let clauses: ClauseLog?
  /// The last command that was refused, as long as somebody may ask.
  var refused: RefusedCommand?
  /// What `mem check` wanted and what it found.
  var compared: (expected: Value, got: Value) = (.none, .none)

  /// Slots of the file around a test: what they stand for is on the file's machine.
  var foreignSlots: Set<Int> = []
  /// What happened since the last `expect trace`, where the program has one.
  var happened: [TraceEvent] = []
  /// The requests so far, where the program looks at them.
  var requests: [RequestRecord] = []

  // The run.
  var halted: Halt?
  var steps = 0
  /// The step before which the run was cancelled.
  private(set) var cancelledStep: Int?
  /// The step before which a run that is done again was cancelled the first time.
  var stopsAtStep: Int?
  var report: CaseReport
  /// Loops and calls around the statement, innermost last.
  var frames: [RunFrame] = []
  var results: [CaseResult] = []
  var output: (String) -> Void

  struct RunFrame {
    enum Kind {
      case loop(LoopNode)
      case call(Procedure)
      case include(IncludeNode)
    }
    let kind: Kind
    let place: Place
  }

  init(program: Program, rig: Rig, options: RunOptions, makeRig: @escaping () throws -> Rig) {
    self.program = program
    self.options = options
    keepsRequests = program.keepsRequests || options.atEnd != nil
    traceLevel = program.expectsTrace ? .hardware : options.trace == nil ? nil : options.traceLevel
    isTracing = traceLevel != nil || keepsRequests
    checks = options.check
    sweepsAll = options.sweeps
    clauses = options.clauses
    if options.sweeps { sweep = FailureSweep(kinds: nil) }
    cancellation = options.cancellation
    until = options.until
    self.makeRig = makeRig
    self.rig = rig
    target = rig.target
    bench = rig.bench
    comparing = rig.target as? any ComparingTarget
    work = .allocate(byteCount: 4096, alignment: 16)
    work.initializeMemory(as: UInt8.self, repeating: 0)
    report = CaseReport(name: "")
    output = options.output ?? { _ in }
    listen()
    growSlots()
  }

  deinit { work.deallocate() }

  func growSlots() {
    while slots.count < program.slots.count { slots.append(.unset) }
  }

  // MARK: Statements

  /// A whole file or test.
  func runFrame(_ nodes: [Node]) {
    stage.scene = nodes
    run(nodes, isFrame: true)
  }

  func run(_ nodes: [Node], isFrame: Bool = false) {
    var deferred: [[Node]] = []
    for node in nodes {
      if halted != nil { break }
      if case .deferred(let body) = node.kind {
        if node.isEnabled { deferred.append(body) }
        continue
      }
      execute(node)
      if let afterStatement = stage.afterStatement { afterStatement(node) }
    }
    if isFrame {
      finishThreads()
      options.atEnd?(
        FrameEnd(test: report.name.isEmpty ? nil : report.name, snapshot: snapshot(), requests: requests))
    }
    while let body = deferred.popLast() {
      // Clean-up runs whatever happened, unless it is time that has run out.
      let reason = halted
      if reason == .timedOut || reason == .limit { return }
      halted = nil
      isCleaningUp = true
      run(body)
      isCleaningUp = false
      halted = reason ?? halted
    }
  }
  private(set) var isCleaningUp = false

  /// Whether there is no time for anything that need not be.
  var isOutOfTime: Bool {
    if let cancellation, cancellation.isCancelled { return true }
    if let deadline = options.deadline, Clock.now() > deadline { return true }
    return false
  }

  private func execute(_ node: Node) {
    guard node.isEnabled else {
      report.skipped += 1
      return
    }
    guard !report.isOver, mayGoOn(node) else { return }
    switch node.kind {
    case .command(let command): besideThreads { execute(command, node) }
    case .bind(let slot, let code):
      do throws(Stop) {
        slots[slot] = try value(code)
      } catch {
        slots[slot] = .unset
        stop(error, node)
      }
    case .expect(let expect): besideThreads { execute(expect, node) }
    case .expectTrace(let demands): besideThreads { execute(demands, node) }
    case .section(let name): report.beginSection(name)
    case .loop(let loop): execute(loop, node)
    case .block(let body): run(body)
    case .include(let include): execute(include, node)
    case .test(let test): execute(test, node)
    case .thread(let thread): stage.declared.insert(ObjectIdentifier(thread))
    case .run(let run): execute(run, node)
    case .explore(let explore): execute(explore, node)
    case .parallel(let threads): execute(parallel: threads, node)
    case .deferred: break
    case .injection(let injection): execute(injection, node)
    }
  }

  /// Counts the statement against the limits.
  private func mayGoOn(_ node: Node) -> Bool {
    steps &+= 1
    stage.position &+= 1
    if stage.position == stage.stopPosition {
      stage.stopPosition = -1
      stage.atStop?(self)
      halted = .until
      return false
    }
    if !isCleaningUp, steps == stopsAtStep || cancellation?.isCancelled ?? false {
      halted = .cancelled
      cancelledStep = steps
      return false
    }
    if let until, !isCleaningUp, node.place.source === program.source, node.place.line > until {
      halted = .until
      return false
    }
    if steps > options.statementLimit {
      halted = .limit
      fail(
        Diagnostic(
          .tooManyStatements, in: node.place.source, at: node.place.span,
          "more than \(options.statementLimit) statements were carried out"))
      return false
    }
    if steps & 63 == 0, let deadline = options.deadline, Clock.now() > deadline {
      halted = .timedOut
      fail(
        Diagnostic(
          .timeOut, in: node.place.source, at: node.place.span, "the script took longer than it may"))
      return false
    }
    return true
  }

  // MARK: Commands

  private func execute(_ command: CommandNode, _ node: Node) {
    isAnswerChecked = !command.demand.checks.isEmpty
    if sweep != nil || late != nil {
      sweep?.hasGivenUp = false
      sweptNode = node
    }
    do throws(Stop) {
      try perform(command.body, watchesState: command.demand.watchesState)
    } catch {
      for binding in command.bindings { slots[binding.slot] = .unset }
      if case .actsThroughBench = error {
        endCase(node, needing: command.verb?.name ?? "")
      } else {
        stop(error, node)
      }
      return
    }
    if traceLevel != nil { drainEvents() }
    if comparing != nil {
      endIfDiverged(node)
      if report.isOver { return }
    }
    if case .call = command.body { return }
    if let answers { note(command, node, in: answers) }
    if let sweep, sweep.hasGivenUp {
      // Told already; what came of it is nobody's expectation.
      for binding in command.bindings { slots[binding.slot] = .unset }
      return
    }
    let isAsExpected =
      switch command.demand.outcome {
      case .succeed: errno == 0 && ending == .completed
      case .failSomehow: errno != 0 || ending == .faulted
      case .anything: true
      case .open: false
      case .oneOf(let accepted): accepts(accepted)
      }
    var held: [(slot: Int, value: Value)] = []
    if let clauses { held = observe(command, node, isAsExpected: isAsExpected, in: clauses) }
    if isAsExpected && command.demand.checks.isEmpty && node.expectedFailure == nil {
      report.passed &+= 1
    } else {
      judge(command, node, isAsExpected: isAsExpected)
      // What a clause binds is there for the statements behind it, even if another part of it is to be written anew.
      for (slot, value) in held { slots[slot] = value }
    }
    for index in command.bindings.indices {
      let (slot, index) = command.bindings[index]
      slots[slot] = errno == 0 ? result(index, command) : .unset
    }
    if checks, isQuiescent { checkInvariants(behind: node) }
  }

  /// Keeps what a command of a session answered.
  private func note(_ command: CommandNode, _ node: Node, in answers: AnswerLog) {
    guard errno != 0 else {
      let answer: AnswerLog.Answer =
        switch ending {
        case .completed: .ok
        case .faulted: .fault
        case .held: .blocked
        }
      return answers.note(command, answer)
    }
    answers.note(command, .errno(errno))
    if lastPlan != nil { keepIfUnsent() }
    refused = RefusedCommand(
      command: command, node: node, reason: reason ?? Errno(code: errno),
      request: lastPlan.map { ($0, sent) })
  }

  /// A session goes on with its next statement.
  func beginStatement(stoppingAt step: Int? = nil) {
    halted = nil
    steps = 0
    cancelledStep = nil
    stopsAtStep = step
    report = CaseReport(name: "")
    results = []
  }

  private func accepts(_ accepted: [Demand.Accepted]) -> Bool {
    for outcome in accepted {
      switch outcome {
      case .ok: if errno == 0 && ending == .completed { return true }
      case .fault: if errno == 0 && ending == .faulted { return true }
      case .blocked: if errno == 0 && ending == .held { return true }
      case .stale:
        if errno == 0 && ending == .completed && noteStaleTranslations().isEmpty == false { return true }
      case .errno(let code): if errno == code { return true }
      case .rejected: if errno != 0 && !hasChangedState { return true }
      case .failed: if errno != 0 { return true }
      }
    }
    return false
  }

  // MARK: Blocks

  private func execute(_ loop: LoopNode, _ node: Node) {
    let values: Value
    do throws(Stop) {
      values = try value(loop.values)
    } catch {
      stop(error, node)
      return
    }
    frames.append(RunFrame(kind: .loop(loop), place: node.place))
    defer { frames.removeLast() }
    switch values {
    case .range(let first, let last):
      guard last &- first < UInt64(Limits.loopRounds) else {
        problem(.tooManyRounds, node.place, "this loop has more than \(Limits.loopRounds) rounds")
        return
      }
      var round = first
      while halted == nil && !report.isOver {
        slots[loop.slot] = .number(round)
        run(loop.body)
        if round == last { return }
        round += 1
      }
    case .list(let items):
      for item in items where halted == nil && !report.isOver {
        slots[loop.slot] = item
        run(loop.body)
      }
    case .none: return
    default:
      problem(
        .wrongKindAtRun, node.place, "'for' runs over a list or a range, and this is \(values.kind.described)"
      )
    }
  }

  private func execute(_ include: IncludeNode, _ node: Node) {
    if let reason = include.skipReason {
      report.skipped += 1
      report.note("\(include.path): \(reason)")
      return
    }
    do throws(Stop) {
      for (slot, code) in include.arguments { slots[slot] = try value(code) }
    } catch {
      stop(error, node)
      return
    }
    frames.append(RunFrame(kind: .include(include), place: node.place))
    run(include.body)
    frames.removeLast()
    for (from, to) in include.exports { slots[to] = slots[from] }
  }

  /// A procedure's body, with its parameters bound.
  func call(_ procedure: Procedure, _ arguments: [Code], _ place: Place) throws(Stop) {
    let depth = frames.reduce(0) { if case .call = $1.kind { $0 + 1 } else { $0 } }
    guard depth < Limits.callDepth else {
      throw .problem(
        Problem(
          code: .callsTooDeep, place: place, message: "calls are nested more than \(Limits.callDepth) deep"))
    }
    var values: [Value] = []
    for argument in arguments { values.append(try value(argument)) }
    for (parameter, value) in zip(procedure.parameters, values) { slots[parameter.slot] = value }
    frames.append(RunFrame(kind: .call(procedure), place: place))
    run(procedure.body)
    frames.removeLast()
  }

  /// A test on a machine of its own.
  private func execute(_ test: TestNode, _ node: Node) {
    // What is rehearsed is further on in the file, which has a machine of its own.
    guard stage.atStop == nil, options.filter?(test.name, test.labels) ?? true, late?.enterTest() ?? true
    else {
      return
    }
    defer { late?.leaveTest() }
    let begin = Clock.now()
    let saved = (rig, target, bench, context, arena, arenas, report, frames, stage, knownStale)
    let (savedSlots, savedRequests, savedForeign, savedEvents) = (slots, requests, foreignSlots, happened)
    knownStale = []
    requests = []
    happened = []
    foreignSlots = Set(slots.indices)
    for index in slots.indices { if case .unset = slots[index] { foreignSlots.remove(index) } }
    defer {
      (rig, target, bench, context, arena, arenas, report, frames, stage, knownStale) = saved
      (slots, requests, foreignSlots, happened) = (savedSlots, savedRequests, savedForeign, savedEvents)
      comparing = target as? any ComparingTarget
    }
    report = CaseReport(name: test.name)
    report.labels = test.labels
    report.line = node.place.line
    if let reason = test.skipReason {
      report.skipReason = reason
    } else {
      do {
        rig = try makeRig()
        target = rig.target
        bench = rig.bench
        comparing = target as? any ComparingTarget
        listen()
        context = nil
        arena = Arena()
        arenas = [:]
        stage = ScheduleStage()
        runFrame(test.body)
        finish(node.place)
      } catch {
        problem(.noMachine, node.place, "cannot make a machine: \(error)")
      }
    }
    results.append(
      report.result(
        expectedFailure: test.expectedFailure, seconds: Clock.seconds(since: begin),
        unexpectedPass: { Self.unexpectedPass($0, node.place) }, halted: halted))
    options.observer?.finished(results[results.count - 1])
  }

  static func unexpectedPass(_ failure: ExpectedFailure, _ place: Place) -> Diagnostic {
    Diagnostic(
      .unexpectedPass, in: place.source, at: failure.span,
      "this passes, though it is announced to fail: \(failure.reason.text)",
      help: ["remove the xfail"])
  }

  /// What must hold when a case is over.
  func finish(_ place: Place) {
    guard checks, isQuiescent, let bench, halted == nil else { return }
    for violation in bench.violations() {
      fail(
        Diagnostic(
          .brokenInvariant, in: place.source, at: place.span,
          "the model breaks a rule: \(violation.invariant)",
          details: [Diagnostic.Detail("state", violation.evidence)]))
    }
  }
}

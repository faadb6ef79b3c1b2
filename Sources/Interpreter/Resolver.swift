// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// From the tree to a program: every name becomes a slot, every word a number, every command a request
// with its fields. All mistakes are collected; one does not hide the next.
//
// Scopes. A file, a test and a procedure are frames: a test has a model of its own, and a procedure is
// called from several, so of the file around them they see what does not depend on a model (values and
// parameters). Inside a frame, blocks see everything before them. `if` opens no scope, since which arm
// runs is known; `for` does.

/// A name that is bound.
struct Binding {
  let slot: Int
  /// What is known of its values.
  var kind: Kind?
  /// Its value depends on no request.
  var isConstant: Bool
  let place: Place
}

final class Resolver {
  struct Scope {
    enum Frame {
      case file, test, procedure
    }
    /// Nil for a block inside the frame.
    let frame: Frame?
    /// Number of the frame, for messages about visible names.
    let number: Int
    var names: [String: Binding] = [:]
    var procedures: [String: Procedure] = [:]
    var threads: [String: ThreadNode] = [:]
  }

  let environment: Environment
  let loader: any ScriptLoader
  let program: Program
  private(set) var diagnostics: [Diagnostic] = []
  var scopes: [Scope] = []
  private var frames = 0
  /// The file that is being resolved and its archive.
  var source: SourceFile
  var archive: [ArchiveMember] = []
  /// Files being resolved, outermost first.
  var including: [String] = []
  /// Files included so far, counted again for every inclusion.
  var inclusions = 0
  /// Procedures whose bodies are being resolved.
  var open: [Procedure] = []
  /// Values given on the command line; those that a `param` took are removed.
  var defines: [String: String]
  /// Whether a command without an expectation must succeed.
  let expectsSuccess: Bool
  /// Slots that something reads.
  private var used: Set<Int> = []
  /// A name that depends on a request was read since this was last cleared.
  var dependsOnRun = false
  private var unusedCandidates: [(slot: Int, name: String, place: Place)] = []
  var exports: [Symbol] = []
  /// Threads around the statement that is being resolved, and what is bound in each of them.
  var threadDepth = 0
  var bindingRecords: [Set<Int>] = []
  /// Inside a `fail` or `sweep`.
  var isInjecting = false
  /// For who asks about the script; nil where it is to be run.
  var notes: ScriptNotes?
  /// Whether each command keeps which names its clause may speak of.
  let keepsVisible: Bool

  init(
    program: Program, environment: Environment, loader: any ScriptLoader, defines: [String: String],
    expectsSuccess: Bool, keepsVisible: Bool = false
  ) {
    self.keepsVisible = keepsVisible
    self.program = program
    self.environment = environment
    self.loader = loader
    self.defines = defines
    self.expectsSuccess = expectsSuccess
    source = program.source
    pushFrame(.file)
  }

  // MARK: Reports

  func place(_ span: Span) -> Place { Place(source: source, span: span) }

  func report(
    _ code: DiagnosticCode, _ place: Place, _ message: String, notes: [Diagnostic.Note] = [],
    help: [String] = [], fixes: [Diagnostic.Fix] = []
  ) {
    add(Diagnostic(code, in: place.source, at: place.span, message, notes: notes, help: help, fixes: fixes))
  }

  /// Keeps a diagnostic as long as there is room; one more says that there was none.
  func add(_ diagnostic: Diagnostic) {
    if diagnostics.count > Limits.diagnostics { return }
    if diagnostics.count == Limits.diagnostics {
      diagnostics.append(
        Diagnostic(
          .tooManyProblems, in: diagnostic.source, at: diagnostic.span,
          "more than \(Limits.diagnostics) problems; the rest of the script is not reported"))
      return
    }
    diagnostics.append(diagnostic)
  }

  // MARK: Names

  func pushFrame(_ frame: Scope.Frame) {
    frames += 1
    scopes.append(Scope(frame: frame, number: frames))
  }

  func pushBlock() { scopes.append(Scope(frame: nil, number: frames)) }

  func pop() { scopes.removeLast() }

  var frameNumber: Int { scopes.last?.number ?? 0 }

  enum Lookup {
    case found(Binding)
    /// It belongs to the file around a test or procedure and depends on its model.
    case elsewhere(Binding)
    case missing
  }

  func lookUp(_ name: String) -> Lookup {
    var crossed = false
    for scope in scopes.reversed() {
      if let binding = scope.names[name] {
        return crossed && !binding.isConstant ? .elsewhere(binding) : .found(binding)
      }
      if scope.frame != nil { crossed = true }
    }
    return .missing
  }

  /// Binds a name where it is bound already in this frame, else in the innermost scope.
  func bind(_ symbol: Symbol, kind: Kind?, isConstant: Bool) -> Int {
    for index in scopes.indices.reversed() {
      if var binding = scopes[index].names[symbol.text] {
        // In a block that may run again or not at all, what was known before may still be true.
        binding.kind = binding.kind == kind ? kind : index == scopes.count - 1 ? kind : nil
        binding.isConstant = binding.isConstant && isConstant
        scopes[index].names[symbol.text] = binding
        notes?.note(.variable(binding.slot), symbol.text, place(symbol.span), .binding, kind: kind)
        record(binding.slot)
        return binding.slot
      }
      if scopes[index].frame != nil { break }
    }
    return declare(symbol, kind: kind, isConstant: isConstant)
  }

  /// Binds a new name in the innermost scope.
  func declare(_ symbol: Symbol, kind: Kind?, isConstant: Bool) -> Int {
    let slot = program.slots.count
    let here = place(symbol.span)
    program.slots.append(SlotInfo(name: symbol.text, place: here, frame: frameNumber))
    scopes[scopes.count - 1].names[symbol.text] = Binding(
      slot: slot, kind: kind, isConstant: isConstant, place: here)
    unusedCandidates.append((slot, symbol.text, here))
    notes?.note(.variable(slot), symbol.text, here, .binding, kind: kind)
    record(slot)
    return slot
  }

  private func record(_ slot: Int) {
    for index in bindingRecords.indices { bindingRecords[index].insert(slot) }
  }

  func use(_ slot: Int) { used.insert(slot) }

  /// A variable where it is read.
  func resolveVariable(_ symbol: Symbol) -> (Code, Kind?) {
    switch lookUp(symbol.text) {
    case .found(let binding):
      use(binding.slot)
      notes?.note(.variable(binding.slot), symbol.text, place(symbol.span), .use, kind: binding.kind)
      if !binding.isConstant { dependsOnRun = true }
      return (.slot(binding.slot), binding.kind)
    case .elsewhere(let binding):
      let isTest = scopes.contains { $0.frame == .test }
      report(
        .outerBinding, place(symbol.span),
        isTest
          ? "'$\(symbol.text)' belongs to the file, and a test has a model of its own"
          : "'$\(symbol.text)' belongs to the file, and a procedure sees its parameters and plain values",
        notes: [Diagnostic.Note("bound here", in: binding.place.source, at: binding.place.span)],
        help: [isTest ? "create it inside the test" : "make it a parameter"])
      return (.constant(.unset), nil)
    case .missing:
      let known = visibleNames
      report(
        .unknownName, place(symbol.span), "'$\(symbol.text)' is not bound here",
        help: [Suggest.help(for: "$" + symbol.text, in: known.map { "$" + $0 })].compactMap { $0 }
          + (known.isEmpty
            ? ["a name is bound with name = ..."]
            : ["bound: " + known.prefix(12).map { "$" + $0 }.joined(separator: " ")]))
      return (.constant(.unset), nil)
    }
  }

  /// Names that can be read here, the nearest first.
  var visibleNames: [String] {
    var names: [String] = []
    var crossed = false
    for scope in scopes.reversed() {
      for (name, binding) in scope.names.sorted(by: { $0.value.slot < $1.value.slot })
      where !names.contains(name) && (!crossed || binding.isConstant) {
        names.append(name)
      }
      if scope.frame != nil { crossed = true }
    }
    return names
  }

  /// Slots of the names that can be read here, the nearest first.
  var visibleSlots: [Int] {
    visibleNames.compactMap { name in
      guard case .found(let binding) = lookUp(name) else { return nil }
      return binding.slot
    }
  }

  /// A bare word where a value belongs.
  func reportUnknownWord(_ word: String, _ place: Place, _ expected: String, candidates: [String]) {
    if case .found = lookUp(word) {
      report(
        .missingSigil, place, "'\(word)' is a binding; write $\(word)",
        help: ["a bare word is a keyword, never a variable"],
        fixes: [Diagnostic.Fix("write '$\(word)'", at: Span(place.span.start, place.span.start), "$")])
      return
    }
    report(
      .unknownWord, place, "'\(word)' has no meaning here; expected \(expected)",
      help: [
        Suggest.help(for: word, in: candidates)
          ?? Suggest.closest(to: word, in: visibleNames).first.map { "did you mean '$\($0)'?" }
      ].compactMap { $0 })
  }

  func reportUnknownOption(_ name: Name, _ verb: Verb, fields: [String]) {
    let options = (verb.options.map { $0.name } + ["size", "on"])
    report(
      .unknownOption, place(name.span), "'\(verb.name)' has no option '\(name.text)'",
      help: [Suggest.help(for: name.text, in: options + fields)].compactMap { $0 } + [
        "options: " + options.joined(separator: " ")
      ] + (fields.isEmpty ? [] : ["fields: " + fields.joined(separator: " ")]))
  }

  // MARK: Conditions

  /// Whether a condition holds here.
  func holds(_ condition: Condition?) -> Bool {
    guard let condition else { return true }
    var result = true
    for term in condition.terms {
      if let holds = environment.holds(term) {
        result = result && holds
      } else {
        report(
          .unknownCondition, place(term.span),
          "nothing is known by the name '\(term.name.text)', or not like this",
          help: [
            Suggest.help(for: term.name.text, in: Environment.names)
              ?? "conditions: kernel>=6.15, backend=mock, mock, bench, each with ! for not"
          ])
        result = false
      }
    }
    return result
  }

  /// What was reported since the last time.
  func takeDiagnostics() -> [Diagnostic] {
    defer { diagnostics = [] }
    return diagnostics
  }

  // MARK: The end

  /// What is bound and never read, as warnings; for `check`.
  func unusedWarnings() -> [Diagnostic] {
    unusedCandidates.compactMap { candidate in
      guard !used.contains(candidate.slot), !candidate.name.hasPrefix("_") else { return nil }
      return Diagnostic(
        .unusedBinding, in: candidate.place.source, at: candidate.place.span,
        "'\(candidate.name)' is bound and never used",
        help: ["leave the binding out, or begin its name with _"],
        fixes: Self.underscore(candidate.place).map { [$0] } ?? [])
    }
  }

  /// Writes the `_` in front of a name that says that nobody will use it.
  private static func underscore(_ place: Place) -> Diagnostic.Fix? {
    let text = place.source.text(place.span)
    let start = place.span.start + (text.hasPrefix("?") ? 1 : 0)
    guard !text.hasPrefix("\"") else { return nil }
    return Diagnostic.Fix("begin the name with _", at: Span(start, start), "_")
  }
}

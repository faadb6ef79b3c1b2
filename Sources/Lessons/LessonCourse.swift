// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Interpreter
internal import Language
internal import Views

// A lesson while somebody takes it. What a person types runs in a session of its own, on a fresh machine; beside it runs
// a reference, a session in which the lesson's own statements are carried out. A step is done when both machines are in
// the same state and have answered the same. So it does not matter how something is written, nor what it is called: only
// what it does. What the lesson does itself, it does with the person's names.
//
// Something that changes the machine in another way is taken back, for otherwise nothing that follows would be as the
// lesson says. What changes nothing (a look, a refusal, a name for a number) may be done at any time.

/// A person's way through a lesson.
public final class LessonCourse {
  /// What came of a line.
  public enum Judgement: Sendable {
    /// The step is done.
    case done
    /// It did nothing, and nothing is to be said about that.
    case nothing
    /// It changed nothing and answered something; the lesson meant an answer that is another.
    case otherAnswer(expected: String)
    /// It works, and what it made has no name, while later steps need one.
    case needsName(String)
    /// The name is one that the lesson will give to something else.
    case wrongName(String, meant: String)
    /// It does something else, in these ways.
    case otherEffect([String])
    /// The lesson is over, and everything is free.
    case over
  }

  /// What the lesson did by itself.
  public struct Deed: Sendable {
    public let prose: [String]
    public let statement: String
    public let reply: Session.Reply
  }

  /// What the step at hand leads to.
  private struct Goal {
    let before: Fact
    let after: Fact
    let answer: (verb: String, text: String)?
    /// Names that the lesson binds, with their values.
    let names: [(name: String, value: String)]
    var isChange: Bool { !FactText.same(before, after) }
  }

  /// Verbs whose effect the state behind the waist does not show: what a process does with its own memory and files.
  private static let unseen: Set<String> = [
    "open", "close", "dup", "write", "mapfd", "mem map", "mem alloc", "mem memfd", "mem truncate",
    "mem unmap",
    "mem protect", "mem write", "process fork", "process switch", "process exit", "capability", "memlock",
    "bug",
  ]

  private struct Mark {
    let entries: Int
    let names: [String: String]
  }

  public let lesson: Lesson
  /// The session of the person.
  public let journal: Journal
  private let makeRig: () throws -> Rig
  private var reference: Session
  /// One for each step that is done.
  private var marks: [Mark] = []
  private var goal: Goal?
  /// The person's names for the lesson's, where they are others.
  private var names: [String: String] = [:]
  /// Names that there were when the step at hand began.
  private var namesBefore: Set<String> = []
  /// Hints that have been given about the step at hand.
  public private(set) var hintsGiven = 0

  /// - Throws: what making a machine throws.
  public init(_ lesson: Lesson, journal: Journal, makeRig: @escaping () throws -> Rig) throws {
    self.lesson = lesson
    self.journal = journal
    self.makeRig = makeRig
    reference = try Self.session(makeRig)
  }

  private static func session(_ makeRig: @escaping () throws -> Rig) throws -> Session {
    Session(rig: try makeRig(), loader: MemoryLoader(), makeRig: makeRig)
  }

  // MARK: Where one is

  /// The step at hand; nil when the lesson is over.
  public var step: Lesson.Step? { marks.count < lesson.steps.count ? lesson.steps[marks.count] : nil }

  /// Numbers among the steps that a person does: the one at hand, and all.
  public var progress: (number: Int, count: Int) {
    let tasks = lesson.steps.indices.filter { lesson.steps[$0].task != nil }
    return (min(tasks.count, tasks.count { $0 < marks.count } + 1), tasks.count)
  }

  public func nextHint() -> String? {
    guard let step, hintsGiven < step.hints.count else { return nil }
    hintsGiven += 1
    return renamed(step.hints[hintsGiven - 1])
  }

  /// The task at hand, in the person's names.
  public var task: String? { step?.task.map { renamed($0) } }

  // MARK: Going on

  /// Does what the lesson does itself, up to what the person is to do.
  public func goOn() -> [Deed] {
    var deeds: [Deed] = []
    while let step, step.task == nil {
      let text = renamed(step.statement)
      _ = reference.run(step.statement)
      let reply = journal.run(text)
      deeds.append(Deed(prose: step.prose, statement: renamed(step.typed), reply: reply))
      markDone()
    }
    prepare()
    return deeds
  }

  /// Carries the step at hand out as the lesson has it.
  public func doStep() -> Deed? {
    guard let step, step.task != nil else { return nil }
    let reply = journal.run(renamed(step.statement))
    markDone()
    return Deed(prose: [], statement: renamed(step.typed), reply: reply)
  }

  private func markDone() {
    marks.append(Mark(entries: journal.position, names: names))
    goal = nil
    hintsGiven = 0
  }

  /// Lets the reference do the step at hand.
  private func prepare() {
    guard goal == nil, let step else { return }
    namesBefore = Set(journal.session.names)
    let before = reference.state ?? .none
    _ = reference.run(step.statement)
    goal = Goal(
      before: before, after: reference.state ?? .none, answer: reference.lastAnswer,
      names: step.names.compactMap { name in reference.plainValue(of: name).map { (name, $0) } })
  }

  // MARK: Judging

  /// What a line was worth that has just been carried out, and had been begun at `position` of the journal.
  ///
  /// What leads elsewhere has been taken back when this returns.
  public func judge(from position: Int) -> Judgement {
    guard let goal else { return .over }
    guard journal.position > position else { return .nothing }
    let state = journal.session.state ?? .none
    let answer = journal.session.lastAnswer
    let isSame =
      FactText.same(state, goal.after) && answer?.text == goal.answer?.text
      && (goal.isChange || answer?.verb == goal.answer?.verb)
    guard isSame else {
      let isUnseen = answer.map { Self.unseen.contains($0.verb) && $0.text.hasPrefix("ok") } ?? false
      if FactText.same(state, goal.before), !isUnseen {
        guard let answer, answer.verb == goal.answer?.verb, let expected = goal.answer?.text else {
          return .nothing
        }
        return .otherAnswer(expected: expected)
      }
      takeBack(to: position)
      let differences = FactText.difference(goal.after, state)
      return .otherEffect(
        isUnseen && !goal.isChange && answer?.verb == goal.answer?.verb
          ? ["\(goal.answer?.text ?? "nothing") became \(answer?.text ?? "nothing")"] : differences)
    }
    switch findNames(goal) {
    case .done:
      markDone()
      return .done
    case let other:
      takeBack(to: position)
      return other
    }
  }

  /// What the person calls what the lesson has names for.
  private func findNames(_ goal: Goal) -> Judgement {
    let known = lesson.names
    for (name, value) in goal.names {
      let candidates = journal.session.names.reversed().filter {
        journal.session.plainValue(of: $0) == value
      }
      guard let own = candidates.first(where: { $0 == name }) ?? candidates.first else {
        // It may have a name, and be something else than the state shows.
        if let newest = journal.session.names.last, !namesBefore.contains(newest),
          let other = journal.session.plainValue(of: newest)
        {
          return .otherEffect(["\(name): \(value) became \(other)"])
        }
        return .needsName(name)
      }
      if own != name, known.contains(own) { return .wrongName(own, meant: name) }
      names[name] = own == name ? nil : own
    }
    return .done
  }

  private func takeBack(to position: Int) {
    // It was carried out a moment ago, so it can be carried out up to there.
    do throws(Journal.Obstacle) { _ = try journal.goBack(to: position) } catch { return }
  }

  // MARK: Going back

  /// Goes back to the last step that the person did.
  ///
  /// - Returns: false where there is none.
  public func back() throws -> Bool {
    guard let index = marks.indices.last(where: { lesson.steps[$0].task != nil }) else { return false }
    try resume(at: index)
    return true
  }

  /// The session was changed by `undo` or its like: goes to where it belongs.
  ///
  /// - Returns: whether that is another step.
  public func followJournal() throws -> Bool {
    let position = journal.position
    guard let first = marks.firstIndex(where: { $0.entries > position }) else { return false }
    // What the lesson did itself is done again with what comes before it.
    let earlier = lesson.steps[..<first].lastIndex { $0.task != nil } ?? 0
    try resume(at: lesson.steps[first].task == nil ? earlier : first)
    return true
  }

  private func resume(at index: Int) throws {
    let entries = index > 0 ? marks[index - 1].entries : 0
    if journal.position > entries { _ = try journal.goBack(to: entries) }
    names = index > 0 ? marks[index - 1].names : [:]
    marks.removeSubrange(index...)
    goal = nil
    hintsGiven = 0
    reference = try Self.session(makeRig)
    for step in lesson.steps[..<index] { _ = reference.run(step.statement) }
  }

  // MARK: Names

  /// A text of the lesson with the person's names: `$vm`, wherever it stands.
  private func renamed(_ text: String) -> String {
    guard !names.isEmpty else { return text }
    var result = ""
    var rest = text[...]
    while let sign = rest.firstIndex(of: "$") {
      let after = rest.index(after: sign)
      let name = rest[after...].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
      result += rest[..<after] + (names[String(name)] ?? String(name))
      rest = rest[name.endIndex...]
    }
    return result + rest
  }
}

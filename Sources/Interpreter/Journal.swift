// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Language
public import Views

// A session that can go back. It is the list of its statements, and the model is deterministic: so what a session was
// before its last statement is what its other statements lead to on a fresh machine. That is exact for everything
// there is (objects, memory, page tables, caches, queues, names, threads), and needs nothing that could be forgotten
// when a machine learns to hold more. A thousand statements take a few milliseconds.
//
// A session on a real kernel cannot go back: nobody can hand its machine a second time.

/// A session with `undo`, `redo`, checkpoints, and a look at what a statement would do.
public final class Journal {
  /// Why the session stays as it is.
  public enum Obstacle: Error {
    case nothingToUndo
    case nothingToRedo
    case noCheckpoint(String)
    /// The target is a real kernel.
    case realKernel
    /// A statement cannot be carried out again as it was.
    case unrepeatable(statement: String, why: String)
    /// Ctrl-C, while the statements were carried out again.
    case interrupted
    case noMachine(String)
    /// The script that would be saved does not pass.
    case doesNotPass([Diagnostic])
    case empty
  }

  /// What a statement would do.
  public struct Preview {
    public let reply: Session.Reply
    /// What it would change.
    public let difference: SnapshotDiff
    /// Names that it would bind or change, `name = value`.
    public let names: [String]
  }

  /// What was taken back, or done again.
  public struct Change: Sendable {
    /// The statements, the oldest first.
    public let statements: [String]
    /// Some of them ran on real threads, which may come out in another order.
    public let isUncertain: Bool
  }

  /// The session as it is now.
  public private(set) var session: Session
  private let loader: any ScriptLoader
  private let options: RunOptions
  private let makeRig: () throws -> Rig
  /// What was taken back, the newest last; each is what one `redo` brings back.
  private var undone: [[SessionEntry]] = []
  /// Names for numbers of entries.
  public private(set) var checkpoints: [(name: String, count: Int)] = []
  /// Counts changes, and which of them was saved.
  private var (version, savedVersion) = (0, 0)

  /// - Parameter rig: what the session runs on; `makeRig` makes others like it.
  public init(
    rig: Rig, loader: any ScriptLoader, options: RunOptions = RunOptions(),
    makeRig: @escaping () throws -> Rig
  ) {
    self.loader = loader
    self.options = options
    self.makeRig = makeRig
    session = Session(rig: rig, loader: loader, options: options, makeRig: makeRig)
  }

  /// There are statements that no script has.
  public var isUnsaved: Bool { version != savedVersion && count > 0 }

  /// How many statements did something and can be taken back.
  public var count: Int { session.entries.count { !$0.isLook } }

  /// Runs a statement, or several.
  public func run(_ text: String) -> Session.Reply {
    let count = session.entries.count
    let reply = session.run(text)
    // What was taken back was taken back from another history.
    if session.entries.count > count {
      if session.entries.last?.isLook == false {
        undone = []
        version += 1
      }
      checkpoints.removeAll { $0.count > count }
    }
    return reply
  }

  // MARK: Back and forth

  /// Takes the last statements back that did something, and what only looked behind them.
  public func undo(_ times: Int = 1) throws(Obstacle) -> Change {
    var cut = session.entries.count
    var left = times
    while left > 0 {
      guard let index = session.entries[..<cut].lastIndex(where: { !$0.isLook }) else { break }
      cut = index
      left -= 1
    }
    guard left < times else { throw .nothingToUndo }
    return try cutBack(to: cut)
  }

  /// Does again what the last `undo` or `rollback` took back.
  public func redo() throws(Obstacle) -> Change {
    guard let group = undone.last else { throw .nothingToRedo }
    session = try build(session.entries + group)
    undone.removeLast()
    version += 1
    return Self.change(group)
  }

  /// Gives the state a name; a name that is taken names the newer one.
  public func checkpoint(_ name: String) {
    checkpoints.removeAll { $0.name == name }
    checkpoints.append((name, session.entries.count))
  }

  /// Goes back to the state with this name.
  public func rollback(_ name: String) throws(Obstacle) -> Change {
    guard let checkpoint = checkpoints.last(where: { $0.name == name }) else { throw .noCheckpoint(name) }
    guard checkpoint.count < session.entries.count else { return Change(statements: [], isUncertain: false) }
    return try cutBack(to: checkpoint.count)
  }

  /// How much has been typed that did something or looked at something.
  public var position: Int { session.entries.count }

  /// Goes back to where `position` was less.
  public func goBack(to position: Int) throws(Obstacle) -> Change {
    guard position >= 0, position < session.entries.count else {
      return Change(statements: [], isUncertain: false)
    }
    return try cutBack(to: position)
  }

  private func cutBack(to count: Int) throws(Obstacle) -> Change {
    let group = Array(session.entries[count...])
    session = try build(Array(session.entries[..<count]))
    undone.append(group)
    version += 1
    return Self.change(group)
  }

  private static func change(_ group: [SessionEntry]) -> Change {
    let acting = group.filter { !$0.isLook }
    return Change(
      statements: acting.map { $0.source.text($0.source.span) },
      isUncertain: acting.contains {
        $0.nodes.contains { if case .parallel = $0.kind { true } else { false } }
      })
  }

  // MARK: What if

  /// Runs a statement on a copy of everything; the session stays as it is.
  public func preview(_ text: String) throws(Obstacle) -> Preview {
    let copy = try build(session.entries)
    let (before, names) = (copy.snapshot, copy.namesText)
    let reply = copy.run(text)
    let known = Set(names.split(separator: "\n"))
    return Preview(
      reply: reply, difference: SnapshotDiff(from: before, to: copy.snapshot),
      names: copy.namesText.split(separator: "\n").filter { !known.contains($0) }.map { String($0) })
  }

  /// A session on a fresh machine that has come to where these entries lead.
  private func build(_ entries: [SessionEntry]) throws(Obstacle) -> Session {
    guard session.bench != nil else { throw .realKernel }
    for entry in entries {
      if let why = entry.obstacle {
        throw .unrepeatable(statement: entry.source.text(entry.source.span), why: why)
      }
    }
    let rig: Rig
    do { rig = try makeRig() } catch { throw .noMachine("\(error)") }
    let copy = Session(rig: rig, loader: loader, options: options, makeRig: makeRig)
    for entry in entries {
      copy.repeatEntry(entry)
      if let cancellation = options.cancellation, cancellation.isCancelled { throw .interrupted }
    }
    return copy
  }

  // MARK: Saving

  /// The session as a script that passes: it has been run.
  ///
  /// - Parameter heading: comment lines for its beginning, without their signs.
  public func script(heading: [String]) throws(Obstacle) -> Session.Script {
    guard session.entries.contains(where: { !$0.isLook }) else { throw .empty }
    var script = session.script()
    let environment = session.environment
    script.text =
      "iofd 1\n" + heading.map { "# \($0)\n" }.joined()
      + "require kernel=\(environment.kernel), backend=\(environment.backend)\n\n" + script.text
    let source = SourceFile(name: "<saved>", text: script.text)
    if let laidOut = Formatter.format(source).text { script.text = String(decoding: laidOut, as: UTF8.self) }
    // On a real kernel it has been run already, by being typed.
    guard session.bench != nil else { return script }
    var options = RunOptions()
    options.defines = self.options.defines
    options.cancellation = self.options.cancellation
    let result = Interpreter.run(
      SourceFile(name: "<saved>", text: script.text), loader: loader, options: options, makeRig: makeRig)
    switch result.verdict {
    case .passed: return script
    case .interrupted: throw .interrupted
    default: throw .doesNotPass(result.allDiagnostics.filter { $0.severity == .error })
    }
  }

  /// The session as it is now is in a script.
  public func noteSaved() { savedVersion = version }
}

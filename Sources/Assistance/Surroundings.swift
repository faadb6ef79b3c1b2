// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Interpreter

/// What completion and hints know of the place where somebody types: a live session, or a script that nobody runs.
///
/// Everything but the environment has an answer for who knows nothing.
public protocol Surroundings {
  /// The kernel and the backend.
  var environment: Environment { get }
  /// Names that can be used.
  var names: [BoundName] { get }
  var procedures: [(name: String, parameters: [String])] { get }
  var threads: [String] { get }
  /// What is known of the object behind a name; nil where nothing runs.
  func facts(of name: String) -> Fact?
  /// The machine's own tables: kinds of IOMMU, points, failures, mistakes; nil where there is no machine.
  var bench: (any Bench)? { get }
  /// Checkpoints of the session.
  var checkpoints: [String] { get }
  /// Paths that go on from this one; directories end in `/`.
  func files(_ path: String) -> [String]
}

extension Surroundings {
  public var names: [BoundName] { [] }
  public var procedures: [(name: String, parameters: [String])] { [] }
  public var threads: [String] { [] }
  public func facts(of name: String) -> Fact? { nil }
  public var bench: (any Bench)? { nil }
  public var checkpoints: [String] { [] }
  public func files(_ path: String) -> [String] { [] }
}

/// A live session as surroundings.
public struct LiveSurroundings: Surroundings {
  private let journal: Journal
  private let paths: (String) -> [String]

  /// - Parameter files: paths of the host that go on from one.
  public init(_ journal: Journal, files: @escaping (String) -> [String] = { _ in [] }) {
    self.journal = journal
    paths = files
  }

  public var environment: Environment { journal.session.environment }
  public var names: [BoundName] { journal.session.boundNames }
  public var procedures: [(name: String, parameters: [String])] { journal.session.procedures }
  public var threads: [String] { journal.session.threads }
  public func facts(of name: String) -> Fact? { journal.session.facts(of: name) }
  public var bench: (any Bench)? { journal.session.bench }
  public var checkpoints: [String] { journal.checkpoints.map(\.name) }
  public func files(_ path: String) -> [String] { paths(path) }
}

/// A script that is being written: names are those that the text before the cursor binds.
public struct DraftSurroundings: Surroundings {
  public let environment: Environment
  public let names: [BoundName]
  public let procedures: [(name: String, parameters: [String])]
  public let threads: [String]
  public let bench: (any Bench)?
  private let paths: (String) -> [String]

  /// - Parameters:
  ///   - text: the script up to the statement that is being typed; blocks may be open at its end.
  ///   - name: what the loader knows the script by.
  ///   - loader: where included scripts come from.
  ///   - bench: the tables of some machine; nobody runs anything on it.
  ///   - files: paths of the host that go on from one.
  public init(
    _ text: String, name: String = "<draft>", loader: any ScriptLoader, environment: Environment,
    bench: (any Bench)? = nil, files: @escaping (String) -> [String] = { _ in [] }
  ) {
    let outline = ScriptOutline(before: text, name: name, loader: loader, environment: environment)
    self.environment = environment
    self.bench = bench
    paths = files
    names = outline.names
    procedures = outline.procedures
    threads = outline.threads
  }

  public func files(_ path: String) -> [String] { paths(path) }
}

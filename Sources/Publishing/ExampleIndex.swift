// SPDX-License-Identifier: GPL-3.0-or-later
internal import Interpreter
internal import Language

/// Which verbs the examples use, and which errnos they meet there. The tests run every example on every kernel, so what it
/// says of an errno happened.
struct ExampleIndex {
  struct Use {
    /// Scripts that have the verb, in their order, with how often.
    var scripts: [(path: String, count: Int)] = []
    /// By errno, the first script that expects it of the verb.
    var errnos: [String: String] = [:]
  }
  private var uses: [String: Use] = [:]

  /// - Parameter examples: named as a page names them, `examples/quickstart.iofd`; what cannot be read is left out.
  init(_ examples: [SourceFile]) {
    for source in examples.sorted(by: { $0.name < $1.name }) {
      let (file, problems) = Parser.parse(source)
      guard problems.allSatisfy({ $0.severity != .error }) else { continue }
      var found: [(verb: String, errnos: [String])] = []
      file.statements.forEachNested { statement in
        guard case .command(let command) = statement.kind,
          let (verb, _) = VerbTable.find(command.command.words.map(\.text))
        else { return }
        let alternatives = command.expectation?.alternatives ?? []
        found.append(
          (verb.name, alternatives.compactMap { if case .errno(let name) = $0.outcome { name } else { nil } })
        )
      }
      for (verb, errnos) in found { add(verb, errnos, source.name) }
    }
  }

  private mutating func add(_ verb: String, _ errnos: [String], _ path: String) {
    var use = uses[verb] ?? Use()
    if use.scripts.last?.path == path {
      use.scripts[use.scripts.count - 1].count += 1
    } else {
      use.scripts.append((path, 1))
    }
    for errno in errnos where use.errnos[errno] == nil { use.errnos[errno] = path }
    uses[verb] = use
  }

  subscript(_ verb: Verb) -> Use { uses[verb.name] ?? Use() }

  /// Scripts with the verb, those that use it most first; at most `limit`.
  func scripts(_ verb: Verb, limit: Int) -> [String] {
    self[verb].scripts.enumerated().sorted {
      ($1.element.count, $0.offset) < ($0.element.count, $1.offset)
    }.prefix(limit).map(\.element.path)
  }
}

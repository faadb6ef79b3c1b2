// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// A script unfolded: includes, loops, procedures, parameters and conditions are gone, what can be worked out is worked
// out, and plain statements are left, which make the same requests in the same order. It is what one looks at to see
// what a script really does, and what one sends to somebody who has neither the included files nor the parameters.
//
// It is made from the tree alone; nothing is run. So a loop over something that only a run knows stays a loop. Threads
// and injected failures stay blocks, since the requests inside them are no others than outside, but their turns are.

/// A script without anything that has to be thought through to know what it asks.
public struct Expansion: Sendable {
  /// The plain script, in its one layout; nil when there is none.
  public let text: [UInt8]?
  /// What is wrong with the script.
  public let diagnostics: [Diagnostic]
  /// Why there is no text although nothing is wrong with the script.
  public let failure: String?

  /// Most statements that come out.
  static let limit = 200_000

  /// - Parameters:
  ///   - environment: the machine on which conditions are decided.
  ///   - defines: values for `param`, as on a command line.
  public init(
    of source: SourceFile, loader: any ScriptLoader, environment: Environment, defines: [String: String] = [:]
  ) {
    let found = Interpreter.check(source, loader: loader, environment: environment, defines: defines)
    guard !found.contains(where: { $0.severity == .error }) else {
      self.init(text: nil, diagnostics: found, failure: nil)
      return
    }
    let unfolder = Unfolder(source, loader: loader, environment: environment, defines: defines)
    let items = unfolder.file(Parser.parse(source).0)
    guard !unfolder.isTooLarge else {
      self.init(
        text: nil, diagnostics: [], failure: "it would come to more than \(Self.limit) statements")
      return
    }
    let text = Self.text(items, unfolder, source)
    let (laidOut, problems) = Formatter.format(SourceFile(name: source.name, bytes: text))
    self.init(
      text: laidOut, diagnostics: [],
      failure: laidOut == nil
        ? "what came out cannot be read: \(problems.first?.message ?? "")" : nil)
  }

  private init(text: [UInt8]?, diagnostics: [Diagnostic], failure: String?) {
    self.text = text
    self.diagnostics = diagnostics
    self.failure = failure
  }

  private static func text(_ items: [Unfolder.Item], _ unfolder: Unfolder, _ source: SourceFile) -> [UInt8] {
    let name = source.name.split(separator: "/").last.map { String($0) } ?? source.name
    var text = "iofd 1\n# \(name), unfolded.\n"
    if unfolder.hasDecided {
      let environment = unfolder.environment
      text += "# Its conditions were decided for this machine:\n"
      text += "require kernel=\(environment.kernel), backend=\(environment.backend)\n"
    }
    text += "\n"
    put(items, into: &text)
    var bytes = Array(text.utf8)
    for (name, content) in unfolder.members {
      bytes += Array("-- \(name) --\n".utf8) + content
      if content.last != 0x0A { bytes.append(0x0A) }
    }
    return bytes
  }

  private static func put(_ items: [Unfolder.Item], into text: inout String) {
    for item in items {
      switch item {
      case .comment(let line): text += "# \(line)\n"
      case .statement(let statement):
        if case .section = statement.kind { text += "\n" }
        text += Printer.text(statement) + "\n"
      case .test(let test, let body):
        let empty = TestStatement(
          name: test.name, options: test.options, body: Block(statements: [], span: .zero))
        var head = Printer.text(Statement(condition: nil, kind: .test(empty), span: .zero))
        while let last = head.last, last != "{" { head.removeLast() }
        text += "\n\(head)\n"
        put(body, into: &text)
        text += "}\n"
      }
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

/// What a script says, found without running it: its mistakes, and every name with what it stands for. Editors and the
/// lint ask it.
///
/// Names are told apart by what they are bound to, not by their spelling: the `$vm` of one test is another one than that
/// of the next. Names inside of statements that could not be read are not in it.
public struct ScriptIndex {
  /// What a name stands for.
  public enum Subject: Hashable, Sendable {
    /// A `$name`.
    case variable(Int)
    case procedure(Int)
    case thread(Int)
  }

  public enum Role: Sendable {
    /// The name gets its meaning here, or a new value.
    case binding
    case use
  }

  /// A name at a place.
  public struct Name: Sendable {
    public let subject: Subject
    /// Without a sigil.
    public let text: String
    public let source: SourceFile
    /// With the sigil, where there is one.
    public let span: Span
    public let role: Role
    /// What a variable holds there; nil where only a run would tell.
    public let kind: Kind?

    init(
      _ subject: Subject, _ text: String, in source: SourceFile, at span: Span, _ role: Role, kind: Kind?
    ) {
      self.subject = subject
      self.text = text
      self.source = source
      self.span = span
      self.role = role
      self.kind = kind
    }

    /// The span without the sigil.
    public var word: Span {
      let first = source.bytes.indices.contains(Int(span.start)) ? source.bytes[Int(span.start)] : 0
      let hasSigil = first == UInt8(ascii: "$") || first == UInt8(ascii: "?")
      return Span(span.start + (hasSigil ? 1 : 0), span.end)
    }
  }

  /// A file that an `include` brings in.
  public struct Inclusion: Sendable {
    /// The file with the statement, and its path with the quotes.
    public let source: SourceFile
    public let span: Span
    public let included: SourceFile
    /// Where in `source` the included text stands: it is a file of the archive tail.
    public let archived: Span?
  }

  public let file: ScriptFile
  /// As of `Interpreter.check`.
  public let diagnostics: [Diagnostic]
  /// In the order in which they take effect: a command's operands stand in front of what it binds.
  public let names: [Name]
  public let inclusions: [Inclusion]
  let environment: Environment
  let notes: ScriptNotes

  /// Reads a script and all that it includes.
  public init(
    _ source: SourceFile, loader: any ScriptLoader, environment: Environment, defines: [String: String] = [:]
  ) {
    let (file, problems) = Parser.parse(source)
    let notes = ScriptNotes()
    let resolver = Resolver(
      program: Program(source: source), environment: environment, loader: loader, defines: defines,
      expectsSuccess: true)
    resolver.notes = notes
    resolver.resolve(file)
    self.file = file
    self.environment = environment
    self.notes = notes
    names = notes.names
    inclusions = notes.inclusions
    let mistakes = problems + resolver.diagnostics
    // What a statement that could not be read would have used is not known.
    let isRead = !mistakes.contains { $0.severity == .error }
    diagnostics = mistakes + (isRead ? resolver.unusedWarnings() : [])
  }

  public var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

  /// The name at a place of the script itself; the end of a name belongs to it.
  public func name(at offset: UInt32) -> Name? {
    names.first { $0.source === file.source && $0.span.start <= offset && offset <= $0.span.end }
  }

  /// Every place of what a name stands for, through exports of included files as well, once each.
  public func places(of name: Name) -> [Name] {
    var subjects: Set<Subject> = [name.subject]
    // A handful of exports: until nothing is added.
    var count = 0
    while count != subjects.count {
      count = subjects.count
      for export in notes.exports {
        let (from, to) = (Subject.variable(export.from), Subject.variable(export.to))
        if subjects.contains(from) { subjects.insert(to) }
        if subjects.contains(to) { subjects.insert(from) }
      }
    }
    struct Place: Hashable {
      let source: ObjectIdentifier
      let span: Span
    }
    var seen: Set<Place> = []
    return names.filter {
      subjects.contains($0.subject)
        && seen.insert(Place(source: ObjectIdentifier($0.source), span: $0.span)).inserted
    }
  }

  /// Where a name gets its meaning: the nearest binding in front of it, or the first one there is; of what an included
  /// file exports, the place there.
  public func definition(of name: Name) -> Name? {
    let bindings = places(of: name).filter { $0.role == .binding && $0.spellsItself }
    if name.role == .binding, name.spellsItself { return name }
    let own = bindings.filter { $0.source === name.source }
    return own.last { $0.span.start < name.span.start } ?? own.first ?? bindings.last
  }
}

extension ScriptIndex.Name {
  /// The text at the place is the name; what an include exports is bound at its path.
  public var spellsItself: Bool { source.text(word) == text }
}

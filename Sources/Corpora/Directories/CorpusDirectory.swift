// SPDX-License-Identifier: GPL-3.0-or-later
internal import UAPI

/// The inputs behind the paths of a command line, one at a time.
///
/// A file is an input. A directory means what is in it, at any depth, as the fuzzer that arranged it would have it
/// (`CorpusLayout`). An archive or a database means its members. The order is that of the paths and then of the names'
/// bytes, the same on every machine; of inputs with equal content the first is kept.
///
/// Nothing that a file system holds ends the search: a directory that leads back to itself, a pipe, a file that may not be read or
/// is gone since its name was, a damaged archive are each skipped with a reason. It holds the names of the
/// directories that it is in, one container, one input, and 24 bytes for each input that it has seen.
public struct CorpusDirectory: Sequence, IteratorProtocol {
  public struct Limits: Sendable {
    /// The longest input, and the largest container, in bytes.
    public var input = 16 << 20
    public var container = 512 << 20
    public var depth = 64
    public init() {}
  }

  /// How far the search is: files that were come upon, and how much of the archive that is open has been handed out.
  public private(set) var filesMet = 0
  public var partOfContainer: Double {
    guard let container, container.count > 0 else { return 1 }
    return Double(container.next) / Double(container.count)
  }
  /// Inputs whose content had been met.
  public private(set) var duplicates = 0
  /// Files and directories that are a fuzzer's bookkeeping.
  public private(set) var ignored = 0

  /// Files are only counted.
  private var isSurvey = false
  private var survey = CorpusSurvey()

  private let limits: Limits
  private var roots: ArraySlice<HostPath>
  private var frames: [Frame] = []
  private var container: Container?
  private var visited: Set<HostPath.Identity> = []
  private var seen: Set<SHA1.Digest> = []

  /// A directory that is being read.
  private struct Frame {
    let path: HostPath
    let identity: HostPath.Identity
    let names: NameList
    let layout: CorpusLayout
    var next = 0
  }

  private enum Contents {
    case zip(ZipReader)
    case database(CorpusDB)
  }

  /// A file of inputs that is being read.
  private struct Container {
    let label: String
    let contents: Contents
    let role: CorpusName.Role?
    var next = 0

    var count: Int {
      switch contents {
      case .zip(let zip): zip.members.count
      case .database(let database): database.records.count
      }
    }
  }

  public init(_ paths: [HostPath], limits: Limits = Limits()) {
    roots = paths[...]
    self.limits = limits
  }

  public mutating func next() -> CorpusItem? {
    while true {
      if container != nil {
        if let item = nextMember() { return item }
      } else if !frames.isEmpty {
        if let item = nextFile() { return item }
      } else if let root = roots.popFirst() {
        if let item = visit(root, from: nil) { return item }
      } else {
        return nil
      }
    }
  }

  // MARK: Counting

  /// What is behind the paths, without reading it: for a share of work that is done, and to tell whether a corpus is the one
  /// of an earlier run.
  public static func survey(_ paths: [HostPath], limits: Limits = Limits()) -> CorpusSurvey {
    var search = CorpusDirectory(paths, limits: limits)
    search.isSurvey = true
    // What cannot be read is told when it is to be read.
    while search.next() != nil {}
    return search.survey
  }

  private mutating func count(_ path: HostPath, _ stamp: HostPath.Stamp) {
    survey.add(path, stamp)
  }

  // MARK: Directories

  private mutating func nextFile() -> CorpusItem? {
    let top = frames.count - 1
    guard frames[top].next < frames[top].names.count else {
      frames.removeLast()
      return nil
    }
    let name = frames[top].names[frames[top].next]
    frames[top].next += 1
    return visit(frames[top].path.appending(name), from: frames[top].layout)
  }

  /// Nil where there is nothing to tell yet: in a directory, a container, bookkeeping or a duplicate.
  private mutating func visit(_ path: HostPath, from layout: CorpusLayout?) -> CorpusItem? {
    // Bookkeeping is not even looked at.
    if path.lastName.first == UInt8(ascii: "."), layout != nil {
      ignored += 1
      return nil
    }
    do throws(Errno) {
      switch try path.kind() {
      case .directory(let identity):
        if let layout, !layout.takes(path.lastName, isDirectory: true) {
          ignored += 1
          return nil
        }
        return try enter(path, identity)
      case .file:
        if let layout, !layout.takes(path.lastName, isDirectory: false) {
          ignored += 1
          return nil
        }
        filesMet += 1
        if isSurvey {
          count(path, try path.stamp())
          return nil
        }
        return try read(path, role: layout?.role)
      case .other: return skipped(path, "it is no regular file")
      }
    } catch {
      return skipped(path, "it cannot be read: \(error.name)")
    }
  }

  private mutating func enter(_ path: HostPath, _ identity: HostPath.Identity) throws(Errno) -> CorpusItem? {
    if let outer = frames.first(where: { $0.identity == identity }) {
      return skipped(path, "it leads back to \(outer.path)")
    }
    guard frames.count < limits.depth else {
      return skipped(path, "it lies \(limits.depth) directories deep")
    }
    guard visited.insert(identity).inserted else { return nil }
    let names = try path.names()
    frames.append(Frame(path: path, identity: identity, names: names, layout: CorpusLayout.of(path, names)))
    return nil
  }

  // MARK: Files

  private mutating func read(_ path: HostPath, role: CorpusName.Role?) throws(Errno) -> CorpusItem? {
    var bytes = try path.contents(limit: limits.input)
    let isContainer = ZipReader.isOne(bytes) || CorpusDB.isOne(bytes)
    // A list of programs is many inputs, too; whoever plays them takes it apart.
    let isLong = isContainer || bytes.count > limits.input && Self.isList(bytes)
    let limit = isLong ? limits.container : limits.input
    if isLong && bytes.count > limits.input { bytes = try path.contents(limit: limit) }
    guard bytes.count <= limit else { return skipped(path, "it is longer than \(limit) bytes") }
    guard isContainer else { return input("\(path)", HostPath.readable(path.lastName), bytes, role) }
    let contents: Contents =
      ZipReader.isOne(bytes) ? .zip(ZipReader(bytes, limits: memberLimits)) : .database(CorpusDB(bytes))
    container = Container(label: "\(path)", contents: contents, role: role)
    return nil
  }

  private static func isList(_ bytes: [UInt8]) -> Bool {
    switch InputFormat.of(bytes) {
    case .recordedPrograms, .syzkallerLog: true
    default: false
    }
  }

  private var memberLimits: ZipReader.Limits {
    var limits = ZipReader.Limits()
    limits.member = self.limits.input
    return limits
  }

  private mutating func input(_ label: String, _ name: String, _ bytes: [UInt8], _ role: CorpusName.Role?)
    -> CorpusItem?
  {
    let hash = SHA1.of(bytes)
    guard seen.insert(hash).inserted else {
      duplicates += 1
      return nil
    }
    var name = CorpusName(name)
    if let role, name.role == .input { name.role = role }
    return .input(CorpusInput(label: label, name: name, bytes: bytes, hash: hash))
  }

  private func skipped(_ path: HostPath, _ reason: String) -> CorpusItem {
    .skipped(path: "\(path)", reason: reason)
  }

  // MARK: Containers

  private mutating func nextMember() -> CorpusItem? {
    guard let container else { return nil }
    self.container?.next += 1
    switch container.contents {
    case .zip(let zip): return member(container.next, of: zip, container)
    case .database(let database): return record(container.next, of: database, container)
    }
  }

  /// The members, then what was refused, then why the archive could not be read to its end.
  private mutating func member(_ index: Int, of zip: ZipReader, _ container: Container) -> CorpusItem? {
    if index < zip.members.count {
      let member = zip.members[index]
      let name = HostPath(bytes: member.name)
      let label = "\(container.label)/\(name)"
      do throws(ZipReader.Damage) {
        let bytes = try zip.contents(of: member)
        return input(label, HostPath.readable(name.lastName), bytes, container.role)
      } catch {
        return .skipped(path: label, reason: error.reason)
      }
    }
    let rest = index - zip.members.count
    if rest < zip.refused.count {
      let refusal = zip.refused[rest]
      return .skipped(
        path: "\(container.label)/\(HostPath(bytes: refusal.name))", reason: refusal.reason)
    }
    ignored += zip.ignored
    self.container = nil
    return zip.damage.map { .skipped(path: container.label, reason: $0.reason) }
  }

  private mutating func record(_ index: Int, of database: CorpusDB, _ container: Container) -> CorpusItem? {
    guard index < database.records.count else {
      self.container = nil
      return database.damage.map { .skipped(path: container.label, reason: $0.description) }
    }
    let record = database.records[index]
    let name = HostPath.readable(record.key[...])
    let label = "\(container.label)/\(name)"
    do throws(CorpusDB.Damage) {
      return input(label, name, try database.value(of: record), container.role)
    } catch {
      return .skipped(path: label, reason: error.description)
    }
  }
}

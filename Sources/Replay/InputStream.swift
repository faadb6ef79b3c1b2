// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

/// The inputs behind the paths of a command line, one program each, those of one shard, each content once.
public struct InputStream {
  /// Part `index` (from 1) of `count` parts of a corpus, by the hash of the content: every machine works out the same
  /// parts, whatever its files are called and in whatever order they come.
  public struct Shard: Sendable, Equatable {
    public let index: Int
    public let count: Int
    public static let whole = Shard(index: 1, count: 1)!

    /// Nil where there is no such part.
    public init?(index: Int, count: Int) {
      guard count >= 1, 1...count ~= index else { return nil }
      self.index = index
      self.count = count
    }

    /// Reads `3/16`.
    public init?(_ text: String) {
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, let index = Int(parts[0]), let count = Int(parts[1]) else { return nil }
      self.init(index: index, count: count)
    }

    func contains(_ hash: SHA1.Digest) -> Bool {
      count == 1 || hash.head % UInt64(count) == UInt64(index - 1)
    }
  }

  public enum Item: Sendable {
    case input(ReplayInput)
    case unreadable(path: String, reason: String)
  }

  /// The place of the last item in the whole corpus, from 1.
  public private(set) var index: UInt64 = 0

  private var search: CorpusDirectory
  private let shard: Shard
  /// What is left of a file of several, and how many those were.
  private var parts: ArraySlice<ReplayInput> = []
  private var partCount = 0
  /// Content of parts of files; that of whole files the search knows.
  private var seen: Set<SHA1.Digest> = []
  private var duplicateParts = 0
  /// Inputs that another shard plays.
  public private(set) var elsewhere = 0

  /// Inputs that come from nowhere, before those of the paths.
  private var made: (@Sendable (Int) -> ReplayInput?)?
  private var madeCount = 0

  /// - Parameter made: makes the n-th input of those that are no files, from 0; nil behind the last.
  public init(_ paths: [String], made: (@Sendable (Int) -> ReplayInput?)? = nil, shard: Shard = .whole) {
    self.made = made
    search = CorpusDirectory(paths.map { HostPath($0) })
    self.shard = shard
  }

  /// Inputs that had been met before.
  public var duplicates: Int { search.duplicates + duplicateParts }

  /// The part of `files` files that has been handed out.
  public func done(of files: Int) -> Double {
    guard files > 0 else { return 0 }
    let part = partCount > 0 ? 1 - Double(parts.count) / Double(partCount) : search.partOfContainer
    return min(1, (Double(search.filesMet - 1) + part) / Double(files))
  }

  public mutating func next() -> Item? {
    while true {
      if let part = parts.popFirst() {
        index += 1
        guard seen.insert(part.hash).inserted else {
          duplicateParts += 1
          continue
        }
        if let item = item(part) { return item }
        continue
      }
      if let make = made {
        guard let input = make(madeCount) else {
          made = nil
          continue
        }
        madeCount += 1
        index += 1
        if let item = item(input) { return item }
        continue
      }
      switch search.next() {
      case nil: return nil
      case .skipped(let path, let reason):
        index += 1
        // Everyone meets it; one of them tells.
        guard shard.contains(SHA1.of(Array(path.utf8))) else { continue }
        return .unreadable(path: path, reason: reason)
      case .input(let file):
        let inputs = ReplayInput.inputs(of: file)
        partCount = inputs.count > 1 ? inputs.count : 0
        if inputs.count > 1 {
          parts = inputs[...]
        } else {
          index += 1
          if let item = item(inputs[0]) { return item }
        }
      }
    }
  }

  private mutating func item(_ input: ReplayInput) -> Item? {
    guard shard.contains(input.hash) else {
      elsewhere += 1
      return nil
    }
    return .input(input)
  }
}

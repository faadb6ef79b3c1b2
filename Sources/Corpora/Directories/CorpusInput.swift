// SPDX-License-Identifier: GPL-3.0-or-later

/// One input of a corpus.
public struct CorpusInput: Sendable {
  /// Where it was: a path, and behind it the name in the archive or the key in the database.
  public let label: String
  /// What its name says.
  public let name: CorpusName
  public let bytes: [UInt8]
  /// The hash of the content: what reports know the input by.
  public let hash: SHA1.Digest
}

/// What a search for inputs comes upon.
public enum CorpusItem: Sendable {
  case input(CorpusInput)
  /// Something that should have been an input and could not be read. The search goes on.
  case skipped(path: String, reason: String)
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// How a fuzzer arranges a directory, which decides what in it is an input.
///
/// The names in it tell. Hidden files are bookkeeping everywhere: AFL's `.state`, `.synced` and `.cur_input`.
///
/// Source: reference corpora.md sections 7.1, 7.3, 7.4 and 7.6.
enum CorpusLayout {
  /// Every file is an input: libFuzzer, honggfuzz, syzkaller's unpacked databases.
  case flat
  /// An instance's directory: only what is in `queue`, `crashes` and `hangs` are inputs. A restart renames the latter two
  /// with a time stamp.
  case aflInstance
  /// `crashes` or `hangs`, with a README about the command line.
  case aflFindings(CorpusName.Role)
  /// A build for OSS-Fuzz: `NAME_seed_corpus.zip` beside the programs, their options and dictionaries.
  case ossFuzzBuild

  static func of(_ path: HostPath, _ names: NameList) -> CorpusLayout {
    if names.contains(where: isSeedArchive) { return .ossFuzzBuild }
    let isInstance =
      names.contains { $0.elementsEqual("queue".utf8) }
      && names.contains { name in instanceFiles.contains { name.elementsEqual($0.utf8) } }
    if isInstance { return .aflInstance }
    if let role = findings(path.lastName) { return .aflFindings(role) }
    return .flat
  }

  /// Whether what is called `name` in such a directory is an input, or a directory with some.
  func takes(_ name: ArraySlice<UInt8>, isDirectory: Bool) -> Bool {
    if name.first == UInt8(ascii: ".") { return false }
    if isDirectory {
      guard case .aflInstance = self else { return true }
      return name.elementsEqual("queue".utf8) || Self.findings(name) != nil
    }
    switch self {
    case .flat: return !name.elementsEqual("HONGGFUZZ.REPORT.TXT".utf8)
    case .aflInstance: return false
    case .aflFindings: return !name.elementsEqual("README.txt".utf8)
    case .ossFuzzBuild: return Self.isSeedArchive(name)
    }
  }

  var role: CorpusName.Role? {
    if case .aflFindings(let role) = self { role } else { nil }
  }

  /// Beside `queue`, one of these makes a directory AFL's.
  private static let instanceFiles = ["fuzzer_stats", "fuzzer_setup", "fuzz_bitmap", "crashes", "hangs"]

  private static func isSeedArchive(_ name: ArraySlice<UInt8>) -> Bool {
    name.suffix(16).elementsEqual("_seed_corpus.zip".utf8)
  }

  private static func findings(_ name: ArraySlice<UInt8>) -> CorpusName.Role? {
    for (word, role) in [("crashes", CorpusName.Role.crash), ("hangs", .hang)] {
      let rest = name.dropFirst(word.utf8.count)
      if name.starts(with: word.utf8), rest.isEmpty || rest.first == UInt8(ascii: ".") { return role }
    }
    return nil
  }
}

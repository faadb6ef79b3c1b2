// SPDX-License-Identifier: GPL-3.0-or-later
public import Corpora

/// One program of a corpus, as bytes: what is played, reported, and looked up again by its hash.
///
/// A file is mostly one input. A file of several programs (a list of recorded programs, a console log) is as many, each with
/// a label of its own and bytes that hold it alone, so that any of them can be cut out and played without the others.
public struct ReplayInput: Sendable {
  /// Where it came from: `corpus/seeds.zip/17`, `programs.txt#dirty-train-0`.
  public let label: String
  /// The file's own name, for what a name says: a script without a first line, a driver's recording.
  public let name: String
  public let bytes: [UInt8]
  /// The hash of the content: what reports know the input by.
  public let hash: SHA1.Digest
  public let format: InputFormat
  /// The file of several programs, archive or directory that it is of.
  public let container: String

  /// - Parameter container: nil for what stands before the label's last slash.
  public init(
    label: String, name: String, bytes: [UInt8], hash: SHA1.Digest? = nil, format: InputFormat? = nil,
    container: String? = nil
  ) {
    self.label = label
    self.name = name
    self.bytes = bytes
    self.hash = hash ?? SHA1.of(bytes)
    self.format = format ?? InputFormat.of(bytes, name: name)
    self.container = container ?? Self.directory(of: label)
  }

  static func directory(of label: String) -> String {
    guard let slash = label.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == label.startIndex ? "/" : String(label[..<slash])
  }

  /// The inputs of a file: one for each program in it, in the order of the file.
  public static func inputs(of file: CorpusInput) -> [ReplayInput] {
    let name = String(file.label.split(separator: "/").last ?? "")
    let whole = ReplayInput(label: file.label, name: name, bytes: file.bytes, hash: file.hash)
    let parts: [(name: String, bytes: [UInt8], format: InputFormat)]
    switch whole.format {
    case .recordedPrograms:
      parts = RecordedProgram.parts(file.bytes).map { ($0.name, Array($0.bytes), .recordedPrograms) }
      guard parts.count > 1 else { return [whole] }
    case .syzkallerLog:
      parts = SyzLog(file.bytes).entries.map { ("line-\($0.line)", Array($0.text.utf8), .syzkallerProgram) }
      guard !parts.isEmpty else { return [whole] }
    default: return [whole]
    }
    return parts.map { part in
      ReplayInput(
        label: "\(file.label)#\(part.name)", name: name, bytes: part.bytes, format: part.format,
        container: file.label)
    }
  }
}

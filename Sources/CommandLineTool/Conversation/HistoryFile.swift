// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// What was typed at earlier prompts: a file with a line for each statement, in which `\n` stands for a line end.
///
/// A statement is appended by one write, so that prompts which are open at the same time keep what each other adds. Where
/// the file has grown long, the next start replaces it by its newer half, in one step. Nobody but its owner can read it;
/// what cannot be read or written is no reason to complain at a prompt.
struct HistoryFile {
  private let path: String
  /// Most statements that are kept, and most bytes; what is read may have grown beyond it.
  static let (entryLimit, byteLimit) = (2000, 4 << 20)

  init(_ path: String) { self.path = path }

  /// `$XDG_STATE_HOME/iofd/history`, else below `~/.local/state`; nil without a home. A state directory that is not
  /// absolute is no state directory. Source: XDG Base Directory Specification 0.8.
  static var standard: HistoryFile? {
    func variable(_ name: String) -> String? {
      getenv(name).map { String(cString: $0) }.flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    guard let state = variable("XDG_STATE_HOME") ?? variable("HOME").map({ $0 + "/.local/state" }) else {
      return nil
    }
    return HistoryFile(state + "/iofd/history")
  }

  /// The statements, the oldest first.
  func load() -> [String] {
    guard let bytes = try? HostFile.read(path, limit: 16 * Self.byteLimit) else { return [] }
    let lines = bytes.split(separator: 0x0A).map { String(decoding: $0, as: UTF8.self) }
    var kept = lines.suffix(Self.entryLimit)
    var size = kept.reduce(0) { $0 + $1.utf8.count }
    while size > Self.byteLimit, let first = kept.popFirst() { size -= first.utf8.count }
    if lines.count > 2 * Self.entryLimit || bytes.count > 2 * Self.byteLimit {
      try? HostFile.replace(path, with: Array((kept.joined(separator: "\n") + "\n").utf8))
    }
    return kept.map { Self.decoded($0) }
  }

  func append(_ entry: String) {
    makeDirectories()
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    try? HostFile.writeAll(Array((Self.encoded(entry) + "\n").utf8), to: descriptor, name: path)
  }

  private func makeDirectories() {
    var place = ""
    for part in path.split(separator: "/").dropLast() {
      place += "/" + part
      mkdir(place, 0o700)
    }
  }

  // MARK: Text

  static func encoded(_ entry: String) -> String {
    var text = ""
    for character in entry.unicodeScalars {
      switch character {
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(character)
      }
    }
    return text
  }

  static func decoded(_ line: String) -> String {
    var text = ""
    var isEscaped = false
    for character in line.unicodeScalars {
      if isEscaped {
        text.unicodeScalars.append(character == "n" ? "\n" : character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        text.unicodeScalars.append(character)
      }
    }
    return text
  }
}

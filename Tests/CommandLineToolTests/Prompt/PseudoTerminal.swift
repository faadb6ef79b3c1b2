// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Testing

@testable import CommandLineTool

/// The built tool on a pseudo-terminal, as a person has it. Nothing waits for a time to pass: every step waits for a text
/// on the screen, for as long as a machine that is busy may take.
final class PseudoTerminal {
  struct TimeOut: Error, CustomStringConvertible {
    let wanted: String
    let screen: String
    var description: String { "waited for \(wanted.debugDescription), and saw \(screen.debugDescription)" }
  }

  private let pair: TerminalPair
  private var master: Int32 { pair.master }
  private let process: pid_t
  private var output: [UInt8] = []
  /// How much of it was waited for already.
  private var seen = 0

  /// `POSIX_SPAWN_SETSID`, which Swift does not see.
  private static let ownSession: Int16 = 0x80

  /// Starts the tool.
  ///
  /// - Parameter environment: besides PATH and TERM; history goes to `scratch`.
  init(_ arguments: [String] = [], in scratch: Scratch, environment: [String] = [], columns: UInt16 = 100)
    throws
  {
    pair = try #require(TerminalPair(columns: columns))
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // The first open of a session's leader makes it the session's terminal, so that Ctrl-C is a signal.
    for descriptor in [Int32(0), 1, 2] {
      posix_spawn_file_actions_addopen(&actions, descriptor, pair.path, O_RDWR, 0)
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Self.ownSession)
    // A variable that is named twice counts as it is named first.
    let variables =
      environment + [
        "TERM=xterm", "PATH=/usr/bin:/bin", "XDG_STATE_HOME=\(scratch.path)/state", "INPUTRC=/dev/null",
      ]
    var words: [UnsafeMutablePointer<CChar>?] = ([Tool.path] + arguments).map { strdup($0) } + [nil]
    var values: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
    defer { for word in words + values { free(word) } }
    var process: pid_t = 0
    try #require(posix_spawn(&process, Tool.path, &actions, &attributes, &words, &values) == 0)
    self.process = process
  }

  deinit {
    kill(process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
  }

  func type(_ text: String) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(master, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Reads on until the text comes that is waited for, behind what was waited for before; returns what was skipped.
  @discardableResult
  func wait(for text: String) throws -> String {
    while true {
      let rest = Self.plain(output[seen...])
      if let range = rest.text.firstRange(of: text) {
        let end = rest.text.utf8.distance(from: rest.text.startIndex, to: range.upperBound)
        seen += rest.origins[end - 1] + 1
        return String(rest.text[..<range.lowerBound])
      }
      guard try readMore() else { throw TimeOut(wanted: text, screen: rest.text) }
    }
  }

  /// Waits for the end; the status it exited with.
  func end() throws -> Int32 {
    while try readMore() {}
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 { try #require(errno == EINTR) }
    return status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
  }

  /// Everything that came, escape sequences included.
  var raw: String { String(decoding: output, as: UTF8.self) }

  func resize(columns: UInt16) { pair.resize(columns: columns) }

  /// False at the end, or when nothing comes for a minute.
  private func readMore() throws -> Bool {
    var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    let ready = poll(&wait, 1, 60_000)
    if ready < 0 && errno == EINTR { return true }
    guard ready > 0 else { return false }
    var chunk = [UInt8](repeating: 0, count: 4096)
    let count = read(master, &chunk, chunk.count)
    // The other side has closed the terminal.
    guard count > 0 else { return false }
    output += chunk[..<count]
    return true
  }

  /// The text without escape sequences and carriage returns, and where in the bytes each of its bytes was.
  private static func plain(_ bytes: ArraySlice<UInt8>) -> (text: String, origins: [Int]) {
    var text: [UInt8] = []
    var origins: [Int] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      let byte = bytes[index]
      if byte == 0x1B, index + 1 < bytes.endIndex, bytes[index + 1] == UInt8(ascii: "[") {
        index += 2
        while index < bytes.endIndex, !(0x40...0x7E).contains(bytes[index]) { index += 1 }
      } else if byte >= 0x20 || byte == 0x0A {
        text.append(byte)
        origins.append(index - bytes.startIndex)
      }
      index += 1
    }
    return (String(decoding: text, as: UTF8.self), origins)
  }
}

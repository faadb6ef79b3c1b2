// SPDX-License-Identifier: GPL-3.0-or-later
import Glibc
import Runner
import Testing

/// The built `iofd`, run as a process of its own.
struct Tool {
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String
  }

  /// It lies beside the program that runs the tests.
  static let path: String = {
    let own = HostFile.resolved("/proc/self/exe")
    let tests = CommandLine.arguments.first.map { HostFile.resolved($0) } ?? own
    let candidates = [own, tests].map { $0.split(separator: "/").dropLast() }.map {
      "/" + $0.joined(separator: "/") + "/iofd"
    }
    return candidates.first { access($0, X_OK) == 0 } ?? candidates[0]
  }()

  private let directory: Scratch

  init() throws { directory = try Scratch() }

  var scratch: Scratch { directory }

  /// Runs it to its end.
  func run(_ arguments: [String], input: String = "") throws -> Outcome {
    try start(arguments, input: input).wait()
  }

  /// Runs a shell command in which `iofd` is the tool.
  func shell(_ command: String) throws -> Outcome {
    try start(
      ["-c", "iofd() { \"\(Self.path)\" \"$@\"; }; cd \"\(directory.path)\"; \(command)"], input: "",
      program: "/bin/bash"
    ).wait()
  }

  /// A process that goes on.
  struct Running {
    let process: pid_t
    let scratch: Scratch
    let names: (output: String, errors: String)

    func wait() throws -> Outcome {
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0 { try #require(errno == EINTR) }
      let ended = status & 0x7F == 0 ? (status >> 8) & 0xFF : -(status & 0x7F)
      return Outcome(
        status: ended, output: try scratch.read(names.output), errors: try scratch.read(names.errors))
    }

    /// Waits until it handles Ctrl-C itself and has begun, then sends a signal.
    func signal(_ number: Int32) throws {
      for _ in 0..<1000 {
        let bytes = try HostFile.read("/proc/\(process)/status", limit: 1 << 16)
        let line = String(decoding: bytes, as: UTF8.self).split(separator: "\n").first {
          $0.hasPrefix("SigCgt:")
        }
        let caught = line.flatMap { UInt64($0.split(separator: "\t").last ?? "", radix: 16) } ?? 0
        if caught & (1 << UInt64(SIGINT - 1)) != 0 && caught & (1 << UInt64(SIGILL - 1)) != 0 { break }
        usleep(5_000)
      }
      usleep(100_000)
      kill(process, number)
    }
  }

  func start(_ arguments: [String], input: String, program: String = Tool.path) throws -> Running {
    let number = directory.next()
    try directory.write("\(number).in", input)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    let prefix = directory.path + "/\(number)"
    posix_spawn_file_actions_addopen(&actions, 0, prefix + ".in", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, prefix + ".out", O_WRONLY | O_CREAT, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, prefix + ".err", O_WRONLY | O_CREAT, 0o644)
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    try #require(
      posix_spawn(&process, program, &actions, nil, words, environ) == 0, "cannot start \(program)")
    return Running(process: process, scratch: directory, names: ("\(number).out", "\(number).err"))
  }
}

/// A directory that goes away with the test.
final class Scratch {
  let path: String
  private var count = 0

  init() throws {
    var template = Array("/tmp/iofd-tool.XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = system("rm -rf '\(path)'") }

  func next() -> Int {
    count += 1
    return count
  }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try HostFile.replace(path + "/" + name, with: Array(text.utf8))
    return path + "/" + name
  }

  func read(_ name: String) throws -> String {
    String(decoding: try HostFile.read(path + "/" + name, limit: 16 << 20), as: UTF8.self)
  }

  /// The names in it that end so.
  func names(_ suffix: String) -> [String] {
    var names: [String] = []
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name.contains(suffix) { names.append(name) }
    }
    return names.sorted()
  }
}

/// Scripts of each kind.
enum Script {
  static let pass = "vm = ioas create\ndestroy $vm\n"
  static let fail = "vm = ioas create -> EEXIST\n"
  static let invalid = "vm = ioas craete\n"
  /// Goes on for minutes.
  static let long = "for i in 1...1000000 {\n  for j in 1...60 {\n    x = $i + $j\n  }\n}\n"
}

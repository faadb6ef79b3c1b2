// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Testing

/// The programs of these tests, compiled in a directory that goes away with the test, and the built `iofd`, which
/// runs them.
final class Workshop {
  struct Outcome: Equatable {
    /// As a shell has it: 128 + N for signal N.
    var status: Int32
    var output = ""
    var errors = ""
  }

  /// How a program is put together.
  enum Linking: String, CaseIterable {
    case dynamic, `static`
  }

  let directory: String
  private var count = 0

  init() throws {
    var template = Array("/tmp/iofd-interpose.XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { _ = system("rm -rf '\(directory)'") }

  /// It lies beside the program that runs the tests.
  static let iofd: String = {
    let tests = CommandLine.arguments.first.flatMap { realpath($0, nil) }.map { path in
      defer { free(path) }
      return String(cString: path)
    }
    return [realLink("/proc/self/exe"), tests].compactMap { $0 }
      .map { "/" + $0.split(separator: "/").dropLast().joined(separator: "/") + "/iofd" }
      .first { access($0, X_OK) == 0 } ?? "iofd"
  }()

  private static func realLink(_ path: String) -> String? {
    guard let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  /// Where the sources of the programs are.
  static let sources: String = {
    "/" + #filePath.split(separator: "/").dropLast().joined(separator: "/") + "/Programs"
  }()

  /// Compiles a program of `Programs`; returns where it is.
  func compile(_ name: String, _ linking: Linking = .dynamic) throws -> String {
    let path = "\(directory)/\(name)"
    let switches = linking == .static ? "-static" : ""
    let outcome = try shell(
      "cc -O1 -Wall -Wextra -Werror -Wno-unused -Wno-missing-field-initializers -pthread \(switches) "
        + "-o '\(path)' '\(Self.sources)/\(name).c'")
    try #require(outcome == Outcome(status: 0), "\(name).c does not compile: \(outcome.errors)")
    return path
  }

  /// Runs `iofd exec` with these words.
  func execute(_ words: [String]) throws -> Outcome { try run([Self.iofd, "exec"] + words) }

  /// Runs a shell command in the directory, in which `$IOFD` is the tool.
  func shell(_ command: String) throws -> Outcome {
    try run(["/bin/bash", "-c", "cd '\(directory)'; IOFD='\(Self.iofd)'; \(command)"])
  }

  /// Longer than anything here takes on a busy machine, in seconds.
  private static let patience = 120

  private func run(_ words: [String]) throws -> Outcome {
    count += 1
    let names = (output: "\(directory)/\(count).out", errors: "\(directory)/\(count).err")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, names.output, O_WRONLY | O_CREAT, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, names.errors, O_WRONLY | O_CREAT, 0o644)
    var strings: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { for string in strings { free(string) } }
    // A group of its own, so that what hangs can be ended as a whole; nothing of the test's signals is left.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = sigset_t()
    sigemptyset(&mask)
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))
    var process: pid_t = 0
    try #require(
      posix_spawn(&process, words[0], &actions, &attributes, &strings, environ) == 0, "cannot start \(words)")
    var status: Int32 = 0
    var waits = 0
    while waitpid(process, &status, WNOHANG) == 0 {
      usleep(5_000)
      waits += 1
      guard waits < Self.patience * 200 else {
        kill(-process, SIGKILL)
        waitpid(process, &status, 0)
        Issue.record("\(words) hangs")
        break
      }
    }
    return Outcome(
      status: status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F, output: try text(names.output),
      errors: try text(names.errors))
  }

  /// A file of the directory, or of anywhere.
  func text(_ path: String) throws -> String {
    let file = try #require(fopen(path, "r"), "\(path) is not there")
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let got = fread(&chunk, 1, chunk.count, file)
      guard got > 0 else { break }
      bytes += chunk[..<got]
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

/// What these tests need of the system they run on.
enum Surroundings {
  /// Why programs cannot be compiled and run here; nil when they can.
  static let lack: String? = {
    guard system("command -v cc >/dev/null 2>&1") == 0 else { return "there is no C compiler" }
    do {
      let outcome = try Workshop().execute(["--", "/bin/true"])
      // One clear message, or it is a failure that the tests themselves should find.
      let isRefused = outcome.status == 2 && outcome.errors.contains("the kernel here refuses")
      return isRefused ? outcome.errors : nil
    } catch { return nil }
  }()

  static var canRun: Bool {
    if let lack { print("skipped: programs under iofd exec: \(lack)") }
    return lack == nil
  }
}

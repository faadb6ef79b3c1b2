// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// Programs to compare with.
enum ChildProcess {
  /// The median time from start to end of a program, in milliseconds; nil where it is not installed or fails.
  ///
  /// - Parameter input: what it gets on standard input; nil for nothing.
  static func milliseconds(_ effort: BenchEffort, _ words: [String], input: String? = nil) -> Double? {
    var isGood = true
    var path = "/dev/null"
    if let input {
      var template = Array("/tmp/iofd-input.XXXXXX".utf8CString)
      let descriptor = mkstemp(&template)
      guard descriptor >= 0 else { return nil }
      close(descriptor)
      path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      do throws(FileFailure) { try HostFile.replace(path, with: Array(input.utf8)) } catch { isGood = false }
    }
    defer { if input != nil { unlink(path) } }
    guard isGood, run(words, input: path) == 0 else { return nil }
    // Starting is over in a moment, so more of it can be measured; a whole program's work takes longer.
    let repeats = input == nil ? effort.rounds(24) : 1
    let time = effort.median {
      Double(
        BenchClock.nanoseconds { for _ in 0..<repeats where run(words, input: path) != 0 { isGood = false } })
    }
    return isGood ? time / Double(repeats) / 1e6 : nil
  }

  /// The status of a program that is run to its end without output; nil when it cannot be started.
  private static func run(_ words: [String], input: String) -> Int32? {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    guard posix_spawnp(&process, words[0], &actions, nil, arguments, environ) == 0 else { return nil }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 { guard errno == EINTR else { return nil } }
    return status
  }
}

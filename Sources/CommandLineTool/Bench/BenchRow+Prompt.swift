// SPDX-License-Identifier: GPL-3.0-or-later
internal import Assistance
internal import Glibc
internal import Interpreter
internal import Runner
internal import UAPI

// What a person at the prompt waits for.

extension BenchRow {
  static let promptRows = [
    BenchRow(name: "prompt: from start to the prompt", unit: .milliseconds, budget: .atMost(30)) { effort in
      var isGood = true
      let time = effort.median { () -> Double in
        let time = PromptTerminal.millisecondsToPrompt()
        if time == nil { isGood = false }
        return time ?? 0
      }
      return Outcome(
        value: isGood ? time : nil, comparison: isGood ? "" : "no pseudo-terminal, or no prompt on it")
    },
    BenchRow(name: "prompt: completion of a name, 10,000 objects", unit: .milliseconds, budget: .atMost(10)) {
      completion($0, "map $v")
    },
    BenchRow(name: "prompt: completion of an IOVA, 10,000 objects", unit: .milliseconds, budget: .atMost(10))
    {
      completion($0, "map $v5000 $buf iova=")
    },
    BenchRow(name: "prompt: undo of one statement of 1,000", unit: .milliseconds, budget: .atMost(10)) {
      undo($0)
    },
  ]

  private static func journal() throws(Errno) -> Journal {
    let rigs = Rigs()
    return Journal(rig: try rigs.make(), loader: DiskLoader()) { try rigs.make() }
  }

  private static func completion(_ effort: BenchEffort, _ text: String) -> Outcome {
    do throws(Errno) {
      let journal = try journal()
      var script = "buf = mem alloc 64K\n"
      for number in 0..<10_000 { script += "v\(number) = ioas create\n" }
      guard journal.run(script).isGood else { return Outcome(value: nil, comparison: "the script failed") }
      let assistant = Assistant(LiveSurroundings(journal), commands: PromptCommand.all)
      guard !assistant.completions(text).candidates.isEmpty else {
        return Outcome(value: nil, comparison: "nothing was offered")
      }
      let rounds = effort.rounds(16)
      let time = effort.nanoseconds(rounds: rounds) { rounds in
        for _ in 0..<rounds { _ = assistant.completions(text) }
      }
      return Outcome(value: time / 1e6)
    } catch { return Outcome(error) }
  }

  private static func undo(_ effort: BenchEffort) -> Outcome {
    do throws(Errno) {
      let journal = try journal()
      _ = journal.run("vm = ioas create")
      _ = journal.run("buf = mem alloc 4K")
      for number in 0..<998 {
        let address = String(0x100_0000 + (number / 2) * 0x1000, radix: 16)
        _ = journal.run(
          number % 2 == 0 ? "map $vm $buf iova=0x\(address)" : "unmap $vm 0x\(address) len=4K")
      }
      var isGood = true
      let time = effort.median { () -> Double in
        Double(
          BenchClock.nanoseconds {
            do throws(Journal.Obstacle) {
              _ = try journal.undo()
            } catch { isGood = false }
          })
      }
      return Outcome(value: isGood ? time / 1e6 : nil)
    } catch { return Outcome(error) }
  }
}

/// A pseudo-terminal with a prompt on it.
private enum PromptTerminal {
  /// The time from the start of this very program to its prompt; nil without one.
  static func millisecondsToPrompt() -> Double? {
    guard let terminal = TerminalPair() else { return nil }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor in [Int32(0), 1, 2] {
      posix_spawn_file_actions_addopen(&actions, descriptor, terminal.path, O_RDWR | O_NOCTTY, 0)
    }
    // A history of nobody's.
    let variables = ["TERM=xterm", "XDG_STATE_HOME=/nonexistent", "PATH=/usr/bin:/bin"]
    var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("iofd"), nil]
    defer { for word in environment + arguments { free(word) } }
    var process: pid_t = 0
    let start = BenchClock.now()
    guard posix_spawn(&process, "/proc/self/exe", &actions, nil, &arguments, &environment) == 0 else {
      return nil
    }
    let time = waitForPrompt(terminal.master, since: start)
    kill(process, SIGKILL)
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return time
  }

  private static func waitForPrompt(_ master: Int32, since start: UInt64) -> Double? {
    var seen: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while seen.count < 1 << 16 {
      var wait = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      guard poll(&wait, 1, 10_000) > 0 else { return nil }
      let count = read(master, &chunk, chunk.count)
      guard count > 0 else { return nil }
      seen += chunk[..<count]
      if String(decoding: seen, as: UTF8.self).contains("> ") {
        return Double(BenchClock.now() &- start) / 1e6
      }
    }
    return nil
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Language

// What is reported about threads. Codes are stable; the explanation is the page of `iofd explain CODE`, the
// example a script that gets it, which tests run.

extension DiagnosticCode {
  /// All codes about threads and schedules.
  public static let schedules: [DiagnosticCode] = [
    .unknownThread, .repeatedThread, .badSchedule, .unknownPoint, .wrongRun, .deadlock, .failingSchedule,
    .unequalSchedule, .tooManySchedules, .noThread,
  ]

  static let unknownThread = DiagnosticCode(
    "R0040", "There is no such thread",
    explanation:
      "'run' and 'explore' name threads of the same file or test, which stand earlier: thread a { ... }.",
    example: "run a")

  static let repeatedThread = DiagnosticCode(
    "R0041", "Two threads with one name",
    explanation: "Each thread of a file or test has a name of its own.",
    example: "thread a { ioas create }⏎thread a { ioas create }")

  static let badSchedule = DiagnosticCode(
    "R0042", "A schedule that is none",
    explanation:
      "explore takes a list of threads and perhaps a bound: explore threads=[a, b] bound=2 { ... }. Neither it nor "
      + "run or parallel stands in a thread. A run ends ok or blocked, explore ends ok or failed.",
    example: "thread a { ioas create }⏎explore bound=1 { expect invariants }")

  static let unknownPoint = DiagnosticCode(
    "X0130", "There is no such point",
    explanation:
      "A thread stops at points of the model: where it takes or releases a lock, and where something has just become "
      + "true. 'show points' lists them.",
    example: "thread a { ioas create }⏎run a until pages.pined")

  static let wrongRun = DiagnosticCode(
    "X0131", "A thread came to another end",
    explanation:
      "'run a' runs a thread to its end, 'run a until POINT' up to a point. Here it came to something else first: "
      + "it ended, or it has to wait for a lock that another thread has. Where that is meant, say '-> blocked'.",
    example: "thread a { ioas create }⏎run a until pages.pinned")

  static let deadlock = DiagnosticCode(
    "X0132", "Threads that wait for each other",
    explanation:
      "No thread can go on, since each waits for what another one has. The message says who waits for what. In a "
      + "script of 'run' statements the threads are left as they are.",
    example: "")

  static let failingSchedule = DiagnosticCode(
    "X0133", "A schedule that breaks something",
    explanation:
      "'explore' found an order of the threads in which a statement ends differently, an expectation or an invariant "
      + "does not hold, or the threads wait for each other. The lines to paste in place of 'explore' run the threads "
      + "in this order.",
    example:
      "vm = ioas create⏎thread a { destroy $vm }⏎thread b { destroy $vm }⏎"
      + "explore threads=[a, b] bound=0 { expect invariants }")

  static let unequalSchedule = DiagnosticCode(
    "X0134", "The same schedule went another way",
    explanation:
      "The threads were run as before and came to other points. Something of the machine depends on more than the "
      + "script; this is a defect of the model, unless 'parallel' stands in front of 'explore'.",
    example: "")

  static let tooManySchedules = DiagnosticCode(
    "X0135", "Too many schedules",
    explanation:
      "There are more than a million orders within the bound, or one of them has more than a million points. Take "
      + "a smaller bound, or shorter threads.",
    example: "")

  static let noThread = DiagnosticCode(
    "X0136", "The host has no thread left",
    explanation: "A thread of a script is a thread of the host, and the host refused to make one.",
    example: "")
}

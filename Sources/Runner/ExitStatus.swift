// SPDX-License-Identifier: GPL-3.0-or-later

/// What the process tells its caller; of several, the worst (the greatest) wins.
public enum ExitStatus: Int32, Comparable, CaseIterable, Sendable {
  /// Everything passed, was skipped, or failed as announced.
  case passed = 0
  /// An expectation failed, an invariant broke, or what was announced to fail passed.
  case failed = 1
  /// The command line is wrong, or an output cannot be written.
  case usage = 2
  /// A script is invalid or cannot be read.
  case invalid = 3
  /// There was nothing to run.
  case nothingRan = 4
  case timeOut = 70
  case outOfMemory = 71
  /// A bug of this program.
  case trap = 77
  /// Ctrl-C, or nobody reads the output any more.
  case interrupted = 130

  /// In a word or two, for the help.
  public var word: String {
    switch self {
    case .passed: "passed"
    case .failed: "failed"
    case .usage: "usage or output"
    case .invalid: "invalid script"
    case .nothingRan: "nothing ran"
    case .timeOut: "time-out"
    case .outOfMemory: "out of memory"
    case .trap: "internal error"
    case .interrupted: "interrupted"
    }
  }

  /// In a sentence.
  public var meaning: String {
    switch self {
    case .passed: "Everything passed, was skipped, or failed as announced."
    case .failed: "An expectation failed, an invariant broke, or what was announced to fail passed."
    case .usage: "The command line is wrong, or an output cannot be written."
    case .invalid: "A script is invalid or cannot be read."
    case .nothingRan: "There was nothing to run."
    case .timeOut: "It took longer than --time-limit allows."
    case .outOfMemory: "It took more memory than --memory-limit allows."
    case .trap: "A bug of iofd."
    case .interrupted: "Ctrl-C, or nobody reads the output any more."
    }
  }

  public static func < (a: ExitStatus, b: ExitStatus) -> Bool { a.rawValue < b.rawValue }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

/// What each command of a session answered, over all the rounds in which it was carried out: what its line must expect
/// when the session is written down as a script.
///
/// Threads of a session note their answers here too, at the same time.
final class AnswerLog: Sendable {
  enum Answer: Equatable {
    case ok
    case errno(Int32)
    /// A device's access faulted.
    case fault
    /// It is held, or a thread had to wait.
    case blocked
    /// Not the same in every round.
    case various
  }

  private let answers = Mutex<[ObjectIdentifier: Answer]>([:])

  /// Notes the answer of a command, or of a `run`. The node lives as long as the log.
  func note(_ node: AnyObject, _ answer: Answer) {
    let key = ObjectIdentifier(node)
    answers.withLock { answers in
      if let known = answers[key], known != answer {
        answers[key] = .various
      } else {
        answers[key] = answer
      }
    }
  }

  /// The answer of all rounds; nil for what was never carried out.
  func answer(of node: AnyObject) -> Answer? {
    let key = ObjectIdentifier(node)
    return answers.withLock { $0[key] }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// What a test program says of a call, in the comment that belongs to it.
///
/// Source: syzkaller `pkg/runtest/run.go`, `parseComment`; reference corpora.md section 3.1. Every errno of Linux is
/// understood here, by name and by number, where syzkaller knows a dozen.
public enum SyzExpectation: Sendable, Equatable, CustomStringConvertible {
  case success
  case failure(Errno)
  /// The call ends while a later one is running.
  case blocked
  /// The call does not end.
  case unfinished
  /// The call does not begin.
  case unexecuted

  /// Nil for a comment that says none of these.
  public init?(comment: String?) {
    switch comment {
    case nil, "", "0": self = .success
    case "blocked": self = .blocked
    case "unfinished": self = .unfinished
    case "unexecuted": self = .unexecuted
    case let text?:
      if let errno = Errno(name: text) {
        self = .failure(errno)
      } else if let code = Int32(text), Errno(code: code).name != "errno \(code)" {
        self = .failure(Errno(code: code))
      } else {
        return nil
      }
    }
  }

  /// As it is written in a comment.
  public var description: String {
    switch self {
    case .success: "success"
    case .failure(let errno): errno.name
    case .blocked: "blocked"
    case .unfinished: "unfinished"
    case .unexecuted: "unexecuted"
    }
  }
}

extension SyzImage {
  /// Where the answers are not what the comments say; empty when the test passes.
  ///
  /// Calls are made one after another, each to its end: none is blocked by another, and none stays unfinished.
  public func differences(_ answers: [SyzAnswer]) -> [SyzProblem] {
    var problems: [SyzProblem] = []
    for (index, call) in calls.enumerated() {
      let got: String
      if index < answers.count {
        switch answers[index].outcome {
        case .returned: got = "success"
        case .failed(let errno): got = errno.name
        case .unsupported: got = "nothing: the call is not supported"
        }
      } else {
        got = "no answer"
      }
      guard let expectation = SyzExpectation(comment: call.comment) else {
        problems.append(
          SyzProblem(line: call.line, column: 1, "'\(call.comment ?? "")' is no errno and no state of a call")
        )
        continue
      }
      let wanted = expectation == .blocked ? SyzExpectation.success : expectation
      if wanted.description != got {
        problems.append(
          SyzProblem(
            line: call.line, column: 1, "\(call.name): expected \(expectation.description), got \(got)"))
      }
    }
    return problems
  }
}

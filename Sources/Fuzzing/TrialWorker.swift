// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Replay
public import Runner

/// The process that inputs are tried in: it reads them from standard input and answers on standard output, until nobody
/// asks any more. When one is its end, `TrialProcess` knows which.
public enum TrialWorker {
  /// Answers until standard input ends.
  public static func run(_ rigs: Rigs) -> ExitStatus {
    guard let mark = WorkerMark.ofThisProcess() else { return .usage }
    WorkerService.prepare(leavesWithParent: rigs.canRunSideBySide)
    CrashReport.leaveNote(in: mark.trap)
    let trial = LocalTrial(rigs, mark: mark.call)
    let input = WorkerService.takeInput()
    while let head = read(4, from: input) {
      var rest = head[...]
      let count = Int(TrialMessage.number(&rest) ?? 0)
      guard count >= 1, count <= TrialMessage.longest, let body = read(count, from: input),
        let outcome = TrialMessage.answer(body, by: trial)
      else { return .usage }
      guard write(TrialMessage.reply(outcome)) else { return .passed }
    }
    return .passed
  }

  private static func read(_ count: Int, from input: Int32) -> [UInt8]? {
    var done = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      while done < count {
        let now = Glibc.read(input, buffer.baseAddress! + done, count - done)
        if now < 0, errno == EINTR { continue }
        guard now > 0 else { break }
        done += now
      }
      initialized = done
    }
    return done == count ? bytes : nil
  }

  private static func write(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let now = bytes.withUnsafeBytes { Glibc.write(1, $0.baseAddress! + done, bytes.count - done) }
      if now < 0, errno == EINTR { continue }
      guard now > 0 else { return false }
      done += now
    }
    return true
  }
}

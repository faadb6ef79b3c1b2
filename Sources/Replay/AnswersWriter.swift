// SPDX-License-Identifier: GPL-3.0-or-later
public import Runner

/// What every step of every input answered, as the kernel's recordings have it: the outputs of two targets can be compared
/// with `diff`, or with `--compare`.
///
///     prog NAME                                    a recorded program, or an input by its hash
///     0 open ok
///     1 ioctl 3b81 rc=0 errno=0 +8=1
public final class AnswersWriter: ReplaySink {
  public let output: ByteOutput

  public init(_ output: ByteOutput) { self.output = output }

  public func began(_ head: ReplayHead) {}

  public func ended(_ result: ReplayResult, isNew: Bool) {
    guard !result.outcome.answers.isEmpty else { return }
    if result.program == nil { output.write("# \(result.label)\n") }
    output.write("prog \(result.key)\n")
    for line in result.outcome.answers { output.write(line + "\n") }
  }

  public func finished(_ totals: ReplayTotals) { output.flush() }
}

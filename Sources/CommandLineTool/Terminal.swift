// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Runner

/// What is on the other side of the standard descriptors.
enum Terminal {
  /// Lines can be edited: a person sits at both ends, and the terminal can move its cursor.
  static func canEdit(_ output: ByteOutput) -> Bool { isatty(0) == 1 && output.isTerminal && canErase }

  /// The terminal understands escape sequences.
  static var canErase: Bool {
    getenv("TERM").map { !["", "dumb"].contains(String(cString: $0)) } ?? false
  }

  /// Colours are wanted: it is a terminal that understands escape sequences, and `NO_COLOR` is not set (to anything but
  /// nothing).
  static func usesColour(_ output: ByteOutput) -> Bool {
    let isRefused = getenv("NO_COLOR").map { $0.pointee != 0 } ?? false
    return output.isTerminal && canErase && !isRefused
  }

  /// A message to people about the command itself, `iofd: ...`.
  static func complain(_ message: String, help: String? = nil) {
    let output = ByteOutput.standardError()
    output.write("iofd: \(message)\n")
    if let help { output.write("  help: \(help)\n") }
    output.flush()
  }

  /// Flushes results; what cannot be written makes the status worse. A closed pipe is no reason for words.
  static func finish(_ output: ByteOutput, _ status: ExitStatus) -> ExitStatus {
    output.flush()
    guard let failure = output.failure else { return status }
    if failure.isClosedPipe { return max(status, .interrupted) }
    complain(failure.description)
    return max(status, .usage)
  }
}

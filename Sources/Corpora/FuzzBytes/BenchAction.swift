// SPDX-License-Identifier: GPL-3.0-or-later

/// What a program in bytes does to the machine, and not through a request. A real kernel has nobody who does it.
///
/// Processes, functions and failures are numbers that count round what there is: whoever runs the program knows.
public enum BenchAction: Sendable, Hashable {
  case fork
  case switchProcess(Int)
  /// Ends a process other than the current one.
  case exitProcess(Int)
  case setMemlockLimit(UInt64)
  /// The n-th failure point from now fails.
  case armFailure(UInt64)
  case disarmFailure
  case dma(function: Int, RecordedProgram.Operand, length: Int, isWrite: Bool)
}

extension BenchAction: CustomStringConvertible {
  public var description: String {
    switch self {
    case .fork: "fork"
    case .switchProcess(let number): "switch-process \(number)"
    case .exitProcess(let number): "exit-process \(number)"
    case .setMemlockLimit(let bytes): "memlock-limit \(bytes)"
    case .armFailure(let nth): "arm-failure \(nth)"
    case .disarmFailure: "disarm-failure"
    case .dma(let function, let iova, let length, let isWrite):
      "\(isWrite ? "dma-write" : "dma-read") \(function) \(iova) \(length)"
    }
  }
}

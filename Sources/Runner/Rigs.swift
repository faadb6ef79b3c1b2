// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Machine
public import UAPI

/// Makes what scripts run on: a machine of a chosen kernel with chosen hardware, and its bench.
public struct Rigs: Sendable {
  public let kernel: Personality
  public let backend: Backend

  /// The hardware a machine has.
  public enum Backend: String, CaseIterable, Sendable {
    /// The mock driver of the kernel's own selftests.
    case mock
  }

  public init(kernel: Personality = .standard, backend: Backend = .mock) {
    self.kernel = kernel
    self.backend = backend
  }

  /// A machine that nobody has touched yet.
  public func make() -> Rig {
    let target = ModelTarget(Machine.Configuration(kernel: kernel))
    return Rig(target: target, bench: ModelBench(target), backend: backend.rawValue)
  }
}

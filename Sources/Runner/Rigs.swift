// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import KernelTarget
internal import Lockstep
internal import Machine
public import UAPI

/// Makes what scripts run on: a machine of a chosen kernel with chosen hardware, and its bench; or a real kernel; or
/// both in lockstep.
public struct Rigs: Sendable {
  public let kernel: Personality
  public let backend: Backend
  public let target: Target
  /// Whether `kernel` was asked for; a real kernel otherwise says itself what it is.
  private let isChosen: Bool

  /// Where requests go.
  public enum Target: String, CaseIterable, Sendable {
    case model
    /// The kernel that this very process runs on. It has no bench.
    case device = "/dev/iommu"
    /// Each call on both, and the answers compared.
    case lockstep = "model,/dev/iommu"
  }

  /// - Parameter kernel: nil for the standard one, or for a real kernel's own.
  public init(kernel: Personality? = nil, backend: Backend = .mock, target: Target = .model) {
    isChosen = kernel != nil
    self.kernel = kernel ?? (target == .model ? .standard : Self.nearest(KernelTarget.running))
    self.backend = backend
    self.target = target
  }

  /// The newest personality that is no newer than a release.
  private static func nearest(_ version: KernelVersion?) -> Personality {
    guard let version else { return .standard }
    let known = Personality.allCases.sorted { $0.version < $1.version }
    return known.last { $0.version <= version } ?? known[0]
  }

  /// Whether several rigs can be in use at a time: a process has only one kernel to talk to.
  public var canRunSideBySide: Bool { target == .model }

  /// A machine that nobody has touched yet, or the kernel.
  ///
  /// - Throws: for a real kernel what opening `/dev/iommu` throws.
  public func make() throws(Errno) -> Rig {
    switch target {
    case .model: return try model(Machine.Configuration(kernel: kernel))
    case .device:
      let target = try KernelTarget(kernel: isChosen ? kernel.version : nil)
      return Rig(target: target, bench: nil, backend: Self.backend(of: target))
    case .lockstep:
      let real = try KernelTarget(kernel: kernel.version)
      return Rig(target: lockstep(real), bench: nil, backend: Self.backend(of: real))
    }
  }

  private func model(_ configuration: Machine.Configuration) throws(Errno) -> Rig {
    let target = ModelTarget(configuration)
    if let kind = backend.iommu { _ = try target.machine.addIOMMU("iommu0", kind, backend.choices) }
    return Rig(target: target, bench: ModelBench(target), backend: backend.name)
  }

  private func lockstep(_ real: KernelTarget, frameStride: Int = 1) -> LockstepTarget {
    let model = ModelTarget(Machine.Configuration(kernel: kernel, frameStride: frameStride))
    return LockstepTarget(model, called: Target.model.rawValue, real, called: Target.device.rawValue)
  }

  private static func backend(of target: KernelTarget) -> String {
    target.hasSelftest ? Backend.mock.name : "device"
  }

  /// What recorded programs run on: a process as it was when they were recorded, with the list of programs for its
  /// descriptor 3, and memory whose pages are no neighbours.
  ///
  /// - Throws: as `make`.
  public func makeForReplay() throws(Errno) -> Rig {
    switch target {
    case .model:
      let rig = try model(Machine.Configuration(kernel: kernel, frameStride: 2))
      _ = try rig.target.userSpace.createMemFD(length: 0, huge: false)
      return rig
    case .device:
      let target = try KernelTarget(kernel: kernel.version)
      return Rig(target: target, bench: nil, backend: Self.backend(of: target))
    case .lockstep:
      let real = try KernelTarget(kernel: kernel.version)
      return Rig(target: lockstep(real, frameStride: 2), bench: nil, backend: Self.backend(of: real))
    }
  }

  /// The same with the kernel that an input asks for, unless the caller chose one.
  public func preferring(_ version: KernelVersion?) -> Rigs {
    guard !isChosen, target == .model,
      let wanted = Personality.allCases.first(where: { $0.version == version })
    else { return self }
    return Rigs(kernel: wanted, backend: backend, target: target)
  }
}

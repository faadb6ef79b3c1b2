// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import Corpora
internal import KernelTarget
internal import Lockstep
internal import Machine
public import UAPI

/// Makes what scripts run on: a machine of a chosen kernel with chosen hardware, and its bench; or a real kernel; or
/// both in lockstep.
public struct Rigs: Sendable {
  public let kernel: Personality
  public private(set) var backend: Backend
  public let target: Target
  /// Frames between consecutive allocations of a model's memory.
  private var frameStride = 1
  /// Mistakes that the driver of the machine's own IOMMU makes.
  private var bugs: [String] = []
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
    case .model: return try model(Machine.Configuration(kernel: kernel, frameStride: frameStride))
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
    let bench = ModelBench(target)
    for bug in bugs { try bench.setBug(0, bug, true) }
    return Rig(target: target, bench: bench, backend: backend.name)
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

  /// The machine that programs in bytes start on which are made for this hardware; the first of its family where no option
  /// is named, nil for options that no such machine has.
  public var scene: ByteScene? {
    guard let family = ByteScene.Family.allCases.first(where: { "\($0)" == backend.name }) else { return nil }
    if backend.text == backend.name { return ByteScene(family) }
    return ByteScene.variants(family).firstIndex(of: backend.text).map { ByteScene(family, variant: $0) }
  }

  /// The same with memory whose pages are no neighbours: what programs see of a machine does not depend on that.
  public var scattered: Rigs {
    var rigs = self
    rigs.frameStride = 3
    return rigs
  }

  // MARK: Bugs

  /// Mistakes that the driver of the machine's IOMMU can be told to make.
  public var possibleBugs: [String] {
    guard let kind = backend.iommu else { return [] }
    // The machine is taken apart with its target.
    let target = ModelTarget()
    do throws(Errno) {
      let unit = try target.machine.addIOMMU("iommu0", kind, backend.choices)
      return withExtendedLifetime(target) { ModelBench.possibleBugs(of: unit) }
    } catch { return [] }
  }

  /// From now on the driver makes this mistake.
  ///
  /// - Returns: false for one that it cannot make.
  public mutating func plant(_ bug: String) -> Bool {
    guard target == .model, possibleBugs.contains(bug) else { return false }
    bugs.append(bug)
    return true
  }

  /// The same with drivers that make no mistake on purpose.
  public var sound: Rigs {
    var rigs = self
    rigs.bugs = []
    return rigs
  }

  /// The same with the hardware that a program in bytes starts on; a real kernel has its own.
  public func preferring(_ scene: ByteScene) -> Rigs {
    guard target == .model, scene.family != .mock else { return self }
    do throws(Backend.Unknown) {
      var rigs = self
      rigs.backend = try Backend(scene.backend)
      return rigs
    } catch { preconditionFailure("a scene has hardware that is not there: \(scene.backend)") }
  }

  /// The same with the kernel that an input asks for, unless the caller chose one.
  public func preferring(_ version: KernelVersion?) -> Rigs {
    guard !isChosen, target == .model,
      let wanted = Personality.allCases.first(where: { $0.version == version })
    else { return self }
    var rigs = Rigs(kernel: wanted, backend: backend, target: target)
    rigs.bugs = bugs
    rigs.frameStride = frameStride
    return rigs
  }
}

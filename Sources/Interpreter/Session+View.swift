// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Language

// What completion and prompts ask a session about. Nothing here changes anything, and nothing takes longer for a
// machine that has many objects than looking at each name once.

/// A name that can be used, and what stands behind it.
public struct BoundName: Sendable, Equatable {
  public let name: String
  /// Nil where only a run would tell.
  public let kind: Kind?
  /// Of user memory: how many bytes.
  public let length: UInt64?

  public init(_ name: String, kind: Kind?, length: UInt64? = nil) {
    self.name = name
    self.kind = kind
    self.length = length
  }
}

extension Session {
  /// What conditions see of the machine.
  public var environment: Environment { resolver.environment }

  /// Names that are bound, the oldest first.
  public var names: [String] { boundNames.map(\.name) }

  /// Names that stand for something now, looked up once behind each statement.
  public var boundNames: [BoundName] {
    if let keptNames { return keptNames }
    let names = currentNames
    keptNames = names
    return names
  }

  private var currentNames: [BoundName] {
    let bound = resolver.scopes[0].names.map { (name: $0.key, slot: $0.value.slot) }.sorted {
      $0.slot < $1.slot
    }
    return bound.compactMap { name, slot in
      guard slot < executor.slots.count else { return nil }
      let value = executor.slots[slot]
      switch value {
      case .unset: return nil
      case .memory(_, let length): return BoundName(name, kind: .memory, length: length)
      default: return BoundName(name, kind: value.kind)
      }
    }
  }

  /// Procedures that are defined, with their parameters.
  public var procedures: [(name: String, parameters: [String])] {
    resolver.scopes[0].procedures.values.sorted { $0.name < $1.name }.map {
      ($0.name, $0.parameters.map(\.name))
    }
  }

  /// Threads that are declared.
  public var threads: [String] { resolver.scopes[0].threads.keys.sorted() }

  /// Threads that have begun and not ended.
  public var standingThreads: [String] {
    guard let scheduler = executor.stage.scheduler else { return [] }
    return executor.stage.threads.values.filter { scheduler.state(of: $0.number) != .ended }
      .map(\.node.name).sorted()
  }

  /// The name of the file that requests go to, where there is a choice.
  public var contextName: String? {
    let contexts = resolver.scopes[0].names.compactMap { name, binding -> (name: String, fd: Int32)? in
      guard binding.slot < executor.slots.count, case .handle(let handle) = executor.slots[binding.slot],
        handle.kind == .context
      else { return nil }
      return (name, handle.fd)
    }
    guard contexts.count > 1 else { return nil }
    return contexts.filter { $0.fd == executor.context }.map(\.name).min()
  }

  /// What the bench knows of what a name stands for; nil for plain values, and without a bench.
  public func facts(of name: String) -> Fact? {
    guard let bench = executor.bench, case .found(let binding) = resolver.lookUp(name),
      binding.slot < executor.slots.count
    else { return nil }
    switch executor.slots[binding.slot] {
    case .handle(let handle) where Kind.objects.contains(handle.kind):
      return executor.context.flatMap { bench.state(of: $0, object: handle.id) }
    case .handle(let handle) where handle.kind == .iommu: return bench.state(ofIOMMU: Int(handle.id))
    case .device(let device):
      if let function = device.function { return bench.state(ofFunction: function) }
      guard device.exists, let context = executor.context else { return nil }
      return bench.state(of: context, object: device.device)
    default: return nil
    }
  }

  /// The bench, for what it lists: kinds of IOMMU, points, failures, mistakes.
  public var bench: (any Bench)? { executor.bench }
}

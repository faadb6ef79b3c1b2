// SPDX-License-Identifier: GPL-3.0-or-later
internal import Language
internal import UAPI

// Whether conditions contradict each other is decided by trying: of kernels only those count that lie at, just below and
// just above a version that some condition of the script names, so that a few dozen environments stand for all.

/// The environments in which a place of a script is reached.
struct Worlds {
  private(set) var environments: [Environment]

  /// All that conditions can tell apart; nil when those are too many to try.
  init?(telling conditions: [Condition]) {
    var kernels: Set<KernelVersion> = [KernelVersion(0, 0), KernelVersion(.max, .max)]
    for term in conditions.flatMap(\.terms) where term.name.text == "kernel" {
      guard let version = Self.version(term.value) else { continue }
      kernels.insert(version)
      kernels.insert(KernelVersion(version.major, version.minor &+ 1))
      if version.minor > 0 {
        kernels.insert(KernelVersion(version.major, version.minor - 1))
      } else if version.major > 0 {
        kernels.insert(KernelVersion(version.major - 1, .max))
      }
    }
    guard kernels.count <= Self.mostKernels else { return nil }
    environments = kernels.sorted().flatMap { kernel in
      Environment.backends.flatMap { backend in
        [true, false].map { Environment(kernel: kernel, backend: backend, hasBench: $0) }
      }
    }
  }

  private static let mostKernels = 100

  private static func version(_ value: Expression?) -> KernelVersion? {
    switch value?.kind {
    case .version(let literal): Environment.version(literal.parts)
    case .number(let literal): Environment.version([UInt32(clamping: literal.value)])
    default: nil
    }
  }

  var isEmpty: Bool { environments.isEmpty }

  /// Those in which a condition holds. One that nobody knows holds everywhere: it has been reported.
  func restricted(to condition: Condition) -> Worlds {
    var worlds = self
    worlds.environments.removeAll { environment in
      condition.terms.contains { environment.holds($0) == false }
    }
    return worlds
  }

  /// Those in which it does not hold.
  func without(_ condition: Condition) -> Worlds {
    var worlds = self
    worlds.environments.removeAll { environment in
      !condition.terms.contains { environment.holds($0) == false }
    }
    return worlds
  }

  var count: Int { environments.count }
}

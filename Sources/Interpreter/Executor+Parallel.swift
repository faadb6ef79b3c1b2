// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Language
internal import UAPI

extension Executor {
  /// `parallel { ... }`: all threads at the same time, on threads of the host; then what they did, in their order.
  func execute(parallel threads: [ThreadNode], _ node: Node) {
    guard bench != nil else { return endCase(node, needing: "parallel") }
    if context == nil { context = try? target.open("/dev/iommu") }
    var strands: [Strand] = []
    for thread in threads {
      let kept = KeptOutput()
      guard let child = makeThreadExecutor(keeping: kept) else { return }
      strands.append(Strand(child, thread, kept))
    }
    Strand.run(strands)
    for strand in strands {
      strand.kept.passOn(to: self)
      collect(strand.node, from: strand.executor)
    }
    if checks, isQuiescent { checkInvariants(behind: node) }
  }
}

/// A thread of `parallel`.
private final class Strand: @unchecked Sendable {
  let executor: Executor
  let node: ThreadNode
  let kept: KeptOutput

  init(_ executor: Executor, _ node: ThreadNode, _ kept: KeptOutput) {
    self.executor = executor
    self.node = node
    self.kept = kept
  }

  /// Runs all at the same time; where the host has no thread for one, behind the others.
  static func run(_ strands: [Strand]) {
    let gate = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)
    sem_init(gate, 0, 0)
    var started: [HostThread] = []
    var late: [Strand] = []
    for strand in strands {
      if let thread = HostThread({
        while sem_wait(gate) != 0 {}
        strand.executor.run(strand.node.body)
      }) {
        started.append(thread)
      } else {
        late.append(strand)
      }
    }
    // None begins before all are there.
    for _ in started { sem_post(gate) }
    for thread in started { thread.join() }
    for strand in late { strand.executor.run(strand.node.body) }
    sem_destroy(gate)
    gate.deallocate()
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

import Bench
import Foundation
import Interpreter
import Language
import Machine
import UAPI

@testable import Assistance

/// A machine of its own for each.
func modelRig() -> Rig {
  let target = ModelTarget(Machine.Configuration(kernel: .standard))
  return Rig(target: target, bench: ModelBench(target), backend: "mock")
}

/// A session in which these names are bound:
///
///     vm vm2 (IOAS) · buf (memory) · dev nic (devices) · hw (page table) · q (fault queue) · mfd · io (IOMMU) · n (number)
///
/// `vm` has 64 KiB mapped at 0x1000000; `fill` is a procedure, `a` a thread, `start` a checkpoint.
func scene() -> Journal {
  let journal = Journal(rig: modelRig(), loader: MemoryLoader()) { modelRig() }
  journal.checkpoint("start")
  let reply = journal.run(
    """
    vm = ioas create
    vm2 = ioas create
    buf = mem alloc 64K
    dev = device add kind=mock
    attach $dev to=$vm
    hw = hwpt create dev=$dev parent=$vm
    q = faultq create
    mfd = mem memfd 2M
    n = 5
    iommu io kind=vtd
    device add nic behind $io
    map $vm $buf iova=0x1000000
    def fill(space, size=4K) { map $space $space }
    thread a { unmap id:1 all }
    """)
  precondition(reply.isGood, DiagnosticRenderer().render(reply.diagnostics))
  return journal
}

/// Some files to offer.
func files(_ path: String) -> [String] {
  ["scripts/", "session.iofd", "second.iofd"].filter { $0.hasPrefix(path) }
}

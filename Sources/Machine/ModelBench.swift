// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import Synchronization
public import UAPI

/// The bench of the model: everything about a machine that no system call tells.
public final class ModelBench: Bench {
  let target: ModelTarget
  var machine: Machine { target.machine }

  public init(_ target: ModelTarget) { self.target = target }

  // MARK: Looking

  public func state(of fd: Int32) -> Fact? { context(fd)?.facts }

  public func state(of fd: Int32, object id: UInt32) -> Fact? {
    context(fd)?.objects.all.first { $0.id == id }?.facts
  }

  func context(_ fd: Int32) -> Context? {
    do throws(Errno) {
      return try target.process.table.with(fd) { ($0 as? ContextFile)?.context }
    } catch { return nil }
  }

  public func machineState() -> Fact {
    let pins = machine.memory.pinTotals
    return .record([
      ("frames", .number(UInt64(machine.memory.allocatedFrames))),
      ("pinned_frames", .number(UInt64(pins.frames))),
      ("pins", .number(UInt64(pins.pins))),
      ("rings", .number(UInt64(machine.kernel.openContexts.count { $0.keepsItselfOpen }))),
      ("processes", .list(machine.allProcesses.map(facts))),
      (
        "iommus",
        .list(
          machine.allIOMMUs.map { unit in
            .record([
              ("name", .text(unit.name)), ("kind", .text(unit.kind.name)),
              ("devices", .list(unit.allEndpoints.map { .text($0.function.address) })),
            ])
          })
      ),
    ])
  }

  func facts(_ process: Process) -> Fact {
    .record([
      ("pid", .number(UInt64(process.pid))),
      ("uid", .number(UInt64(process.user.uid))),
      // Below 0 it reads as the huge number that Linux shows, see `MemoryCounters.misplaced`.
      ("vmpin", .number(UInt64(bitPattern: Int64(process.space.counters.pinned.load(ordering: .relaxed))))),
      ("vmlck", .number(UInt64(process.space.counters.locked.load(ordering: .relaxed)))),
      ("charged", .number(UInt64(process.user.lockedPages.load(ordering: .relaxed)))),
      ("memlock", .number(process.memlockLimit)),
    ])
  }

  public func violations() -> [Violation] { machine.violations() }

  public func physicalAddress(at address: UInt64) -> UInt64? {
    target.process.space.frame(at: address & ~Page.mask, writing: false).map {
      $0.address.raw + (address & Page.mask)
    }
  }

  public func pinCount(at address: UInt64) -> UInt64? {
    target.process.space.frame(at: address & ~Page.mask, writing: false).map {
      UInt64(machine.memory.pinCount(of: $0))
    }
  }

  public func translate(_ fd: Int32, hwpt: UInt32, iova: UInt64) -> UInt64? {
    pagingDomain(fd, hwpt)?.translate(IOVA(iova))?.raw
  }

  /// Not by a lookup, which would be a failure point.
  func pagingDomain(_ fd: Int32, _ hwpt: UInt32) -> (any PagingDomain)? {
    pagingHWPT(fd, hwpt)?.pagingDomain
  }

  func pagingHWPT(_ fd: Int32, _ id: UInt32) -> PagingHWPT? {
    context(fd)?.objects.all.first { $0.id == id } as? PagingHWPT
  }

  // MARK: Processes

  public func fork() throws(Errno) -> Int32 { try machine.fork(target.process).pid }

  public func switchProcess(_ pid: Int32) throws(Errno) { target.process = try machine.process(pid) }

  public func exit(_ pid: Int32) throws(Errno) {
    guard pid != target.process.pid else { throw .EBUSY("the current process cannot end itself") }
    try machine.tracer.around { () throws(Errno) in try machine.exit(pid) }
  }

  public var currentProcess: Int32 { target.process.pid }

  public func setCapability(_ name: String, _ held: Bool) throws(Errno) {
    let capability: Capabilities
    switch name {
    case "ipc-lock": capability = .ipcLock
    case "sys-resource": capability = .sysResource
    case "sys-rawio": capability = .sysRawIO
    default: throw .EINVAL("no such capability")
    }
    if held {
      target.process.capabilities.insert(capability)
    } else {
      target.process.capabilities.remove(capability)
    }
  }

  public func setMemlockLimit(_ bytes: UInt64) { target.process.memlockLimit = bytes }
}

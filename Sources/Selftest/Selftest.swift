// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
public import IOMMU
public import IOMMUFD
public import Memory
public import Seams
public import UAPI

/// `IOMMU_TEST_CMD`: what a kernel built with CONFIG_IOMMUFD_TEST lets user space do to iommufd from the
/// inside: plug mock devices in, act as an in-kernel user of an IOAS, look at page tables and pins.
///
/// Source: `drivers/iommu/iommufd/selftest.c`; reference devices-hwpt-viommu.md section 7.7, uapi.md
/// section 7.
public final class Selftest: SelftestCommand {
  let mock: MockDriver
  let iommu: IOMMUInstance
  private let version: KernelVersion

  /// One for each machine: mock devices are numbered across all open files.
  public init(
    _ personality: Personality, memory: PhysicalMemory, failures: FailurePoints,
    groups: GroupNumbers = GroupNumbers()
  ) {
    mock = MockDriver(personality, memory: memory, failures: failures, groups: groups)
    iommu = IOMMUInstance(name: "iommufd_selftest_iommu", driver: mock)
    version = personality.version
  }

  /// A struct, since a closure that is an element of an array itself is wrapped in thunks, which every call would pass.
  private struct Op: Sendable {
    let run: @Sendable (Selftest, borrowing Command) throws(Errno) -> Int32
  }

  /// By number, from 1.
  private static let ops: [Op] = [
    Op { s, c throws(Errno) in try s.addReserved(c) },
    Op { s, c throws(Errno) in try s.mockDomain(c) },
    Op { s, c throws(Errno) in try s.checkMap(c) },
    Op { s, c throws(Errno) in try s.checkRefs(c) },
    Op { s, c throws(Errno) in try s.createAccess(c) },
    Op { s, c throws(Errno) in try s.destroyAccessPages(c) },
    Op { s, c throws(Errno) in try s.accessPages(c) },
    Op { s, c throws(Errno) in try s.accessRW(c) },
    Op { s, c throws(Errno) in try s.setMemoryLimit(c) },
    Op { s, c throws(Errno) in try s.mockDomainReplace(c) },
    Op { s, c throws(Errno) in try s.accessReplaceIOAS(c) },
    Op { s, c throws(Errno) in try s.mockDomainFlags(c) },
    Op { s, c throws(Errno) in try s.dirty(c) },
    Op { s, c throws(Errno) in try s.checkIOTLB(c) },
    Op { s, c throws(Errno) in try s.triggerIOPF(c) },
    Op { s, c throws(Errno) in try s.checkCache(c) },
    Op { s, c throws(Errno) in try s.triggerVEvent(c) },
    Op { s, c throws(Errno) in try s.pasidAttach(c) },
    Op { s, c throws(Errno) in try s.pasidReplace(c) },
    Op { s, c throws(Errno) in try s.pasidDetach(c) },
    Op { s, c throws(Errno) in try s.pasidCheckHWPT(c) },
    Op { s, c throws(Errno) in try s.dmabufGet(c) },
    Op { s, c throws(Errno) in try s.dmabufRevoke(c) },
  ]

  /// The first release with each op; the table is in the order of their numbers.
  private static let since: [KernelVersion] = CommandTable.selftestOps.map { $0.since }

  /// - Throws: EOPNOTSUPP for an op that this kernel does not have, and what the op throws.
  public func run(_ command: borrowing Command) throws(Errno) -> Int32 {
    let number = command[Layout.Selftest.op]
    guard number >= 1, number <= Self.ops.count, Self.since[Int(number) - 1] <= version else {
      throw .EOPNOTSUPP("this kernel has no such test op", UInt64(number))
    }
    return try Self.ops[Int(number) - 1].run(self, command)
  }
}

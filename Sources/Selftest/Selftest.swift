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

  private typealias Op = @Sendable (Selftest) -> (borrowing Command) throws(Errno) -> Int32

  /// By number, from 1.
  private static let ops: [Op] = [
    Selftest.addReserved,
    Selftest.mockDomain,
    Selftest.checkMap,
    Selftest.checkRefs,
    Selftest.createAccess,
    Selftest.destroyAccessPages,
    Selftest.accessPages,
    Selftest.accessRW,
    Selftest.setMemoryLimit,
    Selftest.mockDomainReplace,
    Selftest.accessReplaceIOAS,
    Selftest.mockDomainFlags,
    Selftest.dirty,
    Selftest.checkIOTLB,
    Selftest.triggerIOPF,
    Selftest.checkCache,
    Selftest.triggerVEvent,
    Selftest.pasidAttach,
    Selftest.pasidReplace,
    Selftest.pasidDetach,
    Selftest.pasidCheckHWPT,
    Selftest.dmabufGet,
    Selftest.dmabufRevoke,
  ]

  /// The first release with each op; the table is in the order of their numbers.
  private static let since: [KernelVersion] = CommandTable.selftestOps.map { $0.since }

  /// - Throws: EOPNOTSUPP for an op that this kernel does not have, and what the op throws.
  public func run(_ command: borrowing Command) throws(Errno) -> Int32 {
    let number = command[Layout.Selftest.op]
    guard number >= 1, number <= Self.ops.count, Self.since[Int(number) - 1] <= version else {
      throw .EOPNOTSUPP("this kernel has no such test op", UInt64(number))
    }
    return try Self.ops[Int(number) - 1](self)(command)
  }
}

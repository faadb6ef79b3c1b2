// SPDX-License-Identifier: GPL-3.0-or-later
internal import Corpora

// Programs in text, before they run.

extension BenchRow {
  static let syzkallerRows = [
    BenchRow(name: "syzkaller program of 12 calls: read", unit: .nanoseconds, budget: nil) { effort in
      Outcome(
        value: effort.nanoseconds(rounds: 20_000) { rounds in
          for _ in 0..<rounds { _ = try? SyzParser.parse(program) }
        })
    },
    BenchRow(
      name: "syzkaller program of 12 calls: read, made ready", unit: .nanoseconds, budget: .atMost(20_000)
    ) {
      effort in
      Outcome(
        value: effort.nanoseconds(rounds: 20_000) { rounds in
          for _ in 0..<rounds { _ = try? SyzImage(SyzParser.parse(program)) }
        })
    },
  ]

  /// A device, a page table for a guest on it and an invalidation: the calls of syzkaller's own test of nesting.
  private static let program = Array(
    """
    r0 = openat$iommufd(0xffffffffffffff9c, &(0x7f0000000000), 0x0, 0x0)
    ioctl$IOMMU_IOAS_ALLOC(r0, 0x3b81, &(0x7f0000000040)={0xc, 0x0, <r1=>0x0})
    ioctl$IOMMU_TEST_OP_MOCK_DOMAIN(r0, 0x3ba0, &(0x7f0000000080)={0x48, 0x2, r1, 0x0, <r2=>0x0, <r3=>0x0, <r4=>0x0})
    ioctl$IOMMU_HWPT_ALLOC$NONE(r0, 0x3b89, &(0x7f0000000100)={0x28, 0x1, r4, r1, <r5=>0x0, 0x0, 0x0, 0x0, &(0x7f0000000140)})
    ioctl$IOMMU_HWPT_ALLOC$TEST(r0, 0x3b89, &(0x7f0000000180)={0x28, 0x0, r4, r5, <r6=>0x0, 0x0, 0xdead, 0x4, &(0x7f00000001c0)={0xbadbeef}})
    ioctl$IOMMU_HWPT_INVALIDATE$TEST(r0, 0x3b8d, &(0x7f0000000200)={0x20, r6, &(0x7f0000000240)=[{0x0, 0x0}], 0xdeadbeef, 0x8, 0x1})
    ioctl$IOMMU_DESTROY$hwpt(r0, 0x3b80, &(0x7f0000000280)={0x8, r6})
    ioctl$IOMMU_DESTROY$hwpt(r0, 0x3b80, &(0x7f00000002c0)={0x8, r5})
    ioctl$IOMMU_GET_HW_INFO(r0, 0x3b8a, &(0x7f0000000300)={0x28, 0x0, r4, 0x1c, &(0x7f0000000340)=""/28})
    ioctl$IOMMU_DESTROY$stdev(r0, 0x3b80, &(0x7f0000000380)={0x8, r2})
    ioctl$IOMMU_DESTROY$ioas(r0, 0x3b80, &(0x7f00000003c0)={0x8, r1})
    close(r0)

    """.utf8)
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Machine
import Testing
import UAPI

/// The extensible-struct rule for every command, from the table: short, long, and dirty tails.
@Suite("Struct sizes")
struct SizeTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let row: String
    let kernel: Personality
    var testDescription: String { "\(row) on \(kernel.rawValue)" }
  }

  static let cases: [Case] = Personality.allCases.flatMap { kernel in
    (CommandTable.iommufd + [CommandTable.selftest]).map { Case(row: $0.name, kernel: kernel) }
  }

  @Test(arguments: cases)
  func sizesDecideBeforeTheCommandDoes(_ item: Case) throws {
    let row = try #require(CommandTable.row(named: item.row))
    let caller = try Caller(item.kernel)
    guard row.exists(in: item.kernel.version) else {
      #expect(caller.request(row.name).name == "ENOTTY")
      #expect(caller.request(row.name, announced: 0).name == "ENOTTY")
      return
    }
    let full = row.fullSize(item.kernel.version)
    #expect(caller.request(row.name, announced: row.minimumSize - 1).name == "EINVAL")
    #expect(caller.request(row.name, announced: 0).name == "EINVAL")
    #expect(caller.request(row.name, size: full + 1, tail: 1).name == "E2BIG")
    #expect(caller.request(row.name, size: full + 40, tail: 0xFF).name == "E2BIG")
    // A tail of zeroes changes nothing, nor does a head without the newer fields when those are zero.
    let plain = caller.request(row.name)
    let long = caller.request(row.name, size: full + 40)
    #expect(long.name == plain.name)
    #expect(caller.request(row.name, announced: row.minimumSize).name == plain.name)
    #expect(caller.target.machine.violations().isEmpty)
  }

  @Test(arguments: cases)
  func theArgumentMustBeReadable(_ item: Case) throws {
    let row = try #require(CommandTable.row(named: item.row))
    let caller = try Caller(item.kernel)
    #expect(throws: Errno.EFAULT) { try caller.target.ioctl(caller.fd, row.request, 0) }
    // A struct that runs off the end of memory: the size can be read and the rest cannot.
    guard row.exists(in: item.kernel.version) else { return }
    let end = caller.arena + Caller.arenaLength
    try caller.target.memory.store(UInt32(row.fullSize(item.kernel.version)), at: end - 4)
    #expect(throws: Errno.EFAULT) { try caller.target.ioctl(caller.fd, row.request, end - 4) }
  }

  @Test func everySelftestOpIsKnownWhereItExistsOnly() throws {
    for kernel in Personality.allCases {
      let caller = try Caller(kernel)
      for op in CommandTable.selftestOps {
        let answer = caller.selftest(op.name)
        if op.exists(in: kernel.version) {
          #expect(answer.errno?.reason?.contains("unknown op") != true, "\(op.name) on \(kernel.rawValue)")
        } else {
          #expect(answer.name == "EOPNOTSUPP", "\(op.name) on \(kernel.rawValue)")
        }
      }
      #expect(caller.selftest("ADD_RESERVED", size: 67).name == "EINVAL")
    }
  }

  /// The numbers and sizes are the ABI: pinned here, outside the table.
  @Test func theTableHasTheABIsNumbers() {
    let expected: [(String, UInt32, Int, Int)] = [
      ("DESTROY", 0x3B80, 8, 8), ("IOAS_ALLOC", 0x3B81, 12, 12), ("IOAS_ALLOW_IOVAS", 0x3B82, 24, 24),
      ("IOAS_COPY", 0x3B83, 40, 40), ("IOAS_IOVA_RANGES", 0x3B84, 32, 32), ("IOAS_MAP", 0x3B85, 40, 40),
      ("IOAS_UNMAP", 0x3B86, 24, 24), ("OPTION", 0x3B87, 24, 24), ("VFIO_IOAS", 0x3B88, 12, 12),
      ("HWPT_ALLOC", 0x3B89, 24, 48), ("GET_HW_INFO", 0x3B8A, 32, 40),
      ("HWPT_SET_DIRTY_TRACKING", 0x3B8B, 16, 16), ("HWPT_GET_DIRTY_BITMAP", 0x3B8C, 48, 48),
      ("HWPT_INVALIDATE", 0x3B8D, 32, 32), ("FAULT_QUEUE_ALLOC", 0x3B8E, 16, 16),
      ("IOAS_MAP_FILE", 0x3B8F, 40, 40), ("VIOMMU_ALLOC", 0x3B90, 24, 40), ("VDEVICE_ALLOC", 0x3B91, 24, 24),
      ("IOAS_CHANGE_PROCESS", 0x3B92, 8, 8), ("VEVENTQ_ALLOC", 0x3B93, 28, 32),
      ("HW_QUEUE_ALLOC", 0x3B94, 40, 40), ("IOAS_NOIOMMU_GET_PA", 0x3B95, 40, 40),
    ]
    #expect(CommandTable.iommufd.count == 22)
    for (row, want) in zip(CommandTable.iommufd, expected) {
      #expect(row.name == want.0)
      #expect(row.request == want.1)
      #expect(row.minimumSize == want.2)
      #expect(row.fullSize(KernelVersion(9, 0)) == want.3)
      for field in row.fields {
        #expect(field.offset + field.size <= want.3)
        #expect(field.offset % field.size == 0)
      }
    }
    #expect(CommandTable.selftest.request == 0x3BA0)
    #expect(CommandTable.selftestOps.map(\.number) == Array(1...23))
    #expect(CommandTable.vfio.map(\.request) == [0x3B64, 0x3B65, 0x3B66, 0x3B70, 0x3B71, 0x3B72])
    #expect(CommandTable.vfioDevice.map(\.request) == [0x3B6B, 0x3B6F, 0x3B76, 0x3B77, 0x3B78])
    for (kernel, sizes) in [(Personality.v6_12, [24, 0, 16, 12, 8]), (.v7_2, [24, 0, 24, 16, 12])] {
      #expect(CommandTable.vfioDevice.map { $0.fullSize(kernel.version) } == sizes)
    }
    #expect(CommandTable.vfioDevice.map(\.minimumSize) == [16, 0, 16, 12, 8])
  }
}

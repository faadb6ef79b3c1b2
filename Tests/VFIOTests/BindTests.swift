// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import IOMMU
import IOMMUFD
import Memory
import Seams
import Testing
import UAPI
import VFIO

@testable import Machine

@Suite("VFIO_DEVICE_BIND_IOMMUFD")
struct BindTests {
  private func bind(
    _ program: Program, _ fd: Int32, _ fields: KeyValuePairs<String, UInt64>, size: Int? = nil
  )
    throws -> Program.Answer
  {
    try program.request(fd, "VFIO_DEVICE_BIND_IOMMUFD", fields, size: size)
  }

  /// A request in which everything is wrong, mended check by check: each error hides all that come later.
  @Test func checksInOrder() throws {
    let program = try Program(functions: 2, sharingGroup: true)
    let vfio = try program.open("/dev/vfio/devices/vfio0")
    let other = try program.open("/dev/vfio/devices/vfio0")
    let iommufd = try program.open("/dev/iommu")
    let row = try #require(CommandTable.row(named: "VFIO_DEVICE_BIND_IOMMUFD"))
    let unreadable = program.page + 4096 - 2
    #expect(throws: Errno.EFAULT) {
      try program.process.table.with(vfio) { file throws(Errno) in
        try file.ioctl(row.request, unreadable, by: program.process)
      }
    }
    let negative = UInt64(UInt32.max)
    func expect(
      _ errno: Errno, _ reason: String, _ answer: Program.Answer,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      #expect(answer.errno == errno, "\(answer)", sourceLocation: sourceLocation)
      #expect(answer.reason.contains(reason), sourceLocation: sourceLocation)
    }
    expect(
      .EINVAL, "argsz is below 16",
      try bind(program, vfio, ["argsz": 15, "iommufd": negative, "flags": 2], size: 24))
    expect(
      .EFAULT, "struct is not readable",
      try bind(program, vfio, ["argsz": 24, "iommufd": negative, "flags": 2], size: 16))
    expect(
      .E2BIG, "beyond the known struct",
      try program.request(
        vfio, "VFIO_DEVICE_BIND_IOMMUFD", ["iommufd": negative, "flags": 2], size: 25, extra: 1))
    expect(.EINVAL, "negative", try bind(program, vfio, ["iommufd": negative, "flags": 2], size: 25))
    expect(.EINVAL, "unknown flag", try bind(program, vfio, ["iommufd": 99, "flags": 3]))
    expect(.EFAULT, "", try bind(program, vfio, ["iommufd": 99, "flags": 1, "token_uuid_ptr": 0]))
    expect(
      .EINVAL, "token", try bind(program, vfio, ["iommufd": 99, "flags": 1, "token_uuid_ptr": program.page]))
    expect(.EBADF, "", try bind(program, vfio, ["iommufd": 99]))
    expect(.EBADFD, "", try bind(program, vfio, ["iommufd": UInt64(vfio)]))
    _ = try program.bind(other, to: iommufd)
    expect(.EINVAL, "another file", try bind(program, vfio, ["iommufd": UInt64(iommufd)]))
    try program.process.table.close(other)

    // A sibling belongs to another iommufd.
    let sibling = try program.open("/dev/vfio/devices/vfio1")
    _ = try program.bind(sibling, to: try program.open("/dev/iommu"))
    expect(.EPERM, "another owner", try bind(program, vfio, ["iommufd": UInt64(iommufd)]))
    try program.process.table.close(sibling)
    let unwritable = try program.request(
      vfio, "VFIO_DEVICE_BIND_IOMMUFD", ["iommufd": UInt64(iommufd)], isReadOnly: true)
    expect(.EFAULT, "not writable", unwritable)
    // The last failure left nothing behind, not even the ID.
    #expect(try program.bind(vfio, to: iommufd) == 1)
    expect(
      .EINVAL, "has bound its device already",
      try bind(program, vfio, ["iommufd": 99, "flags": 1, "token_uuid_ptr": 0]))
    program.expectWhole()
  }

  /// Until 6.17 the struct is 16 bytes and has no flags; what comes after it is not looked at.
  @Test func checksInOrderOnAnOlderKernel() throws {
    let program = try Program(.v6_12)
    let vfio = try program.open("/dev/vfio/devices/vfio0")
    let iommufd = try program.open("/dev/iommu")
    #expect(try bind(program, vfio, ["argsz": 16, "flags": 1], size: 12).errno == .EFAULT)
    #expect(try bind(program, vfio, ["argsz": 15, "flags": 1]).reason.contains("argsz"))
    #expect(try bind(program, vfio, ["flags": 1, "iommufd": 99]).reason.contains("unknown flag"))
    #expect(try bind(program, vfio, ["iommufd": UInt64(UInt32.max)]).reason.contains("negative"))
    #expect(try bind(program, vfio, ["iommufd": 99]).errno == .EBADF)
    let answer = try program.request(
      vfio, "VFIO_DEVICE_BIND_IOMMUFD", ["iommufd": UInt64(iommufd)], size: 40, extra: 1)
    #expect(answer.errno == nil)
    #expect(answer.word(12) == 1)
    #expect(program.driver.log() == ["1 -> blocked"])
  }

  /// What `Context.bind` refuses comes through, and nothing of it stays.
  @Test func theDeviceMustSuit() throws {
    let rows: [(DeviceCapabilities, Errno)] = [([.isolatedMSI], .EINVAL), ([.cacheCoherency], .EPERM)]
    for (capabilities, errno) in rows {
      let program = try Program(.standard, capabilities)
      let vfio = try program.open("/dev/vfio/devices/vfio0")
      let iommufd = try program.open("/dev/iommu")
      #expect(try bind(program, vfio, ["iommufd": UInt64(iommufd)]).errno == errno)
      #expect(program.driver.log() == [])
      #expect(try program.ioas(iommufd) == 1)
      #expect(try program.attach(vfio, 1).reason.contains("has not bound"))
    }
  }

  /// A bound device is reset, and so has its DMA blocked; `vfio-pci` resets it when it takes it.
  @Test func bindingBlocks() throws {
    let program = try Program()
    let function = program.endpoints[0].function
    function.configure { $0.ats = true }
    nonisolated(unsafe) var seen: [Bool] = []
    function.whenConfigured { seen.append($0.ats) }
    let vfio = try program.open("/dev/vfio/devices/vfio0")
    let device = try program.bind(vfio, to: try program.open("/dev/iommu"))
    #expect(device == 1)
    #expect(program.driver.log() == ["1 -> blocked"])
    #expect(seen == [false, true])
    #expect(program.endpoints[0].device.group?.isBlocked == true)
    #expect(try program.request(program.process.table.open.last?.fd ?? 0, "IOAS_ALLOC").errno == nil)
  }

  /// Every place where binding can fail, one after the other.
  @Test func runningOutOfMemoryLeavesNothing() throws {
    let program = try Program()
    let iommufd = try program.open("/dev/iommu")
    let failures = program.machine.kernel.failures
    failures.arm(nth: 1)
    #expect(throws: Errno.ENOMEM) { try program.open("/dev/vfio/devices/vfio0") }
    _ = failures.disarm()
    #expect(!program.endpoints[0].vfio.isOpen)
    let vfio = try program.open("/dev/vfio/devices/vfio0")
    var failed = 0
    for nth in 1...40 as ClosedRange<UInt64> {
      failures.arm(nth: nth)
      let answer = try bind(program, vfio, ["iommufd": UInt64(iommufd)])
      guard failures.disarm() else {
        #expect(answer.errno == nil)
        #expect(answer.word(12) == 1)
        break
      }
      failed += 1
      // The struct, and the answer, may be out of reach.
      #expect([.ENOMEM, .EFAULT].contains(answer.errno))
      #expect(program.endpoints[0].device.group?.isOnDefaultDomain == true)
      program.expectWhole()
    }
    #expect(failed >= 3)
  }
}

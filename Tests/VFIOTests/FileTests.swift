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

@Suite("Files of VFIO devices")
struct FileTests {
  @Test(arguments: [
    ("/dev/vfio/devices/vfio0", 0), ("/dev/vfio/devices/vfio17", 17),
    ("/dev/vfio/devices/vfio1048575", 1_048_575),
    ("/dev/vfio/devices/vfio", nil), ("/dev/vfio/devices/vfio01", nil), ("/dev/vfio/devices/vfio-1", nil),
    ("/dev/vfio/devices/vfio99999999999999999999", nil), ("/dev/vfio/devices/vfio0/", nil),
    ("/dev/vfio/vfio0", nil),
    ("/dev/vfio/devices/noiommu-vfio0", nil), ("", nil),
  ])
  func paths(path: String, index: Int?) { #expect(VFIODevice.index(of: path) == index) }

  /// Numbers in the order of plugging in, the lowest that is free; a function that is gone gives its number back.
  @Test func numbers() throws {
    let program = try Program(functions: 3)
    #expect(program.endpoints.map(\.vfio.index) == [0, 1, 2])
    #expect(program.endpoints[1].vfio.path == "/dev/vfio/devices/vfio1")
    #expect(program.endpoints[1].facts["vfio"].map { "\($0)" }?.contains("/dev/vfio/devices/vfio1") == true)
    try program.machine.removeFunction(program.endpoints[1])
    #expect(throws: Errno.ENOENT) { try program.open("/dev/vfio/devices/vfio1") }
    #expect(!program.machine.hasNode("/dev/vfio/devices/vfio1"))
    #expect(try program.plug(9).vfio.index == 1)
    #expect(try program.plug(10).vfio.index == 3)
    #expect(program.machine.hasNode("/dev/vfio/devices/vfio3"))
    #expect(throws: Errno.ENOENT) { try program.open("/dev/vfio/devices/vfio4") }
  }

  @Test func unplugging() throws {
    let program = try Program(functions: 2, sharingGroup: true)
    let (machine, first) = (program.machine, program.endpoints[0])
    let (vfio, _, _, ioas) = try program.bound()
    let second = try program.open("/dev/vfio/devices/vfio0")
    #expect(try program.attach(vfio, ioas).errno == nil)
    #expect(throws: Errno.EBUSY) { try machine.removeFunction(first) }
    try program.process.table.close(vfio)
    // An open file is enough, whether it has bound the device or not.
    #expect(throws: Errno.EBUSY) { try machine.removeFunction(first) }
    try program.process.table.close(second)
    _ = program.driver.log()
    let group = try #require(first.device.group)
    try machine.removeFunction(first)
    #expect(program.driver.log() == ["1 -> blocked", "release 1"])
    #expect(group.members.map(\.name) == [program.endpoints[1].device.name])
    #expect(machine.endpoint("dev1") == nil)
    #expect(program.unit.allEndpoints.map(\.name) == ["dev2"])
    #expect(throws: Errno.ENOENT) { try machine.removeFunction(first) }
    #expect(throws: Errno.ENODEV) { try first.vfio.open() }
    // The group's number is free when its last member is gone.
    let number = group.id
    try machine.removeFunction(program.endpoints[1])
    #expect(try program.plug(1).device.group?.id == number)
  }

  /// What was bound without a file keeps a function plugged in, too.
  @Test func unpluggingWhatAnIommufdHasBound() throws {
    let program = try Program()
    let fd = try program.open("/dev/iommu")
    let (_, file) = try #require(program.process.table.open.last)
    let context = try #require(file as? ContextFile).context
    let object = try context.bind(program.endpoints[0].device)
    #expect(throws: Errno.EBUSY) { try program.machine.removeFunction(program.endpoints[0]) }
    object.unbind()
    try program.machine.removeFunction(program.endpoints[0])
    try program.process.table.close(fd)
  }

  /// Before it is bound a file answers one error to everything, known or not.
  @Test func anUnboundFileKnowsOneRequest() throws {
    let program = try Program()
    let vfio = try program.open("/dev/vfio/devices/vfio0")
    for request in CommandTable.all.map(\.request) + [0x3B75, 0xFFFF_FFFF] where request != 0x3B76 {
      #expect(throws: Errno.EINVAL) {
        try program.process.table.with(vfio) { file throws(Errno) in
          try file.ioctl(request, 0, by: program.process)
        }
      }
    }
    #expect(throws: Errno.EINVAL) {
      try program.process.table.with(vfio) { file throws(Errno) in
        try file.read(program.page, 4, by: program.process)
      }
    }
    let (_, file) = try #require(program.process.table.open.last)
    #expect(file.name == "/dev/vfio/devices/vfio0")
    // And /dev/iommu knows none of them.
    let iommufd = try program.open("/dev/iommu")
    for row in CommandTable.vfioDevice {
      #expect(try program.request(iommufd, row.name).errno == .ENOTTY)
    }
  }

  @Test func unknownRequests() throws {
    let program = try Program()
    let (vfio, _, _, _) = try program.bound()
    for request: UInt32 in [0x3B6C, 0x3B75, 0x3B80, 0x3BA0, 0] {
      #expect(throws: Errno.ENOTTY) {
        try program.process.table.with(vfio) { file throws(Errno) in
          try file.ioctl(request, program.page, by: program.process)
        }
      }
    }
  }

  /// One file binds; the others stay shut, and what they ask for is refused, not shared.
  @Test func twoFiles() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    let other = try program.open("/dev/vfio/devices/vfio0")
    #expect(try program.attach(other, ioas).reason.contains("has not bound"))
    #expect(
      try program.request(other, "VFIO_DEVICE_BIND_IOMMUFD", ["iommufd": UInt64(iommufd)]).errno == .EINVAL)
    #expect(try program.attach(vfio, ioas).errno == nil)
    // Its end does not touch the device.
    try program.process.table.close(other)
    #expect(program.driver.log() == ["1 -> paging1"])
    try program.process.table.close(vfio)
    let next = try program.open("/dev/vfio/devices/vfio0")
    #expect(try program.bind(next, to: iommufd) == device)
  }

  /// Reset, PASIDs in ascending order, the RID, and back to the kernel.
  @Test func closingTakesEverythingBack() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    let hwpt = try program.hwpt(iommufd, device, on: ioas, flags: 8)
    for pasid: UInt32 in [9, 3, 20] { #expect(try program.attach(vfio, hwpt, pasid: pasid).errno == nil) }
    #expect(try program.attach(vfio, hwpt).errno == nil)
    #expect(try program.request(iommufd, "DESTROY", ["id": UInt64(device)]).errno == .EBUSY)
    _ = program.driver.log()
    try program.process.table.close(vfio)
    #expect(
      program.driver.log() == [
        "1 -> blocked", "1 -> blocked@3", "1 -> blocked@9", "1 -> blocked@20",
        "1 -> paging1", "1 -> paging1@3", "1 -> paging1@9", "1 -> paging1@20",
        "1 -> blocked@3", "1 -> blocked@9", "1 -> blocked@20", "1 -> blocked", "1 -> default",
      ])
    #expect(try program.request(iommufd, "DESTROY", ["id": UInt64(device)]).errno == .ENOENT)
    #expect(try program.request(iommufd, "DESTROY", ["id": UInt64(hwpt)]).errno == nil)
    program.expectWhole()
  }

  /// Older kernels do not move a function that is being reset.
  @Test func closingOnAnOlderKernel() throws {
    let program = try Program(.v6_12)
    let (vfio, _, _, ioas) = try program.bound()
    #expect(try program.attach(vfio, ioas).errno == nil)
    _ = program.driver.log()
    try program.process.table.close(vfio)
    #expect(program.driver.log() == ["1 -> blocked", "1 -> default"])
  }

  /// The iommufd lives as long as the device is bound, and goes with it.
  @Test func theDeviceKeepsTheIommufd() throws {
    let program = try Program()
    let (vfio, iommufd, _, ioas) = try program.bound()
    try program.process.table.close(iommufd)
    #expect(program.machine.kernel.openContexts.count == 1)
    #expect(try program.attach(vfio, ioas).errno == nil)
    program.expectWhole()
    try program.process.table.close(vfio)
    #expect(program.machine.kernel.openContexts.isEmpty)
    #expect(program.endpoints[0].device.group?.isOnDefaultDomain == true)
  }

  /// A duplicate, and a child, have the same open file; it is closed with the last of them.
  @Test func duplicatesAndChildren() throws {
    let program = try Program()
    let (vfio, iommufd, _, ioas) = try program.bound()
    let parent = program.process
    let copy = try parent.table.dup(vfio)
    try parent.table.close(vfio)
    #expect(try program.attach(copy, ioas).errno == nil)
    let child = try program.machine.fork(parent)
    try program.machine.exit(parent.pid)
    program.process = child
    #expect(program.endpoints[0].device.group?.isBlocked == false)
    #expect(try program.detach(copy).errno == nil)
    #expect(try program.attach(copy, ioas).errno == nil)
    #expect(try program.ioas(iommufd) > 0)
    program.expectWhole()
    try program.machine.exit(child.pid)
    #expect(program.endpoints[0].device.group?.isOnDefaultDomain == true)
    #expect(program.machine.kernel.openContexts.isEmpty)
    #expect(!program.endpoints[0].vfio.isOpen)
  }

  /// A child binds its parent's file: descriptors are the caller's.
  @Test func aChildBinds() throws {
    let program = try Program()
    let vfio = try program.open("/dev/vfio/devices/vfio0")
    let parent = program.process
    program.process = try program.machine.fork(parent)
    let iommufd = try program.open("/dev/iommu")
    let device = try program.bind(vfio, to: iommufd)
    program.process = parent
    #expect(try program.detach(vfio).errno == nil)
    #expect(
      try program.request(vfio, "VFIO_DEVICE_BIND_IOMMUFD", ["iommufd": UInt64(iommufd)]).errno == .EINVAL)
    #expect(device == 1)
  }

  // MARK: What the device is

  @Test func information() throws {
    let program = try Program()
    let (vfio, iommufd, device, _) = try program.bound()
    func info(_ fields: KeyValuePairs<String, UInt64> = [:], size: Int) throws -> Program.Answer {
      try program.request(vfio, "VFIO_DEVICE_GET_INFO", fields, size: size)
    }
    let whole = try info(["flags": 99, "cap_offset": 99], size: 24)
    #expect((0..<6).map { whole.word($0 * 4) } == [24, 3, 9, 5, 0, 0])
    #expect(try info(["cap_offset": 99], size: 20).word(16) == 0)
    let short = try info(["argsz": 16, "cap_offset": 99], size: 24)
    #expect((0..<5).map { short.word($0 * 4) } == [16, 3, 9, 5, 99])
    #expect(try info(["argsz": 4096], size: 24).word(0) == 4096)
    #expect(try info(["argsz": 15], size: 16).errno == .EINVAL)
    #expect(try info(size: 12).errno == .EFAULT)
    #expect(
      try program.request(vfio, "VFIO_DEVICE_GET_INFO", isReadOnly: true).errno == .EFAULT)
    // The ID that BIND gave is a device's.
    let hardware = try program.request(iommufd, "GET_HW_INFO", ["dev_id": UInt64(device)])
    #expect(hardware.errno == nil, "\(hardware)")
  }

  /// A reset takes the function off its page tables for the time being, on a kernel that does, and forgets nothing
  /// that is attached.
  @Test(arguments: Personality.allCases)
  func reset(_ kernel: Personality) throws {
    let program = try Program(kernel)
    let (vfio, _, _, ioas) = try program.bound()
    #expect(try program.attach(vfio, ioas).errno == nil)
    _ = program.driver.log()
    #expect(try program.request(vfio, "VFIO_DEVICE_RESET", size: 0).errno == nil)
    #expect(program.driver.log() == (kernel == .v7_2 ? ["1 -> blocked", "1 -> paging1"] : []))
    #expect(program.endpoints[0].device.group?.isBlocked == false)
    program.expectWhole()
  }

  /// A reset that cannot move the function off its page table does not happen.
  @Test func aResetThatIsRefused() throws {
    let program = try Program()
    let (vfio, _, _, ioas) = try program.bound()
    #expect(try program.attach(vfio, ioas).errno == nil)
    program.driver.refusals["blocked"] = .EIO
    #expect(try program.request(vfio, "VFIO_DEVICE_RESET", size: 0).errno == .EIO)
    #expect(program.endpoints[0].device.group?.isBlocked == false)
    #expect(program.driver.log() == ["1 -> paging1"])
    #expect(try program.request(vfio, "VFIO_DEVICE_RESET", size: 0).errno == nil)
  }

  /// A function whose reset fails when it is bound is bound all the same, and never reset again.
  @Test func aFunctionThatCannotBeReset() throws {
    let program = try Program(functions: 2, sharingGroup: true)
    let (vfio, iommufd, _, ioas) = try program.bound()
    #expect(try program.attach(vfio, ioas).errno == nil)
    let sibling = try program.open("/dev/vfio/devices/vfio1")
    program.driver.refusals["blocked"] = .EIO
    _ = try program.bind(sibling, to: iommufd)
    #expect(program.driver.refusals.isEmpty)
    #expect(try program.request(sibling, "VFIO_DEVICE_GET_INFO").word(4) == 2)
    #expect(try program.request(sibling, "VFIO_DEVICE_RESET", size: 0).errno == .EINVAL)
    _ = program.driver.log()
    try program.process.table.close(sibling)
    #expect(program.driver.log() == [])
  }

  /// While one is reset nothing can be attached to its group.
  @Test func nothingIsAttachedDuringAReset() throws {
    let program = try Program()
    let (vfio, _, _, ioas) = try program.bound()
    let device = program.endpoints[0].device
    try device.group?.prepareReset(of: device)
    #expect(try program.attach(vfio, ioas).errno == .EBUSY)
    device.group?.finishReset(of: device)
    #expect(try program.attach(vfio, ioas).errno == nil)
  }
}

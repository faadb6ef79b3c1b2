// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import IOMMU
import IOMMUFD
import Memory
import Seams
import Testing
import UAPI

@testable import Machine

@Suite("VFIO_DEVICE_ATTACH_IOMMUFD_PT and DETACH")
struct AttachTests {
  @Test(arguments: Personality.allCases)
  func checksInOrder(_ kernel: Personality) throws {
    let program = try Program(kernel)
    let (vfio, _, _, ioas) = try program.bound()
    func attach(_ fields: KeyValuePairs<String, UInt64>, size: Int? = nil) throws -> Program.Answer {
      try program.request(vfio, "VFIO_DEVICE_ATTACH_IOMMUFD_PT", fields, size: size)
    }
    #expect(try attach(["argsz": 11, "flags": 2], size: 8).errno == .EFAULT)
    #expect(try attach(["argsz": 11, "flags": 2], size: 12).reason.contains("argsz is below 12"))
    #expect(try attach(["flags": 2], size: 12).reason.contains("unknown flag"))
    #expect(try attach(["flags": 3], size: 16).reason.contains("unknown flag"))
    #expect(try attach(["pt_id": 77], size: 12).errno == .ENOENT)
    // A device is no page table.
    #expect(try attach(["pt_id": 1], size: 12).errno == .EINVAL)
    let done = try attach(["argsz": 400, "pt_id": UInt64(ioas)], size: 12)
    #expect(done.errno == nil)
    #expect(done.word(8) == ioas + 1)
    #expect(program.driver.log() == ["1 -> paging1"])
    program.expectWhole()
  }

  @Test func checksOfAPASIDInOrder() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    func attach(_ fields: KeyValuePairs<String, UInt64>, size: Int) throws -> Program.Answer {
      try program.request(vfio, "VFIO_DEVICE_ATTACH_IOMMUFD_PT", fields, size: size)
    }
    #expect(try attach(["argsz": 15, "flags": 1], size: 12).reason.contains("argsz is below 16"))
    #expect(try attach(["argsz": 16, "flags": 1], size: 12).errno == .EFAULT)
    let hwpt = try program.hwpt(iommufd, device, on: ioas, flags: 8)
    #expect(try program.attach(vfio, hwpt, pasid: 1 << 31).errno == .ENOSPC)
    #expect(try program.attach(vfio, 77, pasid: .max).errno == .ENOSPC)
    // The one number that the set takes for one of its own is replaced, where nothing is.
    let odd = UInt32(bitPattern: -22)
    #expect(try program.attach(vfio, 77, pasid: odd).errno == .ENOENT)
    #expect(try program.attach(vfio, hwpt, pasid: odd).errno == .EINVAL)
    #expect(try program.detach(vfio, pasid: odd).errno == nil)
    #expect(try program.attach(vfio, 77, pasid: 3).errno == .ENOENT)
    #expect(try program.attach(vfio, hwpt, pasid: 64).errno == .EINVAL)
    #expect(try program.attach(vfio, ioas, pasid: 3).errno == .EINVAL)
    #expect(program.driver.log() == [])
    #expect(try program.attach(vfio, hwpt, pasid: 3).word(8) == hwpt)
    #expect(program.driver.log() == ["1 -> paging1@3"])
    program.expectWhole()
  }

  @Test func anOlderKernelKnowsNoPASIDs() throws {
    let program = try Program(.v6_12)
    let (vfio, _, _, ioas) = try program.bound()
    for name in ["VFIO_DEVICE_ATTACH_IOMMUFD_PT", "VFIO_DEVICE_DETACH_IOMMUFD_PT"] {
      let answer = try program.request(
        vfio, name, ["flags": 1, name.contains("ATTACH") ? "pt_id" : "pasid": UInt64(ioas)], size: 16)
      #expect(answer.errno == .EINVAL)
      #expect(answer.reason.contains("unknown flag"))
    }
  }

  /// Attaching again replaces, without a moment in between, and a replacement that fails changes nothing.
  @Test func theSecondAttachReplaces() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    let first = try program.hwpt(iommufd, device, on: ioas)
    let second = try program.hwpt(iommufd, device, on: try program.ioas(iommufd))
    #expect(try program.attach(vfio, first).word(8) == first)
    #expect(try program.attach(vfio, second).word(8) == second)
    #expect(try program.attach(vfio, second).word(8) == second)
    #expect(program.driver.log() == ["1 -> paging1", "1 -> paging2"])
    program.driver.refusals["paging1"] = .EINVAL
    #expect(try program.attach(vfio, first).errno == .EINVAL)
    #expect(program.driver.log() == [])
    // The first HWPT is free, the second in use.
    #expect(try program.request(iommufd, "DESTROY", ["id": UInt64(second)]).errno == .EBUSY)
    #expect(try program.request(iommufd, "DESTROY", ["id": UInt64(first)]).errno == nil)
    #expect(try program.detach(vfio).errno == nil)
    #expect(try program.detach(vfio).errno == nil)
    #expect(program.driver.log() == ["1 -> blocked"])
    #expect(try program.request(iommufd, "DESTROY", ["id": UInt64(second)]).errno == nil)
    program.expectWhole()
  }

  /// An attach that the driver refuses leaves the device unattached: the next one attaches, it does not replace.
  @Test func aRefusedAttachAttachesNothing() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    let hwpt = try program.hwpt(iommufd, device, on: ioas, flags: 8)
    program.driver.refusals["paging1"] = .ENOMEM
    #expect(try program.attach(vfio, hwpt).errno == .ENOMEM)
    program.driver.refusals["paging1"] = .ENOMEM
    #expect(try program.attach(vfio, hwpt, pasid: 2).errno == .ENOMEM)
    #expect(try program.attach(vfio, hwpt).errno == nil)
    #expect(try program.attach(vfio, hwpt, pasid: 2).errno == nil)
    #expect(program.driver.log() == ["1 -> paging1", "1 -> paging1@2"])
    program.expectWhole()
  }

  @Test func pasidsComeAndGo() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    let one = try program.hwpt(iommufd, device, on: ioas, flags: 8)
    let two = try program.hwpt(iommufd, device, on: ioas, flags: 8)
    #expect(try program.attach(vfio, one, pasid: 5).errno == nil)
    #expect(try program.attach(vfio, two, pasid: 5).word(8) == two)
    #expect(try program.attach(vfio, one, pasid: 6).errno == nil)
    #expect(try program.attach(vfio, one).errno == nil)
    #expect(program.driver.log() == ["1 -> paging1@5", "1 -> paging2@5", "1 -> paging1@6", "1 -> paging1"])
    #expect(try program.detach(vfio, pasid: 9).errno == nil)
    #expect(try program.detach(vfio, pasid: 5).errno == nil)
    #expect(try program.detach(vfio).errno == nil)
    #expect(program.driver.log() == ["1 -> blocked@5", "1 -> blocked"])
    #expect(program.endpoints[0].device.group?.attachedPASIDs == [6])
    program.expectWhole()
  }

  @Test func checksOfDetachInOrder() throws {
    let program = try Program()
    let (vfio, _, _, _) = try program.bound()
    func detach(_ fields: KeyValuePairs<String, UInt64>, size: Int) throws -> Program.Answer {
      try program.request(vfio, "VFIO_DEVICE_DETACH_IOMMUFD_PT", fields, size: size)
    }
    #expect(try detach(["argsz": 7, "flags": 2], size: 4).errno == .EFAULT)
    #expect(try detach(["argsz": 7, "flags": 2], size: 8).reason.contains("argsz is below 8"))
    #expect(try detach(["flags": 2], size: 8).reason.contains("unknown flag"))
    #expect(try detach(["argsz": 11, "flags": 1], size: 8).reason.contains("argsz is below 12"))
    #expect(try detach(["argsz": 12, "flags": 1], size: 8).errno == .EFAULT)
    #expect(try detach([:], size: 8).errno == nil)
    #expect(try detach(["flags": 1, "pasid": 4], size: 12).errno == nil)
  }

  // MARK: Quirks

  /// The answer cannot be written: what was attached is detached. Reference Q2: of a PASID, it is the RID that is.
  @Test func anUnwritableAnswerDetachesTheRID() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    let hwpt = try program.hwpt(iommufd, device, on: ioas, flags: 8)
    #expect(try program.attach(vfio, hwpt, isReadOnly: true).errno == .EFAULT)
    #expect(program.driver.log() == ["1 -> paging1", "1 -> blocked"])
    #expect(try program.attach(vfio, hwpt).errno == nil)
    #expect(try program.attach(vfio, hwpt, pasid: 4, isReadOnly: true).errno == .EFAULT)
    #expect(program.driver.log() == ["1 -> paging1", "1 -> paging1@4", "1 -> blocked"])
    #expect(program.endpoints[0].device.group?.attachedPASIDs == [4])
    // The PASID is remembered, and replaced by the next attach.
    let other = try program.hwpt(iommufd, device, on: ioas, flags: 8)
    #expect(try program.attach(vfio, other, pasid: 4).errno == nil)
    #expect(program.driver.log() == ["1 -> paging2@4"])
    program.expectWhole()
  }

  /// Reference Q3: PASID 0 is the RID, in the set of PASIDs.
  @Test func pasidZeroIsTheRID() throws {
    let program = try Program()
    let (vfio, iommufd, device, ioas) = try program.bound()
    let one = try program.hwpt(iommufd, device, on: ioas)
    let two = try program.hwpt(iommufd, device, on: ioas)
    #expect(try program.attach(vfio, one, pasid: 0).errno == nil)
    #expect(program.driver.log() == ["1 -> paging1"])
    // To a request without a PASID it is not attached: it can be neither replaced nor detached.
    #expect(try program.attach(vfio, two).errno == .EBUSY)
    #expect(try program.detach(vfio).errno == nil)
    #expect(program.driver.log() == [])
    #expect(try program.attach(vfio, two, pasid: 0).errno == nil)
    #expect(try program.detach(vfio, pasid: 0).errno == nil)
    #expect(program.driver.log() == ["1 -> paging2", "1 -> blocked"])
    // And the other way round.
    #expect(try program.attach(vfio, one).errno == nil)
    #expect(try program.attach(vfio, two, pasid: 0).errno == .EBUSY)
    #expect(try program.detach(vfio, pasid: 0).errno == nil)
    #expect(program.driver.log() == ["1 -> paging1"])
    program.expectWhole()
  }

  /// Both members of a group join one attachment.
  @Test func aGroupMovesTogether() throws {
    let program = try Program(functions: 2, sharingGroup: true)
    let (vfio, iommufd, _, ioas) = try program.bound()
    let sibling = try program.open("/dev/vfio/devices/vfio1")
    _ = try program.bind(sibling, to: iommufd)
    let hwpt = try program.attach(vfio, ioas).word(8)
    #expect(program.driver.log() == ["1 -> paging1", "2 -> paging1"])
    #expect(try program.attach(sibling, ioas).word(8) == hwpt)
    #expect(program.driver.log() == [])
    try program.process.table.close(vfio)
    #expect(program.endpoints[1].device.group?.isBlocked == false)
    try program.process.table.close(sibling)
    #expect(program.endpoints[1].device.group?.isOnDefaultDomain == true)
    program.expectWhole()
  }
}

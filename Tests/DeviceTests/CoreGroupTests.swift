// SPDX-License-Identifier: GPL-3.0-or-later
import Testing
import UAPI

@testable import IOMMU

/// Ownership, roll-back and reset of groups. The errnos are those of reference devices-hwpt-viommu.md
/// sections 1.2 and 2.8.
@Suite("IOMMU groups")
struct CoreGroupTests {
  final class Owner: Sendable {}

  private func paging(_ group: Group) throws -> any PagingDomain {
    try group.driver.allocatePaging(for: group.devices[0])
  }

  @Test func oneOwnerAtATime() throws {
    let group = try Group()
    let mine = Owner()
    #expect(group.core.isOnDefaultDomain)
    try group.core.claim(for: mine)
    #expect(group.core.isBlocked)
    #expect(group.driver.log == ["A -> blocked", "B -> blocked"])
    #expect(throws: Errno.EPERM) { try group.core.claim(for: Owner()) }
    #expect(throws: Errno.EBUSY) { try group.core.claimForKernel() }
    try group.core.claim(for: mine)
    #expect(group.core.ownerCount == 2)
    group.core.release()
    #expect(group.core.isBlocked)
    group.core.release()
    #expect(group.core.isOnDefaultDomain && group.core.owner == nil)
  }

  @Test func aKernelDriverKeepsUserSpaceOut() throws {
    let group = try Group()
    try group.core.claimForKernel()
    #expect(throws: Errno.EPERM) { try group.core.claim(for: Owner()) }
    group.core.releaseFromKernel()
    try group.core.claim(for: Owner())
  }

  @Test func withoutABlockedDomainAnEmptyOneBlocks() throws {
    let group = try Group(PlainDriver())
    try group.core.claim(for: Owner())
    #expect(group.driver.log == ["A -> paging1", "B -> paging1"])
    #expect(group.core.isBlocked)
  }

  @Test func aOneToOneMappingForbidsBlocking() throws {
    let group = try Group(regions: [ReservedRegion(0x1000, 0x1FFF, .direct)])
    #expect(throws: Errno.EINVAL) { try group.core.claim(for: Owner()) }
    #expect(group.core.isOnDefaultDomain && group.core.ownerCount == 0)
  }

  @Test func aRefusalTakesEarlierMembersBack() throws {
    let group = try Group(members: 3)
    try group.core.claim(for: Owner())
    group.driver.log = []
    group.driver.refuses["C"] = ("paging1", .EIO)
    let domain = try paging(group)
    #expect(throws: Errno.EIO) { try group.core.attach(domain, handle: AttachHandle()) }
    #expect(group.driver.log == ["A -> paging1", "B -> paging1", "A -> blocked", "B -> blocked"])
    #expect(group.core.isBlocked && group.core.handle(at: 0) == nil)
  }

  @Test func attachReplaceDetach() throws {
    let group = try Group()
    try group.core.claim(for: Owner())
    let first = try paging(group)
    let second = try paging(group)
    let handle = AttachHandle()
    try group.core.attach(first, handle: handle)
    #expect(group.core.handle(at: 0) === handle && handle.domain === first)
    #expect(throws: Errno.EBUSY) { try group.core.attach(second, handle: AttachHandle()) }
    try group.core.replace(with: second, handle: AttachHandle())
    #expect(group.core.domain === second)
    group.core.detach()
    #expect(group.core.isBlocked && group.core.attachedPASIDs.isEmpty)
  }

  @Test func aDomainOfAnotherDriverIsRefused() throws {
    let group = try Group()
    let other = try Group()
    try group.core.claim(for: Owner())
    #expect(throws: Errno.EINVAL) { try group.core.attach(try paging(other), handle: AttachHandle()) }
  }

  @Test func pasids() throws {
    let group = try Group()
    try group.core.claim(for: Owner())
    group.driver.log = []
    let first = try paging(group)
    let second = try paging(group)
    let device = group.devices[0]
    func attach(_ pasid: UInt32) throws {
      try group.core.attach(first, pasid: pasid, of: device, handle: AttachHandle())
    }
    #expect(throws: Errno.EINVAL) { try attach(0) }
    #expect(throws: Errno.EINVAL) { try attach(64) }
    try attach(5)
    #expect(throws: Errno.EBUSY) { try attach(5) }
    #expect(throws: Errno.EINVAL) {
      try group.core.replace(with: second, pasid: 6, of: device, handle: AttachHandle())
    }
    group.driver.refuses["B"] = ("paging2@5", .ENOMEM)
    #expect(throws: Errno.ENOMEM) {
      try group.core.replace(with: second, pasid: 5, of: device, handle: AttachHandle())
    }
    #expect(
      group.driver.log == ["A -> paging1@5", "B -> paging1@5", "A -> paging2@5", "A -> paging1@5"])
    #expect(group.core.handle(at: 5)?.domain === first)
    group.driver.log = []
    group.core.detach(pasid: 5)
    #expect(group.driver.log == ["A -> blocked@5", "B -> blocked@5"])
    let plain = try Group(PlainDriver())
    #expect(throws: Errno.EOPNOTSUPP) {
      try plain.core.attach(try paging(plain), pasid: 1, of: plain.devices[0], handle: AttachHandle())
    }
  }

  @Test func aResetKeepsTheGroupAsItIs() throws {
    let group = try Group()
    try group.core.claim(for: Owner())
    let first = try paging(group)
    let second = try paging(group)
    try group.core.attach(first, handle: AttachHandle())
    try group.core.attach(first, pasid: 3, of: group.devices[0], handle: AttachHandle())
    group.driver.log = []
    try group.core.prepareReset(of: group.devices[1])
    try group.core.prepareReset(of: group.devices[1])
    #expect(group.driver.log == ["B -> blocked", "B -> blocked@3"])
    #expect(throws: Errno.EBUSY) { try group.core.replace(with: second, handle: AttachHandle()) }
    #expect(throws: Errno.EBUSY) {
      try group.core.attach(second, pasid: 4, of: group.devices[0], handle: AttachHandle())
    }
    try group.core.replace(with: first, handle: AttachHandle())
    group.driver.log = []
    group.core.finishReset(of: group.devices[1])
    #expect(group.driver.log.isEmpty)
    group.core.finishReset(of: group.devices[1])
    #expect(group.driver.log == ["B -> paging1", "B -> paging1@3"])
    try group.core.replace(with: second, handle: AttachHandle())
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// Nested translation: a guest's first stage, which the test writes itself, on a second stage of the driver's.

/// A guest with four levels of tables for one page.
struct Guest {
  let rig: Rig
  let parent: VTdSecondStageDomain
  let memory: UInt64
  static let root: UInt64 = 0x10_0000
  static let page: UInt64 = 0x1234_5000

  /// 2 MiB of guest memory at guest-physical 1 MiB; the guest's tables are in its first pages.
  init(_ rig: Rig, _ device: Endpoint) throws {
    self.rig = rig
    parent = try #require(
      try rig.domain(for: device, flags: HWPTFlag.nestParent) as? VTdSecondStageDomain)
    memory = try rig.memory.allocateHugePage().address.raw
    try parent.map(
      IOVA(Self.root), to: PhysAddr(memory), length: 2 << 20, protection: [.read, .write])
    for level in 0..<3 as Range<UInt64> {
      let index = Self.page >> (39 - 9 * level) & 511
      rig[memory + level << 12 + index * 8] = Self.root + (level + 1) << 12 | 7
    }
  }

  /// Leads the page to a page of guest memory.
  func point(to number: UInt64) {
    let index = Self.page >> 12 & 511
    rig[memory + 3 << 12 + index * 8] = Self.root + number << 12 | 7
  }

  func mark(_ number: UInt64, _ value: UInt64) { rig[memory + number << 12] = value }
}

@Suite("VT-d driver: nested translation")
struct NestedTests {
  @Test(arguments: [false, true]) func staleUntilInvalidated(_ hasATS: Bool) throws {
    let rig = try Rig()
    let device = try rig.function(hasATS ? Rig.everything : .init())
    let guest = try Guest(rig, device)
    let nested = try rig.nested(device, on: guest.parent, root: Guest.root)
    try device.attach(nested)
    guest.mark(8, 0x11)
    guest.mark(9, 0x22)
    guest.point(to: 8)
    #expect(device.read(Guest.page).value == 0x11)
    guest.point(to: 9)
    #expect(device.read(Guest.page).value == 0x11)
    #expect(try invalidate(nested, Guest.page, 1) == 1)
    #expect(device.read(Guest.page).value == 0x22)
    // All pages, as the largest range that there is.
    guest.point(to: 8)
    let commands = try rig.commands { _ = try invalidate(nested, 0, .max) }
    #expect(commands.first?[0] == 0x36 | UInt64(try #require(nested.links.id(on: rig.software))) << 16)
    #expect(commands.first?[1] == 52)
    #expect(device.read(Guest.page).value == 0x11)
    #expect(rig.software.complaints.isEmpty)
  }

  @Test(arguments: [false, true]) func theParentsChangesReachNestedTranslations(_ hasATS: Bool) throws {
    let rig = try Rig()
    let device = try rig.function(hasATS ? Rig.everything : .init())
    let guest = try Guest(rig, device)
    let nested = try rig.nested(device, on: guest.parent, root: Guest.root)
    try device.attach(nested)
    let extra = try rig.frame()
    let guestPage: UInt64 = 0x4000_0000
    try guest.parent.map(IOVA(guestPage), to: PhysAddr(extra), length: 4096, protection: [.read, .write])
    rig[extra] = 9
    rig[guest.memory + 3 << 12 + (Guest.page >> 12 & 511) * 8] = guestPage | 7
    #expect(device.read(Guest.page).value == 9)
    guest.parent.unmap(IOVA(guestPage), length: 4096)
    #expect(device.read(Guest.page).value == nil)
  }

  @Test func pasidsHaveGuestsOfTheirOwn() throws {
    let rig = try Rig()
    let device = try rig.function(Rig.everything)
    let guest = try Guest(rig, device)
    let nested = try rig.nested(device, on: guest.parent, root: Guest.root)
    guest.mark(8, 0x33)
    guest.point(to: 8)
    try device.attach(nested, pasid: 5)
    #expect(device.read(Guest.page, pasid: 5).value == 0x33)
    guest.mark(9, 0x44)
    guest.point(to: 9)
    #expect(device.read(Guest.page, pasid: 5).value == 0x33)
    #expect(try invalidate(nested, Guest.page, 1) == 1)
    #expect(device.read(Guest.page, pasid: 5).value == 0x44)
    device.group.detach(pasid: 5)
    #expect(device.read(Guest.page, pasid: 5).value == nil)
    #expect(guest.parent.links.tags.isEmpty)
  }

  @Test func refusals() throws {
    let rig = try Rig()
    let device = try rig.function()
    let guest = try Guest(rig, device)
    let plain = try rig.domain(for: device)
    #expect(throws: Errno.EINVAL) { try rig.nested(device, on: plain, root: 0) }
    #expect(throws: Errno.EINVAL) {
      try device.attach(try rig.nested(device, on: guest.parent, root: 0, width: 39))
    }
    let flat = try Rig(["nesting": 0])
    let other = try flat.function()
    #expect(throws: Errno.EOPNOTSUPP) { try flat.domain(for: other, flags: HWPTFlag.nestParent) }
    // Read-only mappings are not for parents: erratum 772415.
    #expect(throws: Errno.EINVAL) {
      try guest.parent.map(IOVA(0x8000_0000), to: PhysAddr(guest.memory), length: 4096, protection: .read)
    }
    let nested = try rig.nested(device, on: guest.parent, root: Guest.root)
    #expect(throws: Errno.EINVAL) { try invalidate(nested, 0x1001, 1) }
    #expect(throws: Errno.EINVAL) { try invalidate(nested, 0x1000, .max) }
    #expect(throws: Errno.EOPNOTSUPP) { try invalidate(nested, 0x1000, 1, flags: 2) }
    #expect(throws: Errno.EINVAL) { try invalidate(nested, 0x1000, 1, type: 7) }
  }

  private func invalidate(
    _ nested: VTdNestedDomain, _ address: UInt64, _ pages: UInt64, flags: UInt64 = 0, type: UInt32 = 0
  ) throws -> UInt32 {
    var data = Words(memory: ScratchMemory())
    for word in [address, pages, flags] { data.add(word) }
    var done: UInt32 = 0
    try nested.invalidate(
      UserArray(type: type, entryLength: 24, count: 1, address: 0, memory: data.memory), done: &done)
    return done
  }
}

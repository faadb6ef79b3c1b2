// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

/// Each mistake that the driver can be told to make, seen by a device.
@Suite("SMMUv3 driver: bugs on purpose")
struct BugTests {
  /// A device on an IOAS with two pages at 0x10000, both in the translation cache.
  private final class Scene {
    let rig: Rig
    let device: DeviceObject
    let ioas: UInt32
    private(set) var page: UInt32 = 0

    init(_ bug: DriverBug?, ats: Bool = false) throws {
      rig = try Rig(function: .init(ats: ats, pasidBits: 20))
      device = try rig.context.bind(rig.endpoint.device)
      ioas = try rig.makeIOAS()
      try rig.fill(try rig.map(ioas, 0x10000, 0x2000), [1])
      page = try rig.makeHWPT(device, on: ioas)
      try device.attach(to: &page)
      #expect(rig.read(0x10000, 1).isDone)
      #expect(rig.read(0x11000, 1).isDone)
      if let bug { rig.unit.software.bugs.set(bug, true) }
    }
  }

  /// Which of both pages the device still reaches after their unmapping.
  private func reachedAfterUnmap(_ bug: DriverBug?, ats: Bool = false) throws -> [Bool] {
    let scene = try Scene(bug, ats: ats)
    try scene.rig.unmap(scene.ioas, 0x10000, 0x2000)
    return [scene.rig.read(0x10000, 1).isDone, scene.rig.read(0x11000, 1).isDone]
  }

  @Test func unmapping() throws {
    #expect(try reachedAfterUnmap(nil) == [false, false])
    #expect(try reachedAfterUnmap(.skipUnmapFlush) == [true, true])
    #expect(try reachedAfterUnmap(.wrongDomainFlush) == [true, true])
    #expect(try reachedAfterUnmap(.shortFlush) == [false, true])
    #expect(try reachedAfterUnmap(.skipSync) == [true, true])
    #expect(try reachedAfterUnmap(nil, ats: true) == [false, false])
    #expect(try reachedAfterUnmap(.skipDeviceFlush, ats: true) == [true, true])
  }

  /// What was queued silently happens with somebody else's command.
  @Test func silentCommands() throws {
    let scene = try Scene(.skipSync)
    try scene.rig.unmap(scene.ioas, 0x10000, 0x2000)
    #expect(scene.rig.read(0x10000, 1).isDone)
    scene.rig.unit.software.bugs.set(.skipSync, false)
    try scene.rig.map(scene.ioas, 0x30000, 0x1000)
    try scene.rig.unmap(scene.ioas, 0x30000, 0x1000)
    #expect(!scene.rig.read(0x10000, 1).isDone)
  }

  @Test(arguments: [nil, DriverBug.skipContextFlush])
  func otherDomain(bug: DriverBug?) throws {
    let scene = try Scene(bug)
    var other = try scene.rig.makeIOAS()
    try scene.rig.fill(try scene.rig.map(other, 0x10000, 0x1000), [2])
    try scene.device.replace(with: &other)
    #expect(scene.rig.read(0x10000, 1).bytes == (bug == nil ? [2] : [1]))
    #expect(scene.rig.hardware { $0.staleStructures }.isEmpty == (bug == nil))
  }

  @Test(arguments: [nil, DriverBug.reuseTag], [Personality.v7_2])
  func reusedTag(bug: DriverBug?, kernel: Personality) throws {
    let scene = try Scene(bug)
    let rig = scene.rig
    scene.device.detach()
    try rig.call("DESTROY", [8, scene.page])
    // The next domain gets the ASID, and has something else there.
    var other = try rig.makeIOAS()
    try rig.fill(try rig.map(other, 0x10000, 0x1000), [2])
    try scene.device.attach(to: &other)
    #expect(rig.read(0x10000, 1).bytes == (bug == nil ? [2] : [1]))
  }

  @Test(arguments: [nil, DriverBug.skipPASIDFlush])
  func detachedPASID(bug: DriverBug?) throws {
    let rig = try Rig(function: .init(pasidBits: 20))
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    try rig.map(ioas, 0x10000, 0x1000)
    var page = try rig.makeHWPT(device, on: ioas, flags: 8)
    // Two, so that the context table stays.
    try device.attach(pasid: 6, to: &page)
    try device.attach(pasid: 7, to: &page)
    #expect(rig.read(0x10000, 1, pasid: 7).isDone)
    if let bug { rig.unit.software.bugs.set(bug, true) }
    device.detach(pasid: 7)
    #expect(rig.read(0x10000, 1, pasid: 7).isDone == (bug != nil))
  }

  /// A walk goes on through a table that is somebody's page by now.
  @Test(arguments: [nil, DriverBug.leafOnlyFlush])
  func freedTable(bug: DriverBug?) throws {
    let scene = try Scene(bug)
    let rig = scene.rig
    // Not aligned to each other, so these are 512 pages.
    let buffer = try rig.target.process.space.allocate(
      length: 0x40_0000, at: nil, mode: [.read, .write], huge: true)
    try rig.map(scene.ioas, 0x4000_0000, 0x20_0000, from: buffer + 0x1000)
    #expect(rig.read(0x4000_1000, 1).isDone)
    let secret = try rig.target.process.space.allocate(length: 0x1000, at: nil, mode: [.read, .write])
    try rig.fill(secret, [0x5E])
    let frame = try #require(rig.target.process.space.frame(at: secret, writing: true))
    try rig.unmap(scene.ioas, 0x4000_0000, 0x20_0000)
    // Whoever gets the frame forges entries.
    let forged = try rig.target.process.space.allocate(length: 0x10_0000, at: nil, mode: [.read, .write])
    let entry = Rig.pair(frame.address.raw | 0xF47)
    try rig.put((0..<0x2_0000).flatMap { _ in entry }, at: forged)
    #expect(rig.read(0x4000_1000, 1).bytes == (bug == nil ? nil : [0x5E]))
  }

  @Test func everyBugHasATest() throws {
    let rig = try Rig()
    let driver = try #require(rig.unit.software.driver as? any PCIDriver)
    #expect(
      driver.possibleBugs == [
        .skipUnmapFlush, .skipDeviceFlush, .wrongDomainFlush, .shortFlush, .leafOnlyFlush, .skipSync,
        .skipContextFlush, .reuseTag, .skipPASIDFlush, .skipDirtyFlush, .tornContext,
      ])
  }
}

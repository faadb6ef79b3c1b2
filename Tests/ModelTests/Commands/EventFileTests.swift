// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

/// The file of an event queue, and the windows of vIOMMUs. Reference uapi.md sections 4.3 and 4.5,
/// devices-hwpt-viommu.md sections 5.4 and 5.6.
@Suite("vIOMMU files")
struct EventFileTests {
  private static let fd: Int32 = 4

  /// `vdevice` with the device on nested HWPT 8, and an event queue of two (object 4, descriptor 4).
  private func queue() throws -> World {
    let world = try World(.v7_2)
    try World.vdevice(world)
    try world.attachNested()
    try world.make("VEVENTQ_ALLOC", ["viommu_id": 6, "type": 0xBEEF_BEEF, "veventq_depth": 2])
    return world
  }

  private func trigger(_ world: World, _ count: Int = 1) throws {
    for _ in 0..<count { try world.make("TRIGGER_VEVENT", ["dev_id": 3]) }
  }

  private func read(_ world: World, _ count: Int, at address: UInt64 = World.data) -> Result<Int, Errno> {
    do throws(Errno) { return .success(try world.target.read(Self.fd, address, count)) } catch {
      return .failure(error)
    }
  }

  private func words(_ world: World, _ count: UInt64) throws -> [UInt32] {
    try (0..<count).map { try world.word($0 * 4) }
  }

  @Test func countsThatReadTakes() throws {
    let world = try queue()
    for count in [0, 1, 7] { #expect(read(world, count) == .failure(.EINVAL)) }
    #expect(read(world, 8) == .success(0))
    #expect(try world.target.poll(Self.fd) == [])
    try trigger(world, 2)
    #expect(try world.target.poll(Self.fd) == [.input, .readNormal])
    #expect(read(world, 11) == .failure(.EINVAL))
    #expect(read(world, 23) == .success(12))
    #expect(try words(world, 3) == [0, 0, 0x99])
    #expect(read(world, 100) == .success(12))
    #expect(try words(world, 3) == [0, 1, 0x99])
    #expect(read(world, 100) == .success(0))
    #expect(world.bench.violations().isEmpty)
  }

  @Test func aMarkerStandsForWhatIsLost() throws {
    let world = try queue()
    try trigger(world)
    #expect(read(world, 12) == .success(12))
    try trigger(world, 3)
    #expect(read(world, 36) == .success(32))
    #expect(try words(world, 8) == [0, 1, 0x99, 0, 2, 0x99, 1, 3])
    try trigger(world)
    #expect(read(world, 36) == .success(12))
    #expect(try words(world, 2) == [0, 4])
  }

  @Test func aLaterEventReplacesTheMarker() throws {
    let world = try queue()
    try trigger(world, 4)
    #expect(read(world, 12) == .success(12))
    try trigger(world)
    #expect(read(world, 36) == .success(24))
    #expect(try words(world, 6) == [0, 1, 0x99, 0, 4, 0x99])
  }

  @Test func anEventThatCannotBeCopiedStays() throws {
    let world = try queue()
    try trigger(world, 3)
    #expect(read(world, 12, at: World.hole) == .failure(.EFAULT))
    #expect(read(world, 24, at: World.data + 0xFFF0) == .success(12))
    #expect(read(world, 24) == .success(20))
    #expect(try words(world, 5) == [0, 1, 0x99, 1, 2])
    #expect(world.bench.violations().isEmpty)
  }

  @Test func nothingIsWritten() throws {
    let world = try queue()
    #expect(throws: Errno.EINVAL) { try world.target.write(Self.fd, World.data, 8) }
  }

  @Test func theFileKeepsTheQueueAndTheContext() throws {
    let world = try queue()
    try world.map()
    #expect(world.ask("DESTROY", ["id": 4]).name == "EBUSY")
    try world.target.close(world.caller.fd)
    #expect(world.pins() == 1)
    try world.target.close(Self.fd)
    #expect(world.pins() == 0)
    #expect(world.bench.violations().isEmpty)
  }

  @Test func eventsKeepTheOldNumber() throws {
    let world = try queue()
    try world.make("DESTROY", ["id": 7])
    try world.make("VDEVICE_ALLOC", ["viommu_id": 6, "dev_id": 3, "virt_id": 0x55])
    try world.nested(on: 6)
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 9])
    try trigger(world)
    #expect(read(world, 12) == .success(12))
    #expect(try world.word(8) == 0x99)
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 1])
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 9])
    try trigger(world)
    #expect(read(world, 12) == .success(12))
    #expect(try world.word(8) == 0x55)
  }

  // MARK: Windows

  private func windows() throws -> World {
    let world = try World(.v7_2)
    try World.parent(world)
    for word in [0x1111, 0x2222] as [UInt32] {
      try world.words(word, at: 64)
      try world.make(
        "VIOMMU_ALLOC",
        ["type": 0xDEAD_BEEF, "dev_id": 3, "hwpt_id": 5, "data_len": 24, "data_uptr": World.data + 64])
    }
    return world
  }

  private func mmap(
    _ world: World, _ offset: UInt64, _ length: UInt64 = 0x2000, _ mode: MapMode = [.read, .write, .shared]
  ) throws(Errno) -> UInt64 {
    try world.target.mmap(world.caller.fd, length: length, offset: offset, flags: mode)
  }

  @Test func aWindowShowsWhatTheDriverPutThere() throws {
    let world = try windows()
    #expect(try world.long(72) == 0x3000)
    let first = try mmap(world, 0x1000)
    #expect(try world.target.memory.load(UInt32.self, at: first) == 0x1111)
    #expect(try world.target.memory.load(UInt32.self, at: mmap(world, 0x3000)) == 0x2222)
    #expect(world.ask("DESTROY", ["id": 6]).name == "EBUSY")
    try world.target.userSpace.unmap(first, length: 0x2000)
    try world.make("DESTROY", ["id": 6])
    #expect(throws: Errno.ENXIO) { try mmap(world, 0x1000) }
    // Its place is the next one's.
    try world.make(
      "VIOMMU_ALLOC",
      ["type": 0xDEAD_BEEF, "dev_id": 3, "hwpt_id": 5, "data_len": 24, "data_uptr": World.data + 64])
    #expect(try world.long(72) == 0x1000)
    #expect(world.bench.violations().isEmpty)
  }

  @Test func whatMmapRefuses() throws {
    let world = try windows()
    #expect(throws: Errno.EINVAL) { try mmap(world, 0x1000, 0x2000, [.read, .write]) }
    #expect(throws: Errno.EINVAL) { try mmap(world, 0, 0x2000, [.read, .execute]) }
    #expect(throws: Errno.EPERM) { try mmap(world, 0x1000, 0x2000, [.read, .execute, .shared]) }
    #expect(throws: Errno.EPERM) { try mmap(world, 0, 0x2000, [.read, .execute, .shared]) }
    #expect(throws: Errno.ENXIO) { try mmap(world, 0) }
    #expect(throws: Errno.ENXIO) { try mmap(world, 0x5000) }
    #expect(throws: Errno.ENXIO) { try mmap(world, 0x2000, 0x1000) }
    #expect(throws: Errno.ENXIO) { try mmap(world, 0x1000, 0x1000) }
    #expect(throws: Errno.ENXIO) { try mmap(world, 0x1000, 0x3000) }
    #expect(world.bench.violations().isEmpty)
  }

  @Test func anOlderKernelMapsNothing() throws {
    let world = try World(.v6_12)
    #expect(throws: Errno.ENODEV) { try mmap(world, 0) }
    #expect(throws: Errno.ENODEV) { try mmap(world, 0x1000, 0x1000, [.read]) }
  }
}

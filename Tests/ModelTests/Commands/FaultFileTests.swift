// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

/// The file of a fault queue: read, write, poll. Reference uapi.md section 3.6, devices-hwpt-viommu.md
/// section 4.
@Suite("Fault queue file")
struct FaultFileTests {
  private static let kernels = Personality.allCases
  /// The queue's descriptor in the world `faulting`.
  private static let fd: Int32 = 4

  private static func world(_ kernel: Personality) throws -> World {
    let world = try World(kernel)
    try World.faulting(world)
    return world
  }

  private func trigger(_ world: World, group: UInt64 = 2, pasid: UInt64 = 0) throws {
    try world.make(
      "TRIGGER_IOPF", ["dev_id": 3, "pasid": pasid, "grpid": group, "perm": 3, "addr": 0xDEAD_BEAF])
  }

  private func read(_ world: World, _ count: Int, at address: UInt64 = World.data) -> Result<Int, Errno> {
    do throws(Errno) { return .success(try world.target.read(Self.fd, address, count)) } catch {
      return .failure(error)
    }
  }

  /// Writes responses {cookie, code}.
  private func respond(_ world: World, _ responses: [(UInt32, UInt32)], count: Int? = nil) throws
    -> Result<Int, Errno>
  {
    for (index, response) in responses.enumerated() {
      try world.words(response.0, response.1, at: 0x4000 + UInt64(index) * 8)
    }
    do throws(Errno) {
      return .success(try world.target.write(Self.fd, World.data + 0x4000, count ?? responses.count * 8))
    } catch { return .failure(error) }
  }

  @Test(arguments: kernels)
  func aRecord(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    try trigger(world, pasid: 1)
    #expect(read(world, 40) == .success(40))
    let words = try (0..<10).map { try world.word($0 * 4) }
    #expect(words == [3, 3, 1, 2, 3, 0, 0xDEAD_BEAF, 0, 0, 1])
    try trigger(world)
    #expect(read(world, 40) == .success(40))
    #expect(try world.word(0) == 2)
    #expect(try world.word(8) == 0)
    #expect(try world.word(36) == 2)
    #expect(world.bench.violations().isEmpty)
  }

  @Test(arguments: kernels)
  func countsThatReadTakes(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    #expect(read(world, 0) == .success(0))
    #expect(read(world, 40) == .success(0))
    for count in [1, 8, 39, 41, 79] { #expect(read(world, count) == .failure(.ESPIPE)) }
    for group in 0..<3 { try trigger(world, group: UInt64(group)) }
    #expect(read(world, 0) == .failure(.EINVAL))
    #expect(read(world, 39) == .failure(.ESPIPE))
    // As many groups as fit, in order.
    #expect(read(world, 80) == .success(80))
    #expect(try [world.word(12), world.word(52)] == [0, 1])
    #expect(try [world.word(36), world.word(76)] == [1, 2])
    #expect(read(world, 120) == .success(40))
    #expect(try [world.word(12), world.word(36)] == [2, 3])
    #expect(read(world, 40) == .success(0))
    #expect(world.bench.violations().isEmpty)
  }

  @Test(arguments: kernels)
  func aGroupThatCannotBeCopiedStays(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    try trigger(world, group: 7)
    try trigger(world, group: 8)
    #expect(read(world, 40, at: World.hole) == .failure(.EFAULT))
    #expect(read(world, 80, at: World.readOnly) == .failure(.EFAULT))
    // The first fits before the end of memory, the second does not.
    #expect(read(world, 80, at: World.data + 0xFFD0) == .success(40))
    #expect(try [world.word(0xFFDC), world.word(0xFFF4)] == [7, 1])
    #expect(read(world, 40) == .success(40))
    #expect(try [world.word(12), world.word(36)] == [8, 2])
    #expect(world.bench.violations().isEmpty)
  }

  @Test(arguments: kernels)
  func responses(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    for group in 0..<3 { try trigger(world, group: UInt64(group)) }
    #expect(read(world, 120) == .success(120))
    #expect(try respond(world, []) == .success(0))
    for count in [1, 7, 9] {
      #expect(try respond(world, [(1, 0), (2, 0)], count: count) == .failure(.ESPIPE))
    }
    #expect(try respond(world, [(9, 0)]) == .failure(.EINVAL))
    // A bad code leaves the group to be answered.
    #expect(try respond(world, [(2, 2)]) == .failure(.EINVAL))
    #expect(try respond(world, [(2, 7)]) == .failure(.EINVAL))
    // In any order, up to the first error.
    #expect(try respond(world, [(2, 0), (2, 0)]) == .success(8))
    #expect(try respond(world, [(3, 1), (9, 0), (1, 0)]) == .success(8))
    // The lowest cookie that is free comes next.
    try trigger(world)
    #expect(read(world, 40) == .success(40))
    #expect(try world.word(36) == 2)
    #expect(try respond(world, [(1, 0), (2, 1)]) == .success(16))
    #expect(throws: Errno.EFAULT) { try world.target.write(Self.fd, World.hole, 8) }
    #expect(world.bench.violations().isEmpty)
  }

  /// Refused like any cookie that nobody has; but while others wait, the refusal makes it one to be given out.
  @Test(arguments: kernels)
  func cookieZero(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    func nextCookie() throws -> UInt32 {
      try trigger(world)
      #expect(read(world, 40) == .success(40))
      return try world.word(36)
    }
    #expect(try respond(world, [(0, 0)]) == .failure(.EINVAL))
    #expect(try nextCookie() == 1)
    #expect(try respond(world, [(0, 0)]) == .failure(.EINVAL))
    #expect(try nextCookie() == 0)
    #expect(try nextCookie() == 2)
    #expect(try respond(world, [(0, 0), (1, 0), (2, 0)]) == .success(24))
    #expect(try nextCookie() == 0)
    #expect(world.bench.violations().isEmpty)
  }

  @Test(arguments: kernels)
  func poll(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    #expect(try world.target.poll(Self.fd) == .output)
    try trigger(world)
    #expect(try world.target.poll(Self.fd) == [.input, .output, .readNormal])
    #expect(read(world, 40) == .success(40))
    #expect(try world.target.poll(Self.fd) == .output)
  }

  @Test(arguments: kernels)
  func leavingTheHWPTAnswersEverything(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    let other = try world.nested(on: 5, flags: 4, fault: 6)
    try trigger(world)
    #expect(read(world, 40) == .success(40))
    try trigger(world)
    // A move to where it is changes nothing, one to another HWPT of the same queue does.
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 7])
    #expect(world.fact(6, "queued") == 1)
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": other])
    #expect(world.fact(6, "queued") == 0)
    #expect(try respond(world, [(1, 0)]) == .failure(.EINVAL))
    #expect(try world.target.poll(Self.fd) == .output)
    #expect(world.bench.violations().isEmpty)
  }

  @Test(arguments: kernels)
  func theFileKeepsTheQueueAndTheContext(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    try world.map()
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 1])
    try world.make("DESTROY", ["id": 7])
    #expect(world.ask("DESTROY", ["id": 6]).name == "EBUSY")
    try world.target.close(world.caller.fd)
    #expect(world.pins() == 1)
    try world.target.close(Self.fd)
    #expect(world.pins() == 0)
    #expect(world.bench.violations().isEmpty)
  }

  @Test(arguments: kernels)
  func aClosedQueueGoesOn(_ kernel: Personality) throws {
    let world = try Self.world(kernel)
    try world.target.close(Self.fd)
    try trigger(world)
    #expect(world.fact(6, "queued") == 1)
    #expect(world.ask("DESTROY", ["id": 6]).name == "EBUSY")
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 1])
    #expect(world.fact(6, "queued") == 0)
    try world.make("DESTROY", ["id": 7])
    try world.make("DESTROY", ["id": 6])
    #expect(world.bench.violations().isEmpty)
  }

  /// A PASID's faults go to its own HWPT; without one to the guest's tables, and never to a paging HWPT.
  @Test func whoseFaultsTheyAre() throws {
    let world = try World(.v7_2)
    try World.pasids(world)
    for _ in 0..<2 { try world.make("FAULT_QUEUE_ALLOC") }
    // Objects: queues 4 and 8; HWPT 9 with queue 4 for the RID, HWPT 10 with queue 8 for the PASID.
    for queue in [4, 8] as [UInt64] {
      try world.make("HWPT_ALLOC", ["flags": 12, "dev_id": 3, "pt_id": 1, "fault_id": queue])
    }
    try world.make("MOCK_DOMAIN_REPLACE", ["object": 2, "pt_id": 9])
    try trigger(world)
    try trigger(world, pasid: 100)
    #expect([world.fact(4, "queued"), world.fact(8, "queued")] == [1, 0])
    try world.make("PASID_ATTACH", ["object": 2, "pasid": 100, "pt_id": 10])
    try trigger(world, pasid: 100)
    #expect([world.fact(4, "queued"), world.fact(8, "queued")] == [1, 1])
    try world.make("PASID_REPLACE", ["object": 2, "pasid": 100, "pt_id": 6])
    #expect([world.fact(4, "queued"), world.fact(8, "queued")] == [1, 0])
    #expect(world.bench.violations().isEmpty)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Testing
import UAPI

/// Who is charged for pinned memory. Reference uapi.md sections 1.7, 2.9 and 2.11.
@Suite("Accounting")
struct AccountingTests {
  private func counters(_ world: World) -> [UInt64?] {
    guard case .list(let processes)? = world.bench.machineState()["processes"] else { return [] }
    return processes.first.map { process in ["vmpin", "vmlck", "charged"].map { process[$0]?.number } } ?? []
  }

  @Test(arguments: Personality.allCases)
  func byUser(_ kernel: Personality) throws {
    let world = try World(kernel)
    try world.limit(0x3000)
    try World.mapped(world)
    #expect(counters(world) == [2, 0, 2])
    let map: Fields = ["flags": 7, "ioas_id": 1, "user_va": World.va, "length": 0x2000, "iova": 0x2000000]
    #expect(world.ask("IOAS_MAP", map).name == "ENOMEM")
    #expect(counters(world) == [2, 0, 2])
    try world.make("IOAS_UNMAP", ["ioas_id": 1, "length": UInt64.max])
    #expect(counters(world) == [0, 0, 0])
    #expect(world.ask("IOAS_MAP", map).name == "ok")
  }

  @Test(arguments: Personality.allCases)
  func byProcess(_ kernel: Personality) throws {
    let world = try World(kernel)
    try world.make("OPTION", ["option_id": 0, "op": 0, "val64": 1])
    try world.limit(0x2000)
    try World.mapped(world)
    #expect(counters(world) == [2, 2, 0])
    #expect(
      world.ask("IOAS_MAP", ["flags": 6, "ioas_id": 1, "user_va": World.va, "length": 0x1000]).name
        == "ENOMEM")
    try world.make("DESTROY", ["id": 2])
    #expect(counters(world) == [0, 0, 0])
    #expect(world.bench.violations().isEmpty)
  }

  @Test(arguments: Personality.allCases)
  func notAtAllWithTheCapability(_ kernel: Personality) throws {
    let world = try World(kernel)
    world.bench.setMemlockLimit(0)
    try World.mapped(world)
    #expect(counters(world) == [2, 0, 0])
  }

  @Test(arguments: Personality.allCases)
  func copiesAndAccessesAddNothing(_ kernel: Personality) throws {
    let world = try World(kernel)
    try world.limit(0x2000)
    try World.mapped(world)
    try world.make(
      "IOAS_COPY",
      [
        "flags": 6, "dst_ioas_id": 1, "src_ioas_id": 1, "length": 0x2000, "src_iova": 0x1000000,
      ])
    let access = try world.make("CREATE_ACCESS", ["object": 1, "flags": 1])["out_access_fd"]
    try world.make("ACCESS_PAGES", ["object": access, "iova": 0x1000000, "length": 0x2000])
    #expect(counters(world) == [2, 0, 2])
    #expect(world.pins() == 1)
    #expect(world.bench.violations().isEmpty)
  }

  /// A file of VFIO's own node charges the process from the start.
  @Test(arguments: Personality.allCases)
  func vfioStartsByProcess(_ kernel: Personality) throws {
    let world = try World(kernel)
    let fd = try world.target.open("/dev/vfio/vfio")
    let answer = world.caller.request("OPTION", fd: fd, ["option_id": 0, "op": 1])
    #expect(answer["val64"] == 1)
  }
}

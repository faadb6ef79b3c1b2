// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import IOMMUFD
internal import Testing
internal import UAPI

@testable internal import Machine

/// A device on an IOAS: stage 1, without PASIDs.
@Suite("SMMUv3 driver: plain domains")
struct PlainTests {
  @Test(arguments: [true, false])
  func readsAndWrites(ats: Bool) throws {
    let rig = try Rig(function: .init(ats: ats))
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    let buffer = try rig.map(ioas, 0x10000, 0x3000)
    #expect(rig.read(0x10000).code == 0, "blocked: aborted, and nothing recorded")
    var page = ioas
    try device.attach(to: &page)
    #expect(rig.endpoint.function.control.ats == ats)
    #expect(rig.write(0x10FFE, [1, 2, 3, 4]).isDone)
    #expect(try rig.bytes(buffer + 0xFFE) == [1, 2, 3, 4])
    try rig.fill(buffer + 0x2000, [9, 8])
    #expect(rig.read(0x12000, 2).bytes == [9, 8])
    try rig.unmap(ioas, 0x10000, 0x3000)
    #expect(!rig.read(0x12000, 2).isDone)
    device.detach()
    device.unbind()
    #expect(rig.unit.software.complaints.isEmpty)
    #expect(rig.machine.violations().isEmpty)
  }

  @Test func faultsAreLogged() throws {
    let rig = try Rig(function: .init())
    let device = try rig.context.bind(rig.endpoint.device)
    let ioas = try rig.makeIOAS()
    try rig.map(ioas, 0x10000, 0x1000, writable: false)
    var page = ioas
    try device.attach(to: &page)
    #expect(rig.read(0x20000).code == 0x10)
    #expect(rig.read(0x10000).isDone)
    #expect(rig.write(0x10004, [1]).code == 0x13)
    #expect(
      rig.unit.software.faults == [
        FaultRecord(source: 0x208, address: 0x20000, code: 0x10, name: "F_TRANSLATION"),
        FaultRecord(source: 0x208, address: 0x10004, code: 0x13, name: "F_PERMISSION", isWrite: true),
      ])
  }
}

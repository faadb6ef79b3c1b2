// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Machine

/// Every step that can fail, made to fail: nothing is left behind, and the next try succeeds.
@Suite("SMMUv3 driver: failures")
struct FailureTests {
  /// Attaches a device and a PASID, moves it below a guest's stage 1, and takes everything back.
  private func sequence(_ guest: Guest) throws(Errno) {
    let rig = guest.rig
    var plain = try rig.makeHWPT(guest.device, on: guest.ioas, flags: 8)
    defer { _ = try? rig.call("DESTROY", [8, plain]) }
    try guest.device.attach(to: &plain)
    defer { guest.device.detach() }
    try guest.device.attach(pasid: 0x1_0001, to: &plain)
    guest.device.detach(pasid: 0x1_0001)
    var nested = try rig.makeHWPT(guest.device, on: guest.viommu, ste: Guest.translating)
    defer { _ = try? rig.call("DESTROY", [8, nested]) }
    try guest.device.replace(with: &nested)
    defer { guest.device.detach() }
    _ = try guest.invalidate([0x30, 0])
  }

  @Test func sweep() throws {
    let guest = try Guest(["cmdqv": 1], pasidBits: 20)
    let failures = guest.rig.machine.kernel.failures
    var failed = 0
    for nth in UInt64(1)..<200 {
      failures.arm(nth: nth)
      try? sequence(guest)
      let fired = failures.disarm()
      #expect(guest.rig.machine.violations().isEmpty, "step \(nth)")
      #expect(guest.device.hwpt(at: 0) == nil)
      guard fired else { break }
      failed += 1
    }
    #expect(failed > 10)
    try sequence(guest)
    #expect(guest.rig.unit.software.complaints.isEmpty)
    #expect(guest.rig.hardware { $0.staleStructures }.isEmpty)
  }
}

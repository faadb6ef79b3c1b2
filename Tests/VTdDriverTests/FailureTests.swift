// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// Every place where the kernel allocates is made to fail, one after the other: nothing may be left behind, and the
// same steps must work afterwards.

@Suite("VT-d driver: failures")
struct FailureTests {
  @Test func attachingFailsWhole() throws {
    let rig = try Rig()
    let device = try rig.function(Rig.everything)
    let domain = try rig.domain(for: device)
    let guest = try rig.domain(for: device, flags: HWPTFlag.nestParent)
    let nested = try rig.nested(device, on: guest, root: 0x1000)
    let handler = Handler()
    nested.faultHandler = handler
    let steps = {
      try device.attach(nested)
      try device.group.replace(with: domain, handle: AttachHandle())
      try device.attach(nested, pasid: 7)
      try device.group.replace(with: domain, pasid: 7, of: device.device, handle: AttachHandle())
    }
    let undo = {
      device.group.detach(pasid: 7)
      device.group.detach()
    }
    // PASID tables stay, so the first time may take more.
    try steps()
    undo()
    let frames = rig.memory.allocatedFrames
    var failures = 0
    while true {
      rig.software.failures.arm(nth: UInt64(failures + 1))
      let threw: Bool
      do {
        try steps()
        threw = false
      } catch { threw = true }
      let failed = rig.software.failures.disarm()
      #expect(threw == failed)
      undo()
      #expect(domain.links.tags.isEmpty && nested.links.tags.isEmpty && guest.links.tags.isEmpty)
      #expect(domain.links.id(on: rig.software) == nil && nested.links.id(on: rig.software) == nil)
      #expect(rig.memory.allocatedFrames == frames)
      #expect(!device.device.isInFaultQueue)
      guard failed else { break }
      failures += 1
    }
    #expect(failures >= 12)
    #expect(rig.software.complaints.isEmpty)
  }

  @Test func unitsComeUpWholeOrNotAtAll() throws {
    let rig = try Rig()
    let frames = rig.memory.allocatedFrames
    for nth in 1...5 as ClosedRange<UInt64> {
      rig.software.failures.arm(nth: nth)
      #expect(throws: Errno.ENOMEM) {
        _ = try rig.machine.addIOMMU("other", .vtd, IOMMUKind.Choices())
      }
      #expect(rig.software.failures.disarm())
      #expect(rig.memory.allocatedFrames == frames)
    }
    _ = try rig.machine.addIOMMU("other", .vtd, IOMMUKind.Choices())
  }

  @Test func domainIDsRunOut() throws {
    let rig = try Rig(["nd": 0])
    let device = try rig.function(PCIFunction.Capabilities(pasidBits: 8))
    // 16, without 0 and 1, and the group is blocked.
    var domains: [VTdPagingDomain] = []
    for pasid in 1...14 as ClosedRange<UInt32> {
      domains.append(try rig.domain(for: device))
      try device.attach(try #require(domains.last), pasid: pasid)
    }
    let extra = try rig.domain(for: device)
    #expect(throws: Errno.ENOSPC) { try device.attach(extra, pasid: 15) }
    // A domain that is attached has an ID already.
    try device.attach(domains[0], pasid: 15)
    device.group.detach(pasid: 2)
    try device.attach(extra, pasid: 2)
    #expect(extra.links.id(on: rig.software) == 3)
  }

  @Test func unitsThatTheDriverLeavesAlone() throws {
    let machine = Machine()
    var choices = IOMMUKind.Choices()
    choices.numbers = ["sagaw": 0, "first-stage": 0]
    #expect(throws: Errno.ENODEV) { try machine.addIOMMU("a", .vtd, choices) }
    choices.numbers = ["mamv": 64]
    #expect(throws: Errno.EINVAL) { try machine.addIOMMU("a", .vtd, choices) }
    choices.numbers = ["haw": 8]
    #expect(throws: Errno.EINVAL) { try machine.addIOMMU("a", .vtd, choices) }
    choices = IOMMUKind.Choices()
    choices.words["profile"] = "none such"
    #expect(throws: Errno.EINVAL) { try machine.addIOMMU("a", .vtd, choices) }
  }

  @Test func everyOptionIsTaken() throws {
    for option in IOMMUKind.vtd.options {
      var choices = IOMMUKind.Choices()
      switch option.form {
      case .flag:
        for value in 0...1 as ClosedRange<UInt64> {
          choices.numbers[option.name] = value
          // What the driver needs is another matter.
          do throws(Errno) { _ = try Machine().addIOMMU("a", .vtd, choices) } catch {
            #expect(error == .ENODEV, "\(option.name)")
          }
        }
      case .words(let words):
        for word in words {
          choices.words[option.name] = word
          _ = try Machine().addIOMMU("a", .vtd, choices)
        }
      case .number: #expect(!option.summary.isEmpty)
      }
    }
  }
}

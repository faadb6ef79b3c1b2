// SPDX-License-Identifier: GPL-3.0-or-later
import Seams
import Testing
import UAPI

@testable import IOMMU

/// Groups of page requests, and who answers them. Reference devices-hwpt-viommu.md section 4.2.
@Suite("Page requests")
struct PageFaultTests {
  final class Collector: PageFaultHandler, @unchecked Sendable {
    var groups: [FaultGroup] = []
    var refuses = false
    func handle(_ group: FaultGroup) throws(Errno) {
      if refuses { throw .ENOMEM }
      group.dequeue()
      groups.append(group)
    }
  }

  private func request(_ group: UInt32, _ address: UInt64, last: Bool = false, pasid: UInt32 = 0)
    -> PageRequest
  {
    var flags: PageRequest.Flags = []
    if last { flags.insert(.lastPage) }
    if pasid != 0 { flags.insert(.pasidValid) }
    return PageRequest(flags: flags, pasid: pasid, groupID: group, permissions: 1, address: address)
  }

  private func attached(_ collector: Collector) throws -> (Group, FullDriver, Device) {
    let driver = FullDriver()
    let group = try Group(driver, members: 1)
    let device = group.devices[0]
    let domain = try driver.allocatePaging(for: device)
    domain.faultHandler = collector
    try group.core.attach(domain, handle: AttachHandle())
    return (group, driver, device)
  }

  @Test func aGroupIsWhatHasItsNumber() throws {
    let collector = Collector()
    let (_, driver, device) = try attached(collector)
    try device.joinFaultQueue(FailurePoints())
    #expect(throws: Errno.EBUSY) { try device.joinFaultQueue(FailurePoints()) }
    try device.report(request(1, 0x1000))
    try device.report(request(2, 0x2000))
    try device.report(request(1, 0x3000))
    #expect(device.partialFaults == 3)
    try device.report(request(1, 0x4000, last: true))
    #expect(collector.groups.count == 1)
    #expect(collector.groups[0].requests.map(\.address) == [0x1000, 0x3000, 0x4000])
    #expect(device.partialFaults == 1)
    #expect(driver.answers.isEmpty)
    collector.groups[0].respond(.success)
    #expect(driver.answers.count == 1 && driver.answers[0].request.address == 0x4000)
    device.discardPartialFaults()
    try device.report(request(2, 0x5000, last: true))
    #expect(collector.groups[1].requests.count == 1)
  }

  @Test func nobodyThereIsInvalidAtOnce() throws {
    let collector = Collector()
    let (group, driver, device) = try attached(collector)
    // Not in a fault queue.
    #expect(throws: Errno.EINVAL) { try device.report(request(1, 0)) }
    try device.joinFaultQueue(FailurePoints())
    // A PASID with nothing attached, where the kernel owns PASID tables.
    #expect(throws: Errno.EINVAL) { try device.report(request(1, 0, last: true, pasid: 7)) }
    group.core.detach()
    #expect(throws: Errno.EINVAL) { try device.report(request(1, 0, last: true)) }
    #expect(driver.answers.map(\.code) == [.invalid, .invalid, .invalid])
  }

  @Test func aHandlerThatFailsIsAFailure() throws {
    let collector = Collector()
    collector.refuses = true
    let (_, driver, device) = try attached(collector)
    try device.joinFaultQueue(FailurePoints())
    try device.report(request(1, 0, last: true))
    #expect(driver.answers.map(\.code) == [.failure])
  }

  @Test func aDriverThatCannotAnswerHasNoQueue() throws {
    let group = try Group(PlainDriver())
    #expect(throws: Errno.ENODEV) { try group.devices[0].joinFaultQueue(FailurePoints()) }
  }
}

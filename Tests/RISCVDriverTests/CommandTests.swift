// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

// The commands of Linux 7.2, word for word: reference backends-arm-riscv-s390.md B5, device 5.

@Suite struct CommandTests {
  static let forgetContext = RISCVCommand(0x0000_0502_0000_0003)
  static let forgetAll = RISCVCommand(1)
  static let fence = RISCVCommand(0x3002)
  static func forget(_ domain: RISCVDomain) -> RISCVCommand {
    RISCVCommand(0x0000_0001_0000_0001 | UInt64(domain.pscid) << 12)
  }

  @Test func bringUp() throws {
    let rig = try DriverRig()
    let base = (rig.unit.read64(0x18) >> 10) << 12
    let words = (0..<6).map { rig.memory.load64(at: PhysAddr(base + UInt64($0) * 8)) ?? .max }
    #expect(words == [3, 0, 1, 0, 0x3002, 0])
    #expect(rig.unit.read32(0x20) == 3)
    // 8192 commands, 4096 records, no page requests; three levels of directory.
    #expect(rig.unit.read64(0x18) & 0x1F == 12)
    #expect(rig.unit.read64(0x28) & 0x1F == 11)
    #expect(rig.unit.read32(0x50) == 0)
    #expect(rig.unit.read64(0x10) & 0xF == 4)
    #expect(rig.unit.read64(0x2F8) == 0x2310)
  }

  @Test func attaching() throws {
    let rig = try DriverRig()
    var device: Endpoint?
    // The identity domain: the context was not valid, so nothing comes first.
    #expect(
      try rig.commands { device = try rig.device(5) } == [Self.forgetContext, Self.forgetAll, Self.fence])
    let function = try #require(device)
    #expect(
      try rig.commands { try rig.claim(function) }
        == [Self.forgetContext, Self.forgetAll, Self.fence, Self.forgetContext, Self.forgetAll, Self.fence])
    let first = try rig.domain(for: function)
    let second = try rig.domain(for: function)
    #expect(first.pscid == 1 && second.pscid == 2)
    #expect(
      try rig.commands { try rig.put(function, on: first) }
        == [Self.forgetContext, Self.forget(first), Self.fence])
    #expect(
      try rig.commands { try rig.put(function, on: second) }
        == [
          Self.forgetContext, Self.forget(first), Self.fence, Self.forgetContext, Self.forget(second),
          Self.fence, Self.forget(first), Self.fence,
        ])
    #expect(
      rig.commands { function.device.group?.detach() }
        == [
          Self.forgetContext, Self.forget(second), Self.fence, Self.forgetContext, Self.forgetAll,
          Self.fence, Self.forget(second), Self.fence,
        ])
    #expect(rig.unit.read32(0x20) == rig.unit.read32(0x24))
  }

  /// Another device on the same IOMMU keeps the domain's entries.
  @Test func lastDevice() throws {
    let rig = try DriverRig()
    let one = try rig.device(5)
    let two = try rig.device(6)
    let domain = try rig.domain(for: one)
    try rig.put(one, on: domain)
    try rig.put(two, on: domain)
    let first = rig.commands { one.device.group?.detach() }
    #expect(first.count == 6 && first.last == Self.fence)
    let last = rig.commands { two.device.group?.detach() }
    #expect(last.suffix(2) == [Self.forget(domain), Self.fence])
    #expect(last.count == 8)
  }

  struct Form: Sendable {
    var name: String
    var nl: UInt64
    var s: UInt64
    var iova: UInt64
    var length: UInt64
    /// Where the memory is: what is not aligned gives small leaves.
    var physical: UInt64
    /// Without the fence, for PSCID 1.
    var expected: [RISCVCommand]
  }

  static let whole = RISCVCommand(0x1_0000_1001)
  static func at(_ iova: UInt64, nl: Bool = false) -> RISCVCommand {
    RISCVCommand(0x1_0000_1401 | (nl ? 1 << 34 : 0), (iova >> 12) << 10)
  }
  static func range(_ page: UInt64, nl: Bool = false) -> RISCVCommand {
    RISCVCommand(0x1_0000_1401 | (nl ? 1 << 34 : 0), page << 10 | 1 << 9)
  }
  static let mega: UInt64 = 1 << 21

  static let forms = [
    Form(
      name: "a page", nl: 1, s: 1, iova: 0x40_5000, length: 0x1000, physical: 0x7000,
      expected: [at(0x40_5000)]),
    Form(
      name: "two pages, S", nl: 1, s: 1, iova: 0x40_4000, length: 0x2000, physical: 0x7000,
      expected: [range(0x404)]),
    Form(
      name: "two pages over a boundary, S", nl: 1, s: 1, iova: 0x40_3000, length: 0x2000, physical: 0x7000,
      expected: [range(0x403)]),
    Form(
      name: "two pages", nl: 1, s: 0, iova: 0x40_4000, length: 0x2000, physical: 0x7000,
      expected: [at(0x40_4000), at(0x40_5000)]),
    Form(
      name: "64K leaf without S is 16 strides", nl: 1, s: 0, iova: 0x41_0000, length: 0x1_0000,
      physical: 0x1_0000, expected: (0..<16).map { at(0x41_0000 + $0 << 12) }),
    Form(
      name: "2M leaf", nl: 1, s: 0, iova: mega, length: mega, physical: mega, expected: [at(mega)]),
    Form(
      name: "2M leaf, S", nl: 1, s: 1, iova: mega, length: mega, physical: mega, expected: [range(0x2FF)]),
    Form(
      name: "a freed table, neither", nl: 0, s: 0, iova: mega, length: mega, physical: 0x7000,
      expected: [whole]),
    Form(
      name: "a freed table, S alone", nl: 0, s: 1, iova: mega, length: mega, physical: 0x7000,
      expected: [whole]),
    Form(
      name: "a freed table, both", nl: 1, s: 1, iova: mega, length: mega, physical: 0x7000,
      expected: [range(0x2FF, nl: true)]),
    Form(
      name: "a freed table, NL alone", nl: 1, s: 0, iova: mega, length: mega, physical: 0x7000,
      expected: (0..<512).map { at(mega + $0 << 12, nl: true) }),
    Form(
      name: "more than 512 strides", nl: 1, s: 0, iova: mega, length: mega + 0x1000, physical: 0x7000,
      expected: [whole]),
  ]

  @Test(arguments: forms)
  func unmapping(form: Form) throws {
    let rig = try DriverRig(["nl": form.nl, "s": form.s])
    let (_, domain) = try rig.attached(5)
    // What lies beside it keeps the tables above alive.
    try domain.map(IOVA(3 * Self.mega - 0x1000), to: PhysAddr(0x9000), length: 0x1000, protection: readWrite)
    domain.unmap(IOVA(3 * Self.mega - 0x1000), length: 0x1000)
    try domain.map(
      IOVA(form.iova), to: PhysAddr(form.physical), length: form.length, protection: readWrite)
    let commands = rig.commands {
      #expect(domain.unmap(IOVA(form.iova), length: form.length) == form.length)
    }
    #expect(commands == form.expected + [Self.fence], "\(form.name)")
    #expect(rig.software.complaints.isEmpty)
  }

  /// Mapping has no commands, unless a large leaf takes the place of an empty table.
  @Test func mapping() throws {
    let rig = try DriverRig()
    let (_, domain) = try rig.attached(5)
    #expect(
      try rig.commands {
        try domain.map(IOVA(0x1000), to: PhysAddr(0x9000), length: 0x1000, protection: readWrite)
      } == [])
    domain.unmap(IOVA(0x1000), length: 0x1000)
    #expect(
      try rig.commands {
        try domain.map(IOVA(0), to: PhysAddr(Self.mega), length: Self.mega, protection: readWrite)
      } == [Self.range(0xFF, nl: true), Self.fence])
    #expect(rig.commands { domain.unmap(IOVA(8 * Self.mega), length: 0x1000) } == [])
  }

  /// A domain on two IOMMUs tells both; one without devices tells nobody.
  @Test func twoIOMMUs() throws {
    let rig = try DriverRig()
    let other = try rig.machine.addIOMMU("iommu1", .riscv, DriverRig.choices(["s": 0]))
    let one = try rig.device(5)
    let two = try rig.device(6, on: other)
    let domain = try rig.domain(for: one)
    try domain.map(IOVA(0x4000), to: PhysAddr(0x9000), length: 0x2000, protection: readWrite)
    #expect(rig.commands { domain.unmap(IOVA(0x4000), length: 0x2000) } == [])
    try rig.put(one, on: domain)
    try rig.put(two, on: domain)
    try domain.map(IOVA(0x4000), to: PhysAddr(0x9000), length: 0x2000, protection: readWrite)
    let before = other.read32(0x24)
    #expect(
      rig.commands { domain.unmap(IOVA(0x4000), length: 0x2000) } == [Self.range(4), Self.fence])
    #expect(other.read32(0x24) == before + 3)
    #expect(other.read32(0x20) == before + 3)
  }

  /// More commands than the queue holds.
  @Test func smallQueue() throws {
    let rig = try DriverRig(["queue-lg2": 2, "s": 0])
    let (device, domain) = try rig.attached(5)
    try domain.map(IOVA(0), to: PhysAddr(0x7000), length: 300 << 12, protection: readWrite)
    #expect(rig.translate(device, 299 << 12).address == 0x7000 + 299 << 12)
    domain.unmap(IOVA(0), length: 300 << 12)
    for page in 0..<300 as Range<UInt64> { #expect(rig.translate(device, page << 12).code == 13) }
    #expect(rig.software.complaints.isEmpty)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// The whole way: a program's requests to iommufd, the driver, the hardware, a device.

/// A program with /dev/iommu open and one function bound.
private final class Program {
  let target = ModelTarget(Machine.Configuration(memorySize: 8 << 30))
  let endpoint: Endpoint
  let software: VTdIOMMU
  let device: DeviceObject
  let ioas: UInt32
  private let fd: Int32
  /// A page of its memory for structs.
  private let scratch: UInt64

  init(_ capabilities: PCIFunction.Capabilities, _ numbers: [String: UInt64] = [:]) throws {
    var choices = IOMMUKind.Choices()
    choices.numbers = numbers
    let unit = try target.machine.addIOMMU("iommu0", .vtd, choices)
    software = try #require(unit.software as? VTdIOMMU)
    endpoint = try target.machine.addFunction(
      "dev0", PCIFunction(requesterID: 0x20, capabilities: capabilities), behind: unit)
    fd = try target.open("/dev/iommu")
    scratch = try target.process.space.allocate(length: 8192, at: nil, mode: [.read, .write])
    let context = try #require(target.machine.kernel.openContexts.first)
    device = try context.bind(endpoint.device)
    var words: [UInt32] = [12, 0, 0]
    try Self.call(target, fd, scratch, "IOAS_ALLOC", &words)
    ioas = words[2]
  }

  private static func call(
    _ target: ModelTarget, _ fd: Int32, _ at: UInt64, _ name: String, _ words: inout [UInt32]
  ) throws {
    let row = try #require(CommandTable.row(named: name))
    try target.memory.write(bytes(words), at: at)
    defer {
      let back = (try? target.memory.bytes(at: at, count: words.count * 4)) ?? []
      for index in words.indices where back.count > index * 4 { words[index] = back.word(index * 4) }
    }
    _ = try target.ioctl(fd, row.request, at)
  }

  func call(_ name: String, _ words: inout [UInt32]) throws {
    try Self.call(target, fd, scratch, name, &words)
  }

  private static func bytes(_ words: [UInt32]) -> [UInt8] {
    words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
  }

  static func pair(_ value: UInt64) -> [UInt32] {
    [UInt32(truncatingIfNeeded: value), UInt32(truncatingIfNeeded: value >> 32)]
  }

  /// Where data of a request is.
  func place(_ words: [UInt64]) throws -> UInt64 {
    try target.memory.write(Self.bytes(words.flatMap(Self.pair)), at: scratch + 4096)
    return scratch + 4096
  }

  func allocateHWPT(_ flags: UInt32, on parent: UInt32? = nil, fault: UInt32 = 0, data: [UInt64] = []) throws
    -> UInt32
  {
    let at = data.isEmpty ? 0 : try place(data)
    var words: [UInt32] =
      [48, flags, device.id, parent ?? ioas, 0, 0, data.isEmpty ? 0 : 1, UInt32(data.count * 8)]
      + Self.pair(at) + [fault, 0]
    try call("HWPT_ALLOC", &words)
    return words[4]
  }

  func map(_ iova: UInt64, pages: UInt64) throws -> UInt64 {
    let address = try target.process.space.allocate(length: pages << 12, at: nil, mode: [.read, .write])
    var words: [UInt32] =
      [40, 7, ioas, 0] + Self.pair(address) + Self.pair(pages << 12) + Self.pair(iova)
    try call("IOAS_MAP", &words)
    return address
  }

  func attach(_ id: UInt32, pasid: UInt32 = 0) throws {
    var id = id
    try device.attach(pasid: pasid, to: &id)
  }
}

@Suite("VT-d driver: under iommufd")
struct IommufdTests {
  @Test func aFaultQueueResolvesAPageRequest() throws {
    let program = try Program(Rig.everything)
    var queue: [UInt32] = [16, 0, 0, 0]
    try program.call("FAULT_QUEUE_ALLOC", &queue)
    let hwpt = try program.allocateHWPT(HWPTFlag.faultIDValid, fault: queue[2])
    try program.attach(hwpt)
    let fd = Int32(bitPattern: queue[3])
    try program.endpoint.requestPage(
      0x5000, pasid: nil, read: true, write: true, execute: false, privileged: false, last: true, group: 3)
    let at = try program.place([])
    #expect(try program.target.read(fd, at, 40) == 40)
    let fault = try program.target.memory.bytes(at: at, count: 40)
    #expect(fault.word(0) == 2 && fault.word(12) == 3 && fault.word(16) == 3)
    #expect(fault.quad(24) == 0x5000)
    let address = try program.map(0x5000, pages: 1)
    _ = try program.place([UInt64(fault.word(36))])
    #expect(try program.target.write(fd, at, 8) == 8)
    #expect(program.endpoint.responses.map(\.code) == ["success"])
    #expect(program.endpoint.responses.map(\.group) == [3])
    #expect(program.endpoint.write(0x5008, 99).isDone)
    #expect(try program.target.memory.bytes(at: address + 8, count: 1) == [99])
  }

  @Test func invalidationsCountWhatTheyDid() throws {
    let program = try Program(.init())
    let parent = try program.allocateHWPT(HWPTFlag.nestParent)
    let nested = try program.allocateHWPT(0, on: parent, data: [0, 0x1000, 48])
    func invalidate(_ entries: [UInt64], count: UInt32) throws -> UInt32 {
      let at = try program.place(entries)
      var words: [UInt32] = [32, nested] + Program.pair(at) + [0, 24, count, 0]
      do { try program.call("HWPT_INVALIDATE", &words) } catch {
        #expect(error as? Errno == .EINVAL)
      }
      return words[6]
    }
    #expect(try invalidate([0x1000, 1, 0, 0x2000, 5, 1], count: 2) == 2)
    #expect(try invalidate([0x1000, 1, 0, 0x2001, 5, 0, 0, 1, 0], count: 3) == 1)
    // Odd tables are refused where they are attached.
    let odd = try program.allocateHWPT(0, on: parent, data: [0, 0x1000, 40])
    #expect(throws: Errno.EINVAL) { try program.attach(odd) }
    #expect(throws: Errno.EOPNOTSUPP) {
      _ = try program.allocateHWPT(HWPTFlag.dirtyTracking, on: parent, data: [0, 0x1000, 48])
    }
  }

  @Test func aBitmapOfWhatADeviceWrote() throws {
    let program = try Program(.init())
    let hwpt = try program.allocateHWPT(HWPTFlag.dirtyTracking)
    try program.attach(hwpt)
    _ = try program.map(0x10000, pages: 16)
    var words: [UInt32] = [16, 1, hwpt, 0]
    try program.call("HWPT_SET_DIRTY_TRACKING", &words)
    for page in [3, 7, 8] as [UInt64] { #expect(program.endpoint.write(0x10000 + page << 12, 1).isDone) }
    func bitmap() throws -> UInt64 {
      let at = try program.place([0])
      var words: [UInt32] =
        [48, hwpt, 0, 0] + Program.pair(0x10000) + Program.pair(0x10000) + Program.pair(4096)
        + Program.pair(at)
      try program.call("HWPT_GET_DIRTY_BITMAP", &words)
      return try program.target.memory.bytes(at: at, count: 8).quad(0)
    }
    #expect(try bitmap() == 0b1_1000_1000)
    #expect(try bitmap() == 0)
    #expect(program.endpoint.write(0x18000, 1).isDone)
    #expect(try bitmap() == 0b1_0000_0000)
  }

  @Test func interruptsThatAreNotIsolatedAreRefused() throws {
    #expect(throws: Errno.EPERM) { _ = try Program(.init(), ["intremap": 0]) }
  }
}

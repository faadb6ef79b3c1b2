// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import HardwareTestSupport
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

// The device through iommufd: what Linux 7.2 answers for hardware whose driver has the obligatory operations only.
// Reference backends-arm-riscv-s390.md B5, "VFIO gate" and "HWPT_ALLOC".

@Suite struct IOMMUFDTests {
  /// A program with `/dev/iommu` open.
  final class Program {
    let target: ModelTarget
    let fd: Int32
    let device: Endpoint
    private let scratch: UInt64

    init(_ admission: String) throws {
      target = ModelTarget(Machine.Configuration(memorySize: 4 << 30))
      let unit = try target.machine.addIOMMU("iommu0", .riscv, DriverRig.choices([:], ["vfio": admission]))
      device = try target.machine.addFunction(
        "nic", PCIFunction(requesterID: 0x18, capabilities: .init(ats: true, pri: true, pasidBits: 20)),
        behind: unit)
      fd = try target.open("/dev/iommu")
      scratch = try target.process.space.allocate(length: 4096, at: nil, mode: [.read, .write])
    }

    var context: Context {
      guard let context = target.machine.kernel.openContexts.first else {
        preconditionFailure("nothing is open")
      }
      return context
    }

    /// Makes a request whose struct is these words; returns them as they are afterwards.
    func call(_ name: String, _ words: [UInt32]) throws(Errno) -> [UInt32] {
      guard let row = CommandTable.row(named: name) else { throw .ENOTTY("no such request") }
      try target.memory.write(
        words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }, at: scratch)
      _ = try target.ioctl(fd, row.request, scratch)
      let bytes = try target.memory.bytes(at: scratch, count: words.count * 4)
      return words.indices.map { index in
        bytes[index * 4..<index * 4 + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
      }
    }

    func errno(_ name: String, _ words: [UInt32]) -> Int {
      do throws(Errno) {
        _ = try call(name, words)
        return 0
      } catch { return Int(error.code) }
    }

    func ioas() throws -> UInt32 { try call("IOAS_ALLOC", [12, 0, 0])[2] }

    /// HWPT_ALLOC.
    func allocate(_ flags: UInt32, _ device: UInt32, _ parent: UInt32, type: UInt32 = 0, fault: UInt32 = 0)
      -> Int
    {
      errno("HWPT_ALLOC", [48, flags, device, parent, 0, 0, type, type == 0 ? 0 : 16, 0, 0, fault, 0])
    }
  }

  @Test func gate() throws {
    func bind(_ admission: String) throws -> Int {
      let program = try Program(admission)
      do throws(Errno) {
        _ = try program.context.bind(program.device.device)
        return 0
      } catch { return Int(error.code) }
    }
    #expect(try bind("refuse") == 22)
    #expect(try bind("coherent") == 1)
    #expect(try bind("isolated") == 0)
    // Nobody chooses, and the answer is Linux's.
    let machine = Machine(Machine.Configuration(memorySize: 1 << 30))
    let unit = try machine.addIOMMU("iommu0", .riscv)
    let device = try machine.addFunction("nic", PCIFunction(requesterID: 8), behind: unit)
    #expect(device.device.capabilities.isEmpty)
  }

  @Test func answers() throws {
    let program = try Program("isolated")
    let object = try program.context.bind(program.device.device)
    let ioas = try program.ioas()
    let id = object.id
    #expect(program.allocate(0, id, ioas) == 0)
    for flag in [HWPTFlag.nestParent, HWPTFlag.dirtyTracking, HWPTFlag.pasid] {
      #expect(program.allocate(flag, id, ioas) == 95, "flag \(flag)")
    }
    let queue = try program.call("FAULT_QUEUE_ALLOC", [16, 0, 0, 0])
    #expect(program.allocate(4, id, ioas, fault: queue[2]) == 95)
    #expect(program.allocate(0, id, ioas, type: 1) == 95)
    // GET_HW_INFO: nothing known, and no ATS.
    let info = try program.call("GET_HW_INFO", [40, 0, id, 0, 0, 0, 0, 0, 0, 0])
    #expect(info[3] == 0 && info[6] == 0 && info[7] & 0xFF == 0)
    #expect(info[8] == 8 && info[9] == 0)
    // No reserved region: all of the lower half.
    var pageTable = ioas
    try object.attach(to: &pageTable)
    let room = try program.target.process.space.allocate(length: 4096, at: nil, mode: [.read, .write])
    let ranges = try program.call(
      "IOAS_IOVA_RANGES",
      [32, ioas, 4, 0, UInt32(truncatingIfNeeded: room), UInt32(room >> 32), 0, 0])
    #expect(ranges[2] == 1 && ranges[6] == 4096)
    let range = try program.target.memory.bytes(at: room, count: 16)
    #expect(range == [0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 0])
    // PASIDs: the device has none for iommufd.
    var another = ioas
    do throws(Errno) {
      try object.attach(pasid: 1, to: &another)
      Issue.record("a PASID was attached")
    } catch { #expect(error.code == 22) }
    // Neither ATS nor page requests nor PASIDs were switched on.
    let control = program.device.function.control
    #expect(!control.ats && !control.pri && !control.pasid)
    object.detach()
    object.unbind()
  }

  /// A program maps its memory, and the device works in it.
  @Test func memory() throws {
    let program = try Program("isolated")
    let object = try program.context.bind(program.device.device)
    var pageTable = try program.ioas()
    let ioas = pageTable
    try object.attach(to: &pageTable)
    let buffer = try program.target.process.space.allocate(length: 8192, at: nil, mode: [.read, .write])
    try program.target.memory.write([1, 2, 3, 4], at: buffer + 4094)
    let map: [UInt32] = [
      40, 7, ioas, 0, UInt32(truncatingIfNeeded: buffer), UInt32(buffer >> 32), 8192, 0, 0x10_0000, 0,
    ]
    _ = try program.call("IOAS_MAP", map)
    #expect(program.device.perform(.read(0x10_0FFE, 4)).bytes == [1, 2, 3, 4])
    #expect(program.device.perform(.write(0x10_1FFC, [9, 8, 7, 6])).bytes == [])
    #expect(try program.target.memory.bytes(at: buffer + 8188, count: 4) == [9, 8, 7, 6])
    _ = try program.call("IOAS_UNMAP", [24, ioas, 0x10_0000, 0, 8192, 0])
    #expect(program.device.perform(.read(0x10_0FFE, 4)).fault?.code == 13)
    object.detach()
    #expect(program.device.perform(.read(0x10_0FFE, 4)).fault?.code == 258)
    object.unbind()
    #expect(program.target.machine.violations().isEmpty)
  }
}

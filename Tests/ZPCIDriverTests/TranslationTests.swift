// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

/// DMA through what the driver registers, and what becomes of it.
@Suite struct TranslationTests {
  static let base: UInt64 = 0x1_0000_0000

  @Test func plainDMA() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    let (endpoint, device) = try rig.attached(ioas)
    let memory = try rig.map(ioas, Self.base, 0x3000)
    try rig.write([1, 2, 3, 4], at: memory + 0xFFE)
    #expect(endpoint.perform(.read(Self.base + 0xFFE, 4)).bytes == [1, 2, 3, 4])
    #expect(endpoint.perform(.write(Self.base + 0x1FFF, [9, 8])).bytes == [])
    #expect(try rig.bytes(memory + 0x1FFF, 2) == [9, 8])
    rig.expectSound()
    device.detach()
    #expect(endpoint.perform(.read(Self.base, 4)).fault?.name == "INVALAS")
    rig.expectSound()
  }

  /// Faults with their codes, the driver's records of them, and the function's recovery.
  @Test func faults() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    let (endpoint, _) = try rig.attached(ioas)
    try rig.map(ioas, Self.base, 0x1000, writable: false)
    let table: [(DMARequest, UInt64, UInt16, String, Bool)] = [
      (.read(Self.base + 0x1000, 4), Self.base + 0x1000, ZPCI.Event.protection, "TPROTE", false),
      (.write(Self.base + 8, [1]), Self.base + 8, ZPCI.Event.protection, "TPROTE", true),
      (.write(0x1000, [1]), 0x1000, ZPCI.Event.outOfRange, "OORANGE", true),
      (.read(1 << 42, 1), 1 << 42, ZPCI.Event.outOfRange, "OORANGE", false),
    ]
    for (request, address, code, name, isWrite) in table {
      rig.host.forgetFaults()
      let fault = try #require(endpoint.perform(request).fault)
      #expect(fault.code == UInt32(code) && fault.name == name && fault.recorded)
      #expect(
        rig.host.faults == [
          FaultRecord(source: 0x100, address: address, code: UInt32(code), name: name, isWrite: isWrite)
        ])
      // Recovered: the next one works.
      #expect(endpoint.perform(.read(Self.base, 4)).bytes?.count == 4)
      #expect(rig.host.complaints == [])
    }
  }

  /// Without a driver that takes part in recovery a function stays in error, bug 10 of the reference.
  @Test func errorStateStays() throws {
    let rig = try Rig(["recovery": 0])
    let ioas = try rig.ioas()
    let (endpoint, device) = try rig.attached(ioas)
    try rig.map(ioas, Self.base, 0x1000)
    #expect(endpoint.perform(.read(Self.base + 0x1000, 4)).fault?.name == "TPROTE")
    #expect(endpoint.perform(.read(Self.base, 4)).fault?.name == "function is error")
    #expect((endpoint.device as? ZPCIDevice)?.hasFailed == true)
    #expect(rig.host.complaints.count == 1)
    // Attaching goes on working, and DMA does not.
    device.detach()
    var id = ioas
    try device.attach(to: &id)
    #expect(endpoint.perform(.read(Self.base, 4)).fault?.name == "function is error")
    rig.expectSound()
  }

  /// An error after which RESET BLOCK is refused, since the function has not stopped: a full reset, with another life
  /// of the handle and the address space registered again.
  @Test func fullReset() throws {
    let rig = try Rig()
    let ioas = try rig.ioas()
    let (endpoint, _) = try rig.attached(ioas)
    let memory = try rig.map(ioas, Self.base, 0x1000)
    try rig.write([7], at: memory)
    let zpci = try #require(endpoint.device as? ZPCIDevice)
    // The function sends an interrupt that nobody has registered.
    let message = Transaction(source: zpci.handle, address: ZPCI.messageAddress, access: .write)
    _ = rig.unit.withHardware { ($0 as? ZPCIIOMMU)?.writeMessage(message, data: 0) }
    rig.machine.settle()
    #expect(rig.host.faults.map(\.name) == ["NOMSI"])
    #expect(rig.host.complaints.count == 1, "RESET BLOCK")
    #expect(!zpci.hasFailed)
    #expect(endpoint.perform(.read(Self.base, 1)).bytes == [7])
    // A function that is broken for good is given up.
    let handle = zpci.handle
    _ = rig.unit.withHardware { ($0 as? ZPCIIOMMU)?.breakDown(handle) }
    rig.machine.settle()
    #expect(zpci.hasFailed)
    #expect(endpoint.perform(.read(Self.base, 1)).fault != nil)
  }

  /// Large IOVAs need more levels of tables, and the hardware walks what the driver has made.
  @Test(arguments: [("auto", 1), ("rs", 2), ("rf", 3)] as [(String, UInt64)])
  func regions(_ origin: String, _ designation: UInt64) throws {
    let rig = try Rig(["aperture": 0], ["origin": origin])
    let ioas = try rig.ioas()
    let (endpoint, _) = try rig.attached(ioas)
    let anchor = rig.registered(endpoint)?["iota"]?.number
    #expect(anchor.map { $0 & 0xFFF } == 0x800 | designation << 2)
    for iova: UInt64 in [Self.base, 0x3FF_FFFF_F000, 0x2_8030_2000] {
      let memory = try rig.map(ioas, iova, 0x1000)
      try rig.write([UInt8(truncatingIfNeeded: iova >> 32), 5], at: memory)
      #expect(endpoint.perform(.read(iova, 2)).bytes == [UInt8(truncatingIfNeeded: iova >> 32), 5])
    }
  }

  /// The window decides how many levels there are: what is asked for, what memory bounds, what DTSM allows.
  @Test func windows() throws {
    let whole: UInt64 = .max
    typealias Row = (
      first: UInt64, last: UInt64, dtsm: UInt64, factor: UInt64, memory: UInt64, top: UInt64, end: UInt64
    )
    let table: [Row] = [
      // What memory bounds: 1 GiB of it, and three times as much.
      (0x1_0000_0000, 0x3FF_FFFF_FFFF, 0xFC, 1, 1 << 30, (1 << 42) - 1, 0x1_3FFF_FFFF),
      (0x1_0000_0000, 0x3FF_FFFF_FFFF, 0xFC, 3, 1 << 30, (1 << 42) - 1, 0x1_BFFF_FFFF),
      // Unbounded: the function's range decides.
      (0, (1 << 42) - 1, 0xFC, 0, 1 << 30, (1 << 42) - 1, (1 << 42) - 1),
      (0x1000, 0x400_0000_0FFF, 0xFC, 0, 1 << 30, (1 << 53) - 1, 0x400_0000_0FFF),
      (0x1000, (1 << 53) - 1, 0xFC, 0, 1 << 30, (1 << 53) - 1, (1 << 53) - 1),
      (0x1000, 0x20_0000_0000_0FFF, 0xFC, 0, 1 << 30, whole, 0x20_0000_0000_0FFF),
      (0x1000, whole, 0xFC, 0, 1 << 30, whole, whole),
      // QEMU's DTSM has none of the bits that Linux looks for; one has only the first one's.
      (0x1000, 0x20_0000_0000_0FFF, 0x40, 0, 1 << 30, (1 << 42) - 1, (1 << 42) - 1),
      (0x1000, 0x7FF_FFFF_FFFF, 0xF4, 0, 1 << 30, whole, 0x7FF_FFFF_FFFF),
    ]
    for row in table {
      let rig = try Rig(
        ["sdma": row.first, "edma": row.last, "dtsm": row.dtsm, "aperture": row.factor],
        memorySize: row.memory)
      let endpoint = try rig.function()
      let device = try #require(endpoint.device as? ZPCIDevice)
      #expect(device.window.last == row.end, "\(row)")
      #expect((device.group?.domain as? ZPCIDomain)?.aperture.last == row.top, "\(row)")
    }
  }

  @Test func windowsWithoutAddresses() throws {
    // Ends before it begins.
    let empty = try Rig(["sdma": 0x2000, "edma": 0x1000])
    #expect(throws: Errno.EINVAL) { try empty.function() }
    #expect(throws: Errno.EINVAL, "it is taken out again, and may come back") { try empty.function() }
    // Above what the only tables hold: the default domain cannot be attached.
    let high = try Rig(["sdma": 1 << 43, "edma": 1 << 44, "dtsm": 0x40])
    #expect(throws: Errno.EINVAL) { try high.function() }
    let edge = try Rig(["sdma": 1 << 42, "edma": 1 << 44, "dtsm": 0x40, "aperture": 0])
    #expect(throws: Errno.EINVAL) { try edge.function() }
    let old = try Rig(["sdma": 1 << 42, "edma": 1 << 44], kernel: .v6_12)
    #expect(throws: Errno.EINVAL) { try old.function() }
  }

  /// Internal shared memory has a limit that is a page too far, and hardware that takes it.
  @Test func internalSharedMemory() throws {
    for accepts in [true, false] {
      let rig = try Rig(["ism": 1, "ism-pal-off-by-one": accepts ? 1 : 0, "aperture": 0])
      if accepts {
        let (endpoint, _) = try rig.attached(try rig.ioas())
        #expect(endpoint.perform(.read(1 << 42, 1)).fault?.name == "OORANGE", "beyond the table")
      } else {
        #expect(throws: Errno.EIO) { try rig.function() }
      }
    }
  }
}

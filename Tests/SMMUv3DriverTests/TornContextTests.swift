// SPDX-License-Identifier: GPL-3.0-or-later
internal import Drivers
internal import Hardware
internal import IOMMU
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

/// A context descriptor that changes under a device which never rests: it does DMA whenever the driver rings the
/// doorbell, so also between two words of an entry that is written in pieces.
@Suite("SMMUv3 driver: contexts under fire")
struct TornContextTests {
  /// Whether a device that was moved to another domain goes on reaching the page of the one that it left.
  private func staysBehind(_ bug: Bool) throws -> Bool {
    let memory = PhysicalMemory(size: 1 << 30)
    let hardware = SMMUv3(memory: memory)
    let port = BusyPort(hardware)
    hardware.fabric = port
    let driver = SMMUv3Driver(.standard, memory: memory, failures: FailurePoints())
    let unit = try driver.bringUp("iommu0", port, SMMUv3Platform())
    let device = try driver.probe(PCIFunction(requesterID: 0x20), behind: unit)
    var domains: [any PagingDomain] = []
    var pages: [PhysAddr] = []
    for _ in 0..<2 {
      let domain = try driver.allocatePaging(for: device)
      pages.append(try memory.allocateFrame().address)
      try domain.map(IOVA(0x10000), to: pages[pages.count - 1], length: 4096, protection: [.read, .write])
      domains.append(domain)
    }
    try domains[0].attach(device, from: nil)
    let dma = Transaction(source: 0x20, address: 0x10000)
    guard case .translated(let before) = hardware.translate(dma) else { return false }
    #expect(before.address == pages[0].raw)
    unit.bugs.set(.tornContext, bug)
    port.dma = dma
    try domains[1].attach(device, from: domains[0])
    port.dma = nil
    #expect(port.count > 0)
    guard case .translated(let after) = hardware.translate(dma) else { return false }
    return after.address != pages[1].raw
  }

  @Test func anEntryIsWrittenWholeOrNotAtAll() throws {
    #expect(try !staysBehind(false))
    #expect(try staysBehind(true))
  }

  /// A register port behind which a function goes on doing DMA.
  private final class BusyPort: RegisterPort, HardwareFabric, @unchecked Sendable {
    let hardware: SMMUv3
    var dma: Transaction?
    var count = 0
    init(_ hardware: SMMUv3) { self.hardware = hardware }

    func read32(_ offset: UInt64) -> UInt32 {
      UInt32(truncatingIfNeeded: hardware.readRegister(offset, width: 4))
    }
    func read64(_ offset: UInt64) -> UInt64 { hardware.readRegister(offset, width: 8) }
    func write32(_ offset: UInt64, _ value: UInt32) {
      hardware.writeRegister(offset, width: 4, UInt64(value))
      guard let dma else { return }
      count += 1
      _ = hardware.translate(dma)
    }
    func write64(_ offset: UInt64, _ value: UInt64) { hardware.writeRegister(offset, width: 8, value) }

    func interrupt(_ message: InterruptMessage) {}
    func interrupt(wire: UInt32) {}
    func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool { true }
    func respond(_ response: Hardware.PageResponse) {}
    func resume(tag: UInt32, retry: Bool) {}
  }
}

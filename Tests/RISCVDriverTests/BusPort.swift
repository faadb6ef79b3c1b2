// SPDX-License-Identifier: GPL-3.0-or-later
internal import Hardware
internal import HardwareSpecs
internal import IOMMU
internal import Memory

/// An IOMMU without a machine around it: the driver's accesses go to the hardware half, with a look in between.
final class BusPort: RegisterPort, HardwareFabric, @unchecked Sendable {
  let hardware: RISCVIOMMU
  private(set) var messages: [InterruptMessage] = []
  /// Called after each doorbell.
  var onDoorbell: () -> Void = {}

  init(_ memory: PhysicalMemory, _ configuration: RISCVIOMMU.Configuration = .init()) {
    hardware = RISCVIOMMU(memory: memory, configuration: configuration)
    hardware.connect(self)
  }

  func read32(_ offset: UInt64) -> UInt32 {
    UInt32(truncatingIfNeeded: hardware.readRegister(offset, width: 4))
  }
  func read64(_ offset: UInt64) -> UInt64 { hardware.readRegister(offset, width: 8) }
  func write32(_ offset: UInt64, _ value: UInt32) {
    hardware.writeRegister(offset, width: 4, UInt64(value))
    if offset == RISCV.Register.cqt { onDoorbell() }
  }
  func write64(_ offset: UInt64, _ value: UInt64) { hardware.writeRegister(offset, width: 8, value) }

  func interrupt(_ message: InterruptMessage) { messages.append(message) }
  func interrupt(wire: UInt32) {}
  func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool { false }
  func respond(_ response: Hardware.PageResponse) {}
  func resume(tag: UInt32, retry: Bool) {}
}

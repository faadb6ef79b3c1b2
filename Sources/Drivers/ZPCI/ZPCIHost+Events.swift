// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU

// What the platform tells of functions, one record after the other, and how a function that has stopped for an error is
// set going again. Source: `arch/s390/pci/pci_event.c`; `vfio_pci_core_aer_err_detected`, which lets recovery go on.
//
//     error event ──> stopped ── RESET BLOCK ──> loads and stores work ── RESET ERROR ──> DMA works
//                                     └── fails ──> disable, enable, register what it is on ─┘
//                                                                └── fails ──> given up

extension ZPCIHost {
  func readEvents() {
    while let event = nextEvent() {
      switch event.contentCode {
      case 1: handleError(ErrorRecord(event.record))
      case 2: handleAvailability(event.record)
      default: complain("an event with the content code \(event.contentCode)")
      }
    }
  }

  private static func number(_ bytes: [UInt8], _ offset: Int, _ count: Int) -> UInt64 {
    (offset..<offset + count).reduce(0) { $0 << 8 | UInt64($1 < bytes.count ? bytes[$1] : 0) }
  }

  /// `struct zpci_ccdf_err`.
  private struct ErrorRecord {
    let handle: UInt32
    let id: UInt32
    let isWrite: Bool
    let address: UInt64
    let code: UInt16

    init(_ bytes: [UInt8]) {
      handle = UInt32(number(bytes, 4, 4))
      id = UInt32(number(bytes, 8, 4))
      isWrite = number(bytes, 12, 4) & UInt64(ZPCI.Event.write) != 0
      address = number(bytes, 16, 8)
      code = UInt16(number(bytes, 30, 2))
    }
  }

  /// `__zpci_event_availability`.
  private func handleAvailability(_ record: [UInt8]) {
    let handle = UInt32(Self.number(record, 4, 4))
    let id = UInt32(Self.number(record, 8, 4))
    switch UInt16(Self.number(record, 30, 2)) {
    case ZPCI.Event.configured: announce(id, handle)
    case ZPCI.Event.reservedToStandby: break
    case ZPCI.Event.deconfigureRequest, ZPCI.Event.deconfigured, ZPCI.Event.removed: retract(id)
    case let code: complain("PCI function 0x\(String(id, radix: 16)): availability event \(code)")
    }
  }

  /// `__zpci_event_error`.
  private func handleError(_ error: ErrorRecord) {
    guard let device = device(error.id) else { return }
    // An event of an earlier life.
    guard currentHandle(error.handle) == error.handle else { return }
    device.handle = error.handle
    record(
      FaultRecord(
        source: device.function.source, address: error.address, code: UInt32(error.code),
        name: ZPCI.Event.names.first { $0.code == error.code }?.name ?? "event", isWrite: error.isWrite))
    switch error.code {
    case ZPCI.Event.measurementFirst...ZPCI.Event.measurementLast: break
    case ZPCI.Event.recoveryFailed, ZPCI.Event.permanentError: giveUp(device)
    default: recover(device)
    }
  }

  /// `zpci_event_attempt_error_recovery`.
  private func recover(_ device: ZPCIDevice) {
    guard settings.recovers, !device.hasFailed else { return giveUp(device) }
    if reset(device, ZPCI.Operation.resetBlock), reset(device, ZPCI.Operation.resetError) { return }
    guard resetAll(device) else { return giveUp(device) }
  }

  /// Its handle is another afterwards, or the same. `zpci_hot_reset_device`.
  private func resetAll(_ device: ZPCIDevice) -> Bool {
    // A function that is disabled already is no obstacle.
    if device.handle & ZPCI.Handle.enabled != 0 { _ = enable(device, false) }
    guard enable(device, true) else { return false }
    guard let anchor = device.anchor else { return true }
    if register(device, anchor: anchor) == .condition(ZPCI.Condition.ok, status: 0) { return true }
    _ = enable(device, false)
    return false
  }

  private func giveUp(_ device: ZPCIDevice) {
    device.withState { $0.hasFailed = true }
    complain("\(device.name): automatic recovery failed; operator intervention is required")
  }
}

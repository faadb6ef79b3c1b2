// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

// Addresses that are not memory. AMD IOMMU Specification, publication 48882, section 2.1.2 and the special
// address controls of section 2.2.2: the MSI window of the x86 architecture, and the upper 12 GiB of the first
// TiB, where HyperTransport keeps interrupts, system management, port I/O and configuration. A field of the
// device table entry says for each what becomes of it. A request with a PASID has no such addresses.

extension AMDVi {
  @inline(__always)
  static func isSpecial(_ address: UInt64) -> Bool {
    address >> 20 == AMDViAddress.msiFirst >> 20
      || address &- AMDViAddress.htFirst <= AMDViAddress.htLast - AMDViAddress.htFirst
  }
}

extension AMDVi.Unit {
  /// Step 2. Nil where the address is translated as any other.
  mutating func special<O: AMDViObserver>(
    _ t: Transaction, _ request: AMDVi.Request, _ device: AMDVi.Device, _ observer: inout O
  ) -> AMDVi.Outcome? {
    let a = t.address
    let isMSI = a >> 20 == AMDViAddress.msiFirst >> 20
    if !isMSI, configuration.features2 & AMDViFeature2.htRangeIgnore != 0 { return nil }
    // Interrupt remapping depends on IV alone, not on V.
    if isMSI, t.access == .write, !request.asks {
      return remap(t, request, device, index: nil, &observer)
    }
    // What the entry as a whole says goes first.
    guard device.kind == .translate || device.kind == .blocked && !isMSI else { return nil }
    if request.asks { return nothing(request) }
    func refused(_ type: UInt32) -> AMDVi.Outcome { .failed(invalid(type, device, t, request)) }
    let writes = t.access == .write
    switch a {
    case AMDViAddress.msiFirst...AMDViAddress.msiLast:
      return refused(AMDViInvalidRequest.interruptRead)
    case AMDViAddress.interruptFirst...AMDViAddress.interruptLast:
      guard writes else { return refused(AMDViInvalidRequest.interruptRead) }
      // The vector is in address bits 23:16, the low bit of the message type in bit 2.
      return remap(t, request, device, index: (a >> 16 & 0xFF) | (a >> 2 & 1) << 8, &observer)
    case AMDViAddress.systemManagementFirst...AMDViAddress.systemManagementLast:
      switch (device.sysMgt, writes) {
      case (1, true):
        if configuration.erratum63, device.permission & AMDVi.Page.writable == 0 {
          return .failed(.init(code: 0, address: a, device: device.id))
        }
        return pass(a)
      case (3, _):
        return device.kind == .translate ? nil : refused(AMDViInvalidRequest.systemManagementUntranslated)
      // SysMgt = 2 lets INTx messages through; a memory write is none.
      default: return refused(AMDViInvalidRequest.systemManagement)
      }
    case AMDViAddress.portIOFirst...AMDViAddress.portIOLast:
      switch device.ioCtl {
      case 1: return pass(a)
      case 2: return nil
      default: return refused(AMDViInvalidRequest.portIO)
      }
    default: return refused(AMDViInvalidRequest.reservedInterrupt)
    }
  }
}

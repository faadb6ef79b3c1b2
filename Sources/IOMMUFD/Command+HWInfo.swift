// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

/// The bits of `enum iommufd_hw_capabilities`.
private enum HWCapability {
  static let dirtyTracking: UInt64 = 1
  static let pasidExecute: UInt64 = 2
  static let pasidPrivileged: UInt64 = 4
  static let atsNotSupported: UInt64 = 8
}

extension Command {
  /// IOMMU_GET_HW_INFO. Source: `iommufd_get_hw_info`; reference devices-hwpt-viommu.md section 1.10, uapi.md
  /// section 3.2.
  ///
  /// - Throws: EOPNOTSUPP, ENOENT, EFAULT.
  func getHWInfo() throws(Errno) -> Int32 {
    let flags = self[Layout.GetHWInfo.flags]
    let takesType = context.version >= KernelVersion(6, 17)
    guard flags & ~(takesType ? 1 : 0) == 0 else { throw .EOPNOTSUPP("an unknown flag", UInt64(flags)) }
    guard self[Layout.GetHWInfo.reserved0] == 0, self[Layout.GetHWInfo.reserved1] == 0 else {
      throw .EOPNOTSUPP("__reserved is not 0")
    }
    let wanted = flags & 1 != 0 ? self[Layout.GetHWInfo.dataType] : 0
    try context.objects.with(DeviceObject.self, self[Layout.GetHWInfo.devID]) { object throws(Errno) in
      let device = object.device
      var info: (type: UInt32, bytes: [UInt8]) = (0, [])
      if let driver = device.driver as? any HardwareInformation {
        info = try driver.hardwareInformation(of: device, type: wanted)
      }
      try context.kernel.failures.pass(.copy, "hardware information")
      try copyOut(info.bytes)
      self[Layout.GetHWInfo.dataLen] = UInt32(info.bytes.count)
      self[Layout.GetHWInfo.dataType] = info.type
      self[Layout.GetHWInfo.outCapabilities] = capabilities(of: device)
      let passesPASIDs = device.maxPASIDs > 0
      self[Layout.GetHWInfo.outMaxPASIDLg2] =
        passesPASIDs ? UInt8(31 - device.maxPASIDs.leadingZeroBitCount) : 0
      try respond()
    }
    return 0
  }

  /// What fits, and zeros up to the end of the caller's buffer.
  private func copyOut(_ bytes: [UInt8]) throws(Errno) {
    let address = self[Layout.GetHWInfo.dataUptr]
    let room = Int(self[Layout.GetHWInfo.dataLen])
    let head = min(room, bytes.count)
    if head > 0 { try memory.write(Array(bytes[..<head]), at: address) }
    let zeros = [UInt8](repeating: 0, count: min(room - head, Int(Page.size)))
    var position = head
    while position < room {
      let piece = min(room - position, zeros.count)
      try memory.write(Array(zeros[..<piece]), at: address &+ UInt64(position))
      position += piece
    }
  }

  private func capabilities(of device: Device) -> UInt64 {
    var bits: UInt64 = 0
    if device.capabilities.contains(.dirtyTracking) { bits |= HWCapability.dirtyTracking }
    if context.version >= KernelVersion(7, 1), !device.capabilities.contains(.ats) {
      bits |= HWCapability.atsNotSupported
    }
    if device.capabilities.contains(.pasidExecute) { bits |= HWCapability.pasidExecute }
    if device.capabilities.contains(.pasidPrivileged) { bits |= HWCapability.pasidPrivileged }
    return bits
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// What every IOMMU needs of PCI Express: identifiers and limits of its requests.
/// PCI Express Base Specification, sections 2.2.6 (requester ID), 6.20 (PASID), 10 (ATS).
public enum PCI {
  /// Bits of a PASID.
  public static let pasidBits = 20
  /// Bits of a page request group index.
  public static let pageRequestGroupBits = 9

  /// A requester ID: bus 15:8, device 7:3, function 2:0.
  public static func requesterID(bus: UInt32, device: UInt32, function: UInt32) -> UInt32 {
    (bus & 0xFF) << 8 | (device & 0x1F) << 3 | (function & 7)
  }
}

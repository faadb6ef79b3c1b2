// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams

/// A PCI function as bus software sees it: its requester ID, the capabilities in its configuration space, and the
/// control registers of those capabilities that an IOMMU driver sets.
///
/// PCI Express Base Specification, sections 10.5.1 (ATS), 10.5.2 (PRI) and 7.8.9 (PASID).
public final class PCIFunction: @unchecked Sendable {
  public struct Capabilities: Hashable, Sendable {
    /// Address translation services: the function has a translation cache of its own.
    public var ats: Bool
    /// Page request interface. Never without `ats`.
    public var pri: Bool
    /// Bits of the PASIDs that it can send, 1 to 20; 0 for none.
    public var pasidBits: Int
    public var pasidExecute: Bool
    public var pasidPrivileged: Bool
    /// PRG Response PASID Required.
    public var responseNeedsPASID: Bool
    public var isVirtualFunction: Bool

    public init(
      ats: Bool = false, pri: Bool = false, pasidBits: Int = 0, pasidExecute: Bool = false,
      pasidPrivileged: Bool = false, responseNeedsPASID: Bool = true, isVirtualFunction: Bool = false
    ) {
      self.ats = ats
      self.pri = pri
      self.pasidBits = pasidBits
      self.pasidExecute = pasidExecute
      self.pasidPrivileged = pasidPrivileged
      self.responseNeedsPASID = responseNeedsPASID
      self.isVirtualFunction = isVirtualFunction
    }
  }

  /// What the control registers hold.
  public struct Control: Hashable, Sendable {
    public var ats = false
    /// Smallest translation unit: translations and invalidations have at least 2^stuLg2 bytes.
    public var stuLg2 = 12
    public var pri = false
    /// Page requests that it may have outstanding.
    public var outstandingRequests: UInt32 = 0
    public var pasid = false
  }

  public let segment: UInt16
  /// Bus in bits 15:8, device in 7:3, function in 2:0.
  public let requesterID: UInt16
  public let capabilities: Capabilities

  private let lock = Lock(.function)
  private var controlRegisters = Control()
  private var onControl: ((Control) -> Void)?

  public init(segment: UInt16 = 0, requesterID: UInt16, capabilities: Capabilities = Capabilities()) {
    self.segment = segment
    self.requesterID = requesterID
    self.capabilities = capabilities
  }

  public var bus: UInt8 { UInt8(requesterID >> 8) }
  /// Device and function: bits 7:0 of the requester ID.
  public var devfn: UInt8 { UInt8(truncatingIfNeeded: requesterID) }
  /// With the segment above it: what an IOMMU gets as the source of a transaction.
  public var source: UInt32 { UInt32(segment) << 16 | UInt32(requesterID) }

  public var control: Control { lock.withLock { controlRegisters } }

  /// Changes the control registers. What is not in `capabilities` stays off. The function is told after the change:
  /// one whose ATS goes off forgets its translations.
  public func configure(_ change: (inout Control) -> Void) {
    let (after, tell) = lock.withLock { () -> (Control, ((Control) -> Void)?) in
      change(&controlRegisters)
      if !capabilities.ats { controlRegisters.ats = false }
      if !capabilities.pri { controlRegisters.pri = false }
      if capabilities.pasidBits == 0 { controlRegisters.pasid = false }
      return (controlRegisters, onControl)
    }
    tell?(after)
  }

  /// A function-level reset, after which software restores what it had in the control registers. In between they are
  /// clear, so nothing that the function had cached is left. `pcie_flr`, `pci_restore_state`.
  public func reset() {
    let saved = control
    configure { $0 = Control() }
    configure { $0 = saved }
  }

  /// Who is the function: called after each change of the control registers.
  public func whenConfigured(_ body: @escaping (Control) -> Void) { lock.withLock { onControl = body } }

  /// `0000:00:03.0`, as Linux names it.
  public var address: String {
    func hex(_ value: Int, _ digits: Int) -> String {
      let text = String(value, radix: 16)
      return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
    return "\(hex(Int(segment), 4)):\(hex(Int(bus), 2)):\(hex(Int(devfn >> 3), 2)).\(devfn & 7)"
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
public import UAPI

// What happens to DMA while a PCI function is being reset.

extension CoreGroup {
  /// A PCI function is about to be reset: until `finishReset` it is blocked, and attaching anything to its
  /// group is EBUSY. Nests. `pci_dev_reset_iommu_prepare`.
  ///
  /// - Throws: what the driver refuses.
  public func prepareReset(of device: Device) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard device.capabilities.contains(.ats),
        let index = memberList.firstIndex(where: { $0.device === device })
      else { return }
      memberList[index].resets += 1
      guard memberList[index].resets == 1 else { return }
      do throws(Errno) {
        let blocking = try makeBlockingDomain()
        if currentDomain !== blocking { try blocking.attach(device, from: currentDomain) }
      } catch {
        memberList[index].resets = 0
        throw error
      }
      memberList[index].isBlocked = true
      for pasid in handles.keys.sorted() where pasid != 0 {
        Self.block(pasid, of: device, from: handles[pasid]?.domain)
      }
      recovering += 1
    }
  }

  /// The reset is over: the device joins its group's domains again. `pci_dev_reset_iommu_done`.
  public func finishReset(of device: Device) {
    lock.withLock {
      guard let index = memberList.firstIndex(where: { $0.device === device }), memberList[index].resets > 0
      else { return }
      memberList[index].resets -= 1
      guard memberList[index].resets == 0 else { return }
      if let currentDomain, currentDomain !== blockingDomain {
        try? currentDomain.attach(device, from: blockingDomain)
      }
      memberList[index].isBlocked = false
      for pasid in handles.keys.sorted() where pasid != 0 && device.maxPASIDs > 0 {
        let domain = handles[pasid]?.domain as? any PASIDDomain
        try? domain?.setPASID(pasid, of: device, from: blockingDomain)
      }
      recovering -= 1
    }
  }
}

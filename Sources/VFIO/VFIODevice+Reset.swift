// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import IOMMUFD
internal import UAPI

extension VFIODevice {
  /// Resets the function. Since 7.0 one with ATS is off its page tables meanwhile, and nothing can be attached to its
  /// group. Source: `pci_try_reset_function`, `pcie_flr`.
  ///
  /// - Throws: what moving the function to the blocking domain throws; it is not reset then.
  func resetFunction() throws(Errno) {
    let group = kernel.version >= KernelVersion(7, 0) ? device.group : nil
    try group?.prepareReset(of: device)
    device.function.reset()
    group?.finishReset(of: device)
  }
}

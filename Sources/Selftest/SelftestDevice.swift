// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Seams
internal import UAPI

/// A mock device that is bound and attached: `struct selftest_obj`. Destroying it unplugs the device.
final class SelftestDevice: Object, @unchecked Sendable {
  private let mock: MockDriver
  // Set before the object can be found, each after the one before it succeeded.
  private(set) var device: MockDevice?
  private(set) var bound: DeviceObject?
  private var isAttached = false

  init(_ mock: MockDriver, in context: Context) {
    self.mock = mock
    super.init(.selftest, in: context)
  }

  override var details: [(name: String, value: Fact)] {
    [("device", device.map { .text($0.name) } ?? .none), ("bound", bound.map { .id($0.id) } ?? .none)]
  }

  /// Plugs a device in, binds and attaches it. What was done is undone by `destroy`.
  ///
  /// - Parameter pageTable: the ID of an IOAS or HWPT, afterwards of the HWPT in use.
  func start(flags: UInt32, on iommu: IOMMUInstance, _ pageTable: inout UInt32) throws(Errno) {
    let device = try mock.createDevice(flags: flags, on: iommu)
    self.device = device
    let bound = try context.bind(device)
    self.bound = bound
    device.faultLock.lockExclusive()
    defer { device.faultLock.unlockExclusive() }
    try bound.attach(to: &pageTable)
    isAttached = true
  }

  /// Detaches the RID only: whoever attached PASIDs must have detached them, or the device leaks
  /// (reference Q14). `iommufd_selftest_destroy`.
  override func destroy() {
    guard let device else { return }
    if isAttached { device.faultLock.withExclusive { bound?.detach() } }
    bound?.unbind()
    mock.destroyDevice(device)
  }
}

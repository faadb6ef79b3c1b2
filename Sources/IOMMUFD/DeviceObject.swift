// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
internal import Memory
internal import Seams
public import UAPI

/// A device that is bound to the file: `struct iommufd_device`.
///
/// The driver that bound it holds one `users`, so IOMMU_DESTROY is EBUSY; each attachment holds one, so the
/// driver cannot unbind it while it is attached; its vDEVICE holds one and a wait count, and goes first.
/// Source: `drivers/iommu/iommufd/device.c`; reference devices-hwpt-viommu.md sections 1 and 2.
public final class DeviceObject: Object, @unchecked Sendable {
  public let device: Device
  let group: DeviceGroup
  /// DMA of the device can be made to snoop, so its page tables must promise that it does.
  let enforcesCacheCoherency: Bool

  // Guarded by `group.lock`.
  var vdevice: VDevice?
  /// The device is being unbound: no vDEVICE for it any more.
  var isUnbinding = false
  /// PASIDs of the group at which this device is attached, with repetition for none.
  var attachmentCount: Int { group.attachments.values.count { $0.contains(self) } }
  /// What a bound device keeps open; nothing for the selftest's devices.
  private let contextFile: ContextFile?
  /// Whether the driver that bound it still holds it; false when it gave up on one that was attached.
  private var isBound = true
  /// Fault-capable HWPTs that are attached, for kernels where iommufd turns page requests on and off.
  var faultUsers = 0

  init(_ device: Device, _ group: DeviceGroup, in context: Context) {
    self.device = device
    self.group = group
    enforcesCacheCoherency = device.capabilities.contains(.enforceCacheCoherency)
    contextFile = device.isMock ? nil : context.file
    super.init(.device, in: context)
    contextFile?.retainFile()
  }

  public override var references: [Object] {
    group.lock.withLock {
      group.attachments.values.filter { $0.contains(self) }.map(\.hwpt)
    }
  }

  public override var externalUsers: Int {
    group.lock.withLock { (isBound ? 1 : 0) + attachmentCount }
  }

  public override var details: [(name: String, value: Fact)] {
    group.lock.withLock {
      let attached = group.attachments.filter { $0.value.contains(self) }.sorted { $0.key < $1.key }
      return [
        ("device", .text(device.name)),
        ("group", .number(UInt64(group.core.id))),
        ("hwpt", attached.first { $0.key == 0 }.map { .id($0.value.hwpt.id) } ?? .none),
        (
          "pasids",
          .list(
            attached.filter { $0.key != 0 }.map {
              .record([("pasid", .number(UInt64($0.key))), ("hwpt", .id($0.value.hwpt.id))])
            })
        ),
        ("vdevice", vdevice.map { .id($0.id) } ?? .none),
        ("owners", .number(UInt64(group.core.ownerCount))),
        ("blocked", .flag(group.core.isBlocked)),
        ("page-requests", .flag(device.isInFaultQueue)),
        ("max-pasids", .number(UInt64(device.maxPASIDs))),
      ]
    }
  }

  /// The HWPT at a PASID of the device, 0 for the RID.
  public func hwpt(at pasid: UInt32) -> HWPT? {
    group.lock.withLock {
      guard let attachment = group.attachments[pasid], attachment.contains(self) else { return nil }
      return attachment.hwpt
    }
  }

  /// The PASIDs at which the device is attached, ascending.
  public var attachedPASIDs: [UInt32] {
    group.lock.withLock { group.attachments.filter { $0.value.contains(self) }.keys.sorted() }
  }

  /// Gives the device back to the kernel. It must be detached; one that is not stays, for ever.
  /// `iommufd_device_unbind`.
  public func unbind() {
    if context.objects.removeForDriver(self) {
      destroy()
    } else {
      group.lock.withLock { isBound = false }
      dropUser()
    }
  }

  /// The device's vDEVICE dies with it and leaves a tombstone. `iommufd_device_pre_destroy`.
  public override func preDestroy() {
    let victim = group.lock.withLock { () -> VDevice? in
      isUnbinding = true
      // One that user space is destroying at this moment finishes by itself; the caller waits for it.
      guard let vdevice, context.objects.hold(vdevice) else { return nil }
      return vdevice
    }
    if let victim, context.objects.removeForDriver(victim, tombstone: true) { victim.destroy() }
  }

  /// `iommufd_device_destroy`.
  public override func destroy() {
    group.core.release()
    context.devices.leaveGroup(group)
    contextFile?.releaseFile()
  }
}

extension Context {
  /// Takes the DMA of a device over: it is blocked until something is attached. `iommufd_device_bind`;
  /// reference devices-hwpt-viommu.md section 1.3.
  ///
  /// - Throws: EINVAL for a device whose DMA is not coherent; ENODEV without a group; EPERM when interrupts
  ///   are not isolated, or the group has another owner; EBUSY, ENOMEM.
  public func bind(_ device: Device) throws(Errno) -> DeviceObject {
    guard device.capabilities.contains(.cacheCoherency) else {
      throw .EINVAL("the device's DMA does not snoop the caches")
    }
    guard let core = device.group else { throw .ENODEV("the device has no IOMMU group") }
    let group = try devices.joinGroup(core, kernel.failures)
    do throws(Errno) {
      guard device.isMock || core.hasIsolatedMSI || kernel.allowUnsafeInterrupts else {
        throw .EPERM("a device of the group can raise interrupts that are not its own")
      }
      try core.claim(for: self)
    } catch {
      devices.leaveGroup(group)
      throw error
    }
    let object = DeviceObject(device, group, in: self)
    do throws(Errno) { try objects.reserve(object) } catch {
      object.destroy()
      throw error
    }
    object.addUser()
    objects.publish(object)
    return object
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import IOMMUFD
public import Memory
internal import Seams
public import UAPI

/// An open `/dev/vfio/devices/vfioN`: `struct vfio_device_file`. Until it has bound the device to an iommufd it
/// answers EINVAL to everything but that.
///
/// Source: `vfio_device_fops_unl_ioctl` in `drivers/vfio/vfio_main.c`, `drivers/vfio/device_cdev.c`; the order of
/// the checks is that of reference uapi.md section 6.
public final class VFIODeviceFile: OpenFile, @unchecked Sendable {
  public let vfio: VFIODevice
  /// The iommufd that it bound the device to, with a reference; nil while `access_granted` is false. Guarded by the
  /// device's lock.
  private var iommufd: ContextFile?

  init(_ vfio: VFIODevice) {
    self.vfio = vfio
    super.init()
  }

  public override var name: String { vfio.path }
  public override var keptFile: OpenFile? { vfio.lock.withLock { iommufd } }

  private var version: KernelVersion { vfio.kernel.version }

  /// - Throws: EINVAL before it is bound; ENOTTY for a request that the model does not have.
  public override func ioctl(_ request: UInt32, _ argument: UInt64, by task: any CallingTask) throws(Errno)
    -> Int32
  {
    if request == 0x3B76 {
      try bind(argument, task)
      return 0
    }
    guard vfio.lock.withLock({ iommufd != nil }) else {
      throw .EINVAL("the file has not bound its device to an iommufd", UInt64(request))
    }
    switch request {
    case 0x3B6B: try getInfo(argument, task)
    case 0x3B6F: try reset()
    case 0x3B77: try attach(argument, task)
    case 0x3B78: try detach(argument, task)
    default: throw .ENOTTY("no request of a VFIO device that is modelled", UInt64(request))
    }
    return 0
  }

  /// The last descriptor is closed. `vfio_df_unbind_iommufd`.
  public override func release() {
    let context = vfio.lock.withLock { () -> ContextFile? in
      guard let iommufd else { return nil }
      vfio.disable()
      self.iommufd = nil
      return iommufd
    }
    context?.releaseFile()
    vfio.closed()
  }

  // MARK: Requests

  /// VFIO_DEVICE_BIND_IOMMUFD. `vfio_df_ioctl_bind_iommufd`. That a group's file is open, which is EBUSY, cannot be:
  /// groups have none here.
  ///
  /// - Throws: EFAULT, EINVAL, E2BIG for the struct; EINVAL when it or another file has bound the device, or for a
  ///   token; EBADF, EBADFD for the descriptor; what `VFIODevice.enable` throws; EFAULT for the answer, undone.
  private func bind(_ argument: UInt64, _ task: any CallingTask) throws(Errno) {
    typealias L = Layout.VFIOBind
    var bind = try bindStruct(argument, task)
    try vfio.lock.withLock { () throws(Errno) in
      guard iommufd == nil else { throw .EINVAL("the file has bound its device already") }
      if bind[L.flags] & 1 != 0 {
        _ = try task.memory.bytes(at: bind[L.tokenUUIDPtr], count: 16)
        throw .EINVAL("the function has nothing that a token protects")
      }
      let file = try task.files.get(bind[L.iommufd])
      do throws(Errno) {
        guard let context = file as? ContextFile else {
          throw .EBADFD("the descriptor is no iommufd", UInt64(UInt32(bitPattern: bind[L.iommufd])))
        }
        bind[L.outDevID] = try vfio.enable(in: context.context).id
        do throws(Errno) {
          try vfio.kernel.failures.pass(.copy, "the answer of a request")
          try bind.copyOut(L.outDevID)
        } catch {
          vfio.disable()
          throw error
        }
        iommufd = context
      } catch {
        file.releaseFile()
        throw error
      }
    }
  }

  /// Until 6.17 the struct has a fixed size and no flags.
  private func bindStruct(_ argument: UInt64, _ task: any CallingTask) throws(Errno) -> UserStruct {
    typealias L = Layout.VFIOBind
    guard version >= KernelVersion(6, 17) else {
      try vfio.kernel.failures.pass(.copy, "the struct of a request")
      let head = try UserStruct(24, reading: 16, at: argument, in: task.memory)
      guard head[L.argsz] >= 16 else { throw .EINVAL("argsz is below 16", UInt64(head[L.argsz])) }
      guard head[L.flags] == 0 else { throw .EINVAL("unknown flag", UInt64(head[L.flags])) }
      guard head[L.iommufd] >= 0 else { throw .EINVAL("the descriptor is negative") }
      return head
    }
    try vfio.kernel.failures.pass(.copy, "the size of a struct")
    let size = try task.memory.load(UInt32.self, at: argument)
    guard size >= 16 else { throw .EINVAL("argsz is below 16", UInt64(size)) }
    try vfio.kernel.failures.pass(.copy, "the struct of a request")
    let whole = try UserStruct(24, extending: Int(size), at: argument, in: task.memory)
    guard whole[L.iommufd] >= 0 else { throw .EINVAL("the descriptor is negative") }
    guard whole[L.flags] & ~1 == 0 else { throw .EINVAL("unknown flag", UInt64(whole[L.flags])) }
    return whole
  }

  /// VFIO_DEVICE_ATTACH_IOMMUFD_PT: attaches, or replaces what is attached. `vfio_df_ioctl_attach_pt`.
  ///
  /// When the answer cannot be written the RID is detached, also when it was a PASID that was attached, which stays
  /// (reference Q2).
  ///
  /// - Throws: EFAULT, EINVAL; what `VFIODevice.attach` throws.
  private func attach(_ argument: UInt64, _ task: any CallingTask) throws(Errno) {
    typealias L = Layout.VFIOAttach
    try vfio.kernel.failures.pass(.copy, "the struct of a request")
    var attach = try UserStruct(16, reading: 12, at: argument, in: task.memory)
    guard attach[L.argsz] >= 12 else { throw .EINVAL("argsz is below 12", UInt64(attach[L.argsz])) }
    let hasPASID = try pasidFlag(attach[L.flags])
    if hasPASID {
      guard attach[L.argsz] >= 16 else {
        throw .EINVAL("argsz is below 16, and there is a PASID", UInt64(attach[L.argsz]))
      }
      try vfio.kernel.failures.pass(.copy, "the PASID of a request")
      try attach.read(from: 12, to: 16)
    }
    try vfio.lock.withLock { () throws(Errno) in
      guard let object = vfio.bound else { throw .EINVAL("the device is not bound") }
      // Only a first attachment is undone as it was.
      let stays = hasPASID || vfio.isAttached
      if hasPASID {
        try vfio.attach(object, pasid: attach[L.pasid], to: &attach[L.ptID])
      } else {
        try vfio.attach(object, to: &attach[L.ptID])
      }
      do throws(Errno) {
        try vfio.kernel.failures.pass(stays ? .answer : .copy, "the answer of a request")
        try attach.copyOut(L.ptID)
      } catch {
        vfio.detach()
        throw error
      }
    }
  }

  /// VFIO_DEVICE_DETACH_IOMMUFD_PT. `vfio_df_ioctl_detach_pt`.
  ///
  /// - Throws: EFAULT, EINVAL. Detaching what is not attached succeeds.
  private func detach(_ argument: UInt64, _ task: any CallingTask) throws(Errno) {
    typealias L = Layout.VFIODetach
    try vfio.kernel.failures.pass(.copy, "the struct of a request")
    var detach = try UserStruct(12, reading: 8, at: argument, in: task.memory)
    guard detach[L.argsz] >= 8 else { throw .EINVAL("argsz is below 8", UInt64(detach[L.argsz])) }
    let hasPASID = try pasidFlag(detach[L.flags])
    if hasPASID {
      guard detach[L.argsz] >= 12 else {
        throw .EINVAL("argsz is below 12, and there is a PASID", UInt64(detach[L.argsz]))
      }
      try vfio.kernel.failures.pass(.copy, "the PASID of a request")
      try detach.read(from: 8, to: 12)
    }
    vfio.lock.withLock {
      if hasPASID { vfio.detach(pasid: detach[L.pasid]) } else { vfio.detach() }
    }
  }

  /// Whether the request is about a PASID.
  ///
  /// - Throws: EINVAL for an unknown flag; until 6.15 for any.
  private func pasidFlag(_ flags: UInt32) throws(Errno) -> Bool {
    let known: UInt32 = version >= KernelVersion(6, 15) ? 1 : 0
    guard flags & ~known == 0 else { throw .EINVAL("unknown flag", UInt64(flags)) }
    return flags & 1 != 0
  }

  /// VFIO_DEVICE_GET_INFO: a PCI function has the nine fixed regions and five kinds of interrupts. It has no
  /// capabilities to tell of. `vfio_pci_ioctl_get_info`.
  ///
  /// - Throws: EFAULT, EINVAL.
  private func getInfo(_ argument: UInt64, _ task: any CallingTask) throws(Errno) {
    typealias L = Layout.VFIODeviceInfo
    try vfio.kernel.failures.pass(.copy, "the struct of a request")
    var info = try UserStruct(24, reading: 16, at: argument, in: task.memory)
    guard info[L.argsz] >= 16 else { throw .EINVAL("argsz is below 16", UInt64(info[L.argsz])) }
    info[L.flags] = vfio.lock.withLock { vfio.resetWorks } ? 3 : 2
    info[L.numRegions] = 9
    info[L.numIRQs] = 5
    try vfio.kernel.failures.pass(.copy, "the answer of a request")
    try info.copyOut(Int(min(info[L.argsz], 24)))
  }

  /// VFIO_DEVICE_RESET. `vfio_pci_ioctl_reset`.
  ///
  /// - Throws: EINVAL when the device cannot be reset; what `VFIODevice.resetFunction` throws.
  private func reset() throws(Errno) {
    try vfio.lock.withLock { () throws(Errno) in
      guard vfio.resetWorks else { throw .EINVAL("the function could not be reset when it was bound") }
      try vfio.resetFunction()
    }
  }
}

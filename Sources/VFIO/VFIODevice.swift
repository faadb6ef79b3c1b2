// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import IOMMUFD
public import Memory
internal import Seams
public import UAPI

// The door through which programs reach a PCI function: `/dev/vfio/devices/vfioN`. A function that is plugged in has
// one from the first moment, as if `vfio-pci` had been told to take every function.
//
//     open ──> a file that knows one request ── BIND ──> bound: DMA is blocked ── ATTACH ──> a page table
//                                                          ATTACH again replaces, DETACH blocks again
//     close ──> reset, PASIDs detached, RID detached, unbound
//
// What is bound and attached belongs to the device, and the right to use it to the one file that bound it. There may
// be any number of files; the others can do nothing, as in Linux.
//
// Left out: groups and containers (`/dev/vfio/N`), VF tokens (no physical function here is bound to vfio-pci with
// virtual functions in use), and what a driver of the device itself needs: regions, interrupts, configuration space,
// migration.

/// A PCI function in the hands of `vfio-pci`: `struct vfio_device`. Source: `drivers/vfio/device_cdev.c`,
/// `drivers/vfio/iommufd.c`; reference devices-hwpt-viommu.md section 1.9.
public final class VFIODevice: @unchecked Sendable {
  /// N in `vfioN`.
  public let index: Int
  public let device: PCIDevice
  let kernel: Kernel

  /// Guards what follows, held over everything that changes it: `dev_set->lock`.
  let lock = Lock(.vfioDevice)
  /// The device as iommufd knows it, while it is bound. `iommufd_device`.
  var bound: DeviceObject?
  /// The RID is attached by a request without a PASID. `iommufd_attached`.
  var isAttached = false
  /// What requests with a PASID attached. `pasids`.
  var pasids: Set<UInt32> = []
  /// The reset when it was bound succeeded. `reset_works`.
  var resetWorks = false

  private let registration = Lock(.vfioRegistration)
  private var files = 0
  private var isRegistered = true

  public init(index: Int, _ device: PCIDevice, _ kernel: Kernel) {
    self.index = index
    self.device = device
    self.kernel = kernel
  }

  public var path: String { "\(Self.directory)vfio\(index)" }

  /// Where the device files are.
  public static let directory = "/dev/vfio/devices/"

  /// The index in the path of a device file; nil for any other path.
  public static func index(of path: String) -> Int? {
    guard path.hasPrefix(directory + "vfio") else { return nil }
    let digits = path.utf8.dropFirst(directory.utf8.count + 4)
    guard (1...7).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }),
      digits.first != 48 || digits.count == 1
    else { return nil }
    return Int(String(decoding: digits, as: UTF8.self))
  }

  // MARK: Files

  /// Opens the device file. However many there are, one can be bound. `vfio_device_fops_cdev_open`.
  ///
  /// - Throws: ENODEV when the device is on its way out; ENOMEM.
  public func open() throws(Errno) -> OpenFile {
    try registration.withLock { () throws(Errno) in
      guard isRegistered else { throw .ENODEV("the device is gone", UInt64(index)) }
      files += 1
    }
    do throws(Errno) { try kernel.failures.pass(.allocation, "an open VFIO device") } catch {
      closed()
      throw error
    }
    return VFIODeviceFile(self)
  }

  /// One file less.
  func closed() { registration.withLock { files -= 1 } }

  /// What is open, bound and attached, for whoever compares.
  public var holdings: (files: Int, isBound: Bool, isAttached: Bool, pasids: [UInt32]) {
    let (isBound, isAttached, pasids) = lock.withLock {
      (bound != nil, self.isAttached, self.pasids.sorted())
    }
    return (registration.withLock { files }, isBound, isAttached, pasids)
  }

  /// Whether a file is open.
  public var isOpen: Bool { registration.withLock { files > 0 } }

  /// The device goes away; no file can be opened any more. Linux waits until the last one is closed.
  /// `vfio_unregister_group_dev`.
  ///
  /// - Throws: EBUSY while one is open.
  public func unregister() throws(Errno) {
    try registration.withLock { () throws(Errno) in
      guard files == 0 else { throw .EBUSY("the device's VFIO file is open", UInt64(index), UInt64(files)) }
      isRegistered = false
    }
  }

  // MARK: Binding

  /// Binds the device and prepares it, with `lock` held. `vfio_df_open`, `vfio_pci_core_enable`.
  ///
  /// - Throws: EINVAL when another file has it; what `Context.bind` throws; ENOMEM.
  func enable(in context: Context) throws(Errno) -> DeviceObject {
    guard bound == nil else { throw .EINVAL("the device is in use through another file", UInt64(index)) }
    let object = try context.bind(device)
    // A reset that fails is no reason to refuse the device; it cannot be reset later, then.
    do throws(Errno) {
      try resetFunction()
      resetWorks = true
    } catch { resetWorks = false }
    do throws(Errno) { try kernel.failures.pass(.allocation, "the configuration space of a device") } catch
    {  // `vfio_config_init`
      object.unbind()
      throw error
    }
    bound = object
    return object
  }

  /// Gives the device back: the function is reset while it is still attached, PASIDs go in ascending order, then
  /// the RID. `vfio_df_device_last_close`, `vfio_iommufd_physical_unbind`.
  func disable() {
    guard let object = bound else { return }
    if resetWorks { try? resetFunction() }
    for pasid in pasids.sorted() { object.detach(pasid: pasid) }
    pasids = []
    detach()
    object.unbind()
    bound = nil
  }

  // MARK: Attaching

  /// The first time attaches, every later time replaces; `lock` is held. `vfio_iommufd_physical_attach_ioas`.
  ///
  /// - Throws: what `DeviceObject.attach` or `.replace` throws.
  func attach(_ object: DeviceObject, to pageTable: inout UInt32) throws(Errno) {
    if isAttached {
      try object.replace(with: &pageTable)
    } else {
      try object.attach(to: &pageTable)
      isAttached = true
    }
  }

  /// Nothing happens where nothing is attached. `vfio_iommufd_physical_detach_ioas`.
  func detach() {
    guard isAttached else { return }
    bound?.detach()
    isAttached = false
  }

  /// The same for a PASID. PASID 0 is not refused and means the RID, without `isAttached` (reference Q3).
  /// `vfio_iommufd_physical_pasid_attach_ioas`.
  ///
  /// - Throws: ENOSPC for a PASID of 2^31 or more; ENOMEM; what `DeviceObject.attach` or `.replace` throws.
  func attach(_ object: DeviceObject, pasid: UInt32, to pageTable: inout UInt32) throws(Errno) {
    if hasRecorded(pasid) {
      try object.replace(pasid: pasid, with: &pageTable)
      return
    }
    guard pasid < 1 << 31 else { throw .ENOSPC("a set of PASIDs ends at 2^31 - 1", UInt64(pasid)) }
    try kernel.failures.pass(.allocation, "a PASID of a device")
    try object.attach(pasid: pasid, to: &pageTable)
    pasids.insert(pasid)
  }

  /// `vfio_iommufd_physical_pasid_detach_ioas`.
  func detach(pasid: UInt32) {
    guard pasids.contains(pasid) else { return }
    bound?.detach(pasid: pasid)
    pasids.remove(pasid)
  }

  /// Whether the set of PASIDs is said to have this one. Of a number beyond the set's end `ida_exists` compares its
  /// own error, -EINVAL, with the number, so that this one number seems to be there.
  private func hasRecorded(_ pasid: UInt32) -> Bool {
    pasids.contains(pasid) || pasid == UInt32(bitPattern: -Errno.EINVAL.code)
  }
}

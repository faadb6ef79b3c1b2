// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
internal import Seams
public import UAPI

/// One open `/dev/iommu`: `struct iommufd_ctx`.
public final class Context: @unchecked Sendable {
  /// Against what the pinned pages of a mapping are charged. `enum iopt_pages... account_mode`.
  public enum Accounting: Sendable { case none, user, process }

  public let kernel: Kernel
  public let objects: ObjectTable
  /// RLIMIT_MODE. Changes only while there is no object.
  public internal(set) var accounting: Accounting
  /// Creation of IOASes against IOAS_CHANGE_PROCESS. `ioas_creation_lock`.
  let ioasCreation = ReaderWriterLock(.ioasCreation)
  /// What the device side keeps per context: groups, mmap windows, MSI pages.
  public let devices: DeviceState

  /// The open file, which every bound device and every access keeps alive; set by `ContextFile`.
  public internal(set) unowned var file: ContextFile!

  init(_ kernel: Kernel, accounting: Accounting) {
    self.kernel = kernel
    self.accounting = accounting
    objects = ObjectTable(failures: kernel.failures)
    devices = DeviceState()
  }

  var version: KernelVersion { kernel.version }

  /// Runs `body` with the compatibility IOAS.
  ///
  /// - Throws: ENODEV when none is set, and what `body` throws.
  func withCompatIOAS<Result>(_ body: (IOAS) throws(Errno) -> Result) throws(Errno) -> Result {
    let ioas = try objects.getCompat()
    defer { objects.put(ioas) }
    return try body(ioas)
  }

  // MARK: Creating

  /// Makes an object in two phases: an ID is reserved, `body` does all that can fail and answers the caller,
  /// and only then is the object visible. If `body` throws, the object is destroyed and the ID free again.
  public func create<T: Object, Result>(
    _ object: T, _ body: (T) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    try objects.reserve(object)
    do throws(Errno) {
      let result = try body(object)
      objects.publish(object)
      return result
    } catch {
      objects.abandon(object)
      object.destroy()
      throw error
    }
  }
}

/// The file behind `/dev/iommu`. Its release destroys everything. `iommufd_fops`.
public final class ContextFile: OpenFile, @unchecked Sendable {
  public let context: Context

  init(_ context: Context) {
    self.context = context
    super.init()
    context.file = self
  }

  public override var name: String { "/dev/iommu" }

  public override func ioctl(_ request: UInt32, _ argument: UInt64, by task: any CallingTask) throws(Errno)
    -> Int32
  {
    try Dispatcher.run(request, argument, by: task, in: context)
  }

  // `iommufd_fops` has no poll: a file without one is always ready.

  public override func mmap(
    length: UInt64, offset: UInt64, mode: MapMode, by task: any CallingTask
  ) throws(Errno) -> MappedWindow {
    guard context.version >= KernelVersion(6, 17) else { throw .ENODEV("this kernel's iommufd has no mmap") }
    let window = try context.devices.mmap(length: length, offset: offset, mode: mode)
    // A mapping keeps the file open, as `vm_file` does.
    retainFile()
    return MappedWindow(
      frames: window.frames, registers: window.registers,
      mapped: { [self] in
        window.mapped()
        retainFile()
      },
      unmapped: { [self] in
        window.unmapped()
        releaseFile()
      })
  }

  public override func release() { context.close() }
}

extension Context {
  /// Destroys every object, leaves first. `iommufd_fops_release`.
  ///
  /// A mock device that was destroyed with PASIDs attached leaves its DEVICE object attached; the kernel leaks
  /// it, with what it holds, for ever (reference devices-hwpt-viommu.md Q14). The model lets go of it here, so
  /// that a machine is whole again once its files are closed.
  func close() {
    for case let device as DeviceObject in objects.removeAll() { device.detachAll() }
    let left = objects.removeAll()
    precondition(left.isEmpty, "a closed file has objects whose references are broken")
    devices.close()
    kernel.forget(self)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
public import UAPI

/// A real kernel as a target: the system calls of this very process on a real `/dev/iommu`.
///
/// Each target stands for a process of its own, as far as one process can: what it opened, and every descriptor
/// that a request gave it, is closed with it, and its memory goes. What it did not open is not touched, so a
/// script cannot close the runner's standard output. Two at a time would share accounting and the selftest's
/// global state; the runner makes one after the other.
///
/// An errno is the kernel's, and which of its checks failed it does not say.
public final class KernelTarget: IoctlTarget {
  private let own: OwnMemory
  private var descriptors: Set<Int32> = []
  public let kernel: KernelVersion
  /// The kernel was built with the selftest driver, so there can be mock devices.
  public private(set) var hasSelftest = false

  /// - Parameter kernel: the release whose answers are expected; nil for what the running kernel says it is.
  /// - Throws: EMFILE, and what opening `/dev/iommu` throws: ENOENT where there is none, EACCES, ENODEV.
  public init(kernel: KernelVersion? = nil) throws(Errno) {
    self.kernel = kernel ?? Self.running ?? Personality.standard.version
    // A process has a standard input, which an earlier one may have closed here.
    if fcntl(0, F_GETFD) < 0 { _ = Glibc.open("/dev/null", O_RDONLY) }
    own = try OwnMemory()
    own.made = { [unowned self] in descriptors.insert($0) }
    // A target that cannot be opened is no target; better to be told before the first statement.
    let fd = try open("/dev/iommu")
    hasSelftest = iofd_ioctl(fd, CommandTable.selftest.request, 0) < 0 && errno != ENOTTY
    try close(fd)
  }

  deinit { for fd in descriptors.sorted(by: >) { Glibc.close(fd) } }

  /// The release of the running kernel.
  public static var running: KernelVersion? {
    var name = utsname()
    guard uname(&name) == 0 else { return nil }
    let release = withUnsafeBytes(of: name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    // 7.2.13-amd64, 7.3-rc1, 6.12.117+deb13
    return KernelVersion(release.prefix { $0.isNumber || $0 == "." })
  }

  public var memory: any UserMemory { own }
  public var userSpace: any UserSpace { own }

  public func open(_ path: String) throws(Errno) -> Int32 {
    guard path == "/dev/iommu" || path == "/dev/vfio/vfio" || path.hasPrefix("/dev/vfio/devices/") else {
      throw .ENOENT("the target has /dev/iommu and what VFIO has")
    }
    return try keep(Glibc.open(path, O_RDWR | O_CLOEXEC))
  }

  /// Standard input may be closed like anything that was opened here; everything else is the runner's.
  public func close(_ fd: Int32) throws(Errno) {
    guard descriptors.remove(fd) != nil || fd == 0 else { throw .EBADF("not a descriptor of the script") }
    guard Glibc.close(fd) == 0 else { throw .last }
  }

  public func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32 {
    let result = iofd_ioctl(fd, request, argument)
    guard result >= 0 else { throw .last }
    if let made = RequestStruct(request, at: argument, in: own) {
      for field in made.present where field.isDescriptorOut {
        if let fd = field.value(at: argument, in: own) { descriptors.insert(Int32(truncatingIfNeeded: fd)) }
      }
      if made.returnsDescriptor { descriptors.insert(result) }
    }
    return result
  }

  public func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    guard descriptors.contains(fd) else { throw .EBADF("not a descriptor of the script") }
    let done = Glibc.read(fd, UnsafeMutableRawPointer(bitPattern: UInt(address)), count)
    guard done >= 0 else { throw .last }
    return done
  }

  public func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    guard descriptors.contains(fd) else { throw .EBADF("not a descriptor of the script") }
    let done = Glibc.write(fd, UnsafeRawPointer(bitPattern: UInt(address)), count)
    guard done >= 0 else { throw .last }
    return done
  }

  public func poll(_ fd: Int32) throws(Errno) -> PollEvents {
    var entry = pollfd(fd: fd, events: PollEvents.always.rawValue, revents: 0)
    guard Glibc.poll(&entry, 1, 0) >= 0 else { throw .last }
    guard entry.revents & Int16(POLLNVAL) == 0, fd >= 0 else { throw .EBADF("the kernel decided") }
    return PollEvents(rawValue: entry.revents)
  }

  public func dup(_ fd: Int32) throws(Errno) -> Int32 { try keep(fcntl(fd, F_DUPFD_CLOEXEC, 0)) }

  public func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode)
    throws(Errno) -> UInt64
  {
    try own.map(fd, at: address, length: length, offset: offset, mode: flags)
  }

  private func keep(_ fd: Int32) throws(Errno) -> Int32 {
    guard fd >= 0 else { throw .last }
    descriptors.insert(fd)
    return fd
  }
}

extension Field {
  /// The kernel writes a new descriptor here.
  fileprivate var isDescriptorOut: Bool {
    if case .fileDescriptor = meaning { direction.isOutput } else { false }
  }
}

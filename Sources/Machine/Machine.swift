// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
public import IOMMUFD
public import Memory
internal import Seams
internal import Selftest
public import UAPI
internal import VFIO

/// A whole machine: physical memory, a kernel with iommufd, processes. Everything that a test needs and
/// nothing that outlives it.
public final class Machine: @unchecked Sendable {
  public struct Configuration: Sendable {
    public var kernel: Personality
    /// Bytes of physical memory; reserved, not committed.
    public var memorySize: UInt64
    /// Frames between consecutive allocations: 1 gives contiguous memory, more scatters it.
    public var frameStride: Int
    /// An empty file that holds physical memory, so that real processes can map parts of it.
    public var backing: Int32?

    public init(
      kernel: Personality = .standard, memorySize: UInt64 = PhysicalMemory.defaultSize, frameStride: Int = 1,
      backing: Int32? = nil
    ) {
      self.kernel = kernel
      self.memorySize = memorySize
      self.frameStride = frameStride
      self.backing = backing
    }
  }

  public let memory: PhysicalMemory
  public let kernel: Kernel
  let groupNumbers = GroupNumbers()
  /// Hears what happens in calls that are made through targets and benches.
  let tracer = Tracer()
  let hardware = InstalledHardware()
  private let lock = Lock(.machine)
  @exclusivity(unchecked) private var processes: [Int32: Process] = [:]
  @exclusivity(unchecked) private var nextPID: Int32 = 1
  /// Processes that are not the machine's own; see `watch`.
  @exclusivity(unchecked) private var watched: [Account] = []
  private var forgotten: Set<LockName> = []

  public init(_ configuration: Configuration = Configuration()) {
    memory = PhysicalMemory(
      size: configuration.memorySize, stride: configuration.frameStride, backing: configuration.backing)
    let failures = FailurePoints()
    kernel = Kernel(
      configuration.kernel, memory: memory, failures: failures,
      selftest: Selftest(
        configuration.kernel, memory: memory, failures: failures, groups: groupNumbers))
  }

  // MARK: Processes

  /// A new process of a user of its own, with root's capabilities and three open files, as a program has.
  public func spawn(uid: UInt32 = 0) -> Process {
    lock.withLock {
      let process = Process(
        pid: nextPID, space: ProcessMemory(memory), user: UserAccount(uid: uid))
      for _ in 0..<3 {
        do throws(Errno) { _ = try process.table.install(StandardStream()) } catch {
          preconditionFailure("a new process has no room for a descriptor")
        }
      }
      processes[nextPID] = process
      nextPID += 1
      return process
    }
  }

  /// A copy of a process.
  ///
  /// - Throws: ENOMEM.
  public func fork(_ parent: Process) throws(Errno) -> Process {
    let pid = lock.withLock { () -> Int32 in
      defer { nextPID += 1 }
      return nextPID
    }
    let child = try parent.fork(pid: pid)
    lock.withLock { processes[pid] = child }
    return child
  }

  /// Ends a process.
  ///
  /// - Throws: ENOENT.
  public func exit(_ pid: Int32) throws(Errno) {
    let process = try process(pid)
    lock.withLock { processes[pid] = nil }
    process.exit()
  }

  /// - Throws: ENOENT.
  public func process(_ pid: Int32) throws(Errno) -> Process {
    try lock.withLock { () throws(Errno) -> Process in
      guard let process = processes[pid] else {
        throw .ENOENT("no process has this number", UInt64(bitPattern: Int64(pid)))
      }
      return process
    }
  }

  /// Locks that the threads of a scheduler do not take.
  var forgottenLocks: Set<LockName> { lock.withLock { forgotten } }

  func forget(_ name: LockName, _ on: Bool) {
    lock.withLock { if on { forgotten.insert(name) } else { forgotten.remove(name) } }
  }

  /// Every living process, by number.
  public var allProcesses: [Process] {
    lock.withLock { processes.values.sorted { $0.pid < $1.pid } }
  }

  /// Whose counters mappings charge.
  struct Account {
    let pid: Int32
    let memory: any AddressSpace
    let user: UserAccount
  }

  /// Counts a process that is not the machine's own among those whose charges must add up.
  public func watch(_ memory: any AddressSpace, user: UserAccount, of pid: Int32) {
    lock.withLock {
      watched.removeAll { !$0.memory.isAlive }
      watched.append(Account(pid: pid, memory: memory, user: user))
    }
  }

  /// Everybody whose charges must add up.
  var accounts: [Account] {
    let own = allProcesses.map { Account(pid: $0.pid, memory: $0.space, user: $0.user) }
    return own + lock.withLock { watched.filter { $0.memory.isAlive } }
  }

  // MARK: Device nodes

  /// Opens a device node: `/dev/iommu`, `/dev/vfio/vfio`, or `/dev/vfio/devices/vfioN` of a PCI function.
  ///
  /// - Throws: ENOENT for another path; what opening a VFIO device throws.
  public func open(_ path: String) throws(Errno) -> OpenFile {
    switch path {
    case "/dev/iommu", "/dev/vfio/vfio":
      try kernel.failures.pass(.allocation, "an open /dev/iommu")
      return kernel.open(vfio: path == "/dev/vfio/vfio")
    default:
      guard let device = vfioDevice(at: path) else { throw .ENOENT("the machine has no such device node") }
      return try device.open()
    }
  }

  /// Whether the machine has a device node of this name.
  public func hasNode(_ path: String) -> Bool {
    path == "/dev/iommu" || path == "/dev/vfio/vfio" || vfioDevice(at: path) != nil
  }

  /// Opens a device node for a process.
  ///
  /// - Throws: as `open`; EMFILE.
  public func open(_ path: String, by process: Process) throws(Errno) -> Int32 {
    try kernel.failures.pass(.allocation, "a descriptor")
    let file = try open(path)
    do throws(Errno) { return try process.table.install(file) } catch {
      file.releaseFile()
      throw error
    }
  }
}

/// What descriptors 0, 1 and 2 of a new process are: they can be closed, and know no request.
private final class StandardStream: OpenFile, @unchecked Sendable {
  override var name: String { "/dev/console" }
}

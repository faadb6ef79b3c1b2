// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMUFD
public import Memory
internal import Seams
public import UAPI

/// The model as a target: system calls made by one process of a machine.
public final class ModelTarget: IoctlTarget {
  public let machine: Machine
  /// Who makes the calls; the bench can make it another one.
  @exclusivity(unchecked) public internal(set) var process: Process
  private let role: Role

  private enum Role {
    /// The machine is its own.
    case owner
    /// The machine is somebody else's.
    case guest
    /// It keeps the target whose thread it is.
    case thread(of: ModelTarget)
  }

  /// A target on a machine of its own, with one process. The machine is taken apart with it.
  public init(_ configuration: Machine.Configuration = Machine.Configuration()) {
    machine = Machine(configuration)
    process = machine.spawn()
    role = .owner
  }

  /// A target on `machine`, as a new process.
  public init(_ machine: Machine) {
    self.machine = machine
    process = machine.spawn()
    role = .guest
  }

  /// Another thread of the process that `target` makes its calls as.
  init(threadOf target: ModelTarget) {
    machine = target.machine
    process = target.process
    role = .thread(of: target)
  }

  deinit {
    if case .thread = role { return }
    if case .owner = role { machine.memory.end() }
    // What is open would otherwise outlive the machine's last user.
    for process in machine.allProcesses { process.exit() }
    if case .owner = role { machine.dismantle() }
  }

  public var kernel: KernelVersion { machine.kernel.version }
  public var memory: any UserMemory { process.space }
  public var userSpace: any UserSpace { ProcessUserSpace(process) }

  public func open(_ path: String) throws(Errno) -> Int32 { try machine.open(path, by: process) }

  public func close(_ fd: Int32) throws(Errno) {
    try machine.tracer.around { () throws(Errno) in try process.table.close(fd) }
  }

  public func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32 {
    try machine.tracer.around { () throws(Errno) in
      defer { machine.settle() }
      let process = process
      return try process.table.with(fd) { file throws(Errno) in
        try file.ioctl(request, argument, by: process)
      }
    }
  }

  public func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    try process.table.with(fd) { file throws(Errno) in try file.read(address, count, by: process) }
  }

  public func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    try machine.tracer.around { () throws(Errno) in
      defer { machine.settle() }
      return try process.table.with(fd) { file throws(Errno) in try file.write(address, count, by: process) }
    }
  }

  public func poll(_ fd: Int32) throws(Errno) -> PollEvents { try process.table.with(fd) { $0.poll() } }

  public func dup(_ fd: Int32) throws(Errno) -> Int32 { try process.table.dup(fd) }

  public func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode)
    throws(Errno) -> UInt64
  {
    try process.mmap(fd, at: address, length: length, offset: offset, mode: flags)
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// The second interface of a target: what is not uAPI. Looking inside, processes and their limits, failures
/// on purpose. A model has one, a real kernel has none, and a front end that needs it says so.
///
/// Descriptors and addresses are those of the target's current process.
public protocol Bench: HardwareBench, FailureBench {
  // MARK: Looking

  /// The state of the open `/dev/iommu` behind `fd`: a record with `objects` (a list of records with `id`,
  /// `type`, `users` and what else the type has), `accounting`, `compat`, ...; nil when `fd` is something else.
  func state(of fd: Int32) -> Fact?
  /// The state of one object, as it appears in `state(of:)`.
  func state(of fd: Int32, object: UInt32) -> Fact?
  /// Physical memory, processes, users: frames in use, pinned pages, VmPin, VmLck, charges.
  func machineState() -> Fact
  /// The whole machine at one moment: a record with `kernel`, `process` (the current one), `memory`, and the lists
  /// `processes` (with `descriptors`), `files` (as `state(of:)`, in the order in which they were opened), `iommus` (as
  /// `state(ofIOMMU:)`) and `devices` (as `state(ofFunction:)`). Two machines that went the same way say the same.
  func everything() -> Fact
  /// A number for the bytes of all memory in use, tables included: equal memories have equal ones.
  func contentsDigest() -> UInt64
  /// Every broken invariant of the whole machine; empty when all is well.
  func violations() -> [Violation]

  /// The physical address behind a byte of the current process's memory, or nil.
  func physicalAddress(at address: UInt64) -> UInt64?
  /// How often the page behind a byte of the current process's memory is pinned, or nil where there is none.
  func pinCount(at address: UInt64) -> UInt64?
  /// What a paging HWPT translates an IOVA to, or nil.
  func translate(_ fd: Int32, hwpt: UInt32, iova: UInt64) -> UInt64?

  // MARK: Tracing

  /// Which events are kept; nil, the usual, for none.
  var traceLevel: TraceLevel? { get set }
  /// What happened since it was last asked, oldest first, and how many events there were beyond those that are kept.
  func takeEvents() -> (events: [MachineEvent], lost: Int)

  // MARK: Processes

  /// A copy of the current process; returns its number. The current process stays current.
  func fork() throws(Errno) -> Int32
  /// Makes another process the current one.
  ///
  /// - Throws: ENOENT for a process that does not exist.
  func switchProcess(_ pid: Int32) throws(Errno)
  /// Ends a process: its descriptors close, its memory goes.
  func exit(_ pid: Int32) throws(Errno)
  var currentProcess: Int32 { get }
  /// Gives or takes a capability of the current process: `ipc-lock`, `sys-resource`, `sys-rawio`.
  ///
  /// - Throws: EINVAL for another name.
  func setCapability(_ name: String, _ held: Bool) throws(Errno)
  /// Sets RLIMIT_MEMLOCK of the current process, in bytes.
  func setMemlockLimit(_ bytes: UInt64)

  // MARK: Threads

  /// The same machine and process for another thread of whoever makes the requests.
  func sibling() -> (target: any IoctlTarget, bench: any Bench)
  /// Decides who runs, for threads that make their requests through siblings.
  func makeScheduler() -> any ThreadScheduler
  /// Where a scheduler can give the turn to another thread.
  var schedulePoints: [SchedulePointInfo] { get }
  /// Makes the threads of schedulers that are made from now on run as if the model did not take a lock.
  ///
  /// - Throws: EINVAL for a lock that is not among `forgettableLocks`.
  func forgetLock(_ name: String, _ on: Bool) throws(Errno)
  /// Locks without which the model goes wrong and goes on.
  var forgettableLocks: [String] { get }
}

/// A target and, where it has one, its bench: what a script runs on.
public struct Rig {
  public let target: any IoctlTarget
  public let bench: (any Bench)?
  /// `mock`, ...: what `require backend=` and `[mock]` look at.
  public let backend: String

  public init(target: any IoctlTarget, bench: (any Bench)?, backend: String) {
    self.target = target
    self.bench = bench
    self.backend = backend
  }
}

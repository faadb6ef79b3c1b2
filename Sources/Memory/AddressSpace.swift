// SPDX-License-Identifier: GPL-3.0-or-later
public import Synchronization
public import UAPI

/// The memory of one process as the kernel's pinning code sees it: `struct mm_struct` and
/// get_user_pages.
///
/// The simulated one is `ProcessMemory`; a program under interposition brings its own.
public protocol AddressSpace: UserMemory, Sendable {
  /// Pins the pages at `address`, which is page aligned: at most `frames.count` of them, longterm.
  ///
  /// Pins from the start until the first page that cannot be had, and returns how many; a short count is
  /// not an error, a zero count is. With `writing` a page must be writable, and a private read-only page
  /// is unshared first.
  /// Source: `pin_user_pages_fast`, `pin_user_pages_remote` with FOLL_LONGTERM; reference
  /// io-pagetable.md section 3.4.
  ///
  /// - Throws: EFAULT when the first page cannot be pinned, ENOMEM when memory runs out.
  func pin(_ address: UInt64, writing: Bool, into frames: UnsafeMutableBufferPointer<FrameNumber>)
    throws(Errno)
    -> Int

  /// The frame behind a page, without pinning it; nil where nothing can be faulted in.
  func frame(at address: UInt64, writing: Bool) -> FrameNumber?

  /// False once every process that used it is gone: nothing can be pinned any more.
  var isAlive: Bool { get }

  /// VmPin and VmLck, in pages.
  var counters: MemoryCounters { get }
}

/// What `/proc/PID/status` shows as VmPin and VmLck, in pages.
public final class MemoryCounters: Sendable {
  public let pinned = Atomic<Int>(0)
  public let locked = Atomic<Int>(0)
  /// Pages that `pinned` counts and no mapping of this process charged, or less than 0 for the reverse:
  /// IOAS_CHANGE_PROCESS does not move the count of mappings that nothing limits, and they later give it back
  /// to the wrong process (reference io-pagetable.md section 3.5).
  public let misplaced = Atomic<Int>(0)
  public init() {}
}

/// A user account, as far as RLIMIT_MEMLOCK is concerned: `struct user_struct`.
public final class UserAccount: Sendable {
  public let uid: UInt32
  /// Pages charged to the user, over all processes: `locked_vm`.
  public let lockedPages = Atomic<Int>(0)
  public init(uid: UInt32) { self.uid = uid }
}

/// The capabilities that iommufd asks about.
public struct Capabilities: OptionSet, Sendable {
  public let rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// Pinned memory is not limited: CAP_IPC_LOCK.
  public static let ipcLock = Capabilities(rawValue: 1)
  /// RLIMIT_MODE may be set: CAP_SYS_RESOURCE.
  public static let sysResource = Capabilities(rawValue: 2)
  /// Devices without an IOMMU may be used: CAP_SYS_RAWIO.
  public static let sysRawIO = Capabilities(rawValue: 4)
  public static let all: Capabilities = [.ipcLock, .sysResource, .sysRawIO]
}

/// Who makes a request: `current`, as iommufd looks at it.
public protocol CallingTask: AnyObject, Sendable {
  var memory: any AddressSpace { get }
  var user: UserAccount { get }
  var capabilities: Capabilities { get }
  /// RLIMIT_MEMLOCK in bytes.
  var memlockLimit: UInt64 { get }
  var files: any DescriptorTable { get }
}

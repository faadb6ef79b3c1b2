// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
internal import Synchronization
public import UAPI

/// An open file: `struct file`. One may stand behind several descriptors and in several processes; it is
/// released when the last of them, and the last reference that the kernel itself holds, is gone.
///
/// Subclasses answer what they can; the rest is refused as the kernel refuses it.
open class OpenFile: @unchecked Sendable {
  private let references = Atomic<Int>(1)

  public init() {}

  /// The name that `/proc/PID/fd` shows, for example `anon_inode:[iommufd-pgfault]`.
  open var name: String { "anon_inode:" }

  /// - Throws: ENOTTY unless the file knows the request.
  open func ioctl(_ request: UInt32, _ argument: UInt64, by task: any CallingTask) throws(Errno) -> Int32 {
    throw .ENOTTY("this file has no ioctls")
  }
  open func read(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    throw .EINVAL("this file cannot be read")
  }
  open func write(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    throw .EINVAL("this file cannot be written")
  }
  open func poll() -> PollEvents { .always }
  /// The file that this one keeps open until it is released itself.
  open var keptFile: OpenFile? { nil }
  /// Whether programs read and write the file, as they do fault and event queues.
  open var movesBytes: Bool { false }

  /// Maps the file; the mapping's owner keeps a reference until `MappedWindow.unmapped`.
  open func mmap(length: UInt64, offset: UInt64, mode: MapMode, by task: any CallingTask) throws(Errno)
    -> MappedWindow
  {
    throw .ENODEV("this file cannot be mapped")
  }
  /// Runs once, when the last reference goes.
  open func release() {}

  /// `get_file`.
  public func retainFile() { references.add(1, ordering: .relaxed) }

  /// `fput`.
  public func releaseFile() {
    if references.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { release() }
  }
}

/// Pages, or registers, that a file hands to mmap, and what to call as mappings of them come and go.
public struct MappedWindow: Sendable {
  public let frames: [FrameNumber]
  /// Registers instead of pages: there are no frames.
  public let registers: (any RegisterWindow)?
  public let mapped: @Sendable () -> Void
  public let unmapped: @Sendable () -> Void
  public init(
    frames: [FrameNumber], registers: (any RegisterWindow)? = nil, mapped: @escaping @Sendable () -> Void,
    unmapped: @escaping @Sendable () -> Void
  ) {
    self.frames = frames
    self.registers = registers
    self.mapped = mapped
    self.unmapped = unmapped
  }
}

/// A process's descriptors, as iommufd uses them: `struct files_struct`. The simulated one is `FileTable`; a
/// program under interposition has its own.
public protocol DescriptorTable: AnyObject, Sendable {
  /// Puts `file` under a free descriptor; the descriptor takes over the caller's reference.
  ///
  /// - Throws: EMFILE when the table is full.
  func install(_ file: OpenFile) throws(Errno) -> Int32
  /// The file behind `fd`, with a reference for the caller: `fget`.
  ///
  /// - Throws: EBADF.
  func get(_ fd: Int32) throws(Errno) -> OpenFile
  /// - Throws: EBADF.
  func close(_ fd: Int32) throws(Errno)
}

extension DescriptorTable {
  /// Runs `body` with the file behind `fd`, which cannot be released meanwhile.
  ///
  /// - Throws: EBADF, and what `body` throws.
  @inlinable
  public func with<Result>(_ fd: Int32, _ body: (OpenFile) throws(Errno) -> Result) throws(Errno) -> Result {
    let file = try get(fd)
    defer { file.releaseFile() }
    return try body(file)
  }
}

/// The descriptors of a simulated process: lowest free number first, as in Linux.
public final class FileTable: DescriptorTable, @unchecked Sendable {
  private let lock = Lock(.fileTable)
  @exclusivity(unchecked) private var slots: [OpenFile?] = []
  /// No descriptor below this one is free.
  @exclusivity(unchecked) private var lowestFree = 0
  @exclusivity(unchecked) private var limit: Int

  /// - Parameter limit: RLIMIT_NOFILE.
  public init(limit: Int = 1 << 20) { self.limit = limit }

  /// Sets RLIMIT_NOFILE; what is open stays open.
  public func setLimit(_ limit: Int) { lock.withLock { self.limit = limit } }

  /// Puts `file` under the lowest free descriptor; the descriptor takes over the caller's reference.
  ///
  /// - Throws: EMFILE when the table is full.
  public func install(_ file: OpenFile) throws(Errno) -> Int32 {
    try lock.withLock { () throws(Errno) -> Int32 in
      while lowestFree < slots.count, slots[lowestFree] != nil { lowestFree += 1 }
      let free = lowestFree
      guard free < limit else {
        throw .EMFILE("the process has no free descriptor", UInt64(limit))
      }
      if free == slots.count { slots.append(file) } else { slots[free] = file }
      return Int32(free)
    }
  }

  /// The file behind `fd`, with a reference for the caller: `fget`.
  ///
  /// - Throws: EBADF.
  public func get(_ fd: Int32) throws(Errno) -> OpenFile {
    try lock.withLock { () throws(Errno) -> OpenFile in
      let index = Int(fd)
      guard index >= 0, index < slots.count, let file = slots[index] else {
        throw .EBADF("not an open descriptor", UInt64(bitPattern: Int64(fd)))
      }
      file.retainFile()
      return file
    }
  }

  /// - Throws: EBADF.
  public func close(_ fd: Int32) throws(Errno) {
    let file = try lock.withLock { () throws(Errno) -> OpenFile in
      let index = Int(fd)
      guard index >= 0, index < slots.count, let file = slots[index] else {
        throw .EBADF("not an open descriptor", UInt64(bitPattern: Int64(fd)))
      }
      slots[index] = nil
      lowestFree = min(lowestFree, index)
      return file
    }
    file.releaseFile()
  }

  /// - Throws: EBADF, EMFILE.
  public func dup(_ fd: Int32) throws(Errno) -> Int32 {
    let file = try get(fd)
    do { return try install(file) } catch {
      file.releaseFile()
      throw error
    }
  }

  /// Closes everything, lowest first, as exit does.
  public func closeAll() {
    let files = lock.withLock { () -> [OpenFile] in
      defer {
        slots.removeAll()
        lowestFree = 0
      }
      return slots.compactMap { $0 }
    }
    for file in files { file.releaseFile() }
  }

  /// A copy for a forked child: the same open files under the same numbers.
  public func forked() -> FileTable {
    lock.withLock {
      let copy = FileTable(limit: limit)
      copy.slots = slots
      for file in slots { file?.retainFile() }
      return copy
    }
  }

  /// The open descriptors, ascending.
  public var open: [(fd: Int32, file: OpenFile)] {
    lock.withLock {
      slots.enumerated().compactMap { index, file in file.map { (Int32(index), $0) } }
    }
  }
}

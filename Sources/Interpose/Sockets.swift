// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Memory
internal import Seams
internal import UAPI

// An open file of the model is, in the program, one end of a socket pair; the other end is the supervisor's. Any
// descriptor of it, in whatever process and under whatever number, is found again by the inode that
// /proc/PID/fd shows. When the last one closes, the supervisor's end hangs up: that is the release, seen before
// the next request is looked at, since the kernel hangs up before the closing call returns.
//
// poll is real: a program waits in the kernel for a byte that the supervisor puts into an event file's socket
// when a queue has something to read, and takes out when it has not.

/// The open files of the model that programs hold.
final class Sockets: @unchecked Sendable {
  private final class Entry {
    let file: OpenFile
    /// Counted from 1, for people.
    var number: UInt64 = 0
    let inode: UInt64
    /// The supervisor's end.
    let ours: Descriptor
    /// A byte lies in the program's end, so that it polls as readable.
    var isSignalled = false

    init(_ file: OpenFile, _ inode: UInt64, _ ours: Descriptor) {
      self.file = file
      self.inode = inode
      self.ours = ours
    }
  }

  private let lock = Lock(.frontEnd)
  private var byInode: [UInt64: Entry] = [:]
  private var byDescriptor: [Int32: Entry] = [:]
  private var events: [UInt64: Entry] = [:]
  private let epoll: Descriptor
  private var made: UInt64 = 0
  /// Taken before `lock`: one thread at a time makes files poll as they are.
  private let signalling = Lock(.frontEnd)

  init() { epoll = Descriptor(iofd_epoll()) }

  /// A socket for `file`, whose reference it takes over.
  ///
  /// - Returns: the program's end, to be handed over and then closed here.
  /// - Throws: ENFILE when the supervisor has no descriptors left; the reference is then still the caller's.
  func make(for file: OpenFile) throws(Errno) -> Descriptor {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0
    else {
      throw .ENFILE("the supervisor has no free descriptor")
    }
    let (ours, theirs) = (Descriptor(ends[0]), Descriptor(ends[1]))
    guard let identity = theirs.identity else { throw .ENFILE("the supervisor's socket has no inode") }
    let entry = Entry(file, identity.inode, ours)
    if file.movesBytes {
      // Readable and writable are what the queue says: an event queue is never writable.
      if !file.poll().contains(.output) { Self.fill(theirs.number) }
    } else {
      // A file without a poll of its own is always ready.
      shutdown(ours.number, Int32(SHUT_WR))
    }
    lock.withLock {
      made += 1
      entry.number = made
      byInode[entry.inode] = entry
      byDescriptor[ours.number] = entry
      if file.movesBytes { events[entry.inode] = entry }
    }
    _ = iofd_epoll_watch(epoll.number, ours.number)
    return theirs
  }

  private static func fill(_ socket: Int32) {
    var size: Int32 = 1
    setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    let bytes = [UInt8](repeating: 0, count: 1024)
    while send(socket, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) > 0 {}
  }

  /// The file behind a descriptor of a process, with a reference for the caller, or nil for what is not ours.
  func file(of process: Int32, _ fd: Int32) -> OpenFile? {
    guard fd >= 0, let link = readLink("/proc/\(process)/fd/\(fd)"), let inode = Self.inode(link) else {
      return nil
    }
    return lock.withLock {
      guard let entry = byInode[inode] else { return nil }
      entry.file.retainFile()
      return entry.file
    }
  }

  /// The number of an open file, counted from 1 in the order in which programs got them; 0 for none of them.
  func number(of file: OpenFile) -> UInt64 {
    lock.withLock { byInode.values.first { $0.file === file }?.number ?? 0 }
  }

  /// `socket:[4711]`
  private static func inode(_ link: String) -> UInt64? {
    guard link.hasPrefix("socket:["), link.hasSuffix("]") else { return nil }
    return UInt64(link.dropFirst(8).dropLast())
  }

  /// Releases what programs have closed since the last time; tells whether there was anything.
  ///
  /// - Parameter closing: hears of each file's number before it is released.
  func releaseClosed(_ closing: (UInt64) -> Void) -> Bool {
    var hasReleased = false
    var numbers = [Int32](repeating: 0, count: 64)
    while true {
      let count = Int(iofd_epoll_hangups(epoll.number, &numbers, 64))
      guard count != 0 else { return hasReleased }
      let closed = lock.withLock {
        numbers.prefix(max(0, count)).compactMap { number -> Entry? in
          guard let entry = byDescriptor.removeValue(forKey: number) else { return nil }
          byInode[entry.inode] = nil
          events[entry.inode] = nil
          return entry
        }
      }
      for entry in closed {
        closing(entry.number)
        entry.file.releaseFile()
      }
      if !closed.isEmpty { hasReleased = true }
    }
  }

  /// Makes event files poll as they are. `holder` is a process that is likely to have descriptors of them.
  func signalEvents(holder: Int32) {
    guard lock.withLock({ !events.isEmpty }) else { return }
    signalling.lock()
    defer { signalling.unlock() }
    for entry in lock.withLock({ Array(events.values) }) {
      let isReadable = entry.file.poll().contains(.input)
      guard isReadable != entry.isSignalled else { continue }
      if isReadable {
        var byte: UInt8 = 1
        entry.isSignalled = send(entry.ours.number, &byte, 1, Int32(MSG_NOSIGNAL)) == 1
      } else if takeByte(entry, holder) {
        entry.isSignalled = false
      }
    }
  }

  /// Takes the byte out of the program's end, through a descriptor that the program has.
  private func takeByte(_ entry: Entry, _ holder: Int32) -> Bool {
    guard let directory = opendir("/proc/\(holder)/fd") else { return false }
    defer { closedir(directory) }
    while let item = readdir(directory) {
      let name = withUnsafePointer(to: &item.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let fd = Int32(name), let link = readLink("/proc/\(holder)/fd/\(fd)"),
        Self.inode(link) == entry.inode,
        let theirs = Descriptor(of: holder, fd)
      else { continue }
      var byte: UInt8 = 0
      return recv(theirs.number, &byte, 1, Int32(MSG_DONTWAIT)) == 1
    }
    return false
  }

  /// The supervisor ends: nothing is open any more.
  func releaseAll() {
    let entries = lock.withLock { () -> [Entry] in
      defer {
        byInode = [:]
        byDescriptor = [:]
        events = [:]
      }
      return byInode.values.sorted { $0.inode < $1.inode }
    }
    for entry in entries { entry.file.releaseFile() }
  }
}

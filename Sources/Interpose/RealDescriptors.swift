// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Memory
internal import Seams
internal import UAPI

/// The descriptors of a real process, as one of its requests uses them.
///
/// New ones are put into the program with the notification's own means, before the request is answered. The
/// kernel installs a descriptor last, when nothing can fail any more; here it exists a little earlier, and is
/// taken back (`leftovers`) when the request fails after all.
final class RealDescriptors: DescriptorTable, @unchecked Sendable {
  private let listener: Listener
  private let request: UInt64
  private let thread: Int32
  private let process: Int32
  private let world: World
  /// Descriptors that a failed request installed, to be closed in the program before it goes on.
  private(set) var leftovers: [Int32] = []

  /// What the descriptors of all processes have in common.
  struct World {
    let sockets: Sockets
    let events: EventDescriptors
    let frames: ForeignFrames
    let objects: SharedObjects
  }

  /// - Parameters:
  ///   - request: the notification that is being answered.
  init(_ listener: Listener, request: UInt64, thread: Int32, process: Int32, _ world: World) {
    self.listener = listener
    self.request = request
    self.thread = thread
    self.process = process
    self.world = world
  }

  func install(_ file: OpenFile) throws(Errno) -> Int32 {
    try install(file, closesOnExec: true)
  }

  /// The program's end is closed here when this returns, before the call is answered: a program that closes its
  /// descriptor at once has released the file.
  ///
  /// - Parameter closesOnExec: O_CLOEXEC; iommufd's own files have it.
  func install(_ file: OpenFile, closesOnExec: Bool) throws(Errno) -> Int32 {
    let theirs = try world.sockets.make(for: file)
    var number: Int32?
    if file.movesBytes {
      guard let free = world.events.free(in: thread) else {
        throw .EMFILE("no number is free for an event file")
      }
      number = free
    }
    do throws(Errno) {
      return try listener.add(theirs, to: request, at: number, closesOnExec: closesOnExec)
    } catch {
      // The socket closes with `theirs`, and releases the file like any other.
      file.retainFile()
      throw error
    }
  }

  func get(_ fd: Int32) throws(Errno) -> OpenFile {
    if let file = world.sockets.file(of: thread, fd) { return file }
    guard fd >= 0, let path = readLink("/proc/\(thread)/fd/\(fd)"),
      let descriptor = Descriptor(of: process, fd),
      let identity = descriptor.identity
    else { throw .EBADF("not an open descriptor", UInt64(bitPattern: Int64(fd))) }
    let object = world.objects.object(of: descriptor, identity)
    return RealFile(descriptor, object, world.frames, path: path)
  }

  func close(_ fd: Int32) throws(Errno) { leftovers.append(fd) }
}

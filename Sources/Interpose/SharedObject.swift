// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Memory
internal import Seams
internal import UAPI

/// Memory that real processes share: a memfd, a file on tmpfs, anonymous shared memory. Its pages outlive the
/// mappings of them, so the supervisor keeps a descriptor of its own where it can get one.
final class SharedObject: @unchecked Sendable {
  let identity: FileIdentity
  /// Whether a page of it may be pinned to be written: it lies on tmpfs or hugetlbfs, or is anonymous. A shared
  /// page of a file system that writes back may not. `writable_file_mapping_allowed` in `mm/gup.c`.
  let isMemory: Bool
  let isHuge: Bool
  private let descriptor: Descriptor?
  /// Who may map it, for an object without a descriptor.
  private let memories: KnownMemories

  /// - Parameters:
  ///   - descriptor: nil when the object cannot be opened: anonymous memory, without CAP_CHECKPOINT_RESTORE. It is
  ///     then reached through whoever maps it.
  init(_ identity: FileIdentity, _ descriptor: Descriptor?, isHuge: Bool, _ memories: KnownMemories) {
    self.identity = identity
    self.descriptor = descriptor
    self.memories = memories
    self.isHuge = isHuge
    // What cannot be opened has no name, so it is anonymous.
    isMemory = descriptor.map { iofd_is_memory_file($0.number) != 0 } ?? true
  }

  /// In bytes; nil for an object without a descriptor.
  var size: UInt64? { descriptor?.size }

  func read(_ offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    if let descriptor {
      return pread(descriptor.number, buffer.baseAddress, buffer.count, off_t(clamping: offset))
        == buffer.count
    }
    return throughMapper(offset) { $0.readPinned($1, into: buffer) }
  }

  func write(_ offset: UInt64, from bytes: UnsafeRawBufferPointer) -> Bool {
    guard let descriptor else { return throughMapper(offset) { $0.writePinned($1, from: bytes) } }
    // Past the end it would grow the file, which no device does.
    let end = (descriptor.size + Page.mask) & ~Page.mask
    guard offset <= end, UInt64(bytes.count) <= end - offset else { return false }
    if isHuge { return writeMapped(descriptor, offset, bytes) }
    return pwrite(descriptor.number, bytes.baseAddress, bytes.count, off_t(clamping: offset)) == bytes.count
  }

  /// hugetlbfs has no write. A copy through the kernel meets a page that is gone with an error, not a signal.
  private func writeMapped(_ descriptor: Descriptor, _ offset: UInt64, _ bytes: UnsafeRawBufferPointer)
    -> Bool
  {
    let start = offset & ~(Page.hugeSize - 1)
    guard
      let place = mmap(
        nil, Int(Page.hugeSize), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.number, off_t(clamping: start)
      ),
      place != MAP_FAILED
    else { return false }
    defer { munmap(place, Int(Page.hugeSize)) }
    let address = UInt64(UInt(bitPattern: place)) + (offset - start)
    return iofd_vm_write(getpid(), address, bytes.baseAddress, bytes.count) == bytes.count
  }

  private func throughMapper(_ offset: UInt64, _ body: (RealMemory, UInt64) -> Bool) -> Bool {
    for memory in memories.living {
      if let address = memory.address(of: identity, offset: offset), body(memory, address) { return true }
    }
    return false
  }
}

/// The memories of the processes that have made a request.
final class KnownMemories: @unchecked Sendable {
  private let lock = Lock(.frontEnd)
  private var memories: [Weak] = []

  private struct Weak { weak var memory: RealMemory? }

  func add(_ memory: RealMemory) {
    lock.withLock {
      memories.removeAll { $0.memory == nil }
      memories.append(Weak(memory: memory))
    }
  }

  var living: [RealMemory] { lock.withLock { memories.compactMap(\.memory) }.filter(\.isAlive) }
}

/// The shared objects that the model knows: one for each identity, so that whoever maps it gets the same.
final class SharedObjects: @unchecked Sendable {
  private let lock = Lock(.frontEnd)
  private var objects: [FileIdentity: Weak] = [:]
  let memories = KnownMemories()

  private struct Weak { weak var object: SharedObject? }

  /// The object behind a mapping of a process.
  func object(of area: MappedArea, _ identity: FileIdentity, in memory: RealMemory) -> SharedObject {
    if let known = known(identity) { return known }
    let range = "\(String(area.start, radix: 16))-\(String(area.end, radix: 16))"
    let descriptor =
      Descriptor(opening: "/proc/\(memory.process)/map_files/\(range)", O_RDWR)
      ?? Descriptor(opening: "/proc/\(memory.process)/map_files/\(range)", O_RDONLY)
      ?? Self.search(memory.process, for: identity)
    return enter(identity, descriptor, isHuge: area.isHuge)
  }

  /// The object behind a descriptor, which stays the caller's.
  func object(of descriptor: Descriptor, _ identity: FileIdentity) -> SharedObject {
    known(identity)
      ?? enter(identity, descriptor, isHuge: iofd_is_huge_file(descriptor.number) != 0)
  }

  /// The size of a known object in bytes; nil when it cannot be told.
  func size(of identity: FileIdentity) -> UInt64? { known(identity)?.size }

  private func known(_ identity: FileIdentity) -> SharedObject? {
    lock.withLock { objects[identity]?.object }
  }

  private func enter(_ identity: FileIdentity, _ descriptor: Descriptor?, isHuge: Bool) -> SharedObject {
    let isHuge = isHuge || descriptor.map { iofd_is_huge_file($0.number) != 0 } ?? false
    return lock.withLock {
      if let known = objects[identity]?.object { return known }
      objects = objects.filter { $0.value.object != nil }
      let object = SharedObject(identity, descriptor, isHuge: isHuge, memories)
      objects[identity] = Weak(object: object)
      return object
    }
  }

  /// A descriptor of the process that has the same file.
  private static func search(_ process: Int32, for identity: FileIdentity) -> Descriptor? {
    guard let directory = opendir("/proc/\(process)/fd") else { return nil }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard let number = Int32(name) else { continue }
      var status = stat()
      guard stat("/proc/\(process)/fd/\(number)", &status) == 0,
        FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino)) == identity
      else { continue }
      return Descriptor(opening: "/proc/\(process)/fd/\(number)", O_RDWR) ?? Descriptor(of: process, number)
    }
    return nil
  }
}

/// A file of a real process that iommufd is handed by descriptor: what IOAS_MAP_FILE accepts, or refuses.
final class RealFile: OpenFile, PinnableFile, @unchecked Sendable {
  private let descriptor: Descriptor
  private let object: SharedObject
  private let frames: ForeignFrames
  private let path: String

  init(_ descriptor: Descriptor, _ object: SharedObject, _ frames: ForeignFrames, path: String) {
    self.descriptor = descriptor
    self.object = object
    self.frames = frames
    self.path = path
    super.init()
  }

  override var name: String { path }
  var size: UInt64 { descriptor.size }

  /// `memfd_pin_folios`: all or none.
  func pin(firstPage: UInt64, into buffer: UnsafeMutableBufferPointer<FrameNumber>) throws(Errno) -> Int {
    guard object.isMemory else { throw .EINVAL("the file is neither a memfd nor on tmpfs or hugetlbfs") }
    let whole = size >> Page.shift
    guard !buffer.isEmpty, firstPage < whole, UInt64(buffer.count) <= whole - firstPage else {
      throw .EINVAL("the pages reach past the end of the file", firstPage, UInt64(buffer.count), size)
    }
    for index in buffer.indices {
      let key = ForeignFrames.Key(owner: .object(object.identity), page: firstPage + UInt64(index))
      do throws(Errno) { buffer[index] = try frames.pin(key, at: .object(object), huge: object.isHuge) } catch
      {
        for pinned in buffer[..<index] { frames.physical.unpin(pinned) }
        throw error
      }
    }
    return buffer.count
  }
}

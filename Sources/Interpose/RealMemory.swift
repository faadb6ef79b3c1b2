// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Memory
internal import Seams
internal import Synchronization
internal import UAPI

/// The memory of a real process, read and written where it lives: `struct mm_struct`.
///
/// Arguments go through process_vm_readv and process_vm_writev, which respect protections as the kernel's
/// copies do, page by page. Pages that the model has pinned go through `/proc/PID/mem`, which is tied to this
/// very memory: it ends with the last process that uses it, or with exec, and it does not look at protections,
/// as the kernel does not once it has a page.
///
/// What is pinned is decided from the mappings (`MappedArea`) and, where those cannot tell, by touching a byte:
/// past the end of a file, memory of devices. A private page stays the same frame as long as it is pinned, also
/// when the program gives the address up; then its bytes are those of whatever is there next, or out of reach.
final class RealMemory: AddressSpace, @unchecked Sendable {
  /// The process's number.
  let process: Int32
  let counters = MemoryCounters()
  private let descriptor: Descriptor
  /// `/proc/PID/maps`, which is tied to this memory, too.
  private let maps: Descriptor
  private let frames: ForeignFrames
  private let objects: SharedObjects
  /// Who is told what requests read and write; only while requests run one by one.
  let journal: any MemoryJournal

  /// The thread that the memory is asked of: the first one, or another when that has ended and the process lives on.
  private let thread: Atomic<Int32>

  /// - Parameter thread: one that lives, of that process.
  /// - Returns: nil when the process is gone, or may not be looked at.
  init?(
    of process: Int32, thread: Int32, _ frames: ForeignFrames, _ objects: SharedObjects,
    _ journal: any MemoryJournal
  ) {
    guard let descriptor = Descriptor(opening: "/proc/\(thread)/mem", O_RDWR),
      let maps = Descriptor(opening: "/proc/\(thread)/maps", O_RDONLY)
    else { return nil }
    self.maps = maps
    self.process = process
    self.thread = Atomic(process)
    self.descriptor = descriptor
    self.frames = frames
    self.objects = objects
    self.journal = journal
  }

  /// Reading the file of memory that is gone gives nothing, of memory that is there an error at address 0.
  var isAlive: Bool {
    var byte: UInt8 = 0
    return pread(descriptor.number, &byte, 1, 0) != 0
  }

  /// Runs `body` with a thread that has the memory still. It tells -1 and leaves ESRCH where there is none.
  private func asking(_ body: (Int32) -> Int) -> Int {
    let done = body(thread.load(ordering: .relaxed))
    guard done < 0, errno == ESRCH, isAlive, let other = ProcessStatus.living(of: process) else {
      return done
    }
    thread.store(other, ordering: .relaxed)
    return body(other)
  }

  private func areasAsText(_ first: UInt64, _ last: UInt64) -> [MappedArea] {
    var areas: [MappedArea] = []
    _ = asking { thread in
      areas = MappedArea.areas(of: thread, meeting: first, last)
      // A process has mappings; a thread that has ended has none.
      if areas.isEmpty, MappedArea.areas(of: thread, meeting: 0, .max).isEmpty {
        errno = ESRCH
        return -1
      }
      return 0
    }
    return areas
  }

  // MARK: Copies

  func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard !buffer.isEmpty else { return 0 }
    let done = max(0, asking { iofd_vm_read($0, address, buffer.baseAddress, buffer.count) })
    if journal.isOn { journal.read(self, address, UnsafeRawBufferPointer(rebasing: buffer[..<done])) }
    return done
  }

  func copyOut(_ address: UInt64, from bytes: UnsafeRawBufferPointer) -> Int {
    guard !bytes.isEmpty else { return 0 }
    let done = max(0, asking { iofd_vm_write($0, address, bytes.baseAddress, bytes.count) })
    if journal.isOn { journal.wrote(self, address, UnsafeRawBufferPointer(rebasing: bytes[..<done])) }
    return done
  }

  /// Bytes of a page that is pinned.
  func readPinned(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
    guard let place = off_t(exactly: address) else { return false }
    return pread(descriptor.number, buffer.baseAddress, buffer.count, place) == buffer.count
  }

  func writePinned(_ address: UInt64, from bytes: UnsafeRawBufferPointer) -> Bool {
    guard let place = off_t(exactly: address) else { return false }
    return pwrite(descriptor.number, bytes.baseAddress, bytes.count, place) == bytes.count
  }

  // MARK: Pages

  /// The mappings that meet `first...last`, ascending.
  func areas(_ first: UInt64, _ last: UInt64) -> [MappedArea] {
    MappedArea.areas(in: maps, meeting: first, last) ?? areasAsText(first, last)
  }

  func pin(_ address: UInt64, writing: Bool, into buffer: UnsafeMutableBufferPointer<FrameNumber>)
    throws(Errno)
    -> Int
  {
    guard isAlive else { throw .EFAULT("the process is gone", address) }
    guard !buffer.isEmpty else { return 0 }
    let (last, overflow) = address.addingReportingOverflow(UInt64(buffer.count) << Page.shift - 1)
    var areas = areas(address, overflow ? .max : last)[...]
    if journal.isOn { journal.pins(self, Array(areas), address, last) }
    var done = 0
    var place = address
    while done < buffer.count {
      while let area = areas.first, area.end <= place { areas.removeFirst() }
      guard let area = areas.first, area.start <= place, writing ? area.writable : area.readable else {
        break
      }
      let want = min(buffer.count - done, Int((area.end - place) >> Page.shift))
      let count = reachable(area, place, want)
      do throws(Errno) {
        for index in 0..<count {
          buffer[done] = try pinPage(area, place + UInt64(index) << Page.shift, writing: writing)
          done += 1
        }
      } catch {
        // What is pinned already is the answer; the error is that of the first page only.
        if done == 0 { throw error }
        return done
      }
      guard count == want else { break }
      place += UInt64(count) << Page.shift
    }
    guard done > 0 else { throw .EFAULT("no page that can be pinned is at the address", address) }
    return done
  }

  private func pinPage(_ area: MappedArea, _ address: UInt64, writing: Bool) throws(Errno) -> FrameNumber {
    let (key, place, huge) = identify(area, address)
    if writing, case .object(let object) = place, !object.isMemory {
      throw .EFAULT("a shared page of a file that is written back cannot be pinned to be written", address)
    }
    return try frames.pin(key, at: place, huge: huge)
  }

  /// How many of `count` pages from `address` on, all of one area, are there to be touched.
  private func reachable(_ area: MappedArea, _ address: UInt64, _ count: Int) -> Int {
    // Anonymous memory has a page wherever it is mapped; what cannot be read cannot be probed.
    guard area.file != nil || area.isSpecial, area.readable else { return count }
    return iofd_vm_probe(thread.load(ordering: .relaxed), address, count)
  }

  func frame(at address: UInt64, writing: Bool) -> FrameNumber? {
    guard let area = areas(address, address).first,
      writing ? area.writable : area.readable, reachable(area, address, 1) == 1
    else { return nil }
    if journal.isOn { journal.pins(self, [area], address, address) }
    let (key, place, huge) = identify(area, address)
    do throws(Errno) { return try frames.find(key, at: place, huge: huge) } catch { return nil }
  }

  private func identify(_ area: MappedArea, _ address: UInt64) -> (
    ForeignFrames.Key, ForeignFrames.Place, Bool
  ) {
    guard area.shared, let identity = area.file else {
      let key = ForeignFrames.Key(owner: .memory(ObjectIdentifier(self)), page: address >> Page.shift)
      return (key, .memory(self), area.isHuge)
    }
    let object = objects.object(of: area, identity, in: self)
    let offset = area.offset + (address & ~Page.mask - area.start)
    return (.init(owner: .object(identity), page: offset >> Page.shift), .object(object), object.isHuge)
  }

  /// Where an object's byte is mapped here, if it is.
  func address(of identity: FileIdentity, offset: UInt64) -> UInt64? {
    for area in areas(0, .max)
    where area.shared && area.file == identity && area.offset <= offset {
      if offset - area.offset < area.end - area.start { return area.start + (offset - area.offset) }
    }
    return nil
  }
}

/// What requests read and write in memory, for whoever writes it down.
protocol MemoryJournal: AnyObject, Sendable {
  var isOn: Bool { get }
  func read(_ memory: RealMemory, _ address: UInt64, _ bytes: UnsafeRawBufferPointer)
  func wrote(_ memory: RealMemory, _ address: UInt64, _ bytes: UnsafeRawBufferPointer)
  /// Bytes of a page that was pinned before were read.
  func readPage(_ owner: PageOwner, _ offset: UInt64, _ bytes: UnsafeRawBufferPointer)
  func wrotePage(_ owner: PageOwner, _ offset: UInt64, _ bytes: UnsafeRawBufferPointer)
  /// Pages of `first...last` are about to be looked at or pinned; the areas are those that meet the range.
  func pins(_ memory: RealMemory, _ areas: [MappedArea], _ first: UInt64, _ last: UInt64)
}

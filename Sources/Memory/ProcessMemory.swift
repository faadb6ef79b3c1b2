// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Seams
internal import Synchronization
internal import UAPI

// An address space is two things: a sorted list of areas, which says what is meant to be at an address, and
// a page table, which says what is there by now. Pages come with the first access. An entry of the page
// table carries what may be done without asking again, so most copies look at nothing else:
//
//     private, anonymous    a frame that is this address space's own, or shared since a fork and then not
//                           writable: the next write, or pin, makes an own copy
//     private, of a file    the file's frame, not writable, until a write or a pin makes an own copy
//     shared                the file's frame (shared anonymous memory is a file without a name)
//     window                a driver's frame, not counted here; or its registers, which have no entry
//
// One lock: shared to look at entries and copy, exclusive to change an entry or an area. Every entry but a
// window's holds one reference on its frame.

/// The memory of a simulated process: `struct mm_struct`.
public final class ProcessMemory: AddressSpace, @unchecked Sendable {
  /// One past the highest user address: TASK_SIZE on x86-64.
  public static let addressLimit: UInt64 = 0x7fff_ffff_f000
  /// Areas a process may have: vm.max_map_count.
  public static let areaLimit = 65530

  public let physical: PhysicalMemory
  public let counters = MemoryCounters()

  let lock = ReaderWriterLock(.mmap)
  let table = PageTree()
  // Guarded by `lock`; the compiler's exclusivity checks on top would cost as much as the work.
  /// By address, not overlapping.
  @exclusivity(unchecked) var areas: [VirtualArea] = []
  /// From here to the top there is no gap, so the search for one starts here.
  @exclusivity(unchecked) var solidFrom = ProcessMemory.addressLimit
  let alive = Atomic<Bool>(true)

  let link = MapperLink()

  public init(_ physical: PhysicalMemory) {
    self.physical = physical
    link.tie(self)
  }

  deinit {
    link.cut()
    if isAlive { exit() }
  }

  public var isAlive: Bool { alive.load(ordering: .acquiring) }

  /// The last process that used the memory is gone: everything is unmapped, for good. Pinned frames live on.
  public func exit() {
    let gone = lock.withExclusive { () -> [VirtualArea] in
      alive.store(false, ordering: .releasing)
      // When the machine goes, so does the table, with what is in it.
      if !physical.isEnding.load(ordering: .relaxed) { removeEntries(0, PageTree.pageLimit - 1) }
      defer {
        areas = []
        solidFrom = Self.addressLimit
      }
      return areas
    }
    for area in gone { area.closed() }
  }

  // MARK: Copies

  public func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let target = buffer.baseAddress else { return 0 }
    return copy(address, buffer.count, writing: false) { bytes, done, length in
      memcpy(target + done, bytes, length)
    } registers: { window, offset, done, length in
      window.read(offset, into: UnsafeMutableRawBufferPointer(start: target + done, count: length))
    }
  }

  public func copyOut(_ address: UInt64, from bytes: UnsafeRawBufferPointer) -> Int {
    guard let source = bytes.baseAddress else { return 0 }
    return copy(address, bytes.count, writing: true) { bytes, done, length in
      memcpy(bytes, source + done, length)
    } registers: { window, offset, done, length in
      window.write(offset, from: UnsafeRawBufferPointer(start: source + done, count: length))
    }
  }

  @inline(__always)
  private func copy(
    _ address: UInt64, _ count: Int, writing: Bool,
    _ body: (UnsafeMutableRawPointer, Int, Int) -> Void,
    registers: (any RegisterWindow, UInt64, Int, Int) -> Int
  ) -> Int {
    let needed = writing ? PageEntry.writable : PageEntry.accessible
    var done = 0
    while true {
      lock.lockShared()
      while done < count {
        let place = address &+ UInt64(done)
        let entry = table[place >> Page.shift]
        guard entry.has(needed) else { break }
        let offset = Int(place & Page.mask)
        let length = min(count - done, Int(Page.size) - offset)
        body(physical.bytes(of: entry.frame) + offset, done, length)
        done += length
      }
      lock.unlockShared()
      guard done < count else { return done }
      if faultIn(address &+ UInt64(done), writing: writing) { continue }
      guard let found = registerWindow(at: address &+ UInt64(done), count - done, writing: writing) else {
        return done
      }
      let moved = registers(found.window, found.offset, done, found.length)
      done += moved
      guard moved == found.length else { return done }
    }
  }

  /// The registers that are mapped at `address`, if any are and the mapping permits the access; no more than `count`
  /// bytes of them.
  private func registerWindow(at address: UInt64, _ count: Int, writing: Bool) -> (
    window: any RegisterWindow, offset: UInt64, length: Int
  )? {
    lock.withShared {
      guard let index = areaIndex(address), case .window(let window) = areas[index].backing,
        let registers = window.registers, areas[index].permits(writing: writing)
      else { return nil }
      let area = areas[index]
      return (
        registers, area.offset + (address - area.start), min(count, Int(clamping: area.end - address))
      )
    }
  }

  @inline(never)
  private func faultIn(_ address: UInt64, writing: Bool) -> Bool {
    lock.withExclusive {
      (try? fault(address, writing: writing, pinning: false)) != nil
    }
  }

  // MARK: Looking at areas

  /// The index of the area that has `address`, with the lock held.
  func areaIndex(_ address: UInt64) -> Int? {
    let index = firstArea(endingAfter: address)
    return index < areas.count && areas[index].start <= address ? index : nil
  }

  /// The index of the first area whose end is above `address`, or the number of areas.
  func firstArea(endingAfter address: UInt64) -> Int {
    var low = 0
    var high = areas.count
    while low < high {
      let middle = (low + high) / 2
      if areas[middle].end <= address { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Takes the entries of pages `first...last` out, with the lock held exclusively.
  func removeEntries(_ first: UInt64, _ last: UInt64) {
    table.removeAll(first, last) { entry in
      if !entry.has(PageEntry.special) { physical.release(entry.frame) }
    }
  }

  /// `file` was truncated: its pages from `firstGone` on are not there any more, nor what was copied from
  /// them.
  func forget(_ file: CachedFile, fromPage firstGone: UInt64) {
    lock.withExclusive {
      for area in areas {
        guard case .file(let mapped) = area.backing, mapped === file else { continue }
        let firstHere = area.offset >> Page.shift
        let skip = firstGone > firstHere ? firstGone - firstHere : 0
        guard skip <= area.lastPage - area.firstPage else { continue }
        removeEntries(area.firstPage + skip, area.lastPage)
      }
    }
  }
}

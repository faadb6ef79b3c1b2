// SPDX-License-Identifier: GPL-3.0-or-later
internal import Testing
internal import UAPI

@testable internal import Memory

// Random operations on a few processes and files, next to a slow and obvious version: every page of every
// process is a cell with one byte, fork copies the private cells, a shared page is the file's cell. A pin
// remembers the cell, and from then on the frame must have the cell's byte until it is unpinned, whatever
// happens to the mappings: that is what a pin is for.

private final class Cell {
  var value: UInt8 = 0
  var pins = 0
  init(_ value: UInt8 = 0) { self.value = value }
}

private final class ModelFile {
  let file: CachedFile
  var cells: [UInt64: Cell] = [:]
  var pages: UInt64
  init(_ file: CachedFile, pages: UInt64) {
    self.file = file
    self.pages = pages
  }
  func cell(_ page: UInt64) -> Cell? {
    guard page < pages else { return nil }
    if let cell = cells[page] { return cell }
    let cell = Cell()
    cells[page] = cell
    return cell
  }
}

private struct Slot {
  var mode: MapMode
  /// A private page's own cell, once it has one.
  var own: Cell?
  /// Where a page of a file comes from; `nil` for private anonymous memory.
  var source: (file: ModelFile, page: UInt64)?

  /// The cell that an access sees; nil where there is none. With `owning`, a private page gets its own.
  mutating func cell(owning: Bool) -> Cell? {
    if let own { return own }
    guard let source else {
      own = Cell()
      return own
    }
    guard let cell = source.file.cell(source.page) else { return nil }
    if mode.contains(.shared) || !owning { return cell }
    own = Cell(cell.value)
    return own
  }
}

private final class ModelProcess {
  let space: ProcessMemory
  var slots: [UInt64: Slot] = [:]
  init(_ space: ProcessMemory) { self.space = space }
}

private struct World {
  static let window: UInt64 = 24
  static let base: UInt64 = 0x10_0000
  static let modes: [MapMode] = [.read, readWrite, readWrite, readWrite, []]

  let physical: PhysicalMemory
  var dice: Dice
  var files: [ModelFile] = []
  var processes: [ModelProcess] = []
  var pins: [(frame: FrameNumber, cell: Cell)] = []

  init(seed: UInt64, stride: Int) throws {
    physical = smallMemory(stride: stride)
    dice = Dice(seed)
    for _ in 0..<2 { files.append(ModelFile(try MemoryFile(physical, size: 6 * page), pages: 6)) }
    files.append(ModelFile(try OrdinaryFile(physical, size: 6 * page), pages: 6))
    processes.append(ModelProcess(ProcessMemory(physical)))
  }

  mutating func range() -> Range<UInt64> {
    let first = UInt64(dice.below(Int(Self.window)))
    return first..<min(Self.window, first + 1 + UInt64(dice.below(6)))
  }
  func address(_ page: UInt64) -> UInt64 { Self.base + page * Page.size }

  mutating func step() throws {
    let index = dice.below(processes.count)
    let process = processes[index]
    let range = range()
    let start = address(range.lowerBound)
    let length = UInt64(range.count) * page
    switch dice.below(20) {
    case 0: try map(process, range, start, length)
    case 1:
      try process.space.unmap(start, length: length)
      for page in range { process.slots[page] = nil }
    case 2:
      let mode = Self.modes[dice.below(Self.modes.count)]
      let error = failure { () throws(Errno) in
        try process.space.protect(start, length: length, mode: mode)
      }
      let hole = range.first { process.slots[$0] == nil }
      #expect(error == (hole == nil ? nil : .ENOMEM))
      for page in range.lowerBound..<(hole ?? range.upperBound) {
        guard let shared = process.slots[page]?.mode.contains(.shared) else { continue }
        process.slots[page]?.mode = shared ? mode.union(.shared) : mode
      }
    case 3 where processes.count < 4:
      let child = ModelProcess(try process.space.fork())
      child.slots = process.slots.mapValues { slot in
        var slot = slot
        slot.own = slot.own.map { Cell($0.value) }
        return slot
      }
      processes.append(child)
    case 4 where processes.count > 1:
      if dice.below(2) == 0 { process.space.exit() }
      processes.remove(at: index)
    case 5: try truncate()
    case 6..<9: pin(process, range, start)
    case 9..<11:
      guard !pins.isEmpty else { return }
      let (frame, cell) = pins.remove(at: dice.below(pins.count))
      cell.pins -= 1
      physical.unpin(frame)
    case 11 where dice.below(3) == 0: try pinFile()
    case 12..<16: write(process, range.lowerBound)
    default: read(process, range.lowerBound)
    }
  }

  mutating func map(_ process: ModelProcess, _ range: Range<UInt64>, _ start: UInt64, _ length: UInt64) throws
  {
    var mode = Self.modes[dice.below(Self.modes.count)]
    if dice.below(2) == 0 { mode.insert(.shared) }
    let choice = dice.below(files.count + 1)
    if choice < files.count {
      let first = UInt64(dice.below(4))
      _ = try process.space.mapFile(
        files[choice].file, offset: first * page, length: length, at: start, mode: mode)
      for page in range {
        process.slots[page] = Slot(mode: mode, source: (files[choice], first + page - range.lowerBound))
      }
    } else {
      _ = try process.space.allocate(length: length, at: start, mode: mode)
      // A shared anonymous mapping is a file without a name.
      let pages = UInt64(range.count)
      let hidden = try ModelFile(MemoryFile(physical, size: pages * page), pages: pages)
      hidden.file.releaseFile()
      for page in range {
        process.slots[page] = Slot(
          mode: mode, source: mode.contains(.shared) ? (hidden, page - range.lowerBound) : nil)
      }
    }
  }

  mutating func truncate() throws {
    let file = files[dice.below(files.count)]
    let pages = UInt64(dice.below(8))
    try file.file.truncate(to: pages * page)
    file.pages = pages
    file.cells = file.cells.filter { $0.key < pages }
    for process in processes {
      for (page, slot) in process.slots {
        if let source = slot.source, source.file === file, source.page >= pages {
          process.slots[page]?.own = nil
        }
      }
    }
  }

  mutating func pin(_ process: ModelProcess, _ range: Range<UInt64>, _ start: UInt64) {
    let writing = dice.below(2) == 0
    var expected: [Cell] = []
    for page in range {
      guard var slot = process.slots[page] else { break }
      guard slot.mode.contains(.write) || (!writing && slot.mode.contains(.read)) else { break }
      if writing, slot.mode.contains(.shared), slot.source?.file.file is OrdinaryFile { break }
      guard let cell = slot.cell(owning: true) else { break }
      process.slots[page] = slot
      expected.append(cell)
    }
    let frames = (try? process.space.pinned(start, range.count, writing: writing)) ?? []
    #expect(frames.count == expected.count)
    for (frame, cell) in zip(frames, expected) {
      cell.pins += 1
      pins.append((frame, cell))
    }
  }

  mutating func pinFile() throws {
    let file = files[dice.below(files.count)]
    guard let memory = file.file as? MemoryFile else { return }
    let first = UInt64(dice.below(8))
    let count = 1 + dice.below(3)
    var frames: [FrameNumber] = []
    let error = failure { () throws(Errno) in frames = try memory.pinned(first, count) }
    #expect(error == (first + UInt64(count) <= file.pages ? nil : .EINVAL))
    for (index, frame) in frames.enumerated() {
      guard let cell = file.cell(first + UInt64(index)) else { continue }
      cell.pins += 1
      pins.append((frame, cell))
    }
  }

  mutating func write(_ process: ModelProcess, _ page: UInt64) {
    let value = UInt8(truncatingIfNeeded: dice.next())
    let error = failure { () throws(Errno) in try process.space.store(value, at: address(page)) }
    if var slot = process.slots[page], slot.mode.contains(.write), let cell = slot.cell(owning: true) {
      #expect(error == nil)
      cell.value = value
      process.slots[page] = slot
    } else {
      #expect(error == .EFAULT)
    }
  }

  func read(_ process: ModelProcess, _ page: UInt64) {
    let value = try? process.space.load(UInt8.self, at: address(page))
    guard var slot = process.slots[page], !slot.mode.isDisjoint(with: readWrite) else {
      #expect(value == nil)
      return
    }
    let cell = slot.cell(owning: false)
    process.slots[page] = slot
    #expect(value == cell?.value)
  }

  func check() {
    for (frame, cell) in pins {
      #expect(physical.firstByte(frame) == cell.value)
      #expect(physical.pinCount(of: frame) == cell.pins)
    }
    #expect(physical.checkInvariants() == [])
    for process in processes { #expect(process.space.checkInvariants() == []) }
  }

  func end() {
    for process in processes { process.space.exit() }
    for (frame, _) in pins { physical.unpin(frame) }
    for file in files { file.file.releaseFile() }
    physical.expectEmpty()
  }
}

@Suite struct RandomMemoryTests {
  @Test(arguments: 1...40) func againstCells(seed: Int) throws {
    var world = try World(seed: UInt64(seed), stride: 1 + seed % 3)
    for step in 0..<600 {
      try world.step()
      if step % 10 == 0 { world.check() }
    }
    world.check()
    world.end()
  }
}

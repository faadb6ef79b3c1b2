// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import PageTables
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import IOMMUFD
@testable internal import Machine

// Random programs, in which every few steps somebody writes into page tables. Requests may fail and data may be wrong;
// what must not happen is that the model traps, never comes back, or breaks a rule that does not depend on what tables
// hold. The same programs without the writing break no rule at all: that they are sound is checked first.
//
// IOFD_CORRUPTION_STEPS says how many steps there are for each kind of IOMMU; 1,500 if nothing does.

final class RandomProgram {
  /// What is overwritten.
  enum Target { case nothing, tables, everything }

  let program: Program
  let target: Target
  var dice: Dice
  private var spaces: [UInt32] = []
  private var buffers: [UInt64] = []
  private let bitmap: UInt64
  private let file: Int32

  private static let pages: UInt64 = 600

  init(_ kind: IOMMUKind, _ target: Target, seed: UInt64) throws {
    program = try Program(kind, devices: 3)
    self.target = target
    dice = Dice(seed)
    for _ in 0..<3 { spaces.append(program.ioas()) }
    for _ in 0..<3 { buffers.append(try program.buffer(Self.pages)) }
    bitmap = try program.buffer(4)
    file = try program.target.userSpace.createMemFD(length: Self.pages << 12, huge: false)
    for device in 0..<3 { try program.attach(device, to: spaces[min(device, 1)]) }
  }

  // MARK: Steps

  func step() throws {
    if dice.one(in: 12) { program.failures.arm(nth: 1 + dice.below(12 as UInt64)) }
    switch dice.below(100) {
    case 0..<22: map()
    case 22..<36: unmap()
    case 36..<44: copy()
    case 44..<52: move()
    case 52..<57: makeDomain()
    case 57..<61: dropDomain()
    case 61..<69: track()
    case 69..<81: use()
    case 81..<83: changeProcess()
    case 83: reshape()
    case 84..<87: changeMemory()
    default: transfer()
    }
    program.failures.disarm()
    if dice.one(in: 3) { vandalise() }
  }

  private var space: UInt64 { UInt64(dice.one(of: spaces)) }

  /// What is mapped somewhere, or a part of it; or what `range` says.
  private func mapped() -> (iova: UInt64, length: UInt64) {
    let spaces = program.machine.kernel.openContexts.flatMap { $0.objects.all.compactMap { $0 as? IOAS } }
    let areas = spaces.flatMap(\.pagetable.areas.all)
    guard !areas.isEmpty, dice.chance(85) else { return range() }
    let area = dice.one(of: areas)
    if dice.one(in: 2) { return (area.iova.first, area.length) }
    let skipped = dice.below(area.length >> 12)
    return (area.iova.first + skipped << 12, (1 + dice.below(area.length >> 12 - skipped)) << 12)
  }

  /// A place among few, so that ranges meet.
  private func range() -> (iova: UInt64, length: UInt64) {
    let start = dice.chance(70) ? dice.below(48 as UInt64) << 12 : dice.below(3 as UInt64) << 21
    let pages: UInt64 = dice.one(of: [1, 1, 2, 3, 8, 20, 64, 512])
    return (Program.base + start, pages << 12)
  }

  private func map() {
    let (iova, length) = range()
    let pages = length >> 12
    let offset = dice.below(Self.pages - pages + 1) << 12
    if dice.one(in: 6) {
      program.request(
        "IOAS_MAP_FILE",
        [
          "flags": 7, "ioas_id": space, "fd": UInt64(file), "start": offset, "length": length, "iova": iova,
        ])
    } else {
      program.request(
        "IOAS_MAP",
        [
          "flags": dice.chance(80) ? 7 : 5, "ioas_id": space, "user_va": dice.one(of: buffers) + offset,
          "length": length, "iova": iova,
        ])
    }
  }

  private func unmap() {
    let (iova, length) = dice.one(in: 8) ? (0, UInt64.max) : mapped()
    program.request("IOAS_UNMAP", ["ioas_id": space, "iova": iova, "length": length])
  }

  private func copy() {
    let (from, length) = mapped()
    program.request(
      "IOAS_COPY",
      [
        "flags": 7, "dst_ioas_id": space, "src_ioas_id": space, "length": length, "dst_iova": range().iova,
        "src_iova": from,
      ])
  }

  /// Puts a device onto an IOAS or an HWPT.
  private func move() {
    let device = program.bound[dice.below(program.bound.count)]
    let hwpts = program.hwpts
    var id = dice.one(in: 2) || hwpts.isEmpty ? UInt32(space) : dice.one(of: hwpts).id
    switch dice.below(3) {
    case 0: if device.hwpt(at: 0) != nil { device.detach() }
    case 1: if device.hwpt(at: 0) == nil, (try? device.attach(to: &id)) != nil { program.note("attach") }
    default: if device.hwpt(at: 0) != nil, (try? device.replace(with: &id)) != nil { program.note("replace") }
    }
  }

  private func makeDomain() {
    let device = program.bound[dice.below(program.bound.count)]
    program.request(
      "HWPT_ALLOC", ["flags": dice.one(of: [0, 0, 1, 2]), "dev_id": UInt64(device.id), "pt_id": space])
  }

  private func dropDomain() {
    let hwpts = program.hwpts
    guard !hwpts.isEmpty else { return }
    program.request("DESTROY", ["id": UInt64(dice.one(of: hwpts).id)])
  }

  private func track() {
    let hwpts = program.hwpts
    guard !hwpts.isEmpty else { return }
    let id = UInt64(dice.one(of: hwpts).id)
    if dice.one(in: 3) {
      program.request("HWPT_SET_DIRTY_TRACKING", ["hwpt_id": id, "flags": dice.below(2 as UInt64)])
    } else {
      let (iova, length) = mapped()
      program.request(
        "HWPT_GET_DIRTY_BITMAP",
        [
          "hwpt_id": id, "flags": dice.below(2 as UInt64), "iova": iova, "length": length,
          "page_size": dice.one(of: [4096, 4096, 8192, 1 << 16]), "data": bitmap + dice.below(64 as UInt64),
        ])
    }
  }

  /// Other leaves for the same translations.
  private func reshape() {
    let domains = program.hwpts.compactMap { $0.pagingDomain as? TableDomain }
    guard !domains.isEmpty else { return }
    let (iova, length) = mapped()
    if dice.one(in: 2) {
      try? dice.one(of: domains).cut(IOVA(iova))
    } else {
      _ = dice.one(of: domains).grow(IOVA(iova), length: length)
    }
  }

  /// Accesses.
  private func use() {
    let (iova, length) = mapped()
    guard program.accesses.count > 2 else {
      _ = try? program.access(on: UInt32(space))
      return
    }
    let access = dice.one(of: program.accesses)
    switch dice.below(8) {
    case 0..<3: if (try? access.pin(iova, length, writing: dice.one(in: 2))) != nil { program.note("pin") }
    case 3: access.unpin(dice.one(in: 2) ? .everything : Span64(iova, iova + (length - 1)))
    case 4: try? access.access.replace(id: UInt32(space))
    default:
      var bytes = [UInt8](repeating: 0x5A, count: 1 + dice.below(9000))
      let writing = dice.one(in: 2)
      let done: Void? = bytes.withUnsafeMutableBytes { buffer in
        try? access.access.rw(
          iova: iova + dice.below(4096 as UInt64), buffer: buffer, writing: writing, slow: dice.one(in: 2),
          by: program.target.process)
      }
      if done != nil { program.note("rw") }
    }
  }

  /// A child takes over, with its parent's mappings or without; the parent goes on or ends.
  private func changeProcess() {
    let old = program.target.process
    guard let child = try? program.machine.fork(old) else { return }
    program.note("fork")
    program.target.process = child
    if dice.one(in: 2) {
      // Files can go to another process, memory cannot.
      for space in spaces {
        program.request("IOAS_UNMAP", ["ioas_id": UInt64(space), "iova": 0, "length": .max])
        program.request(
          "IOAS_MAP_FILE",
          ["flags": 7, "ioas_id": UInt64(space), "fd": UInt64(file), "length": 5 << 12, "iova": Program.base])
      }
      vandalise()
      program.request("IOAS_CHANGE_PROCESS")
    }
    if dice.one(in: 2) {
      try? program.machine.exit(old.pid)
    } else if dice.one(in: 2) {
      program.target.process = old
      try? program.machine.exit(child.pid)
    }
  }

  /// Pages are replaced by others, or cannot be written any more.
  private func changeMemory() {
    let buffer = dice.one(of: buffers)
    let space = program.target.process.space
    if dice.one(in: 2) {
      _ = try? space.unmap(buffer, length: Self.pages << 12)
      _ = try? space.allocate(length: Self.pages << 12, at: buffer, mode: [.read, .write])
    } else {
      try? space.protect(
        buffer + dice.below(Self.pages) << 12, length: 4096,
        mode: dice.one(in: 2) ? [.read] : [.read, .write])
    }
  }

  private func transfer() {
    let address = mapped().iova + dice.below(8192 as UInt64)
    let device = dice.one(of: program.functions)
    let request: DMARequest =
      dice.one(in: 2) ? .read(address, 16) : .write(address, [1, 2, 3, 4, 5, 6, 7, 8])
    if device.perform(request).isDone { program.note("DMA") }
  }

  // MARK: Overwriting

  private func vandalise() {
    switch target {
    case .nothing: break
    case .tables:
      let hwpts = program.hwpts
      guard !hwpts.isEmpty else { return }
      let entries = program.entries(dice.one(of: hwpts))
      guard !entries.isEmpty else { return }
      for _ in 0..<1 + dice.below(3) { overwrite(dice.one(of: entries), entries) }
    case .everything:
      // Whatever is in use: tables, queues, contexts, pages of processes.
      for _ in 0..<64 {
        let frame = UInt64(1 + dice.below(8192))
        guard program.memory.isAllocated(FrameNumber(UInt32(frame))) else { continue }
        let place = PhysAddr(frame << 12 | dice.below(512 as UInt64) << 3)
        _ = program.memory.store64(word(program.memory.load64(at: place) ?? 0, like: []), at: place)
      }
    }
  }

  private func overwrite(_ entry: TableEntry, _ entries: [TableEntry]) {
    if dice.one(in: 16) {
      // The whole table.
      let table = entry.address.raw & ~4095
      for offset in stride(from: 0, to: UInt64(4096), by: 8) {
        _ = program.memory.store64(word(entry.raw, like: entries), at: PhysAddr(table + offset))
      }
    } else {
      program.overwrite(entry, with: word(entry.raw, like: entries))
    }
  }

  private func word(_ old: UInt64, like entries: [TableEntry]) -> UInt64 {
    switch dice.below(8) {
    case 0: 0
    case 1: .max
    case 2: dice.next()
    case 3: old ^ 1 << dice.below(64 as UInt64)
    case 4: entries.isEmpty ? old &+ 4096 : dice.one(of: entries).raw
    // A frame that is somebody's, a table itself, a frame that is nobody's.
    case 5: old & ~0x000F_FFFF_FFFF_F000 | dice.below(8192 as UInt64) << 12
    case 6: entries.isEmpty ? 0 : old & 0xFFF | dice.one(of: entries).address.raw & ~4095
    default: old & ~0x000F_FFFF_FFFF_F000 | dice.next() & 0x000F_FFFF_FFFF_F000
    }
  }
}

@Suite struct RandomTests {
  private static let steps = environment("IOFD_CORRUPTION_STEPS") ?? 1500
  private static let length = 300

  private func run(_ name: String, _ target: RandomProgram.Target, seed: UInt64, steps: Int) throws
    -> RandomProgram
  {
    let random = try RandomProgram(try #require(IOMMUKind.named(name)), target, seed: seed)
    let machine = random.program.machine
    for step in 0..<steps {
      try random.step()
      if step % 10 == 0 {
        let violations = machine.violations()
        if target == .nothing {
          #expect(violations.isEmpty, "seed \(seed), step \(step)")
          if !violations.isEmpty { break }
        }
      }
      if step % 50 == 0 { _ = machine.staleTranslations() }
    }
    random.program.close()
    return random
  }

  @Test(arguments: IOMMUKind.all.map(\.name)) func untouchedTablesKeepEveryRule(_ name: String) throws {
    let random = try run(name, .nothing, seed: 1, steps: 3 * Self.length)
    #expect(random.program.machine.violations().isEmpty)
    #expect(random.program.memory.pinTotals.pins == 0)
    // The programs are worth something.
    for what in [
      "IOAS_MAP", "IOAS_MAP_FILE", "IOAS_UNMAP", "IOAS_COPY", "IOAS_CHANGE_PROCESS", "HWPT_ALLOC", "DESTROY",
      "attach", "replace", "pin", "rw", "fork", "DMA",
    ] {
      #expect(random.program.succeeded[what, default: 0] > 0, "\(what)")
    }
  }

  @Test(arguments: IOMMUKind.all.map(\.name)) func overwrittenTables(_ name: String) throws {
    var noticed = 0
    for seed in 0..<UInt64(Self.steps / Self.length) {
      let random = try run(name, .tables, seed: 1000 + seed, steps: Self.length)
      let machine = random.program.machine
      if !machine.kernel.damage.violations.isEmpty { noticed += 1 }
      // All is closed. What is in use is somebody's, though it may be nobody's pin; and nothing is charged.
      #expect(machine.kernel.openContexts.isEmpty)
      let broken = machine.memory.checkInvariants().filter { !$0.hasPrefix("pins were given back") }
      #expect(broken.isEmpty, "seed \(seed)")
      // Wherever entries were written through pointers to nowhere, who gets the memory next gets zeros.
      let dirty = try (0..<8192).filter { _ in
        let frame = try machine.memory.allocateFrame()
        // All zeros are a zero and then what was a word before.
        let bytes = machine.memory.bytes(of: frame)
        return bytes.load(as: UInt64.self) != 0 || memcmp(bytes, bytes + 8, 4088) != 0
      }
      #expect(dirty.isEmpty, "seed \(seed)")
    }
    #expect(noticed > Self.steps / Self.length / 2)
    // Another machine knows nothing of all that.
    _ = try run(name, .nothing, seed: 7, steps: 50)
  }

  @Test(arguments: IOMMUKind.all.map(\.name)) func overwrittenMemory(_ name: String) throws {
    for seed in 0..<UInt64(Self.steps / Self.length) {
      _ = try run(name, .everything, seed: 2000 + seed, steps: Self.length)
    }
  }
}

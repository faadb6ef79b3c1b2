// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

/// Random maps, unmaps, DMA and moves between domains, against a list of what must be mapped. After every step each
/// function's hardware, through its caches, agrees with the domain that the function is on, and nothing that is cached
/// differs from what memory says.
///
/// `IOFD_DRIVER_STEPS` says how many steps; 20,000 by default.
@Suite struct RandomTests {
  static var steps: Int { getenv("IOFD_DRIVER_STEPS").flatMap { Int(String(cString: $0)) } ?? 20_000 }
  static let base: UInt64 = 0x1_0000_0000
  /// Where mappings begin: close together, and where tables of every level end.
  static let places: [UInt64] =
    [0, 0xF_F000, 0x7FFF_0000, 0x80_0000_0000].flatMap { start in (0..<16).map { base + start + $0 << 12 } }

  /// An IOAS and the pages that are mapped in it.
  final class Space {
    let id: UInt32
    /// By first IOVA.
    var areas: [UInt64: (length: UInt64, writable: Bool, memory: UInt64)] = [:]
    /// Page to where it is in the process, and whether it may be written.
    var pages: [UInt64: (memory: UInt64, writable: Bool)] = [:]
    init(_ id: UInt32) { self.id = id }
  }

  final class Function {
    let endpoint: Endpoint
    let device: DeviceObject
    var space: Space?
    /// Pages that a hypervisor has been shown since the function joined.
    var shown: Set<UInt64> = []
    init(_ endpoint: Endpoint, _ device: DeviceObject) {
      self.endpoint = endpoint
      self.device = device
    }
  }

  /// Everything that a run has.
  final class World {
    let rig: Rig
    let refreshes: Bool
    var dice: Dice
    var spaces: [Space] = []
    var functions: [Function] = []
    /// Memory of the process, page after page.
    let arena: UInt64
    static let arenaPages = 256

    init(_ seed: UInt64, refreshes: Bool) throws {
      // A small cache, so that slots are fought over.
      rig = try Rig(["tlb-refresh": refreshes ? 1 : 0, "cache-lg2": 6, "aperture": 0])
      self.refreshes = refreshes
      dice = Dice(seed)
      arena = try rig.buffer(UInt64(Self.arenaPages) << 12)
      for _ in 0..<3 { spaces.append(Space(try rig.ioas())) }
      for index: UInt16 in 0..<4 {
        let endpoint = try rig.function(0x100 + index)
        functions.append(Function(endpoint, try rig.bind(endpoint)))
      }
    }

    func step() throws {
      switch dice.below(20) {
      case 0..<6: try map()
      case 6..<10: try unmap()
      case 10..<18: try transfer()
      default: try move()
      }
    }

    private func map() throws {
      let space = spaces[dice.below(3)]
      let first = RandomTests.places.randomElement(using: &dice) ?? 0
      let length = UInt64(1 + dice.below(8)) << 12
      let writable = !dice.one(in: 4)
      let memory = arena + UInt64(dice.below(World.arenaPages - 8)) << 12
      let pages = stride(from: first, to: first + length, by: 4096)
      let isFree = pages.allSatisfy { space.pages[$0] == nil }
      do throws(Errno) {
        try rig.map(space.id, first, length, writable: writable, from: memory)
        #expect(isFree)
      } catch {
        #expect(!isFree && error == .EEXIST)
        return
      }
      space.areas[first] = (length, writable, memory)
      for page in pages {
        space.pages[page] = (memory + page - first, writable)
        for function in functions where function.space === space { function.shown.insert(page) }
      }
    }

    private func unmap() throws {
      let space = spaces[dice.below(3)]
      let keys = space.areas.keys.sorted()
      guard let first = keys.randomElement(using: &dice), let area = space.areas[first] else { return }
      try rig.unmap(space.id, first, area.length)
      space.areas[first] = nil
      for page in stride(from: first, to: first + area.length, by: 4096) {
        space.pages[page] = nil
        for function in functions where function.space === space { function.shown.remove(page) }
      }
    }

    /// What a function must find at a page.
    private func expected(_ function: Function, _ page: UInt64) -> (memory: UInt64, writable: Bool)? {
      guard let space = function.space, let found = space.pages[page] else { return nil }
      return refreshes && !function.shown.contains(page) ? nil : found
    }

    private func transfer() throws {
      let function = functions[dice.below(4)]
      let page = (RandomTests.places.randomElement(using: &dice) ?? 0) + UInt64(dice.below(8)) << 12
      let offset = UInt64(dice.below(4090))
      let found = expected(function, page)
      let bytes = [UInt8(truncatingIfNeeded: dice.next()), 2, 3]
      if dice.one(in: 2) {
        let done = function.endpoint.perform(.write(page + offset, bytes)).bytes != nil
        #expect(done == (found?.writable ?? false))
        if done, let found { #expect(try rig.bytes(found.memory + offset, 3) == bytes) }
      } else {
        let read = function.endpoint.perform(.read(page + offset, 3)).bytes
        #expect((read != nil) == (found != nil))
        if let read, let found { #expect(try rig.bytes(found.memory + offset, 3) == read) }
      }
    }

    private func move() throws {
      let function = functions[dice.below(4)]
      let space = spaces[dice.below(3)]
      var id = space.id
      if function.space == nil {
        // The first one makes the domain, and is on it before it is filled; a replace fills first.
        let isFirst = functions.allSatisfy { $0.space !== space }
        try function.device.attach(to: &id)
        function.space = space
        function.shown = isFirst ? Set(space.pages.keys) : []
      } else if dice.one(in: 2) {
        try function.device.replace(with: &id)
        // The same domain again is no move.
        if function.space !== space { function.shown = [] }
        function.space = space
      } else {
        function.device.detach()
        function.space = nil
        function.shown = []
      }
    }

    /// The domain, the tables and the caches agree.
    func check(_ step: Int) throws {
      let cached = rig.unit.withHardware { $0.cachedAddresses.map(\.address) }
      let space = rig.target.process.space
      for function in functions {
        let domain = function.endpoint.device.group?.domain as? ZPCIDomain
        var pages = Set(cached)
        for _ in 0..<8 { pages.insert(RandomTests.places.randomElement(using: &dice) ?? 0) }
        for page in pages {
          let found = expected(function, page)
          let physical = found.flatMap { space.frame(at: $0.memory, writing: false)?.address.raw }
          let answer = rig.answer(function.endpoint, page + 5)
          #expect(answer.address == physical.map { $0 + 5 }, "step \(step), \(String(page, radix: 16))")
          if let found {
            #expect(answer.isWritable == found.writable)
            #expect(rig.answer(function.endpoint, page, writing: true).isWritable == found.writable)
            #expect(domain?.translate(IOVA(page))?.raw == physical)
          }
          guard !refreshes || found != nil else { continue }
          // What is cached is what memory says.
          let transaction = Transaction(source: function.endpoint.source, address: page)
          let (old, new) = rig.unit.withHardware {
            ($0.cachedAnswer(transaction)?.address, $0.walk(transaction).answer.address)
          }
          if let old { #expect(old == new, "step \(step)") }
        }
      }
      #expect(rig.unit.withHardware { $0.staleStructures } == [])
    }
  }

  @Test(arguments: [(1, false), (2, true), (3, false), (4, true)] as [(UInt64, Bool)])
  func steps(_ seed: UInt64, _ refreshes: Bool) throws {
    let world = try World(seed, refreshes: refreshes)
    for step in 0..<Self.steps / 4 {
      try world.step()
      try world.check(step)
      if step % 1000 == 0 {
        world.rig.expectSound()
        #expect(world.rig.machine.staleTranslations().isEmpty)
      }
    }
    world.rig.expectSound()
    #expect(world.rig.host.complaints == [])
    #expect(!world.rig.host.faults.isEmpty)
  }
}

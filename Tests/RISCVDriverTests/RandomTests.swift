// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Machine

// Random programs of driver calls and DMA, over several domains, devices and IOMMUs. What each domain maps is kept a
// second time in a plain list; after each step the hardware, through its caches, must translate as the lists say, and
// nothing may be cached that they do not say.
//
// IOFD_DRIVER_STEPS says how many steps there are in all; 20,000 if nothing does.

/// A domain and what it maps.
final class ListedDomain {
  struct Area {
    var first: UInt64
    var length: UInt64
    var physical: UInt64
    var isWritable: Bool
    var last: UInt64 { first + (length - 1) }
  }
  let domain: RISCVDomain
  var areas: [Area] = []

  init(_ domain: RISCVDomain) { self.domain = domain }

  func area(at address: UInt64) -> Area? { areas.first { $0.first <= address && address <= $0.last } }
  func isFree(_ first: UInt64, _ length: UInt64) -> Bool {
    !areas.contains { $0.first <= first + (length - 1) && first <= $0.last }
  }
}

final class RandomProgram {
  enum Place {
    case identity
    case blocked
    case paging(ListedDomain)
  }

  let machine = Machine(Machine.Configuration(memorySize: 4 << 30))
  var dice: Dice
  var units: [IOMMUUnit] = []
  var devices: [Endpoint] = []
  var places: [Place] = []
  var domains: [ListedDomain] = []
  /// 8 MiB of memory that mappings lead to.
  let buffer: UInt64
  /// DMA that went wrong since the last look.
  private var noted: [String] = []
  /// Addresses that devices were seen to use.
  var history: [UInt64] = [0]
  /// Where the last step did something.
  var recent: [UInt64] = [0]
  private let token = Token()
  private final class Token {}

  private static let variants: [[String: UInt64]] = [
    [:], ["nl": 0], ["s": 0], ["nl": 0, "s": 0], ["sv": 48, "s": 0], ["sv": 39, "nl": 0], ["cache-tables": 0],
  ]

  init(seed: UInt64) throws {
    dice = Dice(seed)
    buffer = try machine.memory.allocateContiguous(2048, alignment: 2048).address.raw
    for number in 0..<2 {
      var numbers = dice.one(of: Self.variants)
      numbers["tlb-lg2"] = UInt64(dice.one(of: [4, 7]))
      numbers["table-lg2"] = UInt64(dice.one(of: [2, 4]))
      numbers["ddt-lg2"] = UInt64(dice.below(3))
      units.append(
        try machine.addIOMMU("iommu\(number)", .riscv, DriverRig.choices(numbers)))
    }
    for number in 0..<5 {
      let function = PCIFunction(requesterID: UInt16(dice.below(256) << 8 | number))
      devices.append(try machine.addFunction("dev\(number)", function, behind: units[number & 1]))
      places.append(.identity)
    }
  }

  // MARK: Steps

  func step() throws {
    switch dice.below(100) {
    case 0..<32: try map()
    case 32..<60: unmap()
    case 60..<74: try move()
    case 74..<78: block()
    case 78..<81: giveBack()
    case 81..<85: makeDomain()
    case 85..<88: dropDomain()
    case 88..<91: try regroup()
    default: try transfer()
    }
  }

  /// Places that share tables, at both ends of what there is.
  private func somewhere(_ domain: RISCVDomain) -> UInt64 {
    let region: UInt64 =
      switch dice.below(8) {
      case 0..<4: 0
      case 4, 5: 1 << 30 - 4 << 20
      case 6: 1 << 37
      default: domain.aperture.last &+ 1 &- 8 << 20
      }
    return region &+ dice.below(2048 as UInt64) << 12
  }

  private func map() throws {
    guard let listed = domains.isEmpty ? nil : dice.one(of: domains) else { return makeDomain() }
    var first = somewhere(listed.domain)
    var pages = UInt64(1)
    var alignment = UInt64(0)
    switch dice.below(8) {
    case 0..<3: pages += dice.below(24 as UInt64)
    case 3: (pages, alignment) = (16, 16)
    case 4: (pages, alignment) = (512, 512)
    case 5: (pages, alignment) = (512 + dice.below(64 as UInt64), dice.one(of: [1, 512]))
    case 6: (pages, alignment) = (64, 16)
    default: pages += dice.below(3 as UInt64)
    }
    if alignment > 1 { first &= ~(alignment << 12 - 1) }
    let length = pages << 12
    // Aligned as the IOVA is, or not, which gives small leaves.
    let skew = dice.one(in: 3) ? dice.below(16 as UInt64) << 12 : first & (1 << 21 - 1)
    let physical = buffer + dice.below(2 as UInt64) << 21 + skew
    guard first <= listed.domain.aperture.last, listed.domain.aperture.last - first >= length - 1 else {
      return
    }
    let isWritable = !dice.one(in: 4)
    let protection: Protection = isWritable ? readWrite : [.read, .cache]
    do throws(Errno) {
      try listed.domain.map(IOVA(first), to: PhysAddr(physical), length: length, protection: protection)
      #expect(listed.isFree(first, length))
      listed.areas.append(
        .init(first: first, length: length, physical: physical, isWritable: isWritable))
    } catch {
      #expect(error.code == 98 && !listed.isFree(first, length))
    }
    recent = [first, first + length - 1, first + length / 2]
  }

  private func unmap() {
    guard let listed = domains.isEmpty ? nil : dice.one(of: domains), !listed.areas.isEmpty else { return }
    let index = dice.below(listed.areas.count)
    let area = listed.areas[index]
    // With what follows on it, now and then.
    if dice.one(in: 3), let next = listed.areas.first(where: { $0.first == area.last + 1 }) {
      #expect(
        listed.domain.unmap(IOVA(area.first), length: area.length + next.length) == area.length + next.length)
      listed.areas.removeAll { $0.first == next.first || $0.first == area.first }
      recent = [area.first, area.last, next.first, next.last]
      return
    }
    // A length that ends in a hole ends there.
    #expect(listed.domain.unmap(IOVA(area.first), length: area.length) == area.length)
    listed.areas.remove(at: index)
    recent = [area.first, area.last, area.first + area.length / 2]
  }

  /// Other leaves for the same translations.
  private func regroup() throws {
    guard let listed = domains.isEmpty ? nil : dice.one(of: domains), !listed.areas.isEmpty else { return }
    let area = dice.one(of: listed.areas)
    if dice.one(in: 2) {
      try listed.domain.cut(IOVA(area.first + dice.below(area.length >> 12) << 12))
    } else {
      _ = listed.domain.grow(IOVA(area.first), length: area.length)
    }
    recent = [area.first, area.last, area.first + area.length / 2]
  }

  private func makeDomain() {
    guard domains.count < 6 else { return }
    let device = dice.one(of: devices)
    if let domain = try? device.device.driver?.allocatePaging(for: device.device) as? RISCVDomain {
      domains.append(ListedDomain(domain))
    } else {
      Issue.record("no domain")
    }
  }

  /// A domain that no device is on.
  private func dropDomain() {
    guard !domains.isEmpty else { return }
    let index = dice.below(domains.count)
    for case .paging(let listed) in places where listed === domains[index] { return }
    recent = domains[index].areas.map(\.first)
    domains.remove(at: index)
  }

  private func move() throws {
    guard !domains.isEmpty else { return }
    let number = dice.below(devices.count)
    let group = try #require(devices[number].device.group)
    if group.ownerCount == 0 { try group.claim(for: token) }
    if case .identity = places[number] { places[number] = .blocked }
    let listed = dice.one(of: domains)
    do throws(Errno) {
      try group.replace(with: listed.domain, handle: AttachHandle())
      places[number] = .paging(listed)
    } catch {
      // Sv57 on hardware that has less.
      #expect(error.code == 19)
    }
    recent = listed.areas.suffix(3).map(\.first)
  }

  private func block() {
    let number = dice.below(devices.count)
    guard case .paging(let listed) = places[number] else { return }
    devices[number].device.group?.detach()
    places[number] = .blocked
    recent = listed.areas.suffix(3).map(\.first)
  }

  private func giveBack() {
    let number = dice.below(devices.count)
    guard case .blocked = places[number] else { return }
    devices[number].device.group?.detach()
    devices[number].device.group?.release()
    places[number] = .identity
  }

  /// A DMA of a page or less, whose bytes end up where the lists say.
  private func transfer() throws {
    let number = dice.below(devices.count)
    guard case .paging(let listed) = places[number], let area = listed.areas.randomElement(using: &dice)
    else {
      return
    }
    let address = area.first + dice.below(area.length)
    let length = 1 + dice.below(Int(min(area.last - address + 1, 64)))
    let place = PhysAddr(area.physical + (address - area.first))
    if dice.one(in: 2) {
      var memory = [UInt8](repeating: 0, count: length)
      _ = memory.withUnsafeMutableBytes { machine.memory.read(place, into: $0) }
      note(devices[number].perform(.read(address, length)).bytes == memory, "a read", address)
    } else {
      let bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: dice.next()) }
      let outcome = devices[number].perform(.write(address, bytes))
      guard area.isWritable else {
        note(outcome.fault?.code == 15, "a forbidden write", address)
        return
      }
      var memory = [UInt8](repeating: 0, count: length)
      _ = memory.withUnsafeMutableBytes { machine.memory.read(place, into: $0) }
      note(outcome.bytes == [] && memory == bytes, "a write", address)
    }
  }

  // MARK: Checks

  private func note(_ isRight: Bool, _ what: String, _ address: UInt64) {
    if !isRight { noted.append("\(what) at \(String(address, radix: 16)) went wrong") }
  }

  /// What a device must get: an address, or a fault code.
  private func expected(_ number: Int, _ address: UInt64, writes: Bool) -> (address: UInt64?, code: UInt32?) {
    switch places[number] {
    case .identity: return (address, nil)
    case .blocked: return (nil, 258)
    case .paging(let listed):
      guard let area = listed.area(at: address), area.isWritable || !writes else {
        return (nil, writes ? 15 : 13)
      }
      return (area.physical + (address - area.first), nil)
    }
  }

  /// What is wrong now. A sample of the addresses that were ever looked at is looked for in the caches;
  /// with `thorough` all that is cached.
  func problems(thorough: Bool) -> [String] {
    var problems = noted
    noted = []
    for (number, device) in devices.enumerated() {
      for address in recent {
        let writes = dice.one(in: 2)
        let wanted = expected(number, address, writes: writes)
        let asked = Transaction(
          source: device.function.source, address: address, access: writes ? .write : .read)
        let answer = device.unit.withHardware { $0.translate(asked) }
        if answer.address != wanted.address || answer.code != wanted.code {
          problems.append("device \(number) at \(String(address, radix: 16)) gets \(answer)")
        }
      }
    }
    for address in recent {
      if history.count < 512 { history.append(address) } else { history[dice.below(512)] = address }
    }
    for (index, unit) in units.enumerated() {
      problems += unit.withHardware { $0.staleStructures }
      let pieces =
        thorough
        ? unit.withHardware { $0.cachedAddresses }.map(\.address)
        : recent + (0..<8).map { _ in dice.one(of: history) }
      for number in devices.indices where number & 1 == index {
        for address in pieces {
          for writes in [false, true] {
            let asked = Transaction(
              source: devices[number].function.source, address: address, access: writes ? .write : .read)
            guard let cached = unit.withHardware({ $0.cachedAnswer(asked) }) else { continue }
            let wanted = expected(number, address, writes: writes)
            if cached.address != wanted.address || cached.code != wanted.code {
              problems.append("device \(number) has \(cached) for \(String(address, radix: 16)) cached")
            }
          }
        }
      }
    }
    // Faults are read as they come, so the queues do not fill.
    machine.settle()
    for unit in units {
      problems += unit.software.complaints
      unit.software.forgetFaults()
    }
    return problems
  }

  func giveEverythingBack() {
    for number in devices.indices {
      devices[number].device.group?.detach()
      devices[number].device.group?.release()
      places[number] = .identity
    }
    domains = []
  }
}

@Suite struct RandomTests {
  static let seeds = Array(1...8) as [UInt64]
  static let steps = (environment("IOFD_DRIVER_STEPS") ?? 20_000) / seeds.count

  @Test(arguments: seeds)
  func steps(seed: UInt64) throws {
    let program = try RandomProgram(seed: seed)
    for step in 0..<Self.steps {
      try program.step()
      let problems = program.problems(thorough: step % 64 == 0)
      guard problems.isEmpty else {
        Issue.record("seed \(seed), step \(step): \(problems.prefix(5))")
        return
      }
    }
    program.giveEverythingBack()
    #expect(program.problems(thorough: true) == [])
  }

  /// The same program is not fooled: every bug that one thread can see is found.
  @Test(arguments: [
    DriverBug.skipUnmapFlush, .wrongDomainFlush, .shortFlush, .leafOnlyFlush, .skipSync, .skipContextFlush,
    .reuseTag,
  ])
  func findsBugs(bug: DriverBug) throws {
    for seed in Self.seeds {
      let program = try RandomProgram(seed: seed)
      for unit in program.units { unit.software.bugs.set(bug, true) }
      for _ in 0..<500 {
        try program.step()
        if !program.problems(thorough: true).isEmpty { return }
      }
    }
    Issue.record("\(bug) was never seen")
  }
}

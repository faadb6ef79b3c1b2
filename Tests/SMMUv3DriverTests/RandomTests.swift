// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

/// Mapping, unmapping, DMA, attaching and detaching at random; after each step the hardware, through its caches,
/// translates as the domains say, and no cache knows what memory no longer says. IOFD_DRIVER_STEPS sets the number.
@Suite("SMMUv3 driver: random")
struct RandomTests {
  static let steps: Int = getenv("IOFD_DRIVER_STEPS").flatMap { Int(String(cString: $0)) } ?? 20_000

  @Test(
    arguments: [
      ["tlb-lg2": 7], ["tlb-lg2": 7, "ril": 0, "hyp": 0, "cohacc": 1],
      ["tlb-lg2": 7, "lazy-invalidate": 1, "msi": 0], ["tlb-lg2": 7, "cmdqv": 1],
    ] as [[String: UInt64]])
  func hardwareAgrees(flags: [String: UInt64]) throws {
    let run = try RandomRun(flags, seed: UInt64(flags.count) &* 0x9E37 &+ UInt64(flags["ril"] ?? 7))
    for step in 0..<Self.steps / 4 {
      let what = try run.step()
      let wrong = run.check(all: step % 256 == 0)
      guard wrong.isEmpty else {
        Issue.record("step \(step), \(what): \(wrong.prefix(5))")
        return
      }
    }
    run.end()
    #expect(run.rig.unit.software.complaints.isEmpty)
    #expect(run.rig.machine.violations().isEmpty)
    print("SMMUv3 driver: \(Self.steps / 4) random steps, \(run.translations) translations compared")
  }

  /// The checks see what they are there for.
  @Test(arguments: [
    DriverBug.skipUnmapFlush, .wrongDomainFlush, .shortFlush, .skipSync, .skipDeviceFlush, .skipContextFlush,
    .skipPASIDFlush,
  ])
  func checksFind(bug: DriverBug) throws {
    let run = try RandomRun(["tlb-lg2": 7], seed: 5)
    run.rig.unit.software.bugs.set(bug, true)
    var found = false
    for step in 0..<5_000 where !found {
      _ = try run.step()
      found = !run.check(all: step % 16 == 0).isEmpty
    }
    #expect(found)
  }
}

/// One random run.
private final class RandomRun {
  let rig: Rig
  private(set) var translations = 0
  private var state: UInt64
  private let endpoints: [Endpoint]
  private let devices: [DeviceObject]
  private var spaces: [UInt32] = []
  /// Page tables that can be attached: plain ones of each space, and a nesting parent of the first.
  private var tables: [UInt32] = []
  private let parent: UInt32
  private var mapped: [(space: UInt32, iova: UInt64, length: UInt64)] = []
  private let buffer: UInt64
  private let huge: UInt64
  private static let pasid: UInt32 = 0x801

  init(_ flags: [String: UInt64], seed: UInt64) throws {
    state = seed | 1
    rig = try Rig(flags)
    let plain = try rig.machine.addFunction("plain", PCIFunction(requesterID: 0x210), behind: rig.unit)
    endpoints = [rig.endpoint, plain]
    let context = try rig.context
    devices = try endpoints.map { try context.bind($0.device) }
    for _ in 0..<3 {
      let space = try rig.makeIOAS()
      spaces.append(space)
      tables.append(try rig.makeHWPT(devices[0], on: space, flags: 8))
    }
    parent = try rig.makeHWPT(devices[0], on: spaces[0], flags: 1)
    buffer = try rig.target.process.space.allocate(length: 64 << 12, at: nil, mode: [.read, .write])
    huge = try rig.target.process.space.allocate(length: 4 << 20, at: nil, mode: [.read, .write], huge: true)
  }

  private func random(_ limit: UInt64) -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return (state >> 11) % limit
  }

  /// Does something; says what.
  func step() throws -> String {
    let who = Int(random(2))
    switch random(16) {
    case 0...3: return map()
    case 4...5: return try unmap()
    case 6...10:
      let iova = address()
      let pasid: UInt32? = who == 0 && random(3) == 0 ? Self.pasid : nil
      let request: DMARequest =
        random(2) == 0 ? .read(iova, 4, pasid: pasid) : .write(iova, [1, 2, 3, 4], pasid: pasid)
      _ = endpoints[who].perform(request)
      return "DMA of device \(who) at \(iova), PASID \(pasid ?? 0)"
    case 11...13: return changeRID(who)
    case 14: return changePASID()
    default:
      devices[who].detach()
      return "detach of device \(who)"
    }
  }

  private func map() -> String {
    let space = spaces[Int(random(3))]
    let isHuge = random(4) == 0
    let length = isHuge ? 2 << 20 : (1 + random(8)) << 12
    let iova = isHuge ? (1 + random(3)) << 21 : random(1024) << 12
    let from = isHuge ? huge + random(2) << 21 : buffer + random(56) << 12
    do throws(Errno) {
      try rig.map(space, iova, length, from: from, writable: random(4) > 0)
      mapped.append((space, iova, length))
    } catch {}
    return "map of \(length) at \(iova) in \(space)"
  }

  private func unmap() throws -> String {
    guard !mapped.isEmpty else { return "nothing" }
    let (space, iova, length) = mapped.remove(at: Int(random(UInt64(mapped.count))))
    try rig.unmap(space, iova, length)
    return "unmap of \(length) at \(iova) in \(space)"
  }

  private func changeRID(_ who: Int) -> String {
    var table = random(5) == 0 ? parent : tables[Int(random(3))]
    let wanted = table
    do throws(Errno) {
      if devices[who].hwpt(at: 0) == nil {
        try devices[who].attach(to: &table)
      } else {
        try devices[who].replace(with: &table)
      }
    } catch {}
    return "device \(who) to \(wanted)"
  }

  private func changePASID() -> String {
    var table = tables[Int(random(3))]
    do throws(Errno) {
      if devices[0].hwpt(at: Self.pasid) == nil {
        try devices[0].attach(pasid: Self.pasid, to: &table)
      } else if random(2) == 0 {
        try devices[0].replace(pasid: Self.pasid, with: &table)
      } else {
        devices[0].detach(pasid: Self.pasid)
      }
    } catch {}
    return "the PASID to \(table)"
  }

  /// An address with something there, most of the time.
  private func address() -> UInt64 {
    guard !mapped.isEmpty, random(8) > 0 else { return random(4096) << 12 }
    let (_, iova, length) = mapped[Int(random(UInt64(mapped.count)))]
    return iova + (random(length >> 12) << 12)
  }

  // MARK: Checks

  /// What is wrong now.
  func check(all: Bool) -> [String] {
    var wrong: [String] = []
    for _ in 0..<2 {
      let iova = address()
      for who in 0..<2 {
        wrong += compare(who, iova, nil)
        if who == 0 { wrong += compare(who, iova, Self.pasid) }
      }
    }
    wrong += rig.hardware { $0.staleStructures }
    var cached = rig.hardware { $0.cachedAddresses }.map(\.address)
    if !all, cached.count > 4 {
      let start = Int(random(UInt64(cached.count - 4)))
      cached = Array(cached[start..<start + 4])
    }
    for iova in cached {
      for who in 0..<2 {
        wrong += checkCache(who, iova, nil)
        if who == 0 { wrong += checkCache(who, iova, Self.pasid) }
      }
    }
    for (pasid, iova, translation) in endpoints[0].cached {
      let now = walk(0, iova, pasid)
      if now?.address != translation.address & ~4095 {
        wrong.append("the device caches \(iova), PASID \(pasid ?? 0)")
      }
    }
    return wrong
  }

  private func transaction(_ who: Int, _ iova: UInt64, _ pasid: UInt32?) -> Transaction {
    Transaction(source: endpoints[who].function.source, pasid: pasid, address: iova & ~4095)
  }

  private func walk(_ who: Int, _ iova: UInt64, _ pasid: UInt32?) -> Translation? {
    Self.translation(rig.hardware { $0.walk(transaction(who, iova, pasid)).answer })
  }

  private static func translation(_ answer: TranslationAnswer) -> Translation? {
    if case .translated(let translation) = answer { return translation }
    return nil
  }

  /// The hardware's answer, with all its effects, is the domain's.
  private func compare(_ who: Int, _ iova: UInt64, _ pasid: UInt32?) -> [String] {
    translations += 1
    let found = Self.translation(rig.hardware { $0.translate(transaction(who, iova, pasid)) })?.address
    let group = endpoints[who].device.group
    let domain = pasid == nil ? group?.domain : group?.handle(at: Self.pasid).flatMap { _ in pasidDomain }
    let expected = (domain as? any PagingDomain)?.translate(IOVA(iova & ~4095))?.raw
    return found == expected
      ? [] : ["device \(who) at \(iova), PASID \(pasid ?? 0): \(found ?? 0) instead of \(expected ?? 0)"]
  }

  private var pasidDomain: (any Domain)? { devices[0].hwpt(at: Self.pasid)?.domain }

  private func checkCache(_ who: Int, _ iova: UInt64, _ pasid: UInt32?) -> [String] {
    let transaction = transaction(who, iova, pasid)
    guard let cached = rig.hardware({ $0.cachedAnswer(transaction) }) else { return [] }
    let (a, b) = (Self.translation(cached), walk(who, iova, pasid))
    return a?.address == b?.address && a?.writable == b?.writable
      ? [] : ["a cache answers device \(who) at \(iova), PASID \(pasid ?? 0), as memory does not"]
  }

  func end() {
    for device in devices {
      device.detach(pasid: Self.pasid)
      device.detach()
    }
  }
}

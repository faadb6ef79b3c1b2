// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Glibc
internal import IOMMU
internal import IOMMUFD
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Hardware
@testable internal import Machine

// Random steps over several domains and functions. After each step what the hardware answers, through its caches and
// those of the functions, is what the domains say; and from time to time every answer that a cache would give is
// compared, and every structure that it holds.

@Suite("AMD-Vi: both halves at random")
struct RandomTests {
  private static let steps: Int = {
    guard let text = getenv("IOFD_DRIVER_STEPS"), let steps = Int(String(cString: text)) else {
      return 20_000
    }
    return steps
  }()

  private struct Variant: Sendable {
    let name: String
    let words: [String: String]
    let numbers: [String: UInt64]
  }

  private static let variants = [
    Variant(name: "v1", words: [:], numbers: [:]),
    Variant(name: "v2", words: ["pgtbl": "v2"], numbers: [:]),
    Variant(name: "np-cache", words: [:], numbers: ["np-cache": 1]),
    Variant(name: "np-cache v2", words: ["pgtbl": "v2", "cache": "random"], numbers: ["np-cache": 1]),
  ]

  @Test(arguments: variants.indices) func translationsAreWhatDomainsSay(_ variant: Int) throws {
    let chosen = Self.variants[variant]
    let bench = try Rig(chosen.words, chosen.numbers)
    var world = try World(bench, seed: UInt64(variant + 1))
    let steps = Self.steps / Self.variants.count
    for step in 0..<steps {
      try world.step()
      if step % 256 == 255 { world.checkCaches() }
      guard world.mistakes.isEmpty else {
        Issue.record("\(chosen.name), step \(step): \(world.mistakes[0])")
        return
      }
    }
    world.checkCaches()
    #expect(world.mistakes.isEmpty)
    #expect(world.translated > steps / 20, "\(world.translated) translations succeeded")
    #expect(bench.software.complaints.isEmpty)
  }

  /// The same steps with a mistake in the driver: the comparison finds it.
  @Test(arguments: [
    (DriverBug.skipUnmapFlush, 0), (.skipDeviceFlush, 0), (.wrongDomainFlush, 1), (.shortFlush, 1),
    (.skipContextFlush, 0), (.reuseTag, 0), (.skipPASIDFlush, 1), (.skipMapFlush, 2), (.skipSync, 1),
  ]) func mistakesAreNoticed(_ bug: DriverBug, _ variant: Int) throws {
    let bench = try Rig(Self.variants[variant].words, Self.variants[variant].numbers)
    var world = try World(bench, seed: 99)
    bench.software.bugs.set(bug, true)
    var steps = 0
    while world.mistakes.isEmpty, steps < 20_000 {
      try world.step()
      steps += 1
      if steps % 256 == 0 { world.checkCaches() }
    }
    #expect(!world.mistakes.isEmpty, "\(bug.rawValue)")
  }

  /// Functions and domains, and what is attached to what.
  private struct World {
    let bench: Rig
    var mistakes: [String] = []
    var translated = 0
    private var random: Generator
    private var endpoints: [Endpoint] = []
    private var domains: [(any PagingDomain)?] = []
    private var attached: [(any PagingDomain)?]
    private var pasids: [[UInt32: any PagingDomain]]
    private let pages: PhysAddr
    private static let pageCount: UInt64 = 1024
    /// IOVAs in three tables, one of them beyond what three levels reach.
    private static let bases: [UInt64] = [0, 0x4000_0000, 1 << 40]

    private struct Generator {
      var state: UInt64
      mutating func next(_ bound: UInt64) -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return (state >> 11) % bound
      }
    }

    init(_ bench: Rig, seed: UInt64) throws {
      self.bench = bench
      random = Generator(state: seed &* 0x9E37_79B9_7F4A_7C15)
      for capabilities in [
        PCIFunction.Capabilities(), .init(ats: true), .init(pasidBits: 8),
        .init(ats: true, pri: true, pasidBits: 16),
      ] {
        endpoints.append(try bench.owned(capabilities))
      }
      attached = endpoints.map { _ in nil }
      pasids = endpoints.map { _ in [:] }
      for index in 0..<6 {
        domains.append(try bench.domain(index % 2 == 0 ? 0 : HWPTFlag.pasid, for: endpoints[0]))
      }
      pages = try bench.memory.allocateContiguous(Int(Self.pageCount), alignment: Int(Self.pageCount)).address
    }

    private mutating func iova() -> UInt64 {
      Self.bases[Int(random.next(3))] + random.next(32) << 12
    }

    mutating func step() throws {
      let device = Int(random.next(UInt64(endpoints.count)))
      let slot = Int(random.next(UInt64(domains.count)))
      guard let domain = domains[slot] else { return }
      switch random.next(40) {
      case 0..<12: map(domain)
      case 12..<20:
        let first = iova()
        domain.unmap(IOVA(first), length: (1 + random.next(16)) << 12)
        // The whole area of one table, now and then.
        if random.next(8) == 0 { domain.unmap(IOVA(first & ~0x1F_FFFF), length: 0x20_0000) }
      case 20..<23: try moveRID(device, domain)
      case 23: try detachRID(device)
      case 24..<26: try movePASID(device, domain)
      case 26: try replaceDomain(slot)
      default: break
      }
      for _ in 0..<2 { dma(Int(random.next(UInt64(endpoints.count)))) }
    }

    private mutating func map(_ domain: any PagingDomain) {
      let lengthLg2 = random.next(5)
      let first = iova()
      let length: UInt64 = 4096 << lengthLg2
      let physical = pages.raw + random.next(Self.pageCount - 16) << 12
      let protection: Protection = random.next(3) == 0 ? .read : readWrite
      // Where something is mapped already it is refused.
      try? domain.map(IOVA(first), to: PhysAddr(physical), length: length, protection: protection)
    }

    private func group(_ device: Int) throws -> CoreGroup { try #require(endpoints[device].device.group) }

    private mutating func moveRID(_ device: Int, _ domain: any PagingDomain) throws {
      // iommufd lets nothing without PASIDs take the place while some are attached.
      guard pasids[device].isEmpty || domain is any PASIDDomain else { return }
      if attached[device] == nil {
        try group(device).attach(domain, handle: AttachHandle())
      } else {
        try group(device).replace(with: domain, handle: AttachHandle())
      }
      attached[device] = domain
    }

    private mutating func detachRID(_ device: Int) throws {
      guard attached[device] != nil else { return }
      try group(device).detach()
      attached[device] = nil
    }

    private mutating func movePASID(_ device: Int, _ domain: any PagingDomain) throws {
      let pasid = UInt32(1 + random.next(3)) * 40
      guard endpoints[device].device.maxPASIDs > 0 else { return }
      if pasids[device].removeValue(forKey: pasid) != nil {
        try group(device).detach(pasid: pasid)
        return
      }
      let endpoint = endpoints[device].device
      do {
        try group(device).attach(domain, pasid: pasid, of: endpoint, handle: AttachHandle())
        pasids[device][pasid] = domain
      } catch {
        // Without PASIDs, or a table for them; a domain of version 1.
        let errno = error as? Errno
        if errno != .EINVAL, errno != .EOPNOTSUPP { mistakes.append("PASID \(pasid): \(error)") }
      }
    }

    /// Another domain gets the number that this one had.
    private mutating func replaceDomain(_ slot: Int) throws {
      guard let domain = domains[slot] else { return }
      if attached.contains(where: { $0 === domain }) { return }
      if pasids.contains(where: { $0.values.contains { $0 === domain } }) { return }
      domains[slot] = nil
      domains[slot] = try bench.domain(slot % 2 == 0 ? 0 : HWPTFlag.pasid, for: endpoints[0])
    }

    // MARK: Looking

    /// Where a request must go; nil where it must not get through.
    private func expected(_ device: Int, _ pasid: UInt32?, _ address: UInt64, writes: Bool) -> UInt64? {
      let own = attached[device]
      var domain = own
      if let pasid {
        // PASIDs need a function whose own domain has guest tables.
        guard own is any PASIDDomain else { return nil }
        domain = pasids[device][pasid]
      }
      guard let domain, let physical = domain.translate(IOVA(address)) else { return nil }
      var allowed = false
      domain.forEachLeaf(in: Span64(address, address)) { leaf in
        allowed = leaf.protection.contains(writes ? .write : .read)
      }
      return allowed ? physical.raw : nil
    }

    private mutating func dma(_ device: Int) {
      let address = iova() + random.next(1024) * 4
      var pasid: UInt32?
      if let some = pasids[device].keys.min(), random.next(2) == 0 { pasid = some }
      if random.next(16) == 0 { pasid = 40 }
      let writes = random.next(2) == 0
      let must = expected(device, pasid, address, writes: writes)
      let request =
        writes
        ? DMARequest.write(address, [1, 2, 3, UInt8(random.next(256))], pasid: pasid)
        : .read(address, 4, pasid: pasid)
      switch endpoints[device].perform(request) {
      case .done(let bytes):
        guard let must else {
          mistakes.append("device \(device) pasid \(pasid ?? 0) \(address): got through")
          return
        }
        translated += 1
        let place = writes ? request.bytes : bytes
        var memory = [UInt8](repeating: 0, count: 4)
        _ = memory.withUnsafeMutableBytes { bench.memory.read(PhysAddr(must), into: $0) }
        if memory != place { mistakes.append("device \(device) \(address): went elsewhere") }
      case .fault(let fault):
        if must != nil { mistakes.append("device \(device) pasid \(pasid ?? 0) \(address): \(fault)") }
      default: mistakes.append("device \(device): neither done nor a fault")
      }
    }

    /// No cache says anything else than the domains.
    mutating func checkCaches() {
      let addresses = bench.unit.withHardware { $0.cachedAddresses }
      for (index, endpoint) in endpoints.enumerated() {
        for cached in addresses {
          for writes in [false, true] {
            let answer = bench.unit.withHardware {
              $0.cachedAnswer(
                Transaction(
                  source: endpoint.function.source, pasid: cached.pasid, address: cached.address,
                  access: writes ? .write : .read))
            }
            guard let answer, cached.pasid != 0 else { continue }
            let must = expected(index, cached.pasid, cached.address, writes: writes)
            var found: UInt64?
            if case .translated(let translation) = answer { found = translation.address }
            if found != must {
              mistakes.append(
                "cache: device \(index) pasid \(cached.pasid ?? 0) \(cached.address): \(answer)")
            }
          }
        }
        for (pasid, address, translation) in endpoint.cached {
          let must = expected(index, pasid, address, writes: !translation.readable)
          if must.map({ $0 & ~4095 }) != translation.address & ~4095 {
            mistakes.append("device \(index) has cached \(address)")
          }
        }
      }
      mistakes += bench.unit.withHardware { $0.staleStructures }
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import Hardware
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// Random maps, unmaps, attachments and DMA over several domains and functions, each step against a plain account of
// what is mapped where. After each step some addresses are looked up in the caches as they are, and now and then all
// that is cached.

@Suite("VT-d driver: random steps")
struct RandomTests {
  /// 20,000 over all set-ups, or what IOFD_DRIVER_STEPS says.
  private static let steps: Int = getenv("IOFD_DRIVER_STEPS").flatMap { Int(String(cString: $0)) } ?? 20_000

  @Test(arguments: Setup.allCases, [false, true]) func cachesSayWhatDomainsSay(_ setup: Setup, _ hasATS: Bool)
    throws
  {
    let count = Self.steps / (Setup.allCases.count * 2)
    let walker = try RandomSteps(setup, hasATS: hasATS, seed: 0x5EED + UInt64(count))
    for step in 0..<count {
      try walker.step()
      if let wrong = walker.probe() {
        Issue.record("\(setup), ATS \(hasATS), step \(step), \(walker.last): \(wrong)")
        return
      }
      if step % 256 == 0 || step == count - 1 {
        let stale = walker.rig.machine.staleTranslations()
        if !stale.isEmpty {
          Issue.record("\(setup), ATS \(hasATS), step \(step), \(walker.last): \(stale)")
          return
        }
      }
    }
    #expect(walker.hits > count / 20)
    #expect(walker.rig.software.complaints.isEmpty)
  }
}

/// The machine, and what should be true of it.
private final class RandomSteps {
  struct Account {
    let domain: VTdPagingDomain
    /// Page number to physical page number, and whether it may be written.
    var pages: [UInt64: (frame: UInt64, writable: Bool)] = [:]
    var areas: [(first: UInt64, count: UInt64)] = []
  }

  struct Function {
    let endpoint: Endpoint
    /// PASID, or 0 for the RID, to the domain's number.
    var domains: [UInt32: Int] = [:]
  }

  let rig: Rig
  /// What the last step did, for messages.
  private(set) var last = ""
  /// Cached answers that were compared.
  private(set) var hits = 0
  private var accounts: [Account] = []
  private var functions: [Function] = []
  private let pool: UInt64
  private let takesPASIDs: Bool
  private var state: UInt64
  private var stamp: UInt64 = 0

  private static let poolPages: UInt64 = 2048
  /// Pages of IOVA that are used, so that they meet again and again: three tables and a bit.
  private static let window: UInt64 = 1600

  init(_ setup: Setup, hasATS: Bool, seed: UInt64) throws {
    rig = try setup.rig()
    state = seed
    // 6.12 has no PASIDs for user space; its driver gives one that is attached while ATS is off no tag for the device.
    takesPASIDs = !setup.isLegacy && setup != .old
    pool = try rig.memory.allocateContiguous(Int(Self.poolPages), alignment: 512).raw64
    for _ in 0..<3 {
      functions.append(Function(endpoint: try rig.function(hasATS ? Rig.everything : .init(pasidBits: 8))))
    }
    for _ in 0..<4 {
      accounts.append(Account(domain: try rig.domain(for: functions[0].endpoint)))
    }
  }

  private func random(_ bound: UInt64) -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state % bound
  }

  func step() throws {
    switch random(16) {
    case 0...3: try map()
    case 4...6: unmap()
    case 7: try attach()
    default: dma()
    }
  }

  private func map() throws {
    let number = Int(random(4))
    let isHuge = random(8) == 0
    let count = isHuge ? 512 : 1 + random(random(4) == 0 ? 80 : 4)
    var first = random(Self.window - min(count, Self.window - 1))
    if isHuge { first &= ~511 }
    let frame = pool + (isHuge ? random(Self.poolPages / 512) * 512 : random(Self.poolPages - count))
    let writable = random(4) != 0
    let isFree = (first..<first + count).allSatisfy { accounts[number].pages[$0] == nil }
    last = "map of \(count) pages at \(first) in domain \(number)"
    do throws(Errno) {
      try accounts[number].domain.map(
        IOVA(first << 12), to: PhysAddr(frame << 12), length: count << 12,
        protection: writable ? [.read, .write] : .read)
      guard isFree else {
        Issue.record("\(last): something is mapped there")
        return
      }
    } catch {
      if isFree { Issue.record("\(last): \(error)") }
      return
    }
    for page in 0..<count { accounts[number].pages[first + page] = (frame + page, writable) }
    accounts[number].areas.append((first, count))
  }

  private func unmap() {
    let number = Int(random(4))
    guard !accounts[number].areas.isEmpty else { return }
    let index = Int(random(UInt64(accounts[number].areas.count)))
    let (first, count) = accounts[number].areas.remove(at: index)
    last = "unmap of \(count) pages at \(first) in domain \(number)"
    let done = accounts[number].domain.unmap(IOVA(first << 12), length: count << 12)
    if done != count << 12 { Issue.record("\(last): \(done) bytes were unmapped") }
    for page in 0..<count { accounts[number].pages[first + page] = nil }
  }

  private func attach() throws {
    let index = Int(random(3))
    let pasid = takesPASIDs ? UInt32(random(4)) : 0
    let target = Int(random(5))
    let function = functions[index]
    last =
      "function \(index), PASID \(pasid) from \(String(describing: function.domains[pasid])) to \(target)"
    let group = function.endpoint.group
    guard target < 4 else {
      if pasid == 0 { group.detach() } else { group.detach(pasid: pasid) }
      functions[index].domains[pasid] = nil
      return
    }
    let domain = accounts[target].domain
    switch (function.domains[pasid], pasid) {
    case (nil, 0): try group.attach(domain, handle: AttachHandle())
    case (nil, _): try function.endpoint.attach(domain, pasid: pasid)
    case (_, 0): try group.replace(with: domain, handle: AttachHandle())
    case (_, _):
      try group.replace(
        with: domain, pasid: pasid, of: function.endpoint.device, handle: AttachHandle())
    }
    functions[index].domains[pasid] = target
  }

  /// Where a function gets to; nil for nowhere.
  private func target(_ function: Function, _ pasid: UInt32, _ page: UInt64) -> (
    frame: UInt64, writable: Bool
  )? {
    function.domains[pasid].flatMap { accounts[$0].pages[page] }
  }

  private func dma() {
    let index = Int(random(3))
    let pasid = takesPASIDs ? UInt32(random(4)) : 0
    let page = random(Self.window)
    let expected = target(functions[index], pasid, page)
    let endpoint = functions[index].endpoint
    let address = page << 12 | random(512) << 3
    let physical = expected.map { $0.frame << 12 | address & 4095 }
    let sent: UInt32? = pasid == 0 ? nil : pasid
    stamp += 1
    if random(2) == 0 {
      last = "write of function \(index), PASID \(pasid), page \(page)"
      let isDone = endpoint.write(address, stamp, pasid: sent).isDone
      if isDone != (expected?.writable ?? false) { Issue.record("\(last): done \(isDone)") }
      if isDone, let physical, rig[physical] != stamp { Issue.record("\(last): it went elsewhere") }
    } else {
      last = "read of function \(index), PASID \(pasid), page \(page)"
      let value = endpoint.read(address, pasid: sent).value
      if value != physical.map({ rig[$0] }) { Issue.record("\(last): wrong bytes") }
    }
  }

  /// Asks the unit's caches for random addresses; says what is wrong.
  func probe() -> String? {
    for _ in 0..<4 {
      let index = Int(random(3))
      let pasid = takesPASIDs ? UInt32(random(4)) : 0
      let page = random(Self.window)
      let transaction = Transaction(
        source: functions[index].endpoint.function.source, pasid: pasid == 0 ? nil : pasid,
        address: page << 12, access: random(2) == 0 ? .read : .write)
      guard let answer = rig.unit.withHardware({ $0.cachedAnswer(transaction) }) else { continue }
      hits += 1
      let expected = target(functions[index], pasid, page)
      switch answer {
      case .translated(let found):
        guard let expected, found.address >> 12 == expected.frame, !found.writable || expected.writable
        else { return "the unit would translate page \(page) of function \(index), PASID \(pasid)" }
      case .aborted:
        if let expected, transaction.access == .read || expected.writable {
          return "the unit would refuse page \(page) of function \(index), PASID \(pasid)"
        }
      case .stalled: return "VT-d stalls nothing"
      }
    }
    return nil
  }
}

extension FrameNumber {
  fileprivate var raw64: UInt64 { UInt64(raw) }
}

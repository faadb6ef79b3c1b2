// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Hardware
internal import IOMMU
internal import IOMMUFD
internal import Synchronization
internal import Testing

@testable internal import Machine

/// A context descriptor that changes under a device which never rests.
@Suite("SMMUv3 driver: contexts under fire")
struct TornContextTests {
  /// Moves a device between two domains while it translates on another thread, until it once ends up with the pages
  /// of the domain that it has left, or `limit` moves are done.
  private func seesOldDomain(_ bug: DriverBug?, limit: Int) async throws -> Bool {
    let rig = try Rig(function: .init())
    let device = try rig.context.bind(rig.endpoint.device)
    var tables: [UInt32] = []
    for value: UInt8 in 0..<2 {
      let ioas = try rig.makeIOAS()
      try rig.fill(try rig.map(ioas, 0x10000, 0x1000), [value])
      tables.append(try rig.makeHWPT(device, on: ioas))
    }
    try device.attach(to: &tables[0])
    if let bug { rig.unit.software.bugs.set(bug, true) }
    let stop = Stop()
    let unit = rig.unit
    let traffic = Task.detached {
      while !stop.isSet {
        _ = unit.withHardware { $0.translate(Transaction(source: 0x208, address: 0x10000)) }
      }
    }
    var seen = false
    for move in 1...limit where !seen {
      try device.replace(with: &tables[move & 1])
      seen = rig.read(0x10000, 1).bytes != [UInt8(move & 1)]
    }
    stop.set()
    await traffic.value
    return seen
  }

  private final class Stop: Sendable {
    private let flag = Atomic<Bool>(false)
    var isSet: Bool { flag.load(ordering: .relaxed) }
    func set() { flag.store(true, ordering: .relaxed) }
  }

  @Test func wholeOrNothing() async throws {
    #expect(try await !seesOldDomain(nil, limit: 1000))
  }

  @Test func torn() async throws {
    #expect(try await seesOldDomain(.tornContext, limit: 200_000))
  }
}

import Bench
// SPDX-License-Identifier: GPL-3.0-or-later
import Dispatch
import Machine
import Memory
import Synchronization
import Testing
import UAPI

/// Real threads on one file: what the kernel promises to run in parallel does, and leaves nothing broken.
@Suite("Real threads")
struct ConcurrencyTests {
  static let threads = 4

  /// Runs `body` on several threads at once, each with a caller of its own; returns what each reported.
  private func parallel(_ caller: Caller, _ body: @escaping @Sendable (Int, Caller) -> [String]) throws
    -> [String]
  {
    let callers = try (0..<Self.threads).map { _ in try caller.sibling() }
    let reports = Mutex<[String]>([])
    DispatchQueue.concurrentPerform(iterations: Self.threads) { index in
      let report = body(index, callers[index])
      reports.withLock { $0 += report }
    }
    return reports.withLock { $0 }
  }

  /// T threads map and unmap in private windows of one IOAS and never see EBUSY, EEXIST or ENOENT.
  @Test(arguments: [0, 1, 2])
  func privateWindowsOfOneIOASNeverMeet(_ domains: Int) throws {
    let caller = try Caller()
    let ioas = caller.ioas()
    for _ in 0..<domains { _ = caller.mock(ioas) }
    let memory = try caller.memory(1 << 20)
    let surprises = try parallel(caller) { thread, caller in
      var seen: [String] = []
      let window = 0x1000_0000 + UInt64(thread) * 0x100_0000
      for round in 0..<200 {
        let length = UInt64(round % 7 + 1) * 4096
        let map = caller.map(ioas, memory + UInt64(round % 9) * 4096, length, at: window)
        if map.name != "ok" { seen.append("map \(map.name)") }
        let unmap = caller.unmap(ioas, window, length)
        if unmap.name != "ok" || unmap["length"] != length { seen.append("unmap \(unmap.name)") }
      }
      return seen
    }
    #expect(surprises == [])
    #expect(caller.bench.violations().map(\.description) == [])
  }

  @Test func automaticPlacementNeverHandsARangeOutTwice() throws {
    let caller = try Caller()
    let ioas = caller.ioas()
    _ = caller.mock(ioas)
    let memory = try caller.memory(1 << 16)
    let ranges = try parallel(caller) { _, caller in
      (0..<100).map { _ in
        let answer = caller.map(ioas, memory, 8192)
        return answer.name == "ok" ? String(answer["iova"]) : answer.name
      }
    }
    #expect(Set(ranges).count == Self.threads * 100)
    #expect(caller.bench.violations().map(\.description) == [])
  }

  /// Attach and detach exclude maps; a device that comes and goes finds whole mappings only.
  @Test func devicesComeAndGoWhileOthersMap() throws {
    let caller = try Caller()
    let ioas = caller.ioas()
    _ = caller.mock(ioas)
    let memory = try caller.memory(1 << 20)
    let surprises = try parallel(caller) { thread, caller in
      var seen: [String] = []
      for round in 0..<100 {
        if thread == 0 {
          let device = caller.mock(ioas)
          let gone = caller.request("DESTROY", ["id": device.stdev])
          if device.stdev == .max || gone.name != "ok" { seen.append("device \(gone.name)") }
        } else {
          let window = 0x1000_0000 + UInt64(thread) * 0x100_0000
          let map = caller.map(ioas, memory, UInt64(round % 5 + 1) * 4096, at: window)
          if map.name != "ok" { seen.append("map \(map.name)") }
          let unmap = caller.unmap(ioas, window, 0x10000)
          if unmap.name != "ok" { seen.append("unmap \(unmap.name)") }
        }
      }
      return seen
    }
    #expect(surprises == [])
    #expect(caller.bench.violations().map(\.description) == [])
  }

  /// Two IOASes that share pages through COPY: pins are counted right whoever comes and goes first.
  @Test func copiesOfOnePageOnManyThreadsArePinnedOnce() throws {
    let caller = try Caller()
    let source = caller.ioas()
    let target = caller.ioas()
    _ = caller.mock(source)
    _ = caller.mock(target)
    let memory = try caller.memory(1 << 16)
    #expect(caller.map(source, memory, 0x10000, at: 0x1000_0000).name == "ok")
    let surprises = try parallel(caller) { thread, caller in
      var seen: [String] = []
      let window = 0x2000_0000 + UInt64(thread) * 0x100_0000
      for _ in 0..<100 {
        let copy = caller.request(
          "IOAS_COPY",
          [
            "flags": 7, "dst_ioas_id": target, "src_ioas_id": source, "length": 0x10000, "dst_iova": window,
            "src_iova": 0x1000_0000,
          ])
        if copy.name != "ok" { seen.append("copy \(copy.name)") }
        if caller.bench.pinCount(at: memory) != 1 {
          seen.append("pins \(caller.bench.pinCount(at: memory) ?? 0)")
        }
        let unmap = caller.unmap(target, window, 0x10000)
        if unmap.name != "ok" { seen.append("unmap \(unmap.name)") }
      }
      return seen
    }
    #expect(surprises == [])
    #expect(caller.bench.violations().map(\.description) == [])
  }

  /// Objects made and destroyed on all threads: IDs are never shared, and close leaves nothing.
  @Test func objectsAreMadeAndDestroyedByAll() throws {
    let caller = try Caller()
    let surprises = try parallel(caller) { _, caller in
      var seen: [String] = []
      for _ in 0..<200 {
        let id = caller.ioas()
        let gone = caller.request("DESTROY", ["id": id])
        if gone.name != "ok" { seen.append("destroy \(id) \(gone.name)") }
      }
      return seen
    }
    #expect(surprises == [])
    try caller.target.close(caller.fd)
    #expect(caller.target.machine.memory.pinTotals.pins == 0)
  }
}

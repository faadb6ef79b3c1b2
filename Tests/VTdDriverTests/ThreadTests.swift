// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Glibc
internal import IOMMU
internal import Memory
internal import Seams
internal import Synchronization
internal import Testing
internal import UAPI

@testable internal import Drivers
@testable internal import Machine

// Threads that map, unmap and do DMA on ranges of their own in one domain, while another thread attaches and detaches
// functions: nobody sees a page of another, or one that is unmapped.

@Suite("VT-d driver: threads")
struct ThreadTests {
  private final class Work: Sendable {
    let body: @Sendable (Int) -> Void
    let thread: Int
    init(_ thread: Int, _ body: @escaping @Sendable (Int) -> Void) {
      self.thread = thread
      self.body = body
    }
  }

  private func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    var threads: [pthread_t] = []
    for number in 0..<count {
      var thread = pthread_t()
      let work = Unmanaged.passRetained(Work(number, body)).toOpaque()
      let error = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
          work.body(work.thread)
          return nil
        }, work)
      if error == 0 { threads.append(thread) }
    }
    for thread in threads { pthread_join(thread, nil) }
  }

  @Test(arguments: [Setup.legacy, .firstStage, .cachingMode]) func disjointRanges(_ setup: Setup) throws {
    let rig = try setup.rig()
    // Denied translation requests are not recorded, so one function has no ATS.
    let devices = try (0..<3).map { try rig.function($0 == 0 ? .init() : Rig.everything) }
    let other = try rig.function()
    let domain = try rig.domain(for: devices[0])
    for device in devices { try device.attach(domain) }
    let frames = try (0..<4).map { _ in try rig.frame() }
    let memory = rig.memory
    let wrong = Atomic<Int>(0)
    onThreads(4) { thread in
      if thread == 3 {
        for _ in 0..<100 {
          if (try? other.attach(domain)) == nil { wrong.add(1, ordering: .relaxed) }
          other.group.detach()
        }
        return
      }
      let iova = 0x40_0000 + UInt64(thread) << 12
      let frame = frames[thread]
      for round in 1...150 as ClosedRange<UInt64> {
        do throws(Errno) {
          try domain.map(IOVA(iova), to: PhysAddr(frame), length: 4096, protection: [.read, .write])
        } catch { wrong.add(1, ordering: .relaxed) }
        let isDone = devices[thread].write(iova, round).isDone
        if !isDone || memory.load64(at: PhysAddr(frame)) != round { wrong.add(1, ordering: .relaxed) }
        domain.unmap(IOVA(iova), length: 4096)
        if devices[thread].read(iova).isDone { wrong.add(1, ordering: .relaxed) }
      }
    }
    #expect(wrong.load(ordering: .relaxed) == 0)
    rig.machine.settle()
    #expect(rig.machine.staleTranslations().isEmpty)
    #expect(!rig.software.faults.isEmpty)
    #expect(rig.software.complaints.filter { $0 != "the fault records overflowed" }.isEmpty)
  }
}

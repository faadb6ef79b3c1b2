// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Memory
internal import Synchronization
internal import Testing

@testable internal import Interpose

@Suite("Process status")
struct ProcessStatusTests {
  @Test func tellsWhoWeAre() throws {
    let status = try #require(ProcessStatus(getpid()))
    #expect(status.leader == getpid())
    #expect(status.parent == getppid())
    #expect(status.user == getuid())
    #expect(ProcessStatus(-1) == nil)
    #expect(ProcessStatus.living(of: getpid()) != nil)
    #expect(ProcessStatus.living(of: -1) == nil)
  }

  @Test func aThreadBelongsToItsProcess() throws {
    let leader = Mutex<Int32?>(nil)
    try withThread {
      // PID/task/TID
      guard let link = readLink("/proc/thread-self"),
        let thread = Int32(link.split(separator: "/").last ?? "")
      else { return }
      leader.withLock { $0 = thread == getpid() ? nil : RealProcesses.leader(thread) }
    }
    #expect(leader.withLock { $0 } == getpid())
  }

  private func withThread(_ body: @escaping () -> Void) throws {
    final class Box { let body: () -> Void; init(_ body: @escaping () -> Void) { self.body = body } }
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(body))
    try #require(
      pthread_create(
        &thread, nil,
        {
          guard let argument = $0 else { return nil }
          Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
          return nil
        }, box.toOpaque()) == 0)
    pthread_join(thread, nil)
  }

  @Test func addsWhatTheModelHasPinned() {
    let text = "Name:\ta b\nVmPeak:\t    5000 kB\nVmLck:\t       4 kB\nVmPin:\t       0 kB\nThreads:\t1\n"
    let counters = MemoryCounters()
    #expect(String(decoding: ProcessStatus.patched(Array(text.utf8), counters), as: UTF8.self) == text)
    counters.pinned.store(3, ordering: .relaxed)
    counters.locked.store(1_000_000, ordering: .relaxed)
    #expect(
      String(decoding: ProcessStatus.patched(Array(text.utf8), counters), as: UTF8.self)
        == "Name:\ta b\nVmPeak:\t    5000 kB\nVmLck:\t 4000004 kB\nVmPin:\t      12 kB\nThreads:\t1\n")
  }
}

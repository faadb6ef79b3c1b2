// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import Synchronization
internal import Testing
internal import UAPI

@testable internal import Memory

let page: UInt64 = Page.size
let readWrite: MapMode = [.read, .write]

/// A small machine: 64 MiB.
func smallMemory(stride: Int = 1) -> PhysicalMemory { PhysicalMemory(size: 64 << 20, stride: stride) }

extension PhysicalMemory {
  /// Nothing is in use and nothing is pinned.
  func expectEmpty(sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(allocatedFrames == 0, sourceLocation: sourceLocation)
    #expect(pinTotals.pins == 0, sourceLocation: sourceLocation)
    #expect(checkInvariants() == [], sourceLocation: sourceLocation)
  }

  func firstByte(_ frame: FrameNumber) -> UInt8 { bytes(of: frame).load(as: UInt8.self) }
}

extension AddressSpace {
  /// Pins `count` pages; the result has as many as could be.
  func pinned(_ address: UInt64, _ count: Int, writing: Bool) throws(Errno) -> [FrameNumber] {
    let buffer = UnsafeMutableBufferPointer<FrameNumber>.allocate(capacity: count)
    defer { buffer.deallocate() }
    let done = try pin(address, writing: writing, into: buffer)
    return Array(buffer[..<done])
  }
}

extension PinnableFile {
  func pinned(_ first: UInt64, _ count: Int) throws(Errno) -> [FrameNumber] {
    let buffer = UnsafeMutableBufferPointer<FrameNumber>.allocate(capacity: count)
    defer { buffer.deallocate() }
    let done = try pin(firstPage: first, into: buffer)
    return Array(buffer[..<done])
  }
}

/// The errno that `body` throws, or nil.
func failure(_ body: () throws(Errno) -> Void) -> Errno? {
  do throws(Errno) {
    try body()
    return nil
  } catch {
    return error
  }
}

/// A small deterministic generator: SplitMix64.
struct Dice: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
  mutating func below(_ n: Int) -> Int { Int.random(in: 0..<n, using: &self) }
}

/// Runs `body(0)` ... `body(count - 1)`, each on a thread of its own, and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  final class Job {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }
  var threads: [pthread_t] = []
  for index in 0..<count {
    var thread = pthread_t()
    let job = Unmanaged.passRetained(Job { body(index) })
    let status = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, job.toOpaque())
    #expect(status == 0)
    threads.append(thread)
  }
  for thread in threads { pthread_join(thread, nil) }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import Memory
internal import Seams
public import UAPI

/// The mock's half of a vIOMMU: `struct mock_viommu`. With data from the caller it has two pages to map,
/// whose first word is what the caller sent.
public final class MockVIOMMU: VIOMMUNesting, VIOMMUInvalidation, VIOMMUQueues, @unchecked Sendable {
  private unowned let mock: MockDriver
  unowned let core: any VIOMMUCore
  private let parent: any PagingDomain
  private let lock = Lock(.mockVIOMMU)
  /// Guarded by `lock`.
  private var queues = [MockQueue?](repeating: nil, count: MockABI.queueCount)
  private var window: (offset: UInt64, frames: [FrameNumber])?

  init(_ mock: MockDriver, core: any VIOMMUCore, parent: any PagingDomain, data: UserData?) throws(Errno) {
    self.mock = mock
    self.core = core
    self.parent = parent
    guard let data else { return }
    // {in_data, out_data, out_mmap_offset:64, out_mmap_length:64}; the first version ended after out_data.
    let input = try data.copyIn(type: MockABI.viommuType, minimum: 8, kernelSize: 24).word(0)
    try mock.failures.pass(.allocation, "pages to map")
    let first = try mock.memory.allocateContiguous(2)
    let frames = [first, FrameNumber(first.raw + 1)]
    let length = UInt64(frames.count) * Page.size
    do throws(Errno) {
      let offset = try core.makeWindow(at: first.address, length: length)
      window = (offset, frames)
      _ = [UInt8].words(input).withUnsafeBytes { mock.memory.write(first.address, from: $0) }
      try data.copyOut(
        .words(input, input) + .long(offset) + .long(length), type: MockABI.viommuType, minimum: 8)
    } catch {
      releaseWindow(frames)
      throw error
    }
  }

  private func releaseWindow(_ frames: [FrameNumber]) {
    if let window { core.destroyWindow(at: window.offset) }
    window = nil
    for frame in frames { mock.memory.release(frame) }
  }

  public func destroy() { if let window { releaseWindow(window.frames) } }

  public func allocateNested(flags: UInt32, data: UserData) throws(Errno) -> any NestedDomain {
    try mock.makeNested(flags: flags, data: data, viommu: self)
  }

  /// All entries are copied before the first acts. `mock_viommu_cache_invalidate`.
  public func invalidate(_ entries: UserArray, done: inout UInt32) throws(Errno) {
    if entries.count == 0, entries.type == MockABI.invalidateType { return }
    try mock.failures.pass(.allocation, "entries of an invalidation")
    let all = try entries.copyAll(type: MockABI.invalidateType, kernelSize: 12)
    while done < entries.count {
      let flags = all.word(Int(done) * 12)
      let id = all.word(Int(done) * 12 + 4)
      let word = all.word(Int(done) * 12 + 8)
      guard flags & ~MockABI.invalidateAll == 0 else { throw .EOPNOTSUPP("an unknown flag", UInt64(flags)) }
      guard word < MockDevice.cacheWordCount else { throw .EINVAL("no such cache word", UInt64(word)) }
      guard let device = core.device(virtualID: UInt64(id)) as? MockDevice else {
        throw .EINVAL("no device has this virtual ID", UInt64(id))
      }
      device.invalidate(word: flags & MockABI.invalidateAll != 0 ? nil : word)
      done += 1
    }
  }

  // MARK: Queues

  public func supportsQueue(type: UInt32) -> Bool { type == MockABI.queueType }

  /// `mock_hw_queue_init_phys`.
  public func makeQueue(
    type: UInt32, index: UInt32, iova: IOVA, length: UInt64, physical: PhysAddr, core: any HardwareQueueCore
  ) throws(Errno) -> any HardwareQueueDriver {
    guard index < MockABI.queueCount else { throw .EINVAL("the mock has two queues", UInt64(index)) }
    return try lock.withLock { () throws(Errno) -> MockQueue in
      guard queues[Int(index)] == nil else { throw .EEXIST("the queue exists", UInt64(index)) }
      var previous: MockQueue?
      if index > 0 {
        guard let queue = queues[Int(index) - 1] else {
          throw .EIO("the queue before it does not exist", UInt64(index))
        }
        previous = queue
      }
      guard parent.translate(iova) == physical else {
        throw .EFAULT("the parent translates the queue to elsewhere", iova.raw, physical.raw)
      }
      if let previous { try core.depend(on: previous.core) }
      let queue = MockQueue(self, index: Int(index), core: core, previous: previous)
      queues[Int(index)] = queue
      return queue
    }
  }

  func remove(_ queue: MockQueue) {
    lock.withLock {
      queues[queue.index] = nil
      if let previous = queue.previous { queue.core.undepend(from: previous.core) }
    }
  }
}

/// `struct mock_hw_queue`.
final class MockQueue: HardwareQueueDriver, @unchecked Sendable {
  private let viommu: MockVIOMMU
  let index: Int
  unowned let core: any HardwareQueueCore
  let previous: MockQueue?

  init(_ viommu: MockVIOMMU, index: Int, core: any HardwareQueueCore, previous: MockQueue?) {
    self.viommu = viommu
    self.index = index
    self.core = core
    self.previous = previous
  }

  func destroy() { viommu.remove(self) }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import IOMMU
internal import Memory
internal import Seams
public import UAPI

/// A queue of page faults that user space reads and answers: `struct iommufd_fault`.
///
///     device ──> deliver ── read ──> response[cookie] ── write ──> answered
///                   │                      │
///                   └── detach, replace, destroy: answered "invalid"
///
/// A group is in exactly one of the two, whole. Several HWPTs may share a queue.
/// Source: `drivers/iommu/iommufd/eventq.c`; reference devices-hwpt-viommu.md section 4.
public final class FaultQueue: Object, PageFaultHandler, @unchecked Sendable {
  /// `fault->mutex`: readers, writers and automatic answers, one at a time. Outside `deliverLock`.
  private let lock = Lock(.fault)
  private let deliverLock = Lock(.faultQueue)
  /// Arrived and not read, in order. Guarded by `deliverLock`.
  private var deliver: [FaultGroup] = []
  /// Read and not answered; the index is the cookie. Guarded by `lock`.
  private var outstanding: [FaultGroup?] = [nil]
  /// The lowest cookie that is ever given out.
  ///
  /// The kernel wants 1: its array of responses keeps index 0 busy. But an answer to cookie 0 that is refused
  /// while others wait removes that placeholder, and 0 is a cookie like any other from then on (observed on
  /// 7.2.13). An answer to cookie 0 with nothing waiting finds no array, and changes nothing. Guarded by `lock`.
  private(set) var firstCookie = 1
  /// Guarded by `deliverLock`.
  private var isOpen = false

  init(in context: Context) { super.init(.fault, in: context) }

  public override var externalUsers: Int { deliverLock.withLock { isOpen ? 1 : 0 } }

  public override var details: [(name: String, value: Fact)] {
    [
      ("queued", .number(UInt64(queued.count))),
      ("cookies", .list(unanswered.map { .number(UInt64($0.cookie)) })),
      ("open", .flag(externalUsers > 0)),
    ]
  }

  /// Groups that wait to be read.
  public var queued: [FaultGroup] { deliverLock.withLock { deliver } }
  /// Groups that wait to be answered, by cookie, ascending.
  public var unanswered: [(cookie: UInt32, group: FaultGroup)] {
    lock.withLock {
      outstanding.enumerated().compactMap { index, group in group.map { (UInt32(index), $0) } }
    }
  }

  /// The file appears, or is closed.
  func setOpen(_ open: Bool) {
    deliverLock.withLock { isOpen = open }
    if open { addUser() } else { dropUser() }
  }

  /// Takes a group over from the core. `iommufd_fault_iopf_handler`.
  public func handle(_ group: FaultGroup) throws(Errno) {
    group.dequeue()
    deliverLock.withLock { deliver.append(group) }
  }

  /// Answers "invalid" to everything that came through an attachment that is gone.
  /// `iommufd_auto_response_faults`.
  func answerAll(of handle: AttachHandle) {
    lock.withLock {
      let unread = deliverLock.withLock { () -> [FaultGroup] in
        defer { deliver.removeAll { $0.handle === handle } }
        return deliver.filter { $0.handle === handle }
      }
      for group in unread { group.respond(.invalid) }
      for index in outstanding.indices {
        guard let group = outstanding[index], group.handle === handle else { continue }
        outstanding[index] = nil
        group.respond(.invalid)
      }
    }
  }

  /// `iommufd_fault_destroy`.
  public override func destroy() {
    for group in deliverLock.withLock({ () -> [FaultGroup] in
      defer { deliver = [] }
      return deliver
    }) { group.respond(.invalid) }
    for case let group? in outstanding { group.respond(.invalid) }
    outstanding = [nil]
  }

  // MARK: read and write

  private static let recordSize = 40
  private static let responseSize = 8

  /// Delivers whole groups while they fit; never waits. `iommufd_fault_fops_read`.
  ///
  /// - Returns: bytes; 0 when nothing is queued.
  /// - Throws: ESPIPE unless `count` is a multiple of a record; EINVAL when the first group does not fit;
  ///   EFAULT when it cannot be copied, and ENOMEM.
  func read(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    guard count % Self.recordSize == 0 else { throw .ESPIPE("count is not a multiple of 40", UInt64(count)) }
    return try lock.withLock { () throws(Errno) -> Int in
      var done = 0
      while let group = takeFirst() {
        guard group.requests.count * Self.recordSize <= count - done, done < count else {
          putBack(group)
          if done == 0 {
            throw .EINVAL("the first group does not fit", UInt64(group.requests.count), UInt64(count))
          }
          break
        }
        do throws(Errno) {
          done += try deliver(group, at: address &+ UInt64(done), to: task)
        } catch {
          putBack(group)
          if done == 0 { throw error }
          break
        }
      }
      return done
    }
  }

  private func takeFirst() -> FaultGroup? {
    deliverLock.withLock { deliver.isEmpty ? nil : deliver.removeFirst() }
  }

  private func putBack(_ group: FaultGroup) { deliverLock.withLock { deliver.insert(group, at: 0) } }

  /// Copies a group out under a new cookie, the lowest that is free.
  private func deliver(_ group: FaultGroup, at address: UInt64, to task: any CallingTask) throws(Errno) -> Int
  {
    try context.kernel.failures.pass(.allocation, "a cookie")
    let index = outstanding[firstCookie...].firstIndex { $0 == nil } ?? outstanding.count
    let device = (group.handle as? DeviceHandle)?.device.id ?? 0
    var position = address
    for request in group.requests {
      try context.kernel.failures.pass(.copy, "the record of a page fault")
      try task.memory.write(Self.record(request, device, cookie: UInt32(index)), at: position)
      position &+= UInt64(Self.recordSize)
    }
    if index == outstanding.count { outstanding.append(group) } else { outstanding[index] = group }
    return group.requests.count * Self.recordSize
  }

  /// `struct iommu_hwpt_pgfault`.
  private static func record(_ request: PageRequest, _ device: UInt32, cookie: UInt32) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(recordSize)
    func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
    put(request.flags.rawValue)
    put(device)
    put(request.pasid)
    put(request.groupID)
    put(request.permissions)
    put(UInt32(0))
    put(request.address)
    put(UInt32(0))
    put(cookie)
    return bytes
  }

  /// Answers groups by cookie. `iommufd_fault_fops_write`.
  ///
  /// - Returns: bytes of the responses before the first that is wrong.
  /// - Throws: ESPIPE unless `count` is a multiple of a response; EFAULT, EINVAL when the first is wrong.
  func write(_ address: UInt64, _ count: Int, by task: any CallingTask) throws(Errno) -> Int {
    guard count % Self.responseSize == 0 else { throw .ESPIPE("count is not a multiple of 8", UInt64(count)) }
    return try lock.withLock { () throws(Errno) -> Int in
      var done = 0
      while done < count {
        do throws(Errno) {
          try answer(at: address &+ UInt64(done), from: task)
        } catch {
          if done == 0 { throw error }
          break
        }
        done += Self.responseSize
      }
      return done
    }
  }

  private func answer(at address: UInt64, from task: any CallingTask) throws(Errno) {
    try context.kernel.failures.pass(.copy, "the answer to a page fault")
    let response = try task.memory.load(UInt64.self, at: address)
    let cookie = UInt32(truncatingIfNeeded: response)
    let code = UInt32(truncatingIfNeeded: response >> 32)
    guard let answer = PageResponse(rawValue: code), answer != .failure else {
      throw .EINVAL("no such response code", UInt64(code))
    }
    guard Int(cookie) < outstanding.count, let group = outstanding[Int(cookie)] else {
      if cookie == 0, outstanding.contains(where: { $0 != nil }) { firstCookie = 0 }
      throw .EINVAL("no group with this cookie waits for an answer", UInt64(cookie))
    }
    outstanding[Int(cookie)] = nil
    group.respond(answer)
  }
}

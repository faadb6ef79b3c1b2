// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Memory
internal import Seams
internal import UAPI

/// A queue for the events of one type of a vIOMMU: `struct iommufd_veventq`.
///
/// It holds up to `depth` events. One that comes when it is full is lost, and a single *marker* at the tail
/// says so; each event, lost or not, takes a number, and the marker carries that of the last one lost. The
/// next event that fits takes the marker away: the gap in the numbers then tells the loss.
/// Source: `drivers/iommu/iommufd/eventq.c`, `driver.c`; reference devices-hwpt-viommu.md section 5.4.
public final class VEventQ: Object, @unchecked Sendable {
  public let type: UInt32
  public let depth: UInt32
  public let viommu: VIOMMU

  private struct Event {
    var sequence: UInt32
    /// nil for the marker.
    var payload: [UInt8]?
  }

  private let lock = Lock(.eventQueue)
  // Guarded by `lock`.
  private var events: [Event] = []
  private var count: UInt32 = 0
  private var nextSequence: UInt32 = 0
  private var isOpen = false

  init(type: UInt32, depth: UInt32, on viommu: VIOMMU) {
    self.type = type
    self.depth = depth
    self.viommu = viommu
    super.init(.veventq, in: viommu.context)
  }

  public override var references: [Object] { [viommu] }
  public override var externalUsers: Int { lock.withLock { isOpen ? 1 : 0 } }

  /// Events that wait, their numbers in order, and whether the last stands for lost ones.
  public var state: (events: Int, sequences: [UInt32], hasMarker: Bool) {
    lock.withLock { (Int(count), events.map(\.sequence), events.last.map { $0.payload == nil } ?? false) }
  }

  public override var details: [(name: String, value: Fact)] {
    lock.withLock {
      [
        ("event-type", .hex(UInt64(type))),
        ("viommu", .id(viommu.id)),
        ("depth", .number(UInt64(depth))),
        ("events", .number(UInt64(count))),
        ("sequence", .number(UInt64(nextSequence))),
        ("lost", .flag(events.last.map { $0.payload == nil } ?? false)),
        ("open", .flag(isOpen)),
      ]
    }
  }

  func setOpen(_ open: Bool) {
    lock.withLock { isOpen = open }
    if open { addUser() } else { dropUser() }
  }

  /// The vIOMMU's list is locked. `iommufd_veventq_abort`.
  func leave() {
    viommu.eventQueues.removeAll { $0 === self }
    viommu.dropUser()
  }

  /// `iommufd_veventq_destroy`.
  public override func destroy() { viommu.eventQueuesLock.withExclusive { leave() } }

  // MARK: Reporting

  /// `iommufd_viommu_report_event`.
  ///
  /// - Throws: ENOMEM, and the event counts as lost.
  func report(_ payload: [UInt8]) throws(Errno) {
    do throws(Errno) { try context.kernel.failures.pass(.spare, "an event") } catch {
      lock.withLock { append(nil) }
      throw error
    }
    lock.withLock {
      if count == depth {
        append(nil)
      } else {
        append(payload)
        count += 1
      }
    }
  }

  /// `iommufd_vevent_handler`.
  private func append(_ payload: [UInt8]?) {
    if let last = events.last, last.payload == nil { events.removeLast() }
    events.append(Event(sequence: nextSequence, payload: payload))
    nextSequence = (nextSequence + 1) & 0x7FFF_FFFF
  }

  // MARK: Reading

  private static let headerSize = 8
  private static let lostEvents: UInt32 = 1

  var isEmpty: Bool { lock.withLock { events.isEmpty } }

  /// Delivers whole records while they fit; never waits. `iommufd_veventq_fops_read`.
  ///
  /// - Returns: bytes; 0 when nothing is queued.
  /// - Throws: EINVAL for less than a header, or when the first record does not fit; EFAULT.
  func read(_ address: UInt64, _ size: Int, by task: any CallingTask) throws(Errno) -> Int {
    guard size >= Self.headerSize else {
      throw .EINVAL("count is less than the header of a record", UInt64(size))
    }
    var done = 0
    while let event = takeFirst() {
      let length = Self.headerSize + (event.payload?.count ?? 0)
      guard length <= size - done else {
        putBack(event)
        if done == 0 { throw .EINVAL("the first record does not fit", UInt64(length), UInt64(size)) }
        break
      }
      do throws(Errno) {
        try context.kernel.failures.pass(.copy, "the record of an event")
        try task.memory.write(Self.record(event), at: address &+ UInt64(done))
      } catch {
        putBack(event)
        if done == 0 { throw error }
        break
      }
      if event.payload != nil { lock.withLock { count -= 1 } }
      done += length
    }
    return done
  }

  private func takeFirst() -> Event? { lock.withLock { events.isEmpty ? nil : events.removeFirst() } }

  private func putBack(_ event: Event) {
    lock.withLock {
      // A newer event already shows the loss that the marker stood for.
      if event.payload != nil || events.isEmpty { events.insert(event, at: 0) }
    }
  }

  private static func record(_ event: Event) -> [UInt8] {
    var bytes: [UInt8] = []
    withUnsafeBytes(of: (event.payload == nil ? lostEvents : 0).littleEndian) { bytes += $0 }
    withUnsafeBytes(of: event.sequence.littleEndian) { bytes += $0 }
    return bytes + (event.payload ?? [])
  }
}

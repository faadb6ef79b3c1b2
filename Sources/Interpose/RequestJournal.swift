// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams

/// Writes down what the request that runs reads and writes in memory, for observers that want it. Requests then
/// run one by one, so what comes in belongs to the one that runs.
final class RequestJournal: MemoryJournal, @unchecked Sendable {
  let isOn: Bool
  private let lock = Lock(.frontEnd)
  private var events: [MemoryEvent] = []

  /// More than this of one request is not kept, in bytes.
  private static let limit = 16 << 20
  private var size = 0

  init(isOn: Bool) { self.isOn = isOn }

  func read(_ memory: RealMemory, _ address: UInt64, _ bytes: UnsafeRawBufferPointer) {
    append(.read(address: address, bytes: Array(bytes)), bytes.count)
  }

  func wrote(_ memory: RealMemory, _ address: UInt64, _ bytes: UnsafeRawBufferPointer) {
    append(.wrote(address: address, bytes: Array(bytes)), bytes.count)
  }

  func pins(_ memory: RealMemory, _ areas: [MappedArea], _ first: UInt64, _ last: UInt64) {
    append(
      .pages(process: memory.process, first: first, last: last, areas),
      areas.count * MemoryLayout<MappedArea>.stride)
  }

  func readPage(_ owner: PageOwner, _ offset: UInt64, _ bytes: UnsafeRawBufferPointer) {
    append(.readPage(owner, offset: offset, bytes: Array(bytes)), bytes.count)
  }

  func wrotePage(_ owner: PageOwner, _ offset: UInt64, _ bytes: UnsafeRawBufferPointer) {
    append(.wrotePage(owner, offset: offset, bytes: Array(bytes)), bytes.count)
  }

  private func append(_ event: MemoryEvent, _ bytes: Int) {
    lock.withLock {
      guard size + bytes <= Self.limit else { return }
      size += bytes
      events.append(event)
    }
  }

  /// What has come in since the last time.
  func take() -> [MemoryEvent] {
    guard isOn else { return [] }
    return lock.withLock {
      defer {
        events = []
        size = 0
      }
      return events
    }
  }
}

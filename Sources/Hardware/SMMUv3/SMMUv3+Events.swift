// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import Memory

extension SMMUv3 {
  /// An event record, 32 bytes. IHI 0070, 7.3.
  struct EventRecord: Hashable, BitwiseCopyable, Sendable {
    var word0: UInt64 = 0
    var word1: UInt64 = 0
    var word2: UInt64 = 0
    var word3: UInt64 = 0

    /// - Parameter substream: nil leaves SSV clear.
    init(_ event: UInt8, source: UInt32, substream: UInt32?) {
      word0[SMMU.Event.type] = UInt64(event)
      word0[SMMU.Event.sid] = UInt64(source)
      if let substream {
        word0[SMMU.Event.ssv] = 1
        word0[SMMU.Event.ssid] = UInt64(substream)
      }
    }

    mutating func describe(_ want: Want) {
      word1[SMMU.Event.pnu] = want.privileged ? 1 : 0
      word1[SMMU.Event.ind] = want.execute ? 1 : 0
      word1[SMMU.Event.rnw] = want.writes ? 0 : 1
    }
  }

  /// The record of a fault: each event has the fields that IHI 0070, 7.3.2 to 7.3.20, lists for it.
  func record(_ fault: Fault, _ transaction: Transaction, _ want: Want) -> EventRecord {
    typealias E = SMMU.Event
    var substream = transaction.pasid
    if fault.event == E.badStreamID || fault.event == E.streamDisabled { substream = nil }
    var record = EventRecord(fault.event, source: transaction.source, substream: substream)
    switch fault.event {
    case E.badSubstreamID:
      // The SubstreamID is always valid here, so there is no SSV.
      record.word0[E.ssv] = 0
    case E.steFetch, E.cdFetch, E.vmsFetch: record.word3 = fault.address & E.fetchMask
    case E.unsupportedTransaction, E.badATSRequest:
      record.describe(want)
      record.word2 = transaction.address
    case E.translationForbidden:
      record.word1[E.rnw] = want.writes ? 0 : 1
      record.word2 = transaction.address
    case E.walkExternalAbort, E.translation, E.addressSize, E.access, E.permission, E.tlbConflict:
      record.describe(want)
      record.word1[E.s2] = fault.stage2 ? 1 : 0
      record.word1[E.cause] = UInt64(fault.cause)
      record.word2 = transaction.address
      if fault.event == E.walkExternalAbort {
        record.word3 = fault.address & E.fetchMask
      } else if fault.stage2 {
        record.word3 = fault.address & E.ipaMask
      }
      if fault.event == E.permission, fault.cause == E.classTable {
        record.word1[E.ttrnw] = fault.writesTable ? 0 : 1
      }
    default: break
    }
    return record
  }

  /// Queues a record. One that does not fit is lost and the overflow flagged; but not that of a stalled
  /// transaction, which waits for room. IHI 0070, 3.5.3 and 3.12.2.
  func post(_ record: EventRecord, stalls: Bool, merges: Bool) {
    if stalls {
      if waitingFrom > 1024 {
        waitingEvents.removeFirst(waitingFrom)
        waitingFrom = 0
      }
      waitingEvents.append(record)
      flushWaitingEvents()
      return
    }
    guard queueTakesEvents else { return }
    if merges, configuration.mergesEvents, !events.isEmpty, lastEvent == record { return }
    if events.isFull {
      events.overflow()
      return
    }
    write(record)
  }

  /// The event queue is enabled and no failed write is being looked at.
  private var queueTakesEvents: Bool {
    isEnabled(SMMU.CR0.eventQueueEnable) && !isActive(SMMU.GlobalError.eventQueueAbort) && !hasFailed
  }

  func flushWaitingEvents() {
    // An interrupt handler may come back here, so each record is taken before it is written.
    while waitingFrom < waitingEvents.count, queueTakesEvents, !events.isFull {
      waitingFrom += 1
      write(waitingEvents[waitingFrom - 1])
    }
    guard waitingFrom > 0, waitingFrom >= waitingEvents.count else { return }
    waitingEvents.removeAll(keepingCapacity: true)
    waitingFrom = 0
  }

  private func write(_ record: EventRecord) {
    let place = events.address(events.prod)
    let whole = [record.word0, record.word1, record.word2, record.word3].enumerated().allSatisfy {
      memory.store64($0.element, at: PhysAddr(place &+ UInt64($0.offset) << 3))
    }
    guard whole else {
      raise(SMMU.GlobalError.eventQueueAbort)
      return
    }
    let wasEmpty = events.isEmpty
    events.advanceProd()
    lastEvent = record
    if wasEmpty, irqControl & SMMU.IRQControl.eventQueue != 0 {
      signal(
        eventMessage, wire: SMMU.Wire.eventQueue, failure: SMMU.GlobalError.msiEventQueueAbort)
    }
  }

  /// A device's hint that it will soon want a page: E_PAGE_REQUEST. IHI 0070, 7.3.19.
  public func pageHint(source: UInt32, pasid: UInt32?, address: UInt64) {
    guard isEnabled(SMMU.CR0.smmuEnable) else { return }
    var record = EventRecord(SMMU.Event.pageRequestHint, source: source, substream: pasid)
    record.word2 = address
    post(record, stalls: false, merges: false)
  }
}

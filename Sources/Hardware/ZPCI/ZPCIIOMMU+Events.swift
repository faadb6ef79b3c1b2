// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

extension ZPCIIOMMU {
  /// What CHSC's store-event-information gives: the content code, and a record of 32 bytes.
  public struct Event: Hashable, Sendable {
    /// 1 an error, 2 a change of availability.
    public var contentCode: UInt8
    /// PEC.
    public var code: UInt16
    public var handle: UInt32
    public var id: UInt32
    /// Of an error: where, and the flags.
    public var address: UInt64
    public var flags: UInt32

    /// As it lies in storage, big-endian.
    public var bytes: [UInt8] {
      func bytes(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - $0) * 8)) }
      }
      if contentCode == 1 {
        return bytes(0, 4) + bytes(UInt64(handle), 4) + bytes(UInt64(id), 4) + bytes(UInt64(flags), 4)
          + bytes(address, 8) + bytes(0, 6) + bytes(UInt64(code), 2)
      }
      return bytes(0, 4) + bytes(UInt64(handle), 4) + bytes(UInt64(id), 4) + bytes(0, 18)
        + bytes(UInt64(code), 2)
    }
  }

  /// Fetches the oldest event.
  public func takeEvent() -> Event? { events.isEmpty ? nil : events.removeFirst() }

  /// An error: the function stops until software has reset it.
  func fail(_ index: Int, _ code: UInt16, _ address: UInt64, write: Bool) {
    core.functions[index]?.state = .error
    notify(index, code, address, write: write)
  }

  /// An error event.
  func notify(_ index: Int, _ code: UInt16, _ address: UInt64, write: Bool, vector: UInt32 = 0) {
    guard let function = core.functions[index] else { return }
    post(
      Event(
        contentCode: 1, code: code, handle: function.handle, id: function.id, address: address,
        flags: (write ? ZPCI.Event.write : 0) | (vector & 0xFFF) << ZPCI.Event.vectorShift))
  }

  /// A function has come or gone.
  func announce(_ function: ZPCIFunction, _ code: UInt16) {
    post(
      Event(contentCode: 2, code: code, handle: function.handle, id: function.id, address: 0, flags: 0))
  }

  private func post(_ event: Event) {
    guard events.count < configuration.eventCapacity else {
      lostEvents += 1
      return
    }
    events.append(event)
    // A channel report: one wire, for all of them.
    fabric?.interrupt(wire: 0)
  }
}

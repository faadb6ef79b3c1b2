// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
public import Hardware
public import IOMMU
internal import Seams
internal import Synchronization
internal import UAPI

// Where the two halves of one IOMMU meet:
//
//     driver half ── RegisterPort ──> │      │ ──> hardware half ── HardwareFabric ──> │      │ ──> endpoints
//                 <── interrupts ──── │ unit │                                         │ unit │
//
// The hardware is used by one thread at a time: every access takes the unit's lock. It calls the fabric with that
// lock held, so what goes back up (interrupts, transactions that are let go) waits in a list until whoever started it
// all lets the machine settle, without a lock. Invalidations reach a device's cache at once: they have happened when
// the command has.

/// An IOMMU of a machine.
public final class IOMMUUnit: RegisterPort, HardwareFabric, @unchecked Sendable {
  public let name: String
  public let kind: IOMMUKind
  private let lock = Lock(.unit)
  private let hardware: any IOMMUHardware
  private var driverHalf: HardwareIOMMU?

  private let waitingLock = Lock(.fabric)
  private var interrupts: [HardwareInterrupt] = []
  private var resumed: [(tag: UInt32, retry: Bool)] = []
  private var endpoints: [UInt32: Endpoint] = [:]
  private let isWaiting = Atomic<Bool>(false)

  init(_ kind: IOMMUKind, _ site: IOMMUKind.Site) throws(Errno) {
    name = site.name
    self.kind = kind
    hardware = try kind.makeHardware(site)
    kind.connect(hardware, self)
    driverHalf = try kind.bringUp(site, self)
  }

  /// The driver's half.
  public var software: HardwareIOMMU {
    guard let driverHalf else { preconditionFailure("an IOMMU is used before it is up") }
    return driverHalf
  }

  /// Uses the hardware half, alone.
  func withHardware<Result>(_ body: (any IOMMUHardware) -> Result) -> Result {
    lock.withLock { body(hardware) }
  }

  // MARK: Registers

  public func read32(_ offset: UInt64) -> UInt32 {
    withHardware { UInt32(truncatingIfNeeded: $0.readRegister(offset, width: 4)) }
  }
  public func read64(_ offset: UInt64) -> UInt64 { withHardware { $0.readRegister(offset, width: 8) } }
  public func write32(_ offset: UInt64, _ value: UInt32) {
    Tracer.tell(MachineEvent(.registerWrite, .text(name), .hex(offset), .hex(UInt64(value))))
    withHardware { $0.writeRegister(offset, width: 4, UInt64(value)) }
  }
  public func write64(_ offset: UInt64, _ value: UInt64) {
    Tracer.tell(MachineEvent(.registerWrite, .text(name), .hex(offset), .hex(value)))
    withHardware { $0.writeRegister(offset, width: 8, value) }
  }

  // MARK: Devices

  func plug(_ function: PCIFunction) throws(Errno) {
    try lock.withLock { () throws(Errno) in try kind.plug(hardware, function) }
  }
  func unplug(_ function: PCIFunction) { withHardware { kind.unplug($0, function) } }

  func add(_ endpoint: Endpoint) { waitingLock.withLock { endpoints[endpoint.source] = endpoint } }
  /// By identity: what the hardware knew it by may be another number by now.
  func remove(_ endpoint: Endpoint) {
    waitingLock.withLock { endpoints = endpoints.filter { $0.value !== endpoint } }
  }
  func endpoint(_ source: UInt32) -> Endpoint? { waitingLock.withLock { endpoints[source] } }
  /// Functions behind it, by source.
  public var allEndpoints: [Endpoint] {
    waitingLock.withLock { endpoints.values.sorted { $0.source < $1.source } }
  }

  /// Lets go of the driver and of what is behind the IOMMU; it is used no more.
  func takeDown() {
    driverHalf = nil
    waitingLock.withLock { endpoints = [:] }
  }

  // MARK: HardwareFabric

  public func interrupt(_ message: InterruptMessage) {
    keep { interrupts.append(.message(address: message.address, data: message.data)) }
  }
  public func interrupt(wire: UInt32) { keep { interrupts.append(.wire(wire)) } }
  public func resume(tag: UInt32, retry: Bool) { keep { resumed.append((tag, retry)) } }

  private func keep(_ body: () -> Void) {
    waitingLock.withLock { body() }
    isWaiting.store(true, ordering: .releasing)
  }

  public func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool {
    guard let endpoint = endpoint(invalidation.source) else { return false }
    Tracer.tell(
      MachineEvent(
        .deviceInvalidate, .text(endpoint.function.address), .hex(invalidation.address),
        invalidation.sizeLg2 < 64 ? .hex(1 << UInt64(invalidation.sizeLg2)) : .text("all")))
    return endpoint.forget(invalidation)
  }

  public func respond(_ response: Hardware.PageResponse) { endpoint(response.source)?.receive(response) }

  // MARK: Settling

  /// More rounds than any chain of interrupts takes that comes to an end.
  private static let roundsAllowed = 10_000

  /// Delivers interrupts and lets go what was held, until nothing is left to be done. Holds no lock meanwhile.
  func settle() {
    var rounds = 0
    while isWaiting.exchange(false, ordering: .acquiring), rounds < Self.roundsAllowed {
      rounds += 1
      let (signals, released) = waitingLock.withLock {
        defer {
          interrupts = []
          resumed = []
        }
        return (interrupts, resumed)
      }
      for signal in signals {
        Tracer.tell(MachineEvent(.interrupt, .text(name)))
        software.handle(signal)
      }
      for (tag, retry) in released {
        for endpoint in allEndpoints { endpoint.resume(tag: tag, retry: retry) }
      }
    }
  }
}

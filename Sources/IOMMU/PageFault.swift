// SPDX-License-Identifier: GPL-3.0-or-later
public import Seams
public import UAPI

// From a device's page request to whoever answers it: the kernel's `io-pgfault.c`.
//
//     request, not the last of its group ──> kept with the device, no answer owed
//     last request ──> everything kept with the same group number, then this one ──> the handler of the
//                      domain that the request goes to ──> an answer, once, through the driver
//
// Nobody to ask: the driver answers "invalid" at once.

/// What a device asks for: `struct iommu_fault_page_request`.
public struct PageRequest: Hashable, Sendable {
  public struct Flags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let pasidValid = Flags(rawValue: 1)
    public static let lastPage = Flags(rawValue: 2)
    /// The answer must carry the PASID. User space sees the bit as it is.
    public static let needsPASID = Flags(rawValue: 4)
  }
  public var flags: Flags
  public var pasid: UInt32
  /// Names the group among those of the device that are not answered yet.
  public var groupID: UInt32
  /// READ 1, WRITE 2, EXEC 4, PRIV 8.
  public var permissions: UInt32
  public var address: UInt64

  public init(flags: Flags, pasid: UInt32 = 0, groupID: UInt32, permissions: UInt32, address: UInt64) {
    self.flags = flags
    self.pasid = pasid
    self.groupID = groupID
    self.permissions = permissions
    self.address = address
  }
}

/// The answer to a group of requests: `enum iommu_page_response_code`. User space can give the first two.
public enum PageResponse: UInt32, Sendable {
  case success = 0
  case invalid = 1
  case failure = 2
}

/// Who takes a domain's page faults: `domain->iopf_handler`.
public protocol PageFaultHandler: AnyObject, Sendable {
  /// Takes `group` over, and must answer it some day.
  ///
  /// - Throws: when it cannot; the group is then answered as a failure.
  func handle(_ group: FaultGroup) throws(Errno)
}

/// The requests of a device that are answered together: `struct iopf_group`.
public final class FaultGroup: @unchecked Sendable {
  public let device: Device
  /// In the order of arrival; the last has `lastPage`.
  public let requests: [PageRequest]
  /// Through which attachment the last request came.
  public let handle: AttachHandle

  init(_ device: Device, _ requests: [PageRequest], _ handle: AttachHandle) {
    self.device = device
    self.requests = requests
    self.handle = handle
  }

  /// Takes the group out of the core's hands: from now on its taker alone answers.
  /// `iopf_group_dequeue`.
  public func dequeue() { device.faults.forget(self) }

  /// Answers the group. `iopf_group_response`.
  public func respond(_ code: PageResponse) {
    device.faults.forget(self)
    if let last = requests.last { device.answer(last, code) }
  }
}

/// What a device that takes part in page requests has outstanding: `struct iommu_fault_param`.
final class DeviceFaults: @unchecked Sendable {
  private let lock = Lock(.deviceFaults)
  private var isEnabled = false
  private var failures: FailurePoints?
  /// Requests of groups whose last one has not come.
  private var partial: [PageRequest] = []
  /// Groups that no handler took over yet.
  private var pending: [FaultGroup] = []

  func enable(_ failures: FailurePoints) throws(Errno) {
    try lock.withLock { () throws(Errno) in
      guard !isEnabled else { throw .EBUSY("the device takes part in a fault queue already") }
      isEnabled = true
      self.failures = failures
    }
  }

  /// Memory for what a request brings.
  ///
  /// - Throws: ENOMEM.
  func makeRoom(_ what: StaticString) throws(Errno) {
    try lock.withLock { failures }?.pass(.spare, what)
  }

  /// - Returns: the groups that nobody took over.
  func disable() -> [FaultGroup] {
    lock.withLock {
      isEnabled = false
      partial = []
      defer { pending = [] }
      return pending
    }
  }

  var isActive: Bool { lock.withLock { isEnabled } }

  func discardPartial() { lock.withLock { partial = [] } }

  func keep(_ request: PageRequest) { lock.withLock { partial.append(request) } }

  func complete(_ last: PageRequest, of device: Device, through handle: AttachHandle) -> FaultGroup {
    lock.withLock {
      // The group number alone decides, whatever PASID the request had.
      let earlier = partial.filter { $0.groupID == last.groupID }
      partial.removeAll { $0.groupID == last.groupID }
      let group = FaultGroup(device, earlier + [last], handle)
      pending.append(group)
      return group
    }
  }

  func forget(_ group: FaultGroup) { lock.withLock { pending.removeAll { $0 === group } } }

  var partialCount: Int { lock.withLock { partial.count } }
}

extension Device {
  /// The device's page requests are taken from now on. `iopf_queue_add_device`.
  ///
  /// - Parameter point: what a failure here is to the caller.
  /// - Throws: ENODEV when the driver cannot answer them; EBUSY the second time; ENOMEM.
  public func joinFaultQueue(_ failures: FailurePoints, as point: FailurePoint = .allocation) throws(Errno) {
    guard driver is any PageResponding else { throw .ENODEV("the IOMMU driver answers no page requests") }
    try failures.pass(point, "the device's place in the fault queue")
    try faults.enable(failures)
  }

  /// What is not answered yet and was taken over by nobody is answered "invalid".
  /// `iopf_queue_remove_device`.
  public func leaveFaultQueue() {
    for group in faults.disable() { if let last = group.requests.last { answer(last, .invalid) } }
  }

  public var isInFaultQueue: Bool { faults.isActive }

  /// Requests that wait for the last one of their group.
  public var partialFaults: Int { faults.partialCount }

  /// The hardware queue overflowed: the last request of a group may be lost, so none of the kept ones can be
  /// completed. `iopf_queue_discard_partial`.
  public func discardPartialFaults() { faults.discardPartial() }

  /// The device raised `request`. `iommu_report_device_fault`.
  ///
  /// - Throws: EINVAL when nobody handles it; it is answered "invalid" then, the last of its group or not. ENOMEM when
  ///   there is no memory to keep it, which nobody answers; a group that there is no memory for is a failure.
  public func report(_ request: PageRequest) throws(Errno) {
    guard let handle = faultHandle(for: request), let handler = handle.domain?.faultHandler, faults.isActive
    else {
      answer(request, .invalid)
      throw .EINVAL("nobody handles page faults of the device here", UInt64(request.pasid))
    }
    guard request.flags.contains(.lastPage) else {
      try faults.makeRoom("a page request that is not the last")
      faults.keep(request)
      return
    }
    let group = faults.complete(request, of: self, through: handle)
    do throws(Errno) {
      try faults.makeRoom("a group of page requests")
      try handler.handle(group)
    } catch {
      group.respond(.failure)
    }
  }

  /// Through which attachment a request comes: that of its PASID, or, where user space owns the PASID table,
  /// that of the nested domain on the RID.
  private func faultHandle(for request: PageRequest) -> AttachHandle? {
    guard let group else { return nil }
    guard request.flags.contains(.pasidValid) else { return group.handle(at: 0) }
    if let handle = group.handle(at: request.pasid) { return handle }
    guard driver?.hasUserPASIDTables == true, let handle = group.handle(at: 0),
      handle.domain is any NestedDomain
    else { return nil }
    return handle
  }

  func answer(_ request: PageRequest, _ code: PageResponse) {
    (driver as? any PageResponding)?.respond(to: request, from: self, with: code)
  }
}

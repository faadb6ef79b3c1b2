// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
public import IOMMU
internal import Seams
internal import Synchronization

/// A PCI function of s390, enabled: `struct zpci_dev`.
public final class ZPCIDevice: PCIDevice, @unchecked Sendable {
  unowned let host: ZPCIHost
  /// FID.
  public let id: UInt32
  /// PFT.
  let type: UInt8
  /// DTSM.
  let designations: UInt8
  /// `tlb_refresh`: a hypervisor mirrors the tables.
  let needsRefresh: Bool

  private let currentHandle: Atomic<UInt32>

  /// What `dom_lock` guards, and what the error recovery remembers.
  struct State {
    /// Nil before the blocked one is known.
    var domain: (any Domain)?
    /// The addresses that it may use.
    var first: UInt64
    var last: UInt64
    /// Recovery has given it up: `pci_channel_io_perm_failure`.
    var hasFailed = false
  }
  private let lock = Lock(.zpciFunction)
  private var state: State

  init(_ function: PCIFunction, on host: ZPCIHost, _ data: CLPFunction, _ group: CLPGroup, handle: UInt32) {
    self.host = host
    id = data.id
    type = data.type
    designations = group.designations
    needsRefresh = group.refreshes
    state = State(first: data.firstDMA, last: data.lastDMA)
    currentHandle = Atomic(handle)
    super.init(function, behind: host, capabilities: [.cacheCoherency, .isolatedMSI])
  }

  /// FH.
  public internal(set) var handle: UInt32 {
    get { currentHandle.load(ordering: .relaxed) }
    set { currentHandle.store(newValue, ordering: .relaxed) }
  }

  /// Its transactions carry the handle.
  public override var hardwareSource: UInt32 { handle }

  func withState<Result, Failure: Error>(_ body: (inout State) throws(Failure) -> Result) throws(Failure)
    -> Result
  {
    try lock.withLock { () throws(Failure) in try body(&state) }
  }

  /// The addresses that it may use now; none when the first is above the last.
  public var window: (first: UInt64, last: UInt64) { withState { ($0.first, $0.last) } }
  public var domain: (any Domain)? { withState { $0.domain } }
  var isBlocked: Bool { withState { $0.domain == nil || $0.domain is ZPCIBlockedDomain } }
  /// Whether its errors are past recovery.
  public var hasFailed: Bool { withState { $0.hasFailed } }

  public override var reservedRegions: [ReservedRegion] { currentRegions }
}

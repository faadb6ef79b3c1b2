// SPDX-License-Identifier: GPL-3.0-or-later
public import IOMMU
public import Seams
public import UAPI

/// A device of the selftest's private bus: `struct mock_dev`. Each is a group of its own.
public final class MockDevice: Device, @unchecked Sendable {
  public struct Flags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let noDirty = Flags(rawValue: 1)
    /// Domains made for it have pages of 1 MiB too. Until 6.18.
    public static let hugeIOVA = Flags(rawValue: 2)
    public static let pasid = Flags(rawValue: 4)

    static func known(in version: KernelVersion) -> Flags {
      version >= KernelVersion(6, 19)
        ? [.noDirty, .pasid]
        : version >= KernelVersion(6, 15)
          ? [.noDirty, .hugeIOVA, .pasid]
          : [.noDirty, .hugeIOVA]
    }
  }

  public static let cacheWordCount = 4

  public let number: Int
  public let flags: Flags

  private let lock = Lock(.mockDevice)
  // Guarded by `lock`.
  private var cache = [UInt32](repeating: MockABI.cacheDefault, count: cacheWordCount)
  private var viommu: MockVIOMMU?
  private var virtualID: UInt64 = 0
  private var answerList: [(request: PageRequest, code: PageResponse)] = []

  // Guarded by the group's lock, which is held over every attach.
  /// Fault-capable domains that it is on.
  var faultUsers = 0
  var domain: (any Domain)?
  /// The next attachment of PASID 1024 fails.
  var failsNext = false

  /// Serialises page requests against attaching, as the driver of a real device has to. `iopf_rwsem`.
  public let faultLock = ReaderWriterLock(.mockFaults)

  init(number: Int, flags: Flags, on instance: IOMMUInstance, in version: KernelVersion) {
    self.number = number
    self.flags = flags
    var capabilities: DeviceCapabilities = .cacheCoherency
    if !flags.contains(.noDirty) { capabilities.insert(.dirtyTracking) }
    // A device without the PASID flag says that it has 0 bits of PASID, which is room for one: the RID.
    let passes = version >= KernelVersion(6, 15)
    let maxPASIDs: UInt32 = flags.contains(.pasid) ? 1 << MockABI.pasidWidth : passes ? 1 : 0
    super.init(
      name: "iommufd_mock\(number)", instance: instance, capabilities: capabilities, maxPASIDs: maxPASIDs,
      isMock: true)
  }

  /// The answers that its page requests got, in order. A real device would act on them.
  public var answers: [(request: PageRequest, code: PageResponse)] { lock.withLock { answerList } }

  private static let answersKept = 1024

  func record(_ request: PageRequest, _ code: PageResponse) {
    lock.withLock {
      if answerList.count == Self.answersKept { answerList.removeFirst() }
      answerList.append((request, code))
    }
  }

  /// The word of its cache, nil past the last.
  public func cacheWord(_ index: UInt32) -> UInt32? {
    lock.withLock { index < cache.count ? cache[Int(index)] : nil }
  }

  /// Zeroes one word, or all.
  func invalidate(word: UInt32?) {
    lock.withLock {
      if let word { cache[Int(word)] = 0 } else { cache = Array(repeating: 0, count: Self.cacheWordCount) }
    }
  }

  /// Remembers where it is a vDEVICE. Between two domains of one vIOMMU nothing is looked up again, so the
  /// number may be out of date (reference Q12).
  func setVIOMMU(_ new: MockVIOMMU?, virtualID id: UInt64) {
    lock.withLock {
      guard viommu !== new else { return }
      viommu = new
      virtualID = id
    }
  }

  /// Reports an event with its virtual ID to its vIOMMU. `iommufd_test_trigger_vevent`.
  ///
  /// - Throws: ENOENT without a vIOMMU or with the virtual ID 0; what reporting throws.
  public func reportEvent(type: UInt32) throws(Errno) {
    let (viommu, id) = lock.withLock { () -> (MockVIOMMU?, UInt64) in (self.viommu, virtualID) }
    guard let viommu, id != 0 else { throw .ENOENT("the device is no vDEVICE, or one with the ID 0", id) }
    try viommu.core.report(type: type, payload: .words(UInt32(truncatingIfNeeded: id)))
  }
}

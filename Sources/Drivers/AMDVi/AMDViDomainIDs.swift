// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Seams

/// The domain IDs of all IOMMUs of a machine: the lowest that is free, 1 to 65535. They tag translations, so one that
/// is given back must not be in any cache. Source: `pdom_id_alloc`.
final class AMDViDomainIDs: @unchecked Sendable {
  private static let last = 0xFFFF
  private let lock = Lock(.amdDomainIDs)
  // Guarded by `lock`.
  private var numbers = NumberAllocator(first: 1)
  private var count = 0

  /// - Parameter elsewhere: IDs below 64 that are taken from the start, as a bit set.
  init(takenElsewhere elsewhere: UInt64) {
    let highest = 63 - elsewhere.leadingZeroBitCount
    guard highest > 0 else { return }
    for _ in 1...highest { _ = allocate() }
    for id in 1...highest where elsewhere >> UInt64(id) & 1 == 0 { free(UInt16(id)) }
  }

  /// IDs that are taken.
  var taken: Int { lock.withLock { count } }

  /// Nil when all are taken.
  func allocate() -> UInt16? {
    lock.withLock {
      guard count < Self.last else { return nil }
      count += 1
      return UInt16(truncatingIfNeeded: numbers.allocate())
    }
  }

  func free(_ id: UInt16) {
    lock.withLock {
      count -= 1
      numbers.free(Int(id))
    }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Seams

/// A queue that the SMMU fills: events, or page requests.
/// Source: `arm_smmu_evtq_thread`, `queue_remove_raw`, `queue_sync_cons_ovf`.
final class SMMUv3EventQueue: @unchecked Sendable {
  let buffer: SMMUv3Buffer
  let sizeLg2: UInt32
  private let bytesLg2: Int
  private let prodRegister: UInt64
  private let consRegister: UInt64
  private let port: any RegisterPort
  private let lock = Lock(.smmuEventQueue)
  private var prod: UInt32 = 0
  private var cons: UInt32 = 0

  init(
    _ buffer: SMMUv3Buffer, sizeLg2: UInt32, bytesLg2: Int, prod: UInt64, cons: UInt64,
    _ port: any RegisterPort
  ) {
    self.buffer = buffer
    self.sizeLg2 = sizeLg2
    self.bytesLg2 = bytesLg2
    prodRegister = prod
    consRegister = cons
    self.port = port
  }

  /// Empty, before the queue is enabled.
  func reset() {
    lock.withLock {
      prod = 0
      cons = 0
      port.write32(prodRegister, 0)
      port.write32(consRegister, 0)
    }
  }

  private var wrapMask: UInt32 { (2 << sizeLg2) - 1 }

  enum Taken {
    case record([UInt64])
    /// Some were lost since the last look.
    case overflow
    case empty
  }

  /// Takes the oldest record; frees its place before anybody looks at it.
  func take() -> Taken {
    lock.withLock {
      if (prod ^ cons) & wrapMask == 0 {
        let now = port.read32(prodRegister)
        let lost = (now ^ prod) & SMMU.Queue.overflow != 0
        prod = now
        if lost { return .overflow }
        guard (prod ^ cons) & wrapMask != 0 else {
          acknowledgeOverflow()
          return .empty
        }
      }
      let place = UInt64(cons & ((1 << sizeLg2) - 1)) << UInt64(bytesLg2)
      let words = (0..<UInt64(1) << UInt64(bytesLg2 - 3)).map { buffer.load(place + $0 << 3) }
      cons = cons & SMMU.Queue.overflow | (cons &+ 1) & wrapMask
      port.write32(consRegister, cons)
      return .record(words)
    }
  }

  /// OVACKFLG follows OVFLG.
  private func acknowledgeOverflow() {
    guard (prod ^ cons) & SMMU.Queue.overflow != 0 else { return }
    cons = prod & SMMU.Queue.overflow | cons & wrapMask
    port.write32(consRegister, cons)
  }
}

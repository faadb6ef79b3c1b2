// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// The invalidation queue of one unit, as Linux drives it:
//
//     descriptors, then a wait ──> ring in memory ── tail register ──> hardware ──> status word of the wait's slot
//
// Whoever submits waits for the status before it returns, so the ring is empty between submissions.

/// The driver's side of an invalidation queue: `struct q_inval`.
///
/// Source: `drivers/iommu/intel/dmar.c`, `qi_submit_sync` and `qi_check_fault`; reference backends-x86.md A4.1.
final class VTdQueue: @unchecked Sendable {
  static let slotCount = 256
  /// QI_IN_USE and QI_DONE.
  static let inUse: UInt32 = 1
  static let done: UInt32 = 2

  /// How a submission ended.
  enum Outcome: Sendable {
    case done
    /// A descriptor was bad, and has been made harmless; in the first slot of its submission, the kernel does so too.
    case badDescriptor(isFirst: Bool, code: UInt64)
    /// A device did not complete an invalidation.
    case timedOut(source: UInt64)
    /// The wait was never done, and no error says why.
    case stuck
  }

  private let port: any RegisterPort
  private let memory: PhysicalMemory
  private let base: UInt64
  private let status: UInt64
  private let slotLg2: UInt64
  private let lock = Lock(.vtdQueue)
  // Guarded by `lock`.
  private var free = 0
  /// Slots that were filled and not announced: `DriverBug.skipSync`.
  private var unannounced = 0

  /// Times that an aborted submission is repeated. The kernel has no limit.
  private static let attempts = 4

  /// Gives the hardware a ring. `dmar_enable_qi` up to the global command, which is the caller's.
  ///
  /// - Throws: ENOMEM.
  init(_ port: any RegisterPort, _ memory: PhysicalMemory, isWide: Bool, _ frames: inout VTdFrames)
    throws(Errno)
  {
    self.port = port
    self.memory = memory
    base = try frames.allocate(isWide ? 2 : 1)
    status = try frames.allocate(1)
    slotLg2 = isWide ? 5 : 4
    typealias Queue = VTd.InvalidationQueue
    port.write32(VTd.Register.iqt, 0)
    port.write64(VTd.Register.iqa, base | (isWide ? Queue.dw.mask | Queue.qs.with(1) : 0))
  }

  private func store(_ descriptor: VTdDescriptor, in slot: Int) {
    let at = base &+ UInt64(slot) << slotLg2
    _ = memory.store64(descriptor.first, at: PhysAddr(at))
    _ = memory.store64(descriptor.second, at: PhysAddr(at &+ 8))
    guard slotLg2 == 5 else { return }
    _ = memory.store64(0, at: PhysAddr(at &+ 16))
    _ = memory.store64(0, at: PhysAddr(at &+ 24))
  }

  private func announce() { port.write32(VTd.Register.iqt, UInt32(truncatingIfNeeded: free << Int(slotLg2))) }

  /// Hands descriptors to the hardware and waits until they are done. `qi_submit_sync`.
  ///
  /// - Parameter drains: the wait also drains page requests.
  /// - Precondition: at most 16 descriptors.
  func submit(_ descriptors: [VTdDescriptor], drains: Bool = false) -> Outcome {
    lock.withLock {
      var outcome = Outcome.stuck
      for _ in 0..<Self.attempts {
        outcome = submitOnce(descriptors, drains)
        guard case .timedOut = outcome else { break }
      }
      return outcome
    }
  }

  private func submitOnce(_ descriptors: [VTdDescriptor], _ drains: Bool) -> Outcome {
    let first = free
    for descriptor in descriptors {
      store(descriptor, in: free)
      free = (free + 1) % Self.slotCount
    }
    let waitSlot = free
    let word = PhysAddr(status &+ UInt64(waitSlot) * 4)
    _ = memory.store32(Self.inUse, at: word)
    store(.wait(Self.done, at: word.raw, drains: drains), in: waitSlot)
    free = (free + 1) % Self.slotCount
    unannounced = 0
    announce()
    if memory.load32(at: word) == Self.done { return .done }
    return recover(first, waitSlot)
  }

  /// The wait is not done. `qi_check_fault`.
  private func recover(_ first: Int, _ waitSlot: Int) -> Outcome {
    typealias Status = VTd.FaultStatus
    let faults = UInt64(port.read32(VTd.Register.fsts))
    let record = port.read64(VTd.Register.iqercd)
    if faults & Status.iqe != 0 {
      let head = Int(truncatingIfNeeded: port.read64(VTd.Register.iqh) >> slotLg2) % Self.slotCount
      // Only a bad first slot is the kernel's to mend; it would wait for ever for another.
      let word = PhysAddr(status &+ UInt64(waitSlot) * 4)
      store(.wait(Self.done, at: word.raw, drains: false), in: head)
      port.write32(VTd.Register.fsts, UInt32(Status.iqe))
      return .badDescriptor(isFirst: head == first, code: VTd.InvalidationQueue.iqei.of(record))
    }
    if faults & Status.ite != 0 {
      port.write32(VTd.Register.fsts, UInt32(Status.ite))
      return .timedOut(source: VTd.InvalidationQueue.itesid.of(record))
    }
    if faults & Status.ice != 0 { port.write32(VTd.Register.fsts, UInt32(Status.ice)) }
    return .stuck
  }

  /// Fills slots and tells nobody, unless the ring would not hold another submission: `DriverBug.skipSync`.
  func leave(_ descriptors: [VTdDescriptor]) {
    lock.withLock {
      for descriptor in descriptors {
        store(descriptor, in: free)
        free = (free + 1) % Self.slotCount
      }
      unannounced += descriptors.count
      guard unannounced > Self.slotCount - 40 else { return }
      unannounced = 0
      announce()
    }
  }
}

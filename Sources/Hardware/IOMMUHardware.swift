// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench

// A hardware half is a machine that reads bytes. It shares with the driver half simulated memory, register
// accesses, interrupts, and the constants of `HardwareSpecs`, and no code: each is its own reading of the
// manual, so they check each other. Nothing that memory or registers hold may trap, or keep a walk going for
// ever: the manual has a fault code for it, or the structure is bounded.
//
// A cache is coherent only when it is told: software that forgets a flush goes on seeing the old translation.
//
// A hardware half is used by one thread at a time; what drives it holds a lock.

/// An IOMMU, as software and devices see it.
public protocol IOMMUHardware: AnyObject {
  /// Reads a register; `width` is 4 or 8 bytes, `offset` a multiple of it. What does not exist reads as 0.
  func readRegister(_ offset: UInt64, width: Int) -> UInt64
  /// Writes a register. What cannot be written is ignored.
  func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64)

  /// Translates, with all effects: cache fills, accessed and dirty bits, recorded faults, interrupts.
  func translate(_ transaction: Transaction) -> TranslationAnswer
  /// A device asks for a page. What the hardware answers by itself it answers through the fabric.
  func pageRequest(_ request: PageRequest)

  /// Every step of a translation, without effects and without caches, for people to read.
  func walk(_ transaction: Transaction) -> WalkReport
  /// Registers by name, caches, queues: what `show` prints and `expect` walks.
  func facts() -> Fact

  // What a checker of drivers asks, without effects.

  /// Every address that some translation cache may answer for, once for each 4 KiB piece, with the PASID where the
  /// cache's tag knows it. Candidates for `cachedAnswer`.
  var cachedAddresses: [CachedAddress] { get }
  /// What `transaction` would get now if it were answered by caches: those of translations, of context structures and
  /// of pointers to tables. Nil when nothing of that is cached and memory alone would decide.
  func cachedAnswer(_ transaction: Transaction) -> TranslationAnswer?
  /// Cached copies of context structures that no longer are what memory holds, in sentences that name the structure
  /// and the device; without those that a guest owns.
  var staleStructures: [String] { get }
}

/// An address that a translation cache answers for.
public struct CachedAddress: Hashable, Sendable {
  public var address: UInt64
  public var pasid: UInt32?
  public init(_ address: UInt64, pasid: UInt32? = nil) {
    self.address = address
    self.pasid = pasid
  }
}

/// What an IOMMU is plugged into: where its interrupts go, and the devices behind it.
public protocol HardwareFabric: AnyObject {
  /// The IOMMU signals software: a message-signalled interrupt of its own, already sent.
  func interrupt(_ message: InterruptMessage)
  /// A wired interrupt of the IOMMU.
  func interrupt(wire: UInt32)
  /// Tells a device to forget translations; it has when this returns. False when no device answers.
  func invalidate(_ invalidation: DeviceTLBInvalidation) -> Bool
  func respond(_ response: PageResponse)
  /// A transaction that was held is let go: `retry` translates it again, otherwise it ends with an abort.
  func resume(tag: UInt32, retry: Bool)
}

/// One structure that a translation looked at.
public struct WalkStep: Sendable {
  /// What it is in the manual's words: `root entry`, `stage 2 level 1`, `STE`.
  public var structure: String
  /// Physical address of the entry.
  public var address: UInt64
  /// Its 64-bit words; none where memory does not exist.
  public var words: [UInt64]
  /// Decoded fields, as names and values to read.
  public var fields: [(name: String, value: Fact)]

  public init(
    _ structure: String, at address: UInt64, _ words: [UInt64], _ fields: [(name: String, value: Fact)] = []
  ) {
    self.structure = structure
    self.address = address
    self.words = words
    self.fields = fields
  }
}

/// All steps, and how they ended.
public struct WalkReport: Sendable {
  public var steps: [WalkStep]
  public var answer: TranslationAnswer
  public init(steps: [WalkStep], answer: TranslationAnswer) {
    self.steps = steps
    self.answer = answer
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs

/// A PCI function of an s390 machine.
public struct ZPCIFunction: Sendable {
  /// In the order of a function's life.
  public enum State: UInt8, Sendable {
    case reserved, standby, disabled, enabled, blocked, error, permanentError
  }

  public internal(set) var handle: UInt32
  public internal(set) var state: State
  /// FID, the identity that does not change.
  public let id: UInt32
  /// SDMA and EDMA: the DMA addresses that it may use.
  public let firstDMA: UInt64
  public let lastDMA: UInt64
  /// PFT.
  public let type: UInt8

  /// An address space is registered.
  public internal(set) var isRegistered = false
  /// PBA and PAL: its window.
  public internal(set) var base: UInt64 = 0
  public internal(set) var limit: UInt64 = 0
  /// IOTA.
  public internal(set) var anchor: UInt64 = 0

  public internal(set) var interrupts: Interrupts?
  /// RPCIT instructions that succeeded.
  public internal(set) var refreshes: UInt64 = 0

  /// What REG INT registered.
  public struct Interrupts: Hashable, Sendable {
    /// Interruption subclass.
    public var isc: UInt32
    /// Vectors.
    public var count: UInt32
    /// The adapter interruption bit vector: address, and the bit of vector 0.
    public var vector: UInt64
    public var vectorOffset: UInt32
    /// The summary bit, if there is one.
    public var summary: UInt64?
    public var summaryOffset: UInt32
  }

  var index: Int { Int(handle & ZPCI.Handle.indexMask) }
}

/// The function information block of MPCIFC and STPCIFC.
public struct ZPCIInformationBlock: Hashable, Sendable {
  public var format: UInt8 = 0
  public var controls: UInt8 = 0
  public var base: UInt64 = 0
  public var limit: UInt64 = 0
  public var anchor: UInt64 = 0
  public var interrupts: UInt32 = 0
  public var bitVector: UInt64 = 0
  public var summary: UInt64 = 0
  public var measurement: UInt64 = 0

  public init(
    format: UInt8 = 0, base: UInt64 = 0, limit: UInt64 = 0, anchor: UInt64 = 0, interrupts: UInt32 = 0,
    bitVector: UInt64 = 0, summary: UInt64 = 0
  ) {
    self.format = format
    self.base = base
    self.limit = limit
    self.anchor = anchor
    self.interrupts = interrupts
    self.bitVector = bitVector
    self.summary = summary
  }

  /// From the bytes in storage, which are big-endian; what is missing is 0.
  public init(bytes: [UInt8]) {
    func number(_ offset: Int, _ count: Int) -> UInt64 {
      (offset..<offset + count).reduce(0) { $0 << 8 | UInt64($1 < bytes.count ? bytes[$1] : 0) }
    }
    format = UInt8(number(ZPCI.FIB.format, 1))
    controls = UInt8(number(ZPCI.FIB.controls, 1))
    base = number(ZPCI.FIB.base, 8)
    limit = number(ZPCI.FIB.limit, 8)
    anchor = number(ZPCI.FIB.anchor, 8)
    interrupts = UInt32(number(ZPCI.FIB.interrupts, 4))
    bitVector = number(ZPCI.FIB.bitVector, 8)
    summary = number(ZPCI.FIB.summary, 8)
    measurement = number(ZPCI.FIB.measurement, 8)
  }

  /// As it lies in storage.
  public var bytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: ZPCI.FIB.size)
    func put(_ offset: Int, _ count: Int, _ value: UInt64) {
      for index in 0..<count {
        bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64((count - 1 - index) * 8))
      }
    }
    put(ZPCI.FIB.format, 1, UInt64(format))
    put(ZPCI.FIB.controls, 1, UInt64(controls))
    put(ZPCI.FIB.base, 8, base)
    put(ZPCI.FIB.limit, 8, limit)
    put(ZPCI.FIB.anchor, 8, anchor)
    put(ZPCI.FIB.interrupts, 4, UInt64(interrupts))
    put(ZPCI.FIB.bitVector, 8, bitVector)
    put(ZPCI.FIB.summary, 8, summary)
    put(ZPCI.FIB.measurement, 8, measurement)
    return bytes
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later

/// An address that a device uses: what an IOAS maps, what a domain translates.
public struct IOVA: Hashable, Comparable, BitwiseCopyable, Sendable {
  public var raw: UInt64
  @inlinable public init(_ raw: UInt64) { self.raw = raw }
  @inlinable public static func < (a: IOVA, b: IOVA) -> Bool { a.raw < b.raw }
}

/// An address in the machine's physical memory.
public struct PhysAddr: Hashable, Comparable, BitwiseCopyable, Sendable {
  public var raw: UInt64
  @inlinable public init(_ raw: UInt64) { self.raw = raw }
  @inlinable public static func < (a: PhysAddr, b: PhysAddr) -> Bool { a.raw < b.raw }
  @inlinable public var frame: FrameNumber { FrameNumber(UInt32(truncatingIfNeeded: raw >> Page.shift)) }
  @inlinable public var offsetInPage: UInt64 { raw & Page.mask }
}

/// A page frame of the machine: a physical address divided by the page size. Frame 0 is never handed out.
public struct FrameNumber: Hashable, Comparable, BitwiseCopyable, Sendable {
  public var raw: UInt32
  @inlinable public init(_ raw: UInt32) { self.raw = raw }
  @inlinable public static func < (a: FrameNumber, b: FrameNumber) -> Bool { a.raw < b.raw }
  @inlinable public var address: PhysAddr { PhysAddr(UInt64(raw) << Page.shift) }
}

/// The page size of the modelled host, 4 KiB, and of its transparent huge pages, 2 MiB.
public enum Page {
  public static let shift: UInt64 = 12
  public static let size: UInt64 = 1 << shift
  public static let mask: UInt64 = size - 1
  public static let hugeSize: UInt64 = 1 << 21
}

/// A closed interval of addresses or indexes: both ends belong to it, so the top address can.
public struct Span64: Hashable, BitwiseCopyable, Sendable {
  public var first: UInt64
  public var last: UInt64

  /// - Precondition: `first <= last`.
  @inlinable public init(_ first: UInt64, _ last: UInt64) {
    precondition(first <= last)
    self.first = first
    self.last = last
  }

  /// The interval of `length` bytes from `first`, or nil for length 0 or past the top address.
  @inlinable public init?(first: UInt64, length: UInt64) {
    guard length > 0 else { return nil }
    let (last, overflow) = first.addingReportingOverflow(length - 1)
    guard !overflow else { return nil }
    self.first = first
    self.last = last
  }

  @inlinable public static var everything: Span64 { Span64(0, .max) }

  /// Number of addresses; 0 stands for 2^64.
  @inlinable public var count: UInt64 { last &- first &+ 1 }
  @inlinable public func contains(_ x: UInt64) -> Bool { first <= x && x <= last }
  @inlinable public func contains(_ other: Span64) -> Bool { first <= other.first && other.last <= last }
  @inlinable public func overlaps(_ other: Span64) -> Bool { first <= other.last && other.first <= last }
}

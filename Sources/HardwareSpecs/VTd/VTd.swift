// SPDX-License-Identifier: GPL-3.0-or-later

/// Constants of the Intel Virtualization Technology for Directed I/O Architecture Specification (document
/// D51397, "VT-d" below): offsets, fields, opcodes and codes, and nothing that acts. Names are the manual's.
public enum VTd {
  /// A field of a word: a closed range of bits, bit 0 the lowest.
  public struct Field: Hashable, BitwiseCopyable, Sendable {
    public let low: UInt64
    /// As many ones as the field has bits.
    public let ones: UInt64

    public init(_ bits: ClosedRange<Int>) {
      low = UInt64(bits.lowerBound)
      ones = UInt64.max >> UInt64(63 - (bits.upperBound - bits.lowerBound))
    }

    public init(_ bit: Int) { self.init(bit...bit) }

    /// The bits of the field, in place.
    public var mask: UInt64 { ones << low }
    /// The field out of a word.
    public func of(_ word: UInt64) -> UInt64 { (word >> low) & ones }
    /// A value in the field's place; what does not fit is cut off.
    public func with(_ value: UInt64) -> UInt64 { (value & ones) << low }
  }

  /// Writes without PASID to this megabyte are interrupt requests. VT-d section 3.14.
  public static let interruptAddressTop: UInt64 = 0xFEE
  /// What to shift an address by to compare it with `interruptAddressTop`.
  public static let interruptAddressShift: UInt64 = 20

  /// Translation table mode of the root table address register. VT-d section 11.4.5.
  public enum TranslationTableMode {
    public static let legacy: UInt64 = 0
    public static let scalable: UInt64 = 1
    public static let reserved: UInt64 = 2
    public static let abortDMA: UInt64 = 3
  }

  /// Device's domain width for an AW field: 39, 48 and 57 bits for 1, 2 and 3. VT-d sections 9.3 and 9.6.
  public static func addressWidth(_ aw: UInt64) -> UInt64 { 30 + 9 * (aw & 7) }
  /// Paging levels for an AW field.
  public static func levels(_ aw: UInt64) -> UInt64 { 2 + (aw & 7) }
}

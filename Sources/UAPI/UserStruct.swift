// SPDX-License-Identifier: GPL-3.0-or-later

/// A small struct of a caller that is copied as a whole, changed, and copied back: VFIO's way, whose `argsz` says
/// what the caller has room for and not what the kernel reads.
public struct UserStruct {
  private var bytes: [UInt8]
  private let address: UInt64
  private let memory: any UserMemory

  /// The first `count` bytes of a struct of `size`; the rest is zero.
  ///
  /// - Throws: EFAULT.
  public init(_ size: Int, reading count: Int? = nil, at address: UInt64, in memory: any UserMemory)
    throws(Errno)
  {
    let head = try memory.bytes(at: address, count: count ?? size)
    bytes = head + [UInt8](repeating: 0, count: size - head.count)
    self.address = address
    self.memory = memory
  }

  /// A struct of which the caller has `userSize` bytes, more or fewer than `size`; see `ExtensibleStruct`.
  ///
  /// - Throws: E2BIG, EFAULT.
  public init(_ size: Int, extending userSize: Int, at address: UInt64, in memory: any UserMemory)
    throws(Errno)
  {
    bytes = [UInt8](repeating: 0, count: size)
    self.address = address
    self.memory = memory
    var failure: Errno?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(Errno) {
        try ExtensibleStruct.copyIn(from: memory, at: address, userSize: userSize, into: buffer)
      } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// A field.
  public subscript<Value>(_ slot: Slot<Value>) -> Value {
    get {
      bytes.withUnsafeBytes {
        Value(littleEndian: $0.loadUnaligned(fromByteOffset: slot.offset, as: Value.self))
      }
    }
    set {
      bytes.withUnsafeMutableBytes {
        $0.storeBytes(of: newValue.littleEndian, toByteOffset: slot.offset, as: Value.self)
      }
    }
  }

  /// Reads more of it, from byte `first` up to `end`.
  ///
  /// - Throws: EFAULT.
  public mutating func read(from first: Int, to end: Int) throws(Errno) {
    bytes.replaceSubrange(
      first..<end, with: try memory.bytes(at: address &+ UInt64(first), count: end - first))
  }

  /// Writes the first `count` bytes back.
  ///
  /// - Throws: EFAULT.
  public func copyOut(_ count: Int) throws(Errno) {
    try memory.write(Array(bytes.prefix(count)), at: address)
  }

  /// Writes one field back.
  ///
  /// - Throws: EFAULT.
  public func copyOut<Value>(_ slot: Slot<Value>) throws(Errno) {
    try memory.store(self[slot], at: address &+ UInt64(slot.offset))
  }
}

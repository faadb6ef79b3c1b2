// SPDX-License-Identifier: GPL-3.0-or-later

/// The memory of the process that makes a request, as the kernel sees it: by address, and fallible.
///
/// Both calls move as much as they can and say how much that was, as the kernel's copy routines do; a
/// short count is what becomes EFAULT. Source: `copy_from_user`, `copy_to_user`.
public protocol UserMemory: AnyObject {
  /// Reads `buffer.count` bytes at `address`; returns how many could be read.
  func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int
  /// Writes `bytes` at `address`; returns how many could be written.
  func copyOut(_ address: UInt64, from bytes: UnsafeRawBufferPointer) -> Int
}

extension UserMemory {
  /// One integer at `address`.
  ///
  /// - Throws: EFAULT when a byte of it cannot be read.
  @inlinable
  public func load<Value: FixedWidthInteger>(_: Value.Type, at address: UInt64) throws(Errno) -> Value {
    var value: Value = 0
    let size = MemoryLayout<Value>.size
    let done = withUnsafeMutableBytes(of: &value) { copyIn(address, into: $0) }
    guard done == size else { throw .EFAULT("user memory is not readable", address) }
    return Value(littleEndian: value)
  }

  /// Stores one integer at `address`.
  ///
  /// - Throws: EFAULT when a byte of it cannot be written.
  @inlinable
  public func store<Value: FixedWidthInteger>(_ value: Value, at address: UInt64) throws(Errno) {
    let little = value.littleEndian
    let done = withUnsafeBytes(of: little) { copyOut(address, from: $0) }
    guard done == MemoryLayout<Value>.size else { throw .EFAULT("user memory is not writable", address) }
  }

  /// `count` bytes at `address`, all or EFAULT. The caller bounds `count`.
  public func bytes(at address: UInt64, count: Int) throws(Errno) -> [UInt8] {
    var done = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      buffer.initialize(repeating: 0)
      done = copyIn(address, into: UnsafeMutableRawBufferPointer(buffer))
      initialized = count
    }
    guard done == count else { throw .EFAULT("user memory is not readable", address &+ UInt64(done)) }
    return bytes
  }

  /// Writes all of `bytes` at `address`, or EFAULT after as many as went.
  public func write(_ bytes: [UInt8], at address: UInt64) throws(Errno) {
    let done = bytes.withUnsafeBytes { copyOut(address, from: $0) }
    guard done == bytes.count else { throw .EFAULT("user memory is not writable", address &+ UInt64(done)) }
  }
}

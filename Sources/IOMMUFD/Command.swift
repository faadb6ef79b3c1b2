// SPDX-License-Identifier: GPL-3.0-or-later
public import Memory
public import Seams
public import UAPI

/// One request on its way through the kernel: `struct iommufd_ucmd`.
///
/// `bytes` is the kernel's private copy of the struct, as long as this kernel knows it. Fields are read and
/// written by their slots; nothing reaches the caller until `respond`.
public struct Command: ~Copyable {
  public let context: Context
  public let task: any CallingTask
  /// The memory of `task`.
  public let memory: any AddressSpace
  /// Where the caller's struct is, and how long the caller says it is.
  public let address: UInt64
  public let userSize: UInt32
  public let bytes: UnsafeMutableRawBufferPointer

  @inlinable
  public subscript<Value>(_ slot: Slot<Value>) -> Value {
    get { Value(littleEndian: bytes.loadUnaligned(fromByteOffset: slot.offset, as: Value.self)) }
    nonmutating set { bytes.storeBytes(of: newValue.littleEndian, toByteOffset: slot.offset, as: Value.self) }
  }

  /// Writes the struct back, cut to what the caller has. `iommufd_ucmd_respond`.
  ///
  /// - Parameter stays: what the command has done remains when this fails.
  /// - Throws: EFAULT.
  @inlinable
  public func respond(stays: Bool = false) throws(Errno) {
    try context.kernel.failures.pass(stays ? .answer : .copy, "the answer of a command")
    let count = min(Int(userSize), bytes.count)
    let done = memory.copyOut(address, from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    guard done == count else { throw .EFAULT("the struct cannot be written back", address) }
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
public import Seams
public import UAPI

/// Driver-specific data that a request carries: `struct iommu_user_data`.
public struct UserData: Sendable {
  public let type: UInt32
  public let length: UInt32
  public let address: UInt64
  public let memory: any UserMemory & Sendable
  private let failures: FailurePoints

  public init(
    type: UInt32, length: UInt32, address: UInt64, memory: any UserMemory & Sendable,
    failures: FailurePoints = FailurePoints()
  ) {
    self.type = type
    self.length = length
    self.address = address
    self.memory = memory
    self.failures = failures
  }

  /// Copies the driver's struct of `kernelSize` bytes, whose first version had `minimum`.
  /// Source: `iommu_copy_struct_from_user`; reference uapi.md section 3.1.1.
  ///
  /// - Throws: EINVAL for another type, a length below `minimum` or above `kernelSize`; EFAULT.
  public func copyIn(type expected: UInt32, minimum: Int, kernelSize: Int) throws(Errno) -> [UInt8] {
    guard type == expected else {
      throw .EINVAL("driver data of another type", UInt64(type), UInt64(expected))
    }
    guard length >= minimum, length <= kernelSize else {
      throw .EINVAL("driver data of a length this driver does not take", UInt64(length), UInt64(kernelSize))
    }
    try failures.pass(.copy, "the driver's data")
    let head = try memory.bytes(at: address, count: Int(length))
    return head + [UInt8](repeating: 0, count: kernelSize - Int(length))
  }

  /// Writes the driver's struct back, cut to what the caller has room for.
  /// Source: `iommu_copy_struct_to_user`.
  ///
  /// - Throws: EINVAL as `copyIn`, EFAULT.
  public func copyOut(_ bytes: [UInt8], type expected: UInt32, minimum: Int) throws(Errno) {
    guard type == expected else {
      throw .EINVAL("driver data of another type", UInt64(type), UInt64(expected))
    }
    guard length >= minimum else {
      throw .EINVAL("driver data is too short", UInt64(length), UInt64(minimum))
    }
    try failures.pass(.copy, "the driver's data")
    try memory.write(Array(bytes.prefix(Int(length))), at: address)
  }
}

/// An array of driver-specific entries: `struct iommu_user_data_array`.
public struct UserArray: Sendable {
  public let type: UInt32
  public let entryLength: UInt32
  public let count: UInt32
  public let address: UInt64
  public let memory: any UserMemory & Sendable
  private let failures: FailurePoints

  public init(
    type: UInt32, entryLength: UInt32, count: UInt32, address: UInt64, memory: any UserMemory & Sendable,
    failures: FailurePoints = FailurePoints()
  ) {
    self.type = type
    self.entryLength = entryLength
    self.count = count
    self.address = address
    self.memory = memory
    self.failures = failures
  }

  /// Copies entry `index` into the driver's struct of `kernelSize` bytes.
  /// Source: `iommu_copy_struct_from_user_array`.
  ///
  /// - Throws: EINVAL for another type, an index past the end, or an entry length outside
  ///   `minimum...kernelSize`; EFAULT.
  public func copyIn(_ index: UInt32, type expected: UInt32, minimum: Int, kernelSize: Int) throws(Errno)
    -> [UInt8]
  {
    guard type == expected else { throw .EINVAL("entries of another type", UInt64(type), UInt64(expected)) }
    guard index < count, entryLength >= minimum, entryLength <= kernelSize else {
      throw .EINVAL("entries of a length this driver does not take", UInt64(entryLength), UInt64(kernelSize))
    }
    let place = address &+ UInt64(entryLength) &* UInt64(index)
    try failures.pass(.copy, "an entry for the driver")
    let head = try memory.bytes(at: place, count: Int(entryLength))
    return head + [UInt8](repeating: 0, count: kernelSize - Int(entryLength))
  }

  /// Copies every entry before any of them acts; entry `i` is at `i * kernelSize`. Shorter entries are
  /// extended with zeros and longer ones must end in zeros, so no length is wrong by itself.
  /// Source: `iommu_copy_struct_from_full_user_array`.
  ///
  /// - Throws: EINVAL for another type or no entries, EFAULT, E2BIG.
  public func copyAll(type expected: UInt32, kernelSize: Int) throws(Errno) -> [UInt8] {
    guard type == expected else { throw .EINVAL("entries of another type", UInt64(type), UInt64(expected)) }
    guard count > 0 else { throw .EINVAL("an array without entries") }
    try failures.pass(.copy, "entries for the driver")
    if Int(entryLength) == kernelSize {
      return try memory.bytes(at: address, count: kernelSize * Int(count))
    }
    var all = [UInt8](repeating: 0, count: kernelSize * Int(count))
    for index in 0..<Int(count) {
      let place = address &+ UInt64(entryLength) &* UInt64(index)
      var failure: Errno?
      all.withUnsafeMutableBytes {
        let entry = UnsafeMutableRawBufferPointer(rebasing: $0[index * kernelSize..<(index + 1) * kernelSize])
        do throws(Errno) {
          try ExtensibleStruct.copyIn(from: memory, at: place, userSize: Int(entryLength), into: entry)
        } catch {
          failure = error
        }
      }
      if let failure { throw failure }
    }
    return all
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import Machine
internal import UAPI

/// A program that uses iommufd as a C program does: structs in its own memory, a file, request numbers.
///
/// Structs are written once; requests that do not change them can be made again and again.
final class BenchClient: @unchecked Sendable {
  let target: ModelTarget
  let fd: Int32
  private var next: UInt64

  /// - Throws: what the model refuses, which a healthy one does not.
  init(frameStride: Int = 1) throws(Errno) {
    target = ModelTarget(Machine.Configuration(frameStride: frameStride))
    fd = try target.open("/dev/iommu")
    next = try target.userSpace.allocate(length: 65536, at: nil, mode: [.read, .write], huge: false)
  }

  /// Room for a struct, zeroed but for its size.
  private func structure(_ size: UInt32) throws(Errno) -> UInt64 {
    defer { next += UInt64((size + 63) & ~63) }
    try target.memory.store(size, at: next)
    return next
  }

  private func set<Value>(_ slot: Slot<Value>, _ value: Value, at address: UInt64) throws(Errno) {
    try target.memory.store(value, at: address + UInt64(slot.offset))
  }

  func call(_ request: UInt32, _ address: UInt64) throws(Errno) { _ = try target.ioctl(fd, request, address) }

  func createIOAS() throws(Errno) -> UInt32 {
    let address = try structure(12)
    try call(Request.ioasAlloc, address)
    return try target.memory.load(UInt32.self, at: address + 8)
  }

  /// A mock device on the IOAS, and with it a hardware page table.
  func attachMockDevice(to ioas: UInt32) throws(Errno) {
    let address = try structure(72)
    try set(Layout.Selftest.op, 2, at: address)
    try set(Layout.Selftest.id, ioas, at: address)
    try call(Request.test, address)
  }

  func allocate(_ length: UInt64) throws(Errno) -> UInt64 {
    try target.userSpace.allocate(length: length, at: nil, mode: [.read, .write], huge: false)
  }

  /// Where a request to map `length` bytes of `memory` at `iova` stands.
  func mapRequest(_ ioas: UInt32, _ memory: UInt64, _ length: UInt64, iova: UInt64) throws(Errno) -> UInt64 {
    let address = try structure(40)
    try set(Layout.IOASMap.flags, MapFlag.all, at: address)
    try set(Layout.IOASMap.ioasID, ioas, at: address)
    try set(Layout.IOASMap.userVA, memory, at: address)
    try set(Layout.IOASMap.length, length, at: address)
    try set(Layout.IOASMap.iova, iova, at: address)
    return address
  }

  func unmapRequest(_ ioas: UInt32, _ length: UInt64, iova: UInt64) throws(Errno) -> UInt64 {
    let address = try structure(24)
    try set(Layout.IOASUnmap.ioasID, ioas, at: address)
    try set(Layout.IOASUnmap.iova, iova, at: address)
    try set(Layout.IOASUnmap.length, length, at: address)
    return address
  }

  enum Request {
    static let ioasAlloc: UInt32 = 0x3B81
    static let map: UInt32 = 0x3B85
    static let unmap: UInt32 = 0x3B86
    static let test: UInt32 = 0x3BA0
  }
}

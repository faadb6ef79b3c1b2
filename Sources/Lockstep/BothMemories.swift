// SPDX-License-Identifier: GPL-3.0-or-later
internal import Glibc
internal import UAPI

/// The memories of two targets as one: what is written goes to both, what is read is compared.
final class BothMemories: UserMemory, UserSpace {
  // Not held by their owner's name: the owner is the target that holds this.
  private let first: any IoctlTarget
  private let second: any IoctlTarget
  /// Descriptors are the caller's, so memfds and their lengths go through the owner's names.
  var names: (opened: (Int32, Int32) -> Void, other: (Int32) -> Int32) = ({ _, _ in }, { $0 })
  /// Takes a disagreement: the call, both answers, what differs.
  var report: (String, String, String, [String]) -> Void = { _, _, _, _ in }

  init(_ first: any IoctlTarget, _ second: any IoctlTarget) {
    self.first = first
    self.second = second
  }

  // MARK: Bytes

  func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let done = first.memory.copyIn(address, into: buffer)
    guard buffer.count > 0 else { return done }
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: buffer.count, alignment: 16)
    defer { copy.deallocate() }
    let other = second.memory.copyIn(address, into: copy)
    if done != other {
      report("memory", "\(done) bytes at 0x\(String(address, radix: 16))", "\(other) bytes", [])
    } else if let index = Self.firstDifference(buffer, copy, done) {
      report(
        "memory", "0x\(String(buffer[index], radix: 16)) at 0x\(String(address &+ UInt64(index), radix: 16))",
        "0x\(String(copy[index], radix: 16))", [])
    }
    return done
  }

  func copyOut(_ address: UInt64, from bytes: UnsafeRawBufferPointer) -> Int {
    let (done, other) = (
      first.memory.copyOut(address, from: bytes), second.memory.copyOut(address, from: bytes)
    )
    if done != other {
      report("memory", "\(done) bytes to 0x\(String(address, radix: 16))", "\(other) bytes", [])
    }
    return done
  }

  /// Where two memories differ first within a range.
  static func difference(_ first: any IoctlTarget, _ second: any IoctlTarget, _ address: UInt64, _ count: Int)
    -> (address: UInt64, first: String, second: String)?
  {
    let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * count, alignment: 16)
    defer { bytes.deallocate() }
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
    let (a, b) = (
      UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]),
      UnsafeMutableRawBufferPointer(rebasing: bytes[count...])
    )
    let (read, other) = (first.memory.copyIn(address, into: a), second.memory.copyIn(address, into: b))
    if let index = firstDifference(a, b, min(read, other)) {
      return (
        address &+ UInt64(index), "0x" + String(a[index], radix: 16), "0x" + String(b[index], radix: 16)
      )
    }
    guard read != other else { return nil }
    return (
      address &+ UInt64(min(read, other)), read > other ? "readable" : "EFAULT",
      read > other ? "EFAULT" : "readable"
    )
  }

  private static func firstDifference(
    _ a: UnsafeMutableRawBufferPointer, _ b: UnsafeMutableRawBufferPointer, _ count: Int
  ) -> Int? {
    guard count > 0, memcmp(a.baseAddress!, b.baseAddress!, count) != 0 else { return nil }
    return (0..<count).first { a[$0] != b[$0] }
  }

  // MARK: Mappings

  private func settle<Value: Equatable>(_ call: String, _ a: Result<Value, Errno>, _ b: Result<Value, Errno>)
    throws(Errno) -> Value
  {
    switch (a, b) {
    case (.success(let x), .success(let y)) where x == y: break
    case (.failure(let x), .failure(let y)) where x == y: break
    default: report(call, "\(a)", "\(b)", [])
    }
    return try a.get()
  }

  func allocate(length: UInt64, at address: UInt64?, mode: MapMode, huge: Bool) throws(Errno) -> UInt64 {
    let b = Result { () throws(Errno) in
      try second.userSpace.allocate(length: length, at: address, mode: mode, huge: huge)
    }
    let place = if case .success(let chosen) = b { Optional(chosen) } else { address }
    let a = Result { () throws(Errno) in
      try first.userSpace.allocate(length: length, at: place, mode: mode, huge: huge)
    }
    return try settle("mem alloc", a, b)
  }

  func createMemFD(length: UInt64, huge: Bool) throws(Errno) -> Int32 {
    let a = Result { () throws(Errno) in try first.userSpace.createMemFD(length: length, huge: huge) }
    let b = Result { () throws(Errno) in try second.userSpace.createMemFD(length: length, huge: huge) }
    if case .success(let x) = a, case .success(let y) = b {
      names.opened(x, y)
      return x
    }
    return try settle("mem file", a, b)
  }

  func truncate(_ fd: Int32, length: UInt64) throws(Errno) {
    try each("mem truncate", { s throws(Errno) in try s.truncate(fd, length: length) }) { s throws(Errno) in
      try s.truncate(names.other(fd), length: length)
    }
  }

  func unmap(_ address: UInt64, length: UInt64) throws(Errno) {
    try each("mem unmap", { s throws(Errno) in try s.unmap(address, length: length) }) { s throws(Errno) in
      try s.unmap(address, length: length)
    }
  }

  func protect(_ address: UInt64, length: UInt64, mode: MapMode) throws(Errno) {
    try each("mem protect", { s throws(Errno) in try s.protect(address, length: length, mode: mode) }) {
      s throws(Errno) in try s.protect(address, length: length, mode: mode)
    }
  }

  private func each(
    _ call: String, _ a: (any UserSpace) throws(Errno) -> Void, _ b: (any UserSpace) throws(Errno) -> Void
  ) throws(Errno) {
    let first = Result { () throws(Errno) -> Bool in
      try a(self.first.userSpace)
      return true
    }
    let second = Result { () throws(Errno) -> Bool in
      try b(self.second.userSpace)
      return true
    }
    _ = try settle(call, first, second)
  }
}

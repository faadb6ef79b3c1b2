// SPDX-License-Identifier: GPL-3.0-or-later

import Interpreter
import UAPI

/// A target that writes down what it is asked and answers as it is told: it shows which bytes a statement
/// becomes, with no model in between.
final class FakeTarget: IoctlTarget, UserMemory, UserSpace {
  struct Request: Equatable {
    let fd: Int32
    let request: UInt32
    let bytes: [UInt8]
  }
  private(set) var requests: [Request] = []
  /// Errnos for the requests to come; 0 succeeds, and so does everything beyond the list.
  var answers: [Int32] = []
  /// Bytes that are written back over the struct, by offset.
  var replies: [(offset: Int, bytes: [UInt8])] = []
  private var bytes: [UInt8] = Array(repeating: 0, count: 1 << 20)
  private let base: UInt64 = 0x10000
  private var used: UInt64 = 0
  private var nextFD: Int32 = 3

  var kernel = KernelVersion(7, 2)
  var memory: any UserMemory { self }
  var userSpace: any UserSpace { self }

  /// The bytes of the last request.
  var last: [UInt8] { requests.last?.bytes ?? [] }

  func word(_ offset: Int, _ size: Int = 4) -> UInt64 {
    (0..<size).reduce(0) { $0 | UInt64(last[offset + $1]) << UInt64($1 * 8) }
  }

  func open(_ path: String) throws(Errno) -> Int32 {
    nextFD += 1
    return nextFD - 1
  }
  func close(_ fd: Int32) throws(Errno) {}
  func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32 {
    let size = CommandTable.row(request: request)?.sizes.last?.bytes ?? 16
    requests.append(Request(fd: fd, request: request, bytes: try bytes(at: argument, count: size)))
    for reply in replies { try write(reply.bytes, at: argument &+ UInt64(reply.offset)) }
    let answer = answers.isEmpty ? 0 : answers.removeFirst()
    if answer != 0 { throw Errno(code: answer) }
    return 0
  }
  func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int { 0 }
  func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int { count }
  func poll(_ fd: Int32) throws(Errno) -> PollEvents { [] }
  func dup(_ fd: Int32) throws(Errno) -> Int32 { fd + 100 }
  func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode) throws(Errno)
    -> UInt64
  { 0 }

  private func range(_ address: UInt64, _ count: Int) -> Range<Int>? {
    guard address >= base, address - base + UInt64(count) <= UInt64(bytes.count) else { return nil }
    return Int(address - base)..<Int(address - base) + count
  }
  func copyIn(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let range = range(address, buffer.count) else { return 0 }
    buffer.copyBytes(from: bytes[range])
    return buffer.count
  }
  func copyOut(_ address: UInt64, from source: UnsafeRawBufferPointer) -> Int {
    guard let range = range(address, source.count) else { return 0 }
    bytes.replaceSubrange(range, with: source)
    return source.count
  }

  func allocate(length: UInt64, at address: UInt64?, mode: MapMode, huge: Bool) throws(Errno) -> UInt64 {
    guard used + length <= UInt64(bytes.count) else { throw .ENOMEM }
    defer { used += (length + 4095) & ~4095 }
    return base + used
  }
  func createMemFD(length: UInt64, huge: Bool) throws(Errno) -> Int32 { 50 }
  func truncate(_ fd: Int32, length: UInt64) throws(Errno) {}
  func unmap(_ address: UInt64, length: UInt64) throws(Errno) {}
  func protect(_ address: UInt64, length: UInt64, mode: MapMode) throws(Errno) {}
}

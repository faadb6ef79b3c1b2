// SPDX-License-Identifier: GPL-3.0-or-later

/// Registers that a process has mapped: each access reaches the device, and nothing is copied or kept. Offsets are
/// multiples of the width. Called without the address space's lock.
public protocol RegisterWindow: AnyObject, Sendable {
  func load32(_ offset: UInt64) -> UInt32
  func load64(_ offset: UInt64) -> UInt64
  func store32(_ offset: UInt64, _ value: UInt32)
  func store64(_ offset: UInt64, _ value: UInt64)
}

// An access by a processor is one of 4 or 8 bytes, aligned: a buffer becomes the largest that fit, in ascending order.
// Anything else is a bus error, which ends the copy.

extension RegisterWindow {
  /// Reads registers into `target`; returns how many bytes could be read.
  func read(_ offset: UInt64, into target: UnsafeMutableRawBufferPointer) -> Int {
    eachAccess(offset, target.count) { place, done, width in
      if width == 8 {
        target.storeBytes(of: load64(place).littleEndian, toByteOffset: done, as: UInt64.self)
      } else {
        target.storeBytes(of: load32(place).littleEndian, toByteOffset: done, as: UInt32.self)
      }
    }
  }

  /// Writes `source` to registers; returns how many bytes could be written.
  func write(_ offset: UInt64, from source: UnsafeRawBufferPointer) -> Int {
    eachAccess(offset, source.count) { place, done, width in
      if width == 8 {
        store64(place, UInt64(littleEndian: source.loadUnaligned(fromByteOffset: done, as: UInt64.self)))
      } else {
        store32(place, UInt32(littleEndian: source.loadUnaligned(fromByteOffset: done, as: UInt32.self)))
      }
    }
  }

  private func eachAccess(_ offset: UInt64, _ count: Int, _ body: (UInt64, Int, Int) -> Void) -> Int {
    var done = 0
    while done < count {
      let place = offset &+ UInt64(done)
      let width = place & 7 == 0 && count - done >= 8 ? 8 : 4
      guard place & UInt64(width - 1) == 0, count - done >= width else { break }
      body(place, done, width)
      done += width
    }
    return done
  }
}

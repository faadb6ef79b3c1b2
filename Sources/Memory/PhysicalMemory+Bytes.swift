// SPDX-License-Identifier: GPL-3.0-or-later
internal import Synchronization

// What is in the frames.

extension PhysicalMemory {
  /// Where the bytes of a frame are that is not foreign. Everything that touches bytes comes through here.
  @inline(__always)
  func pointer(to frame: Int) -> UnsafeMutableRawPointer { base + (frame << Int(Page.shift)) }

  /// The bytes of a frame that is not foreign.
  @inline(__always)
  public func bytes(of frame: FrameNumber) -> UnsafeMutableRawPointer { pointer(to: index(frame)) }

  /// Copies the bytes of one frame to another.
  func copyFrame(from source: FrameNumber, to target: FrameNumber) {
    bytes(of: target).copyMemory(from: bytes(of: source), byteCount: Int(Page.size))
  }

  /// `count` bytes at `address`; nil unless they lie in one frame that exists and is not foreign.
  public func bytes(at address: PhysAddr, count: Int) -> UnsafeMutableRawBufferPointer? {
    guard let frame = frame(of: address), !isForeign(frame), count >= 0,
      count <= Int(Page.size - address.offsetInPage)
    else { return nil }
    return UnsafeMutableRawBufferPointer(start: pointer(to: frame) + Int(address.offsetInPage), count: count)
  }

  private func frame(of address: PhysAddr) -> Int? {
    let frame = address.raw >> Page.shift
    return frame < UInt64(frameCount) ? Int(frame) : nil
  }

  /// Reads physical memory across frames; returns how many bytes exist.
  public func read(_ address: PhysAddr, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    eachPiece(address, buffer.count, writing: false) { offset, piece, _ in
      UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + piece.count])
        .copyMemory(from: UnsafeRawBufferPointer(piece))
    }
  }

  /// Writes physical memory across frames; returns how many bytes exist. A frame that is free may be
  /// written, as a device with a stale translation would; its next owner gets it zeroed all the same.
  public func write(_ address: PhysAddr, from bytes: UnsafeRawBufferPointer) -> Int {
    eachPiece(address, bytes.count, writing: true) { offset, piece, frame in
      piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + piece.count]))
      noteWrite(FrameNumber(UInt32(frame)).address)
    }
  }

  private func eachPiece(
    _ address: PhysAddr, _ count: Int, writing: Bool,
    _ body: (Int, UnsafeMutableRawBufferPointer, Int) -> Void
  ) -> Int {
    var done = 0
    while done < count {
      let (raw, overflow) = address.raw.addingReportingOverflow(UInt64(done))
      let place = PhysAddr(raw)
      let length = min(count - done, Int(Page.size - place.offsetInPage))
      guard !overflow, let frame = frame(of: place),
        withBytes(
          of: FrameNumber(UInt32(frame)), at: Int(place.offsetInPage), count: length, writing: writing,
          { body(done, $0, frame) }) != nil
      else { break }
      done += length
    }
    return done
  }
}

// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMU
internal import Memory
internal import Seams
internal import UAPI

// What in-kernel users (accesses) do with pages: hold them, and read or write them. Reference
// io-pagetable.md sections 3.8 and 3.9.

extension Pages {
  /// Pins an index interval for an access and returns its frames. An identical interval is shared.
  /// The IOAS's areas lock is held. `iopt_area_add_access`.
  ///
  /// - Throws: EPERM for writing to pages mapped without WRITEABLE; EINVAL for a dma-buf; EFAULT, ENOMEM,
  ///   EINVAL from pinning and charging. Nothing is left behind.
  func addAccess(_ area: Area, _ span: Span64, writing: Bool, locking: Bool) throws(Errno) -> [FrameNumber] {
    if writing && !writable { throw .EPERM("the pages were mapped without WRITEABLE") }
    return try lock.withLock { () throws(Errno) -> [FrameNumber] in
      if let position = accessUses.firstIndex(of: span, where: { _ in true }) {
        accessUses[position].users += 1
      } else {
        try kernel.failures.pass(.allocation, "the interval that an access pins")
        if isDMABuf { throw .EINVAL("pages of a dma-buf cannot be pinned by an access") }
        try hold(span)
        accessUses.insert(span, AccessUse(users: 1))
      }
      area.accesses += 1
      if locking { area.locks += 1 }
      return (span.first...span.last).map { heldFrame($0) }
    }
  }

  /// Undoes one `addAccess` of the same interval. Cannot fail. `iopt_area_remove_access`.
  func removeAccess(_ area: Area, _ span: Span64, locking: Bool) {
    lock.lock()
    defer { lock.unlock() }
    guard let position = accessUses.firstIndex(of: span, where: { _ in true }) else {
      // Callers unpin what they have pinned; no table is asked.
      preconditionFailure("an interval that no access pinned")
    }
    area.accesses -= 1
    if locking { area.locks -= 1 }
    accessUses[position].users -= 1
    guard accessUses[position].users == 0 else { return }
    accessUses.remove(at: position)
    for (use, piece) in pieces(of: span) where use != .held {
      for index in piece.first...piece.last {
        let frame = heldFrame(index)
        heldFrames[index] = nil
        // A page that a domain maps stays pinned for the domain.
        if use == .hole { unpin(FrameRun(frame: frame, count: 1)) }
      }
    }
    uncharge()
  }

  /// The frame of an index that accesses hold.
  func heldFrame(_ index: UInt64) -> FrameNumber {
    guard let frame = heldFrames[index] else {
      // Both are iommufd's own and change together, under the lock, whatever tables hold.
      preconditionFailure("a held index without a frame")
    }
    return frame
  }

  /// Makes `heldFrames` cover `span`, pinning what nobody had. `iopt_pages_fill_xarray`.
  private func hold(_ span: Span64) throws(Errno) {
    try kernel.failures.pass(.scratch, "the batch of page frames")
    var added: [(index: UInt64, wasPinned: Bool)] = []
    do throws(Errno) {
      for (use, piece) in pieces(of: span) {
        switch use {
        case .held: break
        case .mapped:
          for index in piece.first...piece.last {
            heldFrames[index] = frameFromDomain(index)
            added.append((index, false))
          }
        case .hole:
          try pinEach(piece) { index, frame throws(Errno) in
            heldFrames[index] = frame
            added.append((index, true))
          }
          try kernel.failures.pass(.storeFrames, "page frames of an access")
        }
      }
      try charge()
    } catch {
      for (index, wasPinned) in added {
        guard let frame = heldFrames.removeValue(forKey: index), wasPinned else { continue }
        unpin(FrameRun(frame: frame, count: 1))
      }
      throw error
    }
  }

  /// Pins `span` from the source chunk by chunk. On an error what was delivered stays delivered.
  /// `deliver` that throws has taken its frame all the same; those behind it are let go.
  private func pinEach(_ span: Span64, _ deliver: (UInt64, FrameNumber) throws(Errno) -> Void) throws(Errno) {
    let capacity = Int(min(UInt64(pinChunk), span.count))
    try withUnsafeTemporaryAllocation(of: FrameNumber.self, capacity: capacity) {
      buffer throws(Errno) in
      var index = span.first
      while index <= span.last {
        let want = Int(min(UInt64(capacity), span.last - index + 1))
        let got = try pinFromSource(index, into: UnsafeMutableBufferPointer(rebasing: buffer[..<want]))
        for position in 0..<got {
          do throws(Errno) { try deliver(index + UInt64(position), buffer[position]) } catch {
            for rest in buffer[(position + 1)..<got] { unpin(FrameRun(frame: rest, count: 1)) }
            throw error
          }
        }
        index += UInt64(got)
      }
    }
  }

  // MARK: Reading and writing

  /// Copies between `buffer` and the bytes from `startByte` on. `iopt_pages_rw_access`.
  ///
  /// - Parameter slow: the selftest's wish to take the way that goes through page frames.
  /// - Throws: EPERM for writing to pages mapped without WRITEABLE, EINVAL for a dma-buf, EFAULT. Bytes before
  ///   a fault have been copied.
  func rw(
    _ startByte: UInt64, _ buffer: UnsafeMutableRawBufferPointer, writing: Bool, slow: Bool,
    by task: any CallingTask
  ) throws(Errno) {
    if writing && !writable { throw .EPERM("the pages were mapped without WRITEABLE") }
    switch source {
    case .dmabuf: throw .EINVAL("a dma-buf cannot be read or written by an access")
    case .file: try rwFrames(startByte, buffer, writing: writing)
    case .user(let address):
      let other = slow || task.memory !== ownerMemory
      if !other {
        let place = address &+ startByte
        let done =
          writing
          ? task.memory.copyOut(place, from: UnsafeRawBufferPointer(buffer))
          : task.memory.copyIn(place, into: buffer)
        guard done == buffer.count else {
          throw .EFAULT("the mapped memory is not accessible", place &+ UInt64(done))
        }
      } else if startByte >> Page.shift == (startByte + UInt64(buffer.count) - 1) >> Page.shift,
        ownerMemory.isAlive
      {
        try rwPage(address, startByte, buffer, writing: writing)
      } else {
        try rwFrames(startByte, buffer, writing: writing)
      }
    }
  }

  /// One page of a living process that is not the caller's. `iopt_pages_rw_page`.
  private func rwPage(
    _ address: UInt64, _ startByte: UInt64, _ buffer: UnsafeMutableRawBufferPointer, writing: Bool
  ) throws(Errno) {
    try kernel.failures.pass(.accessRW, "one page of another process")
    let page = (address &+ startByte) & ~Page.mask
    try withUnsafeTemporaryAllocation(of: FrameNumber.self, capacity: 1) { frames throws(Errno) in
      _ = try ownerMemory.pin(page, writing: writing, into: frames)
      defer { kernel.memory.unpin(frames[0]) }
      try copy(frames[0], at: startByte & Page.mask, buffer, writing: writing)
      if writing { kernel.memory.setDirty(frames[0]) }
    }
  }

  /// Page by page through frames, wherever they come from; never charges. `iopt_pages_rw_slow`.
  private func rwFrames(_ startByte: UInt64, _ buffer: UnsafeMutableRawBufferPointer, writing: Bool)
    throws(Errno)
  {
    try lock.withLock { () throws(Errno) in
      let span = Span64(startByte >> Page.shift, (startByte + UInt64(buffer.count) - 1) >> Page.shift)
      var position = 0
      var offset = startByte & Page.mask
      func move(_ frame: FrameNumber) throws(Errno) {
        let count = min(Int(Page.size - offset), buffer.count - position)
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[position..<(position + count)])
        try copy(frame, at: offset, part, writing: writing)
        position += count
        offset = 0
      }
      for (use, piece) in pieces(of: span) {
        switch use {
        case .held:
          for index in piece.first...piece.last { try move(heldFrame(index)) }
        case .mapped:
          for index in piece.first...piece.last { try move(frameFromDomain(index)) }
        case .hole:
          var failure: Errno?
          var pinnedHere = FrameRuns()
          do throws(Errno) {
            try pinEach(piece) { _, frame throws(Errno) in
              pinnedHere.append(frame)
              try move(frame)
            }
          } catch { failure = error }
          pinnedHere.forEach { unpin($0) }
          if let failure { throw failure }
        }
      }
    }
  }

  /// - Throws: EFAULT when the frame is a page of a real process that has given it up.
  private func copy(
    _ frame: FrameNumber, at offset: UInt64, _ buffer: UnsafeMutableRawBufferPointer, writing: Bool
  ) throws(Errno) {
    // A table that has been overwritten may have led to a frame that is nobody's.
    if writing { kernel.memory.noteWrite(frame.address) }
    let done: Void? = kernel.memory.withBytes(
      of: frame, at: Int(offset), count: buffer.count, writing: writing
    ) { place in
      if writing {
        place.copyMemory(from: UnsafeRawBufferPointer(buffer))
      } else {
        buffer.copyMemory(from: UnsafeRawBufferPointer(place))
      }
    }
    if done == nil {
      throw .EFAULT("the page is out of reach: its process has given it up", UInt64(frame.raw))
    }
  }
}

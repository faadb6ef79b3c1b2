// SPDX-License-Identifier: GPL-3.0-or-later
internal import IOMMUFD
internal import Memory
internal import Seams
internal import UAPI

private typealias L = Layout.Selftest

// The ops on accesses. `id` is the access's descriptor, and may belong to another open file.

extension Selftest {
  private static var maximumLength: UInt64 { 16 << 20 }
  private static var write: UInt32 { 1 }
  private static var slowPath: UInt32 { 4 }
  private static var syz: UInt32 { 1 << 16 }

  /// CREATE_ACCESS. `iommufd_test_create_access`.
  func createAccess(_ command: borrowing Command) throws(Errno) -> Int32 {
    let flags = command[L.CreateAccess.flags]
    guard flags & ~1 == 0 else { throw .EOPNOTSUPP("an unknown flag", UInt64(flags)) }
    let context = command.context
    let needsPin = flags & 1 != 0
    try context.kernel.failures.pass(.allocation, "the file of an access")
    let file = AccessFile(context.file, needsPin: needsPin)
    let descriptor: Int32
    do throws(Errno) {
      try context.kernel.failures.pass(.allocation, "a descriptor")
      descriptor = try command.task.files.install(file)
    } catch {
      file.releaseFile()
      throw .ENOMEM("the process has no free descriptor")
    }
    do throws(Errno) {
      let access = try context.createAccess(needsPin: needsPin) { [weak file] access, iova, length in
        file?.unpin(access, meeting: Span64(first: iova, length: length) ?? .everything)
      }
      do throws(Errno) {
        try access.attach(id: command[L.id])
        command[L.CreateAccess.outAccessFD] = UInt32(bitPattern: descriptor)
        try command.respond()
      } catch {
        context.destroyAccess(access)
        throw error
      }
      file.access = access
    } catch {
      try? command.task.files.close(descriptor)
      throw error
    }
    return 0
  }

  /// The access behind a descriptor. `iommufd_access_get`.
  private func withAccess(
    _ command: borrowing Command, _ body: (AccessFile, Access) throws(Errno) -> Void
  ) throws(Errno) {
    let descriptor = command[L.id]
    let file: OpenFile
    do throws(Errno) { file = try command.task.files.get(Int32(bitPattern: descriptor)) } catch {
      throw .EBADFD("not an open descriptor", UInt64(descriptor))
    }
    defer { file.releaseFile() }
    guard let accessFile = file as? AccessFile, let access = accessFile.access else {
      throw .EBADFD("the file is not an access", UInt64(descriptor))
    }
    try body(accessFile, access)
  }

  /// Translates {area, offset}, in syzkaller mode.
  private func resolve(_ iova: UInt64, _ flags: UInt32, _ access: Access) -> UInt64 {
    guard flags & Self.syz != 0 else { return iova }
    return access.currentIOAS?.pagetable.nthAreaIOVA(
      UInt32(truncatingIfNeeded: iova), offset: UInt32(truncatingIfNeeded: iova >> 32)) ?? 0
  }

  /// DESTROY_ACCESS_PAGES.
  func destroyAccessPages(_ command: borrowing Command) throws(Errno) -> Int32 {
    let item = command[L.DestroyAccessPages.accessPagesID]
    try withAccess(command) { file, access throws(Errno) in try file.unpin(access, item: item) }
    return 0
  }

  /// ACCESS_REPLACE_IOAS.
  func accessReplaceIOAS(_ command: borrowing Command) throws(Errno) -> Int32 {
    let ioas = command[L.AccessReplaceIOAS.ioasID]
    try withAccess(command) { _, access throws(Errno) in try access.replace(id: ioas) }
    return 0
  }

  /// ACCESS_PAGES: pins a range, and checks that it is the pages behind `uptr`. `iommufd_test_access_pages`.
  func accessPages(_ command: borrowing Command) throws(Errno) -> Int32 {
    let flags = command[L.AccessPages.flags]
    let length = command[L.AccessPages.length]
    let address = command[L.AccessPages.uptr]
    guard length <= Self.maximumLength else {
      throw .ENOMEM("the selftest takes no more at once", length, Self.maximumLength)
    }
    guard flags & ~(Self.write | Self.syz) == 0 else { throw .EOPNOTSUPP("an unknown flag", UInt64(flags)) }
    try withAccess(command) { file, access throws(Errno) in
      guard file.needsPin else { throw .EOPNOTSUPP("the access was made without NEEDS_PIN_PAGES") }
      let iova = resolve(command[L.AccessPages.iova], flags, access)
      try command.context.kernel.failures.pass(.allocation, "the frames of an item")
      try file.pin(access, iova: iova, length: length, writing: flags & Self.write != 0) {
        item, frames throws(Errno) in
        if address != 0 {
          try compare(frames, with: address &- iova & Page.mask, of: command.task)
        }
        try command.context.kernel.failures.pass(.allocation, "an item")
        file.takeNumber()
        command[L.AccessPages.outAccessPagesID] = item
        // The number is not given back.
        try command.respond(stays: true)
      }
    }
    return 0
  }

  /// `iommufd_test_check_pages`.
  private func compare(_ frames: [FrameNumber], with address: UInt64, of task: any CallingTask) throws(Errno)
  {
    for (index, frame) in frames.enumerated() {
      let place = address &+ UInt64(index) << Page.shift
      guard let there = task.memory.frame(at: place & ~Page.mask, writing: false) else {
        throw .EFAULT("no page is at the user address", place)
      }
      guard there == frame else { throw .EBADE("another page is at the user address", place) }
    }
  }

  /// ACCESS_RW: copies between a range and the caller's buffer. `iommufd_test_access_rw`.
  func accessRW(_ command: borrowing Command) throws(Errno) -> Int32 {
    let flags = command[L.AccessRW.flags]
    let length = command[L.AccessRW.length]
    let address = command[L.AccessRW.uptr]
    guard length <= Self.maximumLength else {
      throw .ENOMEM("the selftest takes no more at once", length, Self.maximumLength)
    }
    guard flags & ~(Self.write | Self.slowPath | Self.syz) == 0 else {
      throw .EOPNOTSUPP("an unknown flag", UInt64(flags))
    }
    let isWrite = flags & Self.write != 0
    let task = command.task
    try withAccess(command) { _, access throws(Errno) in
      try command.context.kernel.failures.pass(.allocation, "the buffer of an access")
      let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(length), alignment: 8)
      defer { buffer.deallocate() }
      buffer.initializeMemory(as: UInt8.self, repeating: 0)
      if isWrite { try command.context.kernel.failures.pass(.copy, "the caller's buffer") }
      if isWrite, task.memory.copyIn(address, into: buffer) != buffer.count {
        throw .EFAULT("the caller's buffer is not readable", address, length)
      }
      try access.rw(
        iova: resolve(command[L.AccessRW.iova], flags, access), buffer: buffer, writing: isWrite,
        slow: flags & Self.slowPath != 0, by: task)
      if !isWrite { try command.context.kernel.failures.pass(.copy, "the caller's buffer") }
      if !isWrite, task.memory.copyOut(address, from: UnsafeRawBufferPointer(buffer)) != buffer.count {
        throw .EFAULT("the caller's buffer is not writable", address, length)
      }
    }
    return 0
  }

  // MARK: dma-bufs

  /// DMABUF_GET: the descriptor is the result. `iommufd_test_dmabuf_get`.
  func dmabufGet(_ command: borrowing Command) throws(Errno) -> Int32 {
    let length = UInt64(command[L.DMABufGet.length])
    guard length > 0, length <= 512 * Page.size else {
      throw .EINVAL("a dma-buf has 1 to 512 pages", length)
    }
    let buffer = try DMABuf(kernel: command.context.kernel, length: length)
    do throws(Errno) {
      try command.context.kernel.failures.pass(.allocation, "a descriptor")
      return try command.task.files.install(buffer)
    } catch {
      buffer.releaseFile()
      throw error
    }
  }

  /// DMABUF_REVOKE.
  func dmabufRevoke(_ command: borrowing Command) throws(Errno) -> Int32 {
    let revoked = command[L.DMABufRevoke.revoked] != 0
    try command.task.files.with(Int32(bitPattern: command[L.DMABufRevoke.dmabufFD])) { file throws(Errno) in
      guard let buffer = file as? DMABuf else { throw .EINVAL("the file is no dma-buf") }
      buffer.setRevoked(revoked)
    }
    return 0
  }
}

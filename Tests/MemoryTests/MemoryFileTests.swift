// SPDX-License-Identifier: GPL-3.0-or-later
internal import Seams
internal import Testing
internal import UAPI

@testable internal import Memory

@Suite struct MemoryFileTests {
  let physical = smallMemory()

  @Test func pinsNeedWholePagesInTheFile() throws {
    let file = try MemoryFile(physical, size: 3 * page + 5)
    #expect(file.size == 3 * page + 5)
    let frames = try file.pinned(1, 2)
    #expect(frames.map(\.raw) == [1, 2])
    #expect(physical.pinTotals == (2, 2))
    for (first, count) in [(UInt64(1), 3), (3, 1), (4, 1), (.max, 1), (0, 0), (0, 100)] {
      #expect(failure { () throws(Errno) in _ = try file.pinned(first, count) } == .EINVAL)
    }
    #expect(physical.pinTotals == (2, 2))
    for frame in frames { physical.unpin(frame) }
    file.releaseFile()
    physical.expectEmpty()
  }

  @Test func aPinThatFailsUndoesItself() throws {
    let physical = PhysicalMemory(size: 4 * page)
    let file = try MemoryFile(physical, size: 8 * page)
    #expect(failure { () throws(Errno) in _ = try file.pinned(0, 8) } == .ENOMEM)
    #expect(physical.pinTotals.pins == 0)
    file.releaseFile()
    physical.expectEmpty()
  }

  @Test func truncationTakesPagesFromEveryMapping() throws {
    let file = try MemoryFile(physical, size: 4 * page)
    let space = ProcessMemory(physical)
    let shared = try space.mapFile(file, length: 4 * page, mode: [.read, .write, .shared])
    let own = try space.mapFile(file, offset: page, length: 3 * page, mode: readWrite)
    for index: UInt64 in 0..<4 { try space.store(UInt8(index + 1), at: shared + index * page) }
    try space.store(UInt8(50), at: own)
    try space.store(UInt8(60), at: own + 2 * page)
    let pinned = try space.pinned(shared + 3 * page, 1, writing: true)
    let child = try space.fork()
    #expect(try child.load(UInt8.self, at: shared + 3 * page) == 4)
    try file.truncate(to: 2 * page)
    for memory in [space, child] {
      #expect(try memory.load(UInt8.self, at: shared + page) == 2)
      #expect(try memory.load(UInt8.self, at: own) == 50)
      for gone in [shared + 2 * page, own + 2 * page] {
        #expect(failure { () throws(Errno) in _ = try memory.load(UInt8.self, at: gone) } == .EFAULT)
      }
      #expect(memory.checkInvariants() == [])
    }
    // The pinned frame lives on, and is not the page that comes when the file grows again.
    #expect(physical.firstByte(pinned[0]) == 4)
    try file.truncate(to: 4 * page)
    #expect(try space.load(UInt8.self, at: shared + 3 * page) == 0)
    #expect(space.frame(at: shared + 3 * page, writing: false) != pinned[0])
    physical.unpin(pinned[0])
    file.releaseFile()
    space.exit()
    child.exit()
    physical.expectEmpty()
  }

  @Test func theTailOfTheLastPageIsZeroed() throws {
    let file = try MemoryFile(physical, size: page)
    let space = ProcessMemory(physical)
    let address = try space.mapFile(file, length: page, mode: [.read, .write, .shared])
    try space.store(UInt32.max, at: address + 8)
    try file.truncate(to: 10)
    #expect(try space.load(UInt32.self, at: address + 8) == 0xffff)
    try file.truncate(to: page)
    #expect(try space.load(UInt32.self, at: address + 8) == 0xffff)
    file.releaseFile()
    // The mapping keeps the file.
    #expect(try space.load(UInt32.self, at: address + 8) == 0xffff)
    space.exit()
    physical.expectEmpty()
  }

  @Test func hugeFiles() throws {
    let file = try MemoryFile(physical, size: 2 << 21, huge: true)
    let frames = try file.pinned(511, 2)
    #expect(physical.allocatedFrames == 1024)
    #expect(frames.map(\.raw) == [1023, 1024])
    #expect(physical.isCompound(frames[0]))
    #expect(failure { () throws(Errno) in try file.truncate(to: page) } == .EINVAL)
    #expect(failure { () throws(Errno) in _ = try MemoryFile(physical, size: 5, huge: true) } == .EINVAL)
    let space = ProcessMemory(physical)
    let shared = try space.mapFile(file, length: 4 << 20, mode: [.read, .write, .shared])
    let own = try space.mapFile(file, length: 2 << 20, mode: readWrite)
    #expect(space.frame(at: shared + 512 * page, writing: true) == frames[1])
    try space.store(UInt8(1), at: shared + 3 * page)
    #expect(try space.load(UInt8.self, at: own + 3 * page) == 1)
    try space.store(UInt8(2), at: own + 3 * page)
    #expect(try space.load(UInt8.self, at: shared + 3 * page) == 1)
    #expect(space.checkInvariants() == [])
    #expect(
      failure { () throws(Errno) in
        _ = try space.mapFile(file, offset: page, length: page, mode: .read)
      } == .EINVAL)
    try file.truncate(to: 0)
    #expect(failure { () throws(Errno) in _ = try space.load(UInt8.self, at: own) } == .EFAULT)
    #expect(physical.allocatedFrames == 2)
    for frame in frames { physical.unpin(frame) }
    space.exit()
    file.releaseFile()
    physical.expectEmpty()
  }

  @Test func sizesAreLimited() throws {
    for size: UInt64 in [.max, (1 << 47) + 1] {
      #expect(failure { () throws(Errno) in _ = try MemoryFile(physical, size: size) } == .EFBIG)
    }
    let file = try MemoryFile(physical, size: 1 << 47)
    #expect(failure { () throws(Errno) in try file.truncate(to: .max) } == .EFBIG)
    let frame = try file.pinned((1 << 35) - 1, 1)[0]
    try file.truncate(to: 0)
    physical.unpin(frame)
    physical.expectEmpty()
    let space = ProcessMemory(physical)
    #expect(
      failure { () throws(Errno) in
        _ = try space.mapFile(file, offset: .max & ~Page.mask, length: page, mode: .read)
      } == .EOVERFLOW)
    let beyond = try space.mapFile(file, offset: 1 << 47, length: page, mode: .read)
    #expect(failure { () throws(Errno) in _ = try space.load(UInt8.self, at: beyond) } == .EFAULT)
  }

  @Test func readingAndWritingMoveThePosition() throws {
    let process = Process(pid: 1, space: ProcessMemory(physical), user: UserAccount(uid: 0))
    let file = try MemoryFile(physical)
    let space = process.space
    let buffer = try space.allocate(length: 2 * page, at: nil, mode: readWrite)
    try space.write(Array("hello".utf8), at: buffer)
    #expect(try file.write(buffer, 5, by: process) == 5)
    #expect(file.size == 5)
    #expect(try file.write(buffer, 2 * Int(page), by: process) == 2 * Int(page))
    #expect(file.size == 5 + 2 * page)
    #expect(try file.read(buffer, 10, by: process) == 0)
    // Only what could be copied is written.
    #expect(try file.write(buffer + page, 3 * Int(page), by: process) == Int(page))
    #expect(file.size == 5 + 3 * page)
    #expect(failure { () throws(Errno) in _ = try file.write(0, 5, by: process) } == .EFAULT)
    #expect(file.size == 5 + 3 * page)
    let mapped = try space.mapFile(file, length: page, mode: [.read, .shared])
    #expect(try space.bytes(at: mapped, count: 7) == Array("hellohe".utf8))
    let other = try MemoryFile(physical, size: 3)
    #expect(try other.read(buffer, 10, by: process) == 3)
    #expect(try space.bytes(at: buffer, count: 5) == [0, 0, 0, UInt8(ascii: "l"), UInt8(ascii: "o")])
    let third = try MemoryFile(physical, size: 3)
    #expect(failure { () throws(Errno) in _ = try third.read(0, 1, by: process) } == .EFAULT)
    let huge = try MemoryFile(physical, huge: true)
    #expect(failure { () throws(Errno) in _ = try huge.write(buffer, 1, by: process) } == .EINVAL)
    for file in [file, other, third, huge] { file.releaseFile() }
    process.exit()
    physical.expectEmpty()
  }
}

@Suite struct ProcessTests {
  let physical = smallMemory()

  @Test func aProcessAndItsChild() throws {
    let root = UserAccount(uid: 0)
    let process = Process(pid: 1, space: ProcessMemory(physical), user: root)
    #expect(process.capabilities == .all)
    #expect(process.memlockLimit == 8 << 20)
    let userSpace = ProcessUserSpace(process)
    let fd = try userSpace.createMemFD(length: 2 * page, huge: false)
    #expect(fd == 0)
    let address = try process.mmap(fd, length: 2 * page, offset: 0, mode: [.read, .write, .shared])
    try process.memory.store(UInt8(5), at: address)
    process.capabilities = [.sysResource]
    process.memlockLimit = 4096
    let user = UserAccount(uid: 1000)
    let child = try process.fork(pid: 2, user: user)
    #expect(child.pid == 2)
    #expect(child.user === user)
    #expect(child.capabilities == [.sysResource])
    #expect(child.memlockLimit == 4096)
    #expect(try process.fork(pid: 3).user === root)
    process.exit()
    #expect(!process.memory.isAlive)
    #expect(process.table.open.isEmpty)
    // The open file and its pages are the child's as well.
    #expect(try child.memory.load(UInt8.self, at: address) == 5)
    try ProcessUserSpace(child).truncate(fd, length: 0)
    #expect(failure { () throws(Errno) in _ = try child.memory.load(UInt8.self, at: address) } == .EFAULT)
    child.exit()
    physical.expectEmpty()
  }

  @Test func userSpace() throws {
    let process = Process(pid: 1, space: ProcessMemory(physical), user: UserAccount(uid: 0))
    let userSpace: any UserSpace = ProcessUserSpace(process)
    let address = try userSpace.allocate(length: 2 * page, at: nil, mode: readWrite, huge: false)
    try userSpace.protect(address, length: page, mode: .read)
    #expect(failure { () throws(Errno) in try process.memory.store(UInt8(0), at: address) } == .EFAULT)
    try userSpace.unmap(address, length: page)
    #expect(failure { () throws(Errno) in _ = try process.memory.load(UInt8.self, at: address) } == .EFAULT)
    #expect(failure { () throws(Errno) in try userSpace.truncate(9, length: 0) } == .EBADF)
    let plain = try process.table.install(OpenFile())
    #expect(failure { () throws(Errno) in try userSpace.truncate(plain, length: 0) } == .EINVAL)
    #expect(
      failure { () throws(Errno) in
        _ = try process.mmap(plain, length: page, offset: 0, mode: .read)
      } == .ENODEV)
    #expect(
      failure { () throws(Errno) in _ = try userSpace.createMemFD(length: 1, huge: true) } == .EINVAL)
    let full = Process(
      pid: 2, space: ProcessMemory(physical), files: FileTable(limit: 0), user: UserAccount(uid: 0))
    #expect(
      failure { () throws(Errno) in
        _ = try ProcessUserSpace(full).createMemFD(length: page, huge: false)
      } == .EMFILE)
    process.exit()
    physical.expectEmpty()
  }
}

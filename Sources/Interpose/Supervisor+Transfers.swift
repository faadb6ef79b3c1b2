// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Memory
internal import Seams
internal import UAPI

// read and write of event files, and duplicates of their descriptors.

extension Supervisor {
  /// The buffers of a vectored call; empty for what cannot be read.
  func pieces(_ call: Notification) -> [(UInt64, UInt64)] {
    let count = Int(clamping: call.arguments.2)
    guard (1...1024).contains(count) else { return [] }
    var words = [UInt64](repeating: 0, count: count * 2)
    guard iofd_vm_read(call.thread, call.arguments.1, &words, count * 16) == count * 16 else { return [] }
    return (0..<count).map { (words[$0 * 2], words[$0 * 2 + 1]) }
  }

  func move(_ call: Notification, _ pieces: [(UInt64, UInt64)], offset: Int64?, writing: Bool)
    -> Answer
  {
    let fd = call.int(call.arguments.0)
    guard let file = sockets.file(of: call.thread, fd) else { return .goOn }
    defer { release(file) }
    guard let task = task(call) else { return refuse(call) }
    guard !pieces.isEmpty else { return .failure(.EFAULT) }
    if watchers.check || journal.isOn { gate.lockExclusive() } else { gate.lockShared() }
    defer { if watchers.check || journal.isOn { gate.unlockExclusive() } else { gate.unlockShared() } }
    var done = 0
    var failure: Errno?
    for (address, count) in pieces {
      // MAX_RW_COUNT: the kernel moves no more at a time.
      let count = Int(min(count, 0x7FFF_F000))
      do throws(Errno) {
        let moved = try moveOne(file, task, address, count, offset.map { $0 &+ Int64(done) }, writing)
        done += moved
        if moved < count { break }
      } catch {
        failure = error
        break
      }
    }
    let result: Result<Int64, Errno> =
      if let failure, done == 0 { .failure(failure) } else { .success(Int64(done)) }
    let memory = journal.take()
    if !(file is FailNthFile), let first = pieces.first {
      let count = Int(min(first.1, 0x7FFF_F000))
      let isPlain = pieces.count == 1 && (offset ?? 0) == 0
      tell(
        call, task, fd, fileNumber(file),
        writing
          ? .write(address: first.0, count: count, isPlain: isPlain)
          : .read(address: first.0, count: count, isPlain: isPlain), result, memory)
    }
    sockets.signalEvents(holder: call.thread)
    switch result {
    case .success(let count): return .result(count)
    case .failure(let errno): return .failure(errno)
    }
  }

  private func moveOne(
    _ file: OpenFile, _ task: RealTask, _ address: UInt64, _ count: Int, _ offset: Int64?, _ writing: Bool
  ) throws(Errno) -> Int {
    if let file = file as? FailNthFile, let offset, !writing {
      return try file.read(address, count, at: offset, by: task)
    }
    // `iommufd_fault_fops_read` and its like know no position but 0.
    if !(file is FailNthFile), let offset, offset != 0 { throw .ESPIPE("the file has no positions") }
    return writing ? try file.write(address, count, by: task) : try file.read(address, count, by: task)
  }

  /// A duplicate of an event descriptor goes where the filter sees it, too.
  func duplicate(_ call: Notification, closesOnExec: Bool) -> Answer {
    let fd = call.int(call.arguments.0)
    guard let file = sockets.file(of: call.thread, fd) else { return .goOn }
    release(file)
    guard let process = RealProcesses.leader(call.thread), let theirs = Descriptor(of: process, fd) else {
      return .goOn
    }
    guard let number = events.free(in: call.thread) else { return .failure(.EMFILE) }
    do throws(Errno) {
      return .result(Int64(try listener.add(theirs, to: call.id, at: number, closesOnExec: closesOnExec)))
    } catch { return .failure(error) }
  }
}

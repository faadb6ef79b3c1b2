// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import Machine
internal import Memory
internal import Seams
internal import UAPI

// mmap of an iommufd descriptor.

extension Supervisor {
  func mmap(_ call: Notification) -> Answer {
    let a = call.arguments
    let (length, protection, flags, offset) = (a.1, call.int(a.2), call.int(a.3), a.5)
    guard let file = sockets.file(of: call.thread, call.int(a.4)) else { return .goOn }
    defer { release(file) }
    guard let task = task(call), let backing = machine.memory.backing else { return refuse(call) }
    gate.lockShared()
    defer { gate.unlockShared() }
    var mode: MapMode = []
    if protection & PROT_READ != 0 { mode.insert(.read) }
    if protection & PROT_WRITE != 0 { mode.insert(.write) }
    if protection & PROT_EXEC != 0 { mode.insert(.execute) }
    if flags & 3 == MAP_SHARED || flags & 3 == 3 { mode.insert(.shared) }
    let kind = AnsweredCall.Kind.mmap(length: length, offset: offset, mode)
    do throws(Errno) {
      guard length > 0 else { throw .EINVAL("a mapping has a length") }
      let window = try file.mmap(length: length, offset: offset, mode: mode, by: task)
      guard let first = window.frames.first,
        window.frames.indices.allSatisfy({ window.frames[$0].raw == first.raw + UInt32($0) })
      else {
        window.unmapped()
        throw .ENODEV("the window's pages are no neighbours")
      }
      let memory = Descriptor(dup(backing))
      let temporary: Int32
      do throws(Errno) {
        temporary = try listener.add(memory, to: call.id, at: nil, closesOnExec: true)
      } catch {
        window.unmapped()
        throw error
      }
      let fd = UInt64(UInt32(bitPattern: temporary))
      let calls: [Injection.Call] = [
        (__NR_mmap, [a.0, a.1, a.2, a.3, fd, first.address.raw]), (__NR_close, [fd]),
      ]
      var mapped: Int64 = -Int64(Glibc.ENOMEM)
      let done = Injection(call).run(calls, answer: { listener.send(.result(0), to: call.id) }) { results in
        mapped = results[0]
        let isMapped = mapped > 0 || mapped < -4095
        // -512 and on are the kernel's own: the thread is about to die, and does not see them.
        if !isMapped, mapped <= -512 { return mapped }
        tell(
          call, task, call.int(a.4), fileNumber(file), kind,
          isMapped ? .success(mapped) : .failure(Errno(code: Int32(clamping: -mapped))))
        return mapped
      }
      guard done, mapped > 0 || mapped < -4095 else {
        window.unmapped()
        if !done, listener.isWaiting(call.id) {
          complain("process \(task.process.number): somebody else traces it, so it can map no window")
        }
        return done ? .answered : .failure(.EPERM)
      }
      windows.add(
        window, at: first.address.raw, address: UInt64(bitPattern: mapped), length: length,
        process: task.process.number)
      return .answered
    } catch {
      tell(call, task, call.int(a.4), fileNumber(file), kind, .failure(error))
      return .failure(error)
    }
  }
}

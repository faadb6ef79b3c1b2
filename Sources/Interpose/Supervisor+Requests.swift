// SPDX-License-Identifier: GPL-3.0-or-later
internal import CLinux
internal import Glibc
internal import IOMMUFD
internal import Machine
internal import Memory
internal import Seams
internal import UAPI

// ioctl: a request of the program, run by the model.

extension Supervisor {
  func ioctl(_ call: Notification, _ fd: Int32, _ request: UInt32, _ argument: UInt64) -> Answer {
    guard let file = sockets.file(of: call.thread, fd) else { return .goOn }
    defer { release(file) }
    guard let task = task(call) else { return refuse(call) }
    let nth = injection.isArmed ? injection.count(of: call.thread) : 0
    let isAlone = nth > 0 || watchers.check || journal.isOn
    if isAlone { gate.lockExclusive() } else { gate.lockShared() }
    defer { if isAlone { gate.unlockExclusive() } else { gate.unlockShared() } }

    let isWatched = watchers.observer != nil
    let sent = isWatched ? structBytes(task, request, argument) : []
    let result: Result<Int32, Errno>
    do throws(Errno) {
      result = .success(
        try failing(nth, call.thread) { () throws(Errno) -> Int32 in
          try file.ioctl(request, argument, by: task)
        })
    } catch { result = .failure(error) }
    machine.settle()
    let memory = journal.take()
    if isWatched {
      let received = structBytes(task, request, argument, count: sent.count)
      _ = journal.take()
      tell(
        call, task, fd, fileNumber(file),
        .ioctl(request: request, argument: argument, sent: sent, received: received),
        result.map { Int64($0) }, memory, isInjected: nth > 0 && injection.count(of: call.thread) == 0)
    }
    if watchers.check {
      let violations = machine.violations() + machine.staleTranslations()
      if !violations.isEmpty { watchers.observer?.broken(violations) }
    }
    sockets.signalEvents(holder: call.thread)
    let answer: Answer =
      switch result {
      case .success(let value): .result(Int64(value))
      case .failure(let errno): .failure(errno)
      }
    return closing(task.descriptors.leftovers, call, answer)
  }

  /// Runs a request with the thread's failure armed, and notes how far it counted.
  private func failing(_ nth: UInt64, _ thread: Int32, _ body: () throws(Errno) -> Int32) throws(Errno)
    -> Int32
  {
    guard nth > 0 else { return try body() }
    let failures = machine.kernel.failures
    failures.arm(nth: nth, only: injection.points)
    defer {
      injection.setCount(failures.remaining, of: thread)
      failures.disarm()
    }
    return try body()
  }

  /// Closes descriptors that a failed request left in the program, before the program goes on.
  func closing(_ leftovers: [Int32], _ call: Notification, _ answer: Answer) -> Answer {
    guard !leftovers.isEmpty else { return answer }
    let calls = leftovers.map { (number: __NR_close, arguments: [UInt64(UInt32(bitPattern: $0))]) }
    let done = Injection(call).run(
      calls, answer: { listener.send(answer, to: call.id) }, finish: { _ in nil })
    return done ? .answered : answer
  }

  /// The struct of a request as it lies in the program's memory now.
  private func structBytes(_ task: RealTask, _ request: UInt32, _ argument: UInt64, count: Int? = nil)
    -> [UInt8]
  {
    var count = count
    if count == nil {
      var head: [UInt8] = [0, 0, 0, 0]
      guard iofd_vm_read(task.thread, argument, &head, 4) == 4 else { return [] }
      // Every request's size is read, whatever it says.
      count = RequestStruct(request, head: head).map { max($0.count, 4) }
    }
    guard let count, count > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: count)
    let got = iofd_vm_read(task.thread, argument, &bytes, count)
    return Array(bytes.prefix(max(0, got)))
  }
}

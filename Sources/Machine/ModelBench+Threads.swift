// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import Seams
public import UAPI

extension ModelBench {
  public func sibling() -> (target: any IoctlTarget, bench: any Bench) {
    let sibling = ModelTarget(threadOf: target)
    return (sibling, ModelBench(sibling))
  }

  public func makeScheduler() -> any ThreadScheduler { Scheduler(omitting: machine.forgottenLocks) }

  public var schedulePoints: [SchedulePointInfo] { SchedulePoint.all }

  public func forgetLock(_ name: String, _ on: Bool) throws(Errno) {
    guard let lock = LockName.allCases.first(where: { $0.text.name == name }), lock.isForgettable else {
      throw .EINVAL("a lock that cannot be forgotten")
    }
    machine.forget(lock, on)
  }

  public var forgettableLocks: [String] { LockName.allCases.filter(\.isForgettable).map(\.text.name) }
}

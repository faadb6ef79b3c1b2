// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

/// A target that tells a `CallWatch` of every call, and is otherwise the one behind it.
final class WatchedTarget: ComparingTarget {
  private let rig: Rig
  private let inner: any IoctlTarget
  private let watch: CallWatch

  /// - Returns: the rig with its target watched.
  static func watching(_ rig: Rig, _ watch: CallWatch) -> Rig {
    watch.hasMachine = true
    watch.comparing = rig.target as? any ComparingTarget
    return Rig(target: WatchedTarget(rig, watch), bench: rig.bench, backend: rig.backend)
  }

  private init(_ rig: Rig, _ watch: CallWatch) {
    self.rig = rig
    inner = rig.target
    self.watch = watch
  }

  var divergence: Divergence? { (inner as? any ComparingTarget)?.divergence }
  var memory: any UserMemory { inner.memory }
  var userSpace: any UserSpace { inner.userSpace }
  var kernel: KernelVersion { inner.kernel }

  func open(_ path: String) throws(Errno) -> Int32 {
    try call(.open) { () throws(Errno) in try inner.open(path) }
  }

  /// Always made: on a real kernel what stays open would stay open for the next input.
  func close(_ fd: Int32) throws(Errno) {
    watch.beginClose(rig)
    defer { watch.end(rig) }
    try inner.close(fd)
  }

  func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32 {
    try call(name(request, argument), argument: argument) { () throws(Errno) in
      try inner.ioctl(fd, request, argument)
    }
  }

  /// Makes a call that is watched.
  private func call<Result>(
    _ name: CallName, argument: UInt64 = 0, _ body: () throws(Errno) -> Result
  ) throws(Errno) -> Result {
    try watch.begin(name)
    defer { watch.end(rig) }
    do throws(Errno) {
      let result = try body()
      watch.observer?.answered(name, nil, argument: argument, in: inner.memory)
      return result
    } catch {
      watch.observer?.answered(name, error, argument: argument, in: inner.memory)
      throw error
    }
  }

  private func name(_ request: UInt32, _ argument: UInt64) -> CallName {
    guard request == CommandTable.selftest.request else { return .request(request) }
    do throws(Errno) {
      return .request(request, operation: try memory.load(UInt32.self, at: argument &+ 4))
    } catch { return .request(request) }
  }

  func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    try call(.read) { () throws(Errno) in try inner.read(fd, address, count) }
  }

  func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    try call(.write) { () throws(Errno) in try inner.write(fd, address, count) }
  }

  func poll(_ fd: Int32) throws(Errno) -> PollEvents {
    try call(.poll) { () throws(Errno) in try inner.poll(fd) }
  }

  func dup(_ fd: Int32) throws(Errno) -> Int32 {
    try call(.dup) { () throws(Errno) in try inner.dup(fd) }
  }

  func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode) throws(Errno)
    -> UInt64
  {
    try call(.mmap) { () throws(Errno) in
      try inner.mmap(fd, at: address, length: length, offset: offset, flags: flags)
    }
  }
}

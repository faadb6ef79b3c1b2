// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

// Two targets, one caller. Every call is made on both, and everything that comes back is compared: results, errnos,
// the struct of a request, the memory that its pointers name, and whatever the caller reads later.
//
//                     ┌── first:  descriptor 3, object 7, bytes at 0x7f00...
//     caller ── names ┤      =
//                     └── second: descriptor 9, object 7, bytes at 0x7f00...
//
// The caller sees the first target's names. Three kinds of names may differ between the two:
//  - addresses do not, since the second chooses them and the first is told where (the second may be a real
//    process, which has memory of its own that must not be replaced);
//  - descriptors do, and object IDs might: they are kept in `Names`, put into the second's struct before a call and
//    taken out of it after.
// So between two calls both memories hold the same bytes, wherever the caller wrote and either target answered; that
// is the invariant that makes comparing memory meaningful.
//
// Left out: what lies behind the waist. A lockstep target has no bench, even if one of the two has.

/// Makes each call on two targets and compares the answers.
public final class LockstepTarget: ComparingTarget {
  private let first: any IoctlTarget
  private let second: any IoctlTarget
  private let labels: (first: String, second: String)
  private var names = Names()
  public private(set) var divergence: Divergence?
  public private(set) var memory: any UserMemory
  public private(set) var userSpace: any UserSpace

  /// Bytes behind each pointer of a request that are compared after it.
  private static let window = 4096

  public init(
    _ first: any IoctlTarget, called firstName: String, _ second: any IoctlTarget, called secondName: String
  ) {
    self.first = first
    self.second = second
    labels = (firstName, secondName)
    let both = BothMemories(first, second)
    memory = both
    userSpace = both
    both.names = ({ [unowned self] in names.opened($0, $1) }, { [unowned self] in names.descriptor($0) })
    both.report = { [unowned self] call, a, b, differences in diverge(call, a, b, differences) }
  }

  /// The first target's: what is expected of both.
  public var kernel: KernelVersion { first.kernel }

  // MARK: Comparing

  private func diverge(_ call: String, _ a: String, _ b: String, _ differences: [String] = []) {
    guard divergence == nil else { return }
    divergence = Divergence(
      call: call, answers: [(labels.first, a), (labels.second, b)], differences: differences)
  }

  private func diverge<Value>(_ call: String, _ answers: Answers<Value>, _ differences: [String] = []) {
    diverge(call, answers.firstText, answers.secondText, differences)
  }

  /// Makes a call on both.
  private func both<Value>(
    _ a: (any IoctlTarget) throws(Errno) -> Value, _ b: (any IoctlTarget) throws(Errno) -> Value
  ) -> Answers<Value> {
    Answers(
      first: Result { () throws(Errno) in try a(first) }, second: Result { () throws(Errno) in try b(second) }
    )
  }

  /// The caller's answer to a call that makes a descriptor.
  private func opened(_ call: String, _ answers: Answers<Int32>) throws(Errno) -> Int32 {
    if answers.differ({ _, _ in true }) { diverge(call, answers) }
    if case .success(let a) = answers.first, case .success(let b) = answers.second { names.opened(a, b) }
    return try answers.first.get()
  }

  /// The caller's answer to a call whose results must be equal.
  private func compared<Value: Equatable>(_ call: String, _ answers: Answers<Value>) throws(Errno) -> Value {
    if answers.differ(==) { diverge(call, answers) }
    return try answers.first.get()
  }

  // MARK: Files

  public func open(_ path: String) throws(Errno) -> Int32 {
    let answers = both({ t throws(Errno) in try t.open(path) }, { t throws(Errno) in try t.open(path) })
    return try opened("open \(path)", answers)
  }

  public func dup(_ fd: Int32) throws(Errno) -> Int32 {
    let other = names.descriptor(fd)
    let answers = both({ t throws(Errno) in try t.dup(fd) }, { t throws(Errno) in try t.dup(other) })
    return try opened("dup", answers)
  }

  public func close(_ fd: Int32) throws(Errno) {
    let other = names.descriptor(fd)
    let answers = both(
      { t throws(Errno) in
        try t.close(fd)
        return true
      },
      { t throws(Errno) in
        try t.close(other)
        return true
      })
    names.closed(fd)
    _ = try compared("close", answers)
  }

  public func poll(_ fd: Int32) throws(Errno) -> PollEvents {
    let other = names.descriptor(fd)
    return try compared(
      "poll", both({ t throws(Errno) in try t.poll(fd) }, { t throws(Errno) in try t.poll(other) }))
  }

  public func read(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    let other = names.descriptor(fd)
    let answers = both(
      { t throws(Errno) in try t.read(fd, address, count) },
      { t throws(Errno) in try t.read(other, address, count) })
    let done = try compared("read", answers)
    compareMemory("read", [(address, min(done, 1 << 20))])
    return done
  }

  public func write(_ fd: Int32, _ address: UInt64, _ count: Int) throws(Errno) -> Int {
    let other = names.descriptor(fd)
    return try compared(
      "write",
      both(
        { t throws(Errno) in try t.write(fd, address, count) },
        { t throws(Errno) in try t.write(other, address, count) }))
  }

  public func mmap(_ fd: Int32, at address: UInt64?, length: UInt64, offset: UInt64, flags: MapMode)
    throws(Errno) -> UInt64
  {
    let other = names.descriptor(fd)
    let b = Result { () throws(Errno) in
      try second.mmap(other, at: address, length: length, offset: offset, flags: flags)
    }
    let place = if case .success(let chosen) = b { Optional(chosen) } else { address }
    let a = Result { () throws(Errno) in
      try first.mmap(fd, at: place, length: length, offset: offset, flags: flags)
    }
    return try compared("mmap", Answers(first: a, second: b))
  }

  // MARK: Requests

  public func ioctl(_ fd: Int32, _ request: UInt32, _ argument: UInt64) throws(Errno) -> Int32 {
    let other = names.descriptor(fd)
    let sent = RequestStruct(request, at: argument, in: first.memory)
    let call = sent?.name ?? "ioctl 0x\(String(request, radix: 16))"
    let fixed = rename(sent, at: argument, of: fd)
    let answers = both(
      { t throws(Errno) in try t.ioctl(fd, request, argument) },
      { t throws(Errno) in try t.ioctl(other, request, argument) })
    // A descriptor that is a result has a number of its own in each.
    let isOpening = sent?.returnsDescriptor == true
    let differences = take(sent, at: argument, of: fd, succeeded: !answers.failed, except: fixed)
    if answers.differ({ isOpening || $0 == $1 }) || !differences.isEmpty {
      diverge(call, answers, differences)
    }
    if isOpening, case .success(let a) = answers.first, case .success(let b) = answers.second {
      names.opened(a, b)
    }
    if let sent {
      compareMemory(
        call,
        sent.present.compactMap { field in
          guard case .userPointer = field.meaning, let pointer = field.value(at: argument, in: first.memory)
          else {
            return nil
          }
          return (pointer, Self.window)
        })
    }
    return try answers.first.get()
  }

  /// Puts the second target's names into its copy of the struct.
  ///
  /// - Returns: offsets of fields that cannot be written, since the caller's struct lies in read-only memory.
  private func rename(_ sent: RequestStruct?, at argument: UInt64, of fd: Int32) -> Set<Int> {
    var fixed: Set<Int> = []
    for field in sent?.present ?? [] where field.direction.isInput {
      guard let value = field.value(at: argument, in: first.memory),
        let other = names.other(value, field, in: fd), other != value
      else { continue }
      if !field.store(other, at: argument, in: second.memory) { fixed.insert(field.offset) }
    }
    return fixed
  }

  /// Takes both targets' answers out of the struct; afterwards the second's copy has the first's names again.
  private func take(
    _ sent: RequestStruct?, at argument: UInt64, of fd: Int32, succeeded: Bool, except fixed: Set<Int>
  ) -> [String] {
    var differences: [String] = []
    for field in sent?.present ?? [] where !fixed.contains(field.offset) {
      guard let a = field.value(at: argument, in: first.memory),
        let b = field.value(at: argument, in: second.memory)
      else { continue }
      if succeeded && field.direction.isOutput { names.learn(a, b, field, in: fd) }
      let expected = names.other(a, field, in: fd) ?? a
      if expected != b {
        differences.append("\(field.name): \(labels.first) \(Self.hex(a)), \(labels.second) \(Self.hex(b))")
      } else if a != b {
        _ = field.store(a, at: argument, in: second.memory)
      }
    }
    return differences
  }

  /// Compares ranges of both memories.
  private func compareMemory(_ call: String, _ parts: [(address: UInt64, count: Int)]) {
    for part in parts where divergence == nil && part.count > 0 {
      if let difference = BothMemories.difference(first, second, part.address, part.count) {
        diverge(
          call, "memory at \(Self.hex(part.address))", "other bytes there",
          [
            "\(Self.hex(difference.address)): \(labels.first) \(difference.first), \(labels.second) \(difference.second)"
          ])
      }
    }
  }

  private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

/// What two targets said to one call.
private struct Answers<Value> {
  let first: Result<Value, Errno>
  let second: Result<Value, Errno>

  /// Whether one says something that the other does not.
  func differ(_ equal: (Value, Value) -> Bool) -> Bool {
    switch (first, second) {
    case (.success(let a), .success(let b)): !equal(a, b)
    case (.failure(let a), .failure(let b)): a != b
    default: true
    }
  }

  /// Whether either failed.
  var failed: Bool {
    if case .success = first, case .success = second { false } else { true }
  }

  var firstText: String { Self.text(first) }
  var secondText: String { Self.text(second) }

  private static func text(_ answer: Result<Value, Errno>) -> String {
    switch answer {
    case .success(let value): "ok, \(value)"
    case .failure(let errno): errno.reason.map { "\(errno.name) (\($0))" } ?? errno.name
    }
  }
}

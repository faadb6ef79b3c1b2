// SPDX-License-Identifier: GPL-3.0-or-later
public import UAPI

/// Runs syzkaller programs on a target.
///
/// The calls are made in their order, each to its end, whatever the one before answered: a variable whose call failed
/// gives its default to later ones, and tests of error paths depend on that. Each program finds its data area full of
/// zeroes, and none of its descriptors or mappings outlives it. Objects do if the target does: for a program of a
/// corpus that ought to see a fresh machine, make a target for each.
///
/// A program reaches nothing of the process that runs it: descriptors that it did not open are EBADF, and memory is
/// mapped and unmapped inside the data area only.
///
/// Source: syzkaller `executor/executor.cc`; reference corpora.md section 2.
public final class SyzReplay {
  let target: any IoctlTarget
  /// Makes the `nth` fallible point inside `call` fail; without it, `fail_nth` has no effect.
  public var injectFailure: ((_ nth: UInt64, _ call: () -> Void) -> Void)?
  /// Asked before each call; false ends the program there.
  public var mayGoOn: () -> Bool = { true }
  /// Hears of each call before it is made, by its index, and of the end of the program, by the number of calls.
  public var onCall: ((_ index: Int) -> Void)?
  /// How often each call that is not known, or not supported as it was made, was met.
  public private(set) var unsupported: [String: Int] = [:]

  private var slots: [UInt64?] = []
  /// What the program has open.
  var descriptors: Set<Int32> = []
  /// What the program mapped outside of the data area.
  var mappings: [(address: UInt64, length: UInt64)] = []

  public init(_ target: any IoctlTarget) { self.target = target }

  /// Runs one program from its beginning.
  ///
  /// - Returns: one answer for each call that was come to.
  /// - Throws: ENOMEM when there is no memory for the data area; a call's own failure is its answer.
  public func run(_ image: SyzImage) throws(Errno) -> [SyzAnswer] {
    slots = [UInt64?](repeating: nil, count: image.slotCount)
    _ = try target.userSpace.allocate(
      length: SyzLimits.areaBytes, at: SyzImage.area, mode: [.read, .write], huge: false)
    defer { cleanUp() }
    var answers: [SyzAnswer] = []
    answers.reserveCapacity(image.calls.count)
    for (index, call) in image.calls.enumerated() where mayGoOn() {
      onCall?(index)
      answers.append(SyzAnswer(name: call.name, outcome: run(call)))
    }
    onCall?(image.calls.count)
    return answers
  }

  private func cleanUp() {
    for fd in descriptors.sorted(by: >) {
      do throws(Errno) { try target.close(fd) } catch {
        // Closed together with another one; nothing is left to close.
      }
    }
    descriptors = []
    for mapping in mappings {
      do throws(Errno) { try target.userSpace.unmap(mapping.address, length: mapping.length) } catch {
        // Never mapped in full; nothing is left to unmap.
      }
    }
    mappings = []
  }

  private func run(_ call: SyzImage.Call) -> SyzAnswer.Outcome {
    guard let row = call.row else { return refuse(call.name) }
    for store in call.stores { perform(store) }
    let arguments = call.arguments.map { value($0) }
    var outcome = SyzAnswer.Outcome.unsupported
    if call.properties.failNth > 0, let injectFailure {
      injectFailure(call.properties.failNth) { outcome = perform(row, arguments) }
    } else {
      outcome = perform(row, arguments)
    }
    for _ in 0..<min(call.properties.rerun, SyzLimits.reruns) { _ = perform(row, arguments) }
    guard case .returned(let result) = outcome else {
      return outcome == .unsupported ? refuse(call.name) : outcome
    }
    // An ioctl may return a descriptor, which then is the program's.
    if row.action == .ioctl, row.result == .descriptor {
      descriptors.insert(Int32(truncatingIfNeeded: result))
    }
    if let slot = call.result { slots[slot] = result }
    for load in call.loads { perform(load) }
    return outcome
  }

  private func refuse(_ name: String) -> SyzAnswer.Outcome {
    unsupported[name, default: 0] += 1
    return .unsupported
  }

  private func value(_ operand: SyzOperand) -> UInt64 {
    switch operand {
    case .constant(let value): value
    case .result(let slot, let arithmetic, let absent):
      slots[slot].map { arithmetic.apply(to: $0) } ?? absent
    }
  }

  /// Memory that the program unmapped takes no store, as the executor ignores the fault.
  private func perform(_ store: SyzImage.Store) {
    switch store {
    case .number(let address, let operand, let notation): copy(notation.bytes(value(operand)), to: address)
    case .bytes(let address, let bytes, let size):
      copy(bytes, to: address)
      var done = UInt64(bytes.count)
      while done < size {
        let part = min(size - done, UInt64(Self.zeroes.count))
        copy(Self.zeroes.prefix(Int(part)), to: address &+ done)
        done += part
      }
    }
  }

  private static let zeroes = [UInt8](repeating: 0, count: 64 << 10)

  private func copy(_ bytes: some Collection<UInt8>, to address: UInt64) {
    _ = bytes.withContiguousStorageIfAvailable {
      target.memory.copyOut(address, from: UnsafeRawBufferPointer($0))
    }
  }

  private func perform(_ load: SyzImage.Load) {
    guard let bytes = try? target.memory.bytes(at: load.address, count: load.width) else { return }
    var value: UInt64 = 0
    for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
    if load.isDescriptor { descriptors.insert(Int32(truncatingIfNeeded: value)) }
    if let slot = load.slot { slots[slot] = value }
  }

  private func perform(_ row: SyzCallRow, _ arguments: [UInt64]) -> SyzAnswer.Outcome {
    do throws(Errno) {
      return .returned(try result(row.action, SyzArguments(arguments)))
    } catch {
      return error == Self.notOurs ? .unsupported : .failed(error)
    }
  }
}

/// The arguments of a call, those that are missing 0. Source: reference corpora.md section 2.2.
struct SyzArguments {
  private let values: [UInt64]

  init(_ values: [UInt64]) { self.values = values }

  subscript(index: Int) -> UInt64 { index < values.count ? values[index] : 0 }

  /// As a file descriptor.
  func descriptor(_ index: Int) -> Int32 { Int32(truncatingIfNeeded: self[index]) }
}

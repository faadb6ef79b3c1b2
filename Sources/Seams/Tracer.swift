// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import CSeams
internal import Synchronization

// Where the model says what it does. A place that has something to tell says so to the tracer of the thread it runs on,
// which is the one of the machine that serves the call; so nothing has to be handed down to page tables and pins. While
// nobody traces, a place costs one load of a word that is never written.

/// Collects the events of one machine.
public final class Tracer: Sendable {
  private struct State {
    var level: TraceLevel?
    var events: [MachineEvent] = []
    var lost = 0
  }
  /// No `Lock`: it guards nothing of the kernel's, so a scheduler has no business with it.
  private let state = Mutex(State())
  /// Most events that are kept until somebody takes them.
  private static let capacity = 1 << 16

  /// Machines that are traced.
  private static let active = Atomic<Int>(0)

  public init() {}

  deinit { if level != nil { Self.active.subtract(1, ordering: .relaxed) } }

  /// What is told; nil for nothing.
  public var level: TraceLevel? {
    get { state.withLock { $0.level } }
    set {
      let old = state.withLock { state in
        defer { state.level = newValue }
        return state.level
      }
      switch (old, newValue) {
      case (nil, .some): Self.active.add(1, ordering: .relaxed)
      case (.some, nil): Self.active.subtract(1, ordering: .relaxed)
      default: break
      }
    }
  }

  /// The events since it was last asked, and how many more there were than are kept.
  public func take() -> (events: [MachineEvent], lost: Int) {
    state.withLock { state in
      defer {
        state.events = []
        state.lost = 0
      }
      return (state.events, state.lost)
    }
  }

  private func keep(_ event: MachineEvent) {
    state.withLock { state in
      guard let level = state.level, event.kind.row.level <= level else { return }
      if state.events.count < Self.capacity { state.events.append(event) } else { state.lost += 1 }
    }
  }

  /// Runs `body`, whose events are this machine's.
  @inlinable
  public func around<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    guard Self.isActive else { return try body() }
    let outer = enter()
    defer { Self.leave(outer) }
    return try body()
  }

  @usableFromInline
  func enter() -> UnsafeMutableRawPointer? {
    let outer = iofd_tracer()
    iofd_set_tracer(Unmanaged.passUnretained(self).toOpaque())
    return outer
  }

  @usableFromInline
  static func leave(_ outer: UnsafeMutableRawPointer?) { iofd_set_tracer(outer) }

  /// Whether any machine is traced.
  @usableFromInline static var isActive: Bool { active.load(ordering: .relaxed) != 0 }

  /// Whether what happens on this thread is told in this detail: for what costs something to find out.
  public static func tells(_ level: TraceLevel) -> Bool {
    guard isActive, let current else { return false }
    return current.level.map { level <= $0 } ?? false
  }

  /// Tells of an event, if anybody listens.
  @inlinable
  public static func tell(_ event: @autoclosure () -> MachineEvent) {
    if isActive { deliver(event()) }
  }

  @usableFromInline
  @inline(never)
  static func deliver(_ event: MachineEvent) { current?.keep(event) }

  private static var current: Tracer? {
    iofd_tracer().map { Unmanaged<Tracer>.fromOpaque($0).takeUnretainedValue() }
  }
}

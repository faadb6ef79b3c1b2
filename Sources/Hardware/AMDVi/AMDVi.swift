// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
internal import HardwareSpecs
public import Memory

// The IOMMU of AMD's processors, as its manual describes it. What it does is in `Unit`, a value, one file for
// each part:
//
//     device ──► quickly ──► caches, host walk
//                 └────► resolve ─ device table ─ special addresses, interrupts
//                            ├─ host walk   (version 1)
//                            └─ guest walk  (GCR3, version 2; through the host if nested)
//     software ► registers ─ commands ─ invalidations
//     logs ◄──── events, page requests, guests' interrupts
//
// This class is what stands between the value and the world: it asks, and when the value is done it carries
// out what the value wants to be told, so that whoever is told may come back with another request.

/// The hardware half of AMD-Vi.
/// AMD I/O Virtualization Technology (IOMMU) Specification, publication 48882, revision 3.11.
public final class AMDVi: IOMMUHardware {
  public let configuration: Configuration
  /// Where interrupts, invalidations and responses go.
  public weak var fabric: (any HardwareFabric)?
  /// Checked by construction instead of at run time, which took 5 ns of a cached translation's 13: nobody
  /// outside is called while it is in use.
  @exclusivity(unchecked) fileprivate(set) var unit: Unit
  /// Commands are being run: another write to the tail does not start a second run.
  private var running = false

  public init(
    memory: PhysicalMemory, configuration: Configuration = Configuration(),
    fabric: (any HardwareFabric)? = nil
  ) {
    self.configuration = configuration
    self.fabric = fabric
    unit = Unit(memory, configuration)
  }

  // MARK: Software

  /// Section 3.4.
  public func readRegister(_ offset: UInt64, width: Int) -> UInt64 {
    unit.tick()
    return unit.read(offset, width: width)
  }

  /// Section 3.4.
  public func writeRegister(_ offset: UInt64, width: Int, _ value: UInt64) {
    unit.tick()
    unit.write(offset, width: width, value)
    if configuration.commandsRunAtOnce { while runCommand() {} }
    deliver()
  }

  /// Takes one command from the command buffer, and lets a step of time pass; for those who choose when
  /// commands run. False if there was none.
  @discardableResult
  public func step() -> Bool {
    unit.tick()
    let done = runCommand()
    deliver()
    return done
  }

  /// Section 2.4. A device that is told to forget may come back with register writes: what they queue runs
  /// when it is done.
  private func runCommand() -> Bool {
    guard !running else { return false }
    running = true
    defer { running = false }
    switch unit.step() {
    case .idle: return false
    case .done: return true
    case .invalidate(let invalidation, let address):
      if fabric?.invalidate(invalidation) != true { unit.timedOut(invalidation, address) }
      return true
    }
  }

  private func deliver() {
    while !unit.outbox.isEmpty {
      switch unit.outbox.removeFirst() {
      case .interrupt(let source):
        if let message = unit.message(for: source) {
          fabric?.interrupt(message)
        } else {
          fabric?.interrupt(wire: configuration.wire)
        }
      case .respond(let response): fabric?.respond(response)
      }
    }
  }

  // MARK: Devices

  /// Sections 2.1 and 2.2.
  @inline(__always)
  public func translate(_ transaction: Transaction) -> TranslationAnswer {
    if let translation = unit.quickly(transaction) { return .translated(translation) }
    return resolve(transaction)
  }

  @inline(never)
  private func resolve(_ transaction: Transaction) -> TranslationAnswer {
    unit.tick()
    var live = Live()
    let answer: TranslationAnswer
    switch unit.resolve(transaction, &live) {
    case .done(let translation): answer = .translated(translation)
    case .failed(let failure): answer = .aborted(unit.report(failure))
    }
    deliver()
    return answer
  }

  /// Section 2.6.
  public func pageRequest(_ request: PageRequest) {
    unit.tick()
    unit.pageRequest(request)
    deliver()
  }

  // MARK: People

  public func walk(_ transaction: Transaction) -> WalkReport {
    // A copy: nothing that it learns stays.
    var copy = unit
    var recorder = Recorder()
    let answer: TranslationAnswer
    switch copy.resolve(transaction, &recorder) {
    case .done(let translation): answer = .translated(translation)
    case .failed(let failure):
      answer = .aborted(copy.abort(failure, recorded: copy.records(failure)))
    }
    return WalkReport(steps: recorder.steps, answer: answer)
  }

  public func facts() -> Fact { unit.facts(configuration) }
}

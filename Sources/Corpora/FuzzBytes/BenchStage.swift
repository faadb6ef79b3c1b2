// SPDX-License-Identifier: GPL-3.0-or-later
public import Bench
public import UAPI

/// Carries out what a program in bytes does to the machine and not through a request, beginning with what its scene
/// has. Its processes and functions are numbers that count round those there are.
public final class BenchStage {
  public typealias Value = (RecordedProgram.Operand) -> UInt64

  private let bench: (any Bench)?
  private let target: any IoctlTarget
  private var processes: [Int32] = []
  private var functions: [Int] = []
  /// Those that the scene has.
  private var plugged = 0
  /// Hears of every access of a function that was made.
  public var onAccess: ((_ function: Int, DMARequest, DMAOutcome) -> Void)?
  /// A copy of a machine full of processes is no better test than one of three.
  private static let mostProcesses = 8
  private static let mostFunctions = 8

  /// Plugs in what the scene has.
  ///
  /// - Parameters:
  ///   - bench: of a machine that nobody has touched yet; without one nothing is done.
  ///   - target: where a guest's tables are written, and what is open at the end is closed.
  public init(_ bench: (any Bench)?, _ target: any IoctlTarget, _ scene: ByteScene) {
    self.bench = bench
    self.target = target
    guard let bench else { return }
    processes = [bench.currentProcess]
    for function in scene.functions {
      var companion: Int?
      if let number = function.companion, number < functions.count { companion = functions[number] }
      // Hardware that refuses such a function goes without.
      do throws(Errno) { functions.append(try Self.plug(function, companion, into: bench)) } catch {
        continue
      }
    }
    plugged = functions.count
  }

  private static func plug(_ function: ByteScene.Function, _ companion: Int?, into bench: any Bench)
    throws(Errno) -> Int
  {
    var description = FunctionDescription()
    description.ats = function.ats
    description.pri = function.pri
    description.pasidBits = function.pasidBits
    description.groupOf = companion
    return try bench.addFunction(description)
  }

  /// Does it; the answer in words.
  public func perform(_ action: BenchAction, _ value: Value) -> String {
    guard let bench else { return "no bench" }
    do throws(Errno) { return try perform(action, value, bench) } catch { return Self.word(for: error) }
  }

  /// How an answer names an error.
  public static func word(for error: Errno) -> String {
    error.name + (error.reason == nil ? "" : " (\(error.check))")
  }

  private func perform(_ action: BenchAction, _ value: Value, _ bench: any Bench) throws(Errno) -> String {
    switch action {
    case .fork:
      guard processes.count < Self.mostProcesses else { throw .EAGAIN("there are enough processes") }
      processes.append(try bench.fork())
    case .switchProcess(let number):
      let process = processes[number % processes.count]
      if process != bench.currentProcess { try bench.switchProcess(process) }
    case .exitProcess(let number): try exitProcess(number, bench)
    case .setMemlockLimit(let bytes): bench.setMemlockLimit(bytes)
    case .setCapability(let number, let held):
      try bench.setCapability(BenchAction.capabilities[number % BenchAction.capabilities.count], held)
    case .armFailure(let nth): bench.armFailure(nth: nth)
    case .disarmFailure: return bench.disarmFailure() ? "it failed" : "nothing failed"
    case .dma(let access): return try dma(access, value, bench)
    case .requestTranslation(let access):
      let answer = try bench.requestTranslation(
        function(access.function), value(access.address), pasid: access.pasid, writing: access.isWrite)
      return answer["result"].map(Self.text) ?? ""
    case .requestPage(let access, let permissions, let last, let group):
      try bench.requestPage(
        function(access.function), value(access.address), pasid: access.pasid, permissions: permissions,
        last: last, group: group)
    case .takeFinished(let number):
      guard let outcome = try bench.finishedDMA(function(number)) else { return "nothing" }
      return Self.words(outcome)
    case .interrupt(let number, let vector):
      let function = try function(number)
      let message = try bench.remapInterrupt(function, vector: vector, destination: 0)
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: message.data >> UInt32(8 * $0)) }
      return Self.words(try bench.dma(function, .write(message.address, bytes)))
    case .plug:
      guard functions.count < Self.mostFunctions else { throw .ENOSPC("there are enough functions") }
      functions.append(try Self.plug(ByteScene.spareFunction, nil, into: bench))
    case .unplug(let number): try bench.removeFunction(function(number))
    case .cut(let file, let table, let iova):
      try bench.cut(
        Int32(truncatingIfNeeded: value(file)), hwpt: UInt32(truncatingIfNeeded: value(table)),
        iova: value(iova))
    case .grow(let file, let table, let iova, let length):
      let made = try bench.grow(
        Int32(truncatingIfNeeded: value(file)), hwpt: UInt32(truncatingIfNeeded: value(table)),
        iova: value(iova), length: length)
      return "made \(made)"
    case .guestTable(let table): try GuestTableWriter.write(table, value, bench, target)
    }
    return "ok"
  }

  private func exitProcess(_ number: Int, _ bench: any Bench) throws(Errno) {
    let others = processes.filter { $0 != bench.currentProcess }
    guard !others.isEmpty else { throw .EBUSY("the current process cannot end itself") }
    let process = others[number % others.count]
    try bench.exit(process)
    processes.removeAll { $0 == process }
  }

  // MARK: Functions

  private func function(_ number: Int) throws(Errno) -> Int {
    guard !functions.isEmpty else { throw .ENODEV("the machine has no function") }
    return functions[number % functions.count]
  }

  private func dma(_ access: BenchAction.DeviceAccess, _ value: Value, _ bench: any Bench) throws(Errno)
    -> String
  {
    let function = try function(access.function)
    let address = value(access.address)
    var request: DMARequest
    if access.isAtomic {
      // A device sends no other: PCI Express Base Specification, section 6.15.
      request = .atomic(.fetchAdd, address & ~3, [1, 0, 0, 0], pasid: access.pasid)
    } else if access.isWrite {
      request = .write(address, [UInt8](repeating: 0xD5, count: access.length), pasid: access.pasid)
    } else {
      request = .read(address, access.length, pasid: access.pasid)
    }
    // A kernel's own device writes where the kernel told it to. Where the default domain is the identity, anything else
    // would be a write to any memory, the kernel's tables included, and no finding.
    if request.isWrite, bench.state(ofFunction: function)?["owner"].map(Self.text) != "user" {
      throw .EPERM("the kernel has the function")
    }
    request.execute = access.execute && !request.isWrite
    request.privileged = access.privileged
    request.avoidsCache = access.avoidsCache
    let outcome = try bench.dma(function, request)
    onAccess?(function, request, outcome)
    return Self.words(outcome)
  }

  private static func words(_ outcome: DMAOutcome) -> String {
    switch outcome {
    case .done(let bytes): "done \(bytes.count)"
    case .fault(let fault): "fault \(fault.name) \(fault.reason)"
    case .held: "held"
    case .interrupt: "interrupt"
    }
  }

  private static func text(_ fact: Fact) -> String { if case .text(let text) = fact { text } else { "" } }

  // MARK: The end

  /// Ends every process but the current one, closes what that one has open, and unplugs what the program plugged in:
  /// nothing of it is left.
  public func clear() {
    guard let bench else { return }
    _ = bench.disarmFailure()
    for process in processes where process != bench.currentProcess {
      do throws(Errno) { try bench.exit(process) } catch { continue }
    }
    processes = [bench.currentProcess]
    for fd in Self.descriptors {
      do throws(Errno) { try target.close(fd) } catch { continue }
    }
    for function in functions[min(plugged, functions.count)...] {
      do throws(Errno) { try bench.removeFunction(function) } catch { continue }
    }
    functions.removeSubrange(min(plugged, functions.count)...)
  }

  /// As many as a program can have opened, with those of its queues.
  private static let descriptors: Range<Int32> = 3..<600

  /// Frames of physical memory in use.
  public var frames: UInt64 { bench?.machineState()["frames"]?.number ?? 0 }

  /// Open files that stay open for ever, since they keep themselves open.
  public var rings: UInt64 { bench?.machineState()["rings"]?.number ?? 0 }
}

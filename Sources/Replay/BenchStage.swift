// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Corpora
internal import UAPI

/// Carries out what a program in bytes does to the machine and not through a request. Its processes and functions are
/// numbers that count round those there are.
final class BenchStage {
  private let bench: (any Bench)?
  private let rig: Rig
  private let watch: CallWatch
  private var processes: [Int32] = []
  private var functions: [Int] = []
  /// A copy of a machine full of processes is no better test than one of three.
  private static let mostProcesses = 8

  /// Plugs two functions in behind the machine's IOMMU, if it has one: one with everything, one with nothing.
  init(_ rig: Rig, _ watch: CallWatch) {
    self.rig = rig
    self.watch = watch
    bench = rig.bench
    guard let bench else { return }
    processes = [bench.currentProcess]
    guard case .list(let iommus)? = bench.machineState()["iommus"], !iommus.isEmpty else { return }
    for isRich in [true, false] {
      var function = FunctionDescription()
      function.ats = isRich
      function.pri = isRich
      if !isRich { function.pasidBits = 0 }
      // Hardware that refuses such a function goes without.
      do throws(Errno) { functions.append(try bench.addFunction(function)) } catch { continue }
    }
  }

  /// Does it; the answer in words.
  func perform(_ action: BenchAction, iova: UInt64) -> String {
    guard let bench else { return "no bench" }
    do throws(Errno) {
      switch action {
      case .fork:
        try watch.begin(.fork)
        guard processes.count < Self.mostProcesses else { throw .EAGAIN("there are enough processes") }
        processes.append(try bench.fork())
      case .switchProcess(let number): try bench.switchProcess(processes[number % processes.count])
      case .exitProcess(let number):
        try watch.begin(.exit)
        let others = processes.filter { $0 != bench.currentProcess }
        guard !others.isEmpty else { throw .EBUSY("the current process cannot end itself") }
        let process = others[number % others.count]
        try bench.exit(process)
        processes.removeAll { $0 == process }
      case .setMemlockLimit(let bytes): bench.setMemlockLimit(bytes)
      case .armFailure(let nth): bench.armFailure(nth: nth)
      case .disarmFailure: return bench.disarmFailure() ? "it failed" : "nothing failed"
      case .dma(let number, _, let length, let isWrite):
        try watch.begin(.dma)
        guard !functions.isEmpty else { throw .ENODEV("the machine has no function") }
        let request: DMARequest =
          isWrite ? .write(iova, [UInt8](repeating: 0xD5, count: length)) : .read(iova, length)
        let answer = Self.words(try bench.dma(functions[number % functions.count], request))
        watch.end(rig)
        return answer
      }
      watch.end(rig)
      return "ok"
    } catch { return error.name }
  }

  private static func words(_ outcome: DMAOutcome) -> String {
    switch outcome {
    case .done(let bytes): "done \(bytes.count)"
    case .fault(let fault): "fault \(fault.name) \(fault.reason)"
    case .held: "held"
    case .interrupt: "interrupt"
    }
  }
}

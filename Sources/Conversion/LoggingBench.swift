// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

/// Hands everything on to a bench, and notes in a history what was done with it; looking is not noted.
///
/// What threads do is there in words only: it has no order.
final class LoggingBench: Bench {
  private let bench: any Bench
  private let target: LoggingTarget

  init(_ bench: any Bench, _ target: LoggingTarget) {
    self.bench = bench
    self.target = target
  }

  private func note(_ text: String) { target.note(.note(text)) }

  // MARK: Processes

  func fork() throws(Errno) -> Int32 {
    try mayGoOn(.fork(-1))
    let child = try bench.fork()
    target.note(.fork(child))
    return child
  }

  func switchProcess(_ pid: Int32) throws(Errno) {
    try mayGoOn(.switchProcess(pid))
    try bench.switchProcess(pid)
    target.note(.switchProcess(pid))
  }

  func exit(_ pid: Int32) throws(Errno) {
    try mayGoOn(.exitProcess(pid))
    try bench.exit(pid)
    target.note(.exitProcess(pid))
  }

  private func mayGoOn(_ call: LoggedCall) throws(Errno) {
    guard !target.performs else { return }
    target.note(call)
    throw .EINTR("the history ends before it")
  }

  var currentProcess: Int32 { bench.currentProcess }

  func setCapability(_ name: String, _ held: Bool) throws(Errno) {
    try bench.setCapability(name, held)
    target.note(.capability(name, isHeld: held))
  }

  func setMemlockLimit(_ bytes: UInt64) {
    bench.setMemlockLimit(bytes)
    target.note(.memlock(bytes))
  }

  // MARK: Threads

  /// Threads have no order in a history, so what they do is not in it.
  func sibling() -> (target: any IoctlTarget, bench: any Bench) {
    note("another thread makes requests, which are not in here")
    return bench.sibling()
  }

  func makeScheduler() -> any ThreadScheduler { bench.makeScheduler() }
  var schedulePoints: [SchedulePointInfo] { bench.schedulePoints }

  func forgetLock(_ name: String, _ on: Bool) throws(Errno) {
    try bench.forgetLock(name, on)
    note(on ? "the lock \(name) is not taken" : "the lock \(name) is taken again")
  }

  var forgettableLocks: [String] { bench.forgettableLocks }

  // MARK: Failures

  private var isArmed = false

  var failurePoints: [(name: String, summary: String)] { bench.failurePoints }

  /// In a history each arming has an end.
  func armFailure(nth: UInt64, kinds: Set<String>?) {
    endArming()
    isArmed = true
    target.note(.device(.armFailure(nth: nth, kinds: kinds)))
    guard target.performs else { return }
    bench.armFailure(nth: nth, kinds: kinds)
  }

  func disarmFailure() -> Bool {
    let hasHappened = bench.disarmFailure()
    isArmed = false
    target.note(.device(.disarmFailure(hasHappened: hasHappened)))
    return hasHappened
  }

  /// Ends the arming that nobody has ended.
  func endArming() { if isArmed { _ = disarmFailure() } }

  var lastArming: (passes: UInt64, failure: InjectedFailure?) { bench.lastArming }
  func restingState() -> Fact { bench.restingState() }
  var framesInUse: Int { bench.framesInUse }
  func endProcesses() { bench.endProcesses() }

  // MARK: Hardware

  func addIOMMU(_ name: String, kind: String, numbers: [String: UInt64], words: [String: String])
    throws(Errno) -> Int
  {
    try noted({ () throws(Errno) in
      try bench.addIOMMU(name, kind: kind, numbers: numbers, words: words)
    }) { .addIOMMU(name, kind: kind, numbers: numbers, words: words, $0) }
  }

  func addFunction(_ function: FunctionDescription) throws(Errno) -> Int {
    try noted({ () throws(Errno) in try bench.addFunction(function) }) { result in
      .addFunction(function, result, path: (try? result.get()).flatMap { bench.devicePath(of: $0) })
    }
  }

  func removeFunction(_ function: Int) throws(Errno) {
    try noted({ () throws(Errno) in try bench.removeFunction(function) }) {
      .removeFunction(function, $0.error)
    }
  }

  func configure(_ function: Int, ats: Bool, pri: Bool, pasid: Bool) throws(Errno) {
    try noted({ () throws(Errno) in try bench.configure(function, ats: ats, pri: pri, pasid: pasid) }) {
      .configure(function, ats: ats, pri: pri, pasid: pasid, $0.error)
    }
  }

  func remapInterrupt(_ function: Int, vector: UInt8, destination: UInt32) throws(Errno) -> (
    address: UInt64, data: UInt32
  ) {
    try noted({ () throws(Errno) in
      try bench.remapInterrupt(function, vector: vector, destination: destination)
    }) { .remapInterrupt(function, vector: vector, destination: destination, $0) }
  }

  func dma(_ function: Int, _ request: DMARequest) throws(Errno) -> DMAOutcome {
    try noted({ () throws(Errno) in try bench.dma(function, request) }) { .dma(function, request, $0) }
  }

  func finishedDMA(_ function: Int) throws(Errno) -> DMAOutcome? {
    try noted({ () throws(Errno) in try bench.finishedDMA(function) }) { .finishedDMA(function, $0) }
  }

  func requestTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?, writing: Bool) throws(Errno)
    -> Fact
  {
    try noted({ () throws(Errno) in
      try bench.requestTranslation(function, address, pasid: pasid, writing: writing)
    }) { .requestTranslation(function, address, pasid: pasid, writing: writing, $0) }
  }

  func requestPage(
    _ function: Int, _ address: UInt64, pasid: UInt32?, permissions: UInt32, last: Bool, group: UInt16
  ) throws(Errno) {
    try noted({ () throws(Errno) in
      try bench.requestPage(
        function, address, pasid: pasid, permissions: permissions, last: last, group: group)
    }) {
      .requestPage(
        function, address, pasid: pasid, permissions: permissions, last: last, group: group, $0.error)
    }
  }

  func writeRegister(_ iommu: Int, _ offset: UInt64, width: Int, _ value: UInt64) throws(Errno) {
    try noted({ () throws(Errno) in try bench.writeRegister(iommu, offset, width: width, value) }) {
      .writeRegister(iommu, offset: offset, width: width, value, $0.error)
    }
  }

  func setBug(_ iommu: Int, _ name: String, _ on: Bool) throws(Errno) {
    try noted({ () throws(Errno) in try bench.setBug(iommu, name, on) }) {
      .setBug(iommu, name, isOn: on, $0.error)
    }
  }

  func writePhysical(_ address: UInt64, _ bytes: [UInt8]) throws(Errno) {
    try noted({ () throws(Errno) in try bench.writePhysical(address, bytes) }) {
      .writePhysical(address, bytes, $0.error)
    }
  }

  func cut(_ fd: Int32, hwpt: UInt32, iova: UInt64) throws(Errno) {
    try noted({ () throws(Errno) in try bench.cut(fd, hwpt: hwpt, iova: iova) }) {
      .cut(fd, hwpt: hwpt, iova: iova, $0.error)
    }
  }

  func grow(_ fd: Int32, hwpt: UInt32, iova: UInt64, length: UInt64) throws(Errno) -> Int {
    try noted({ () throws(Errno) in try bench.grow(fd, hwpt: hwpt, iova: iova, length: length) }) {
      .grow(fd, hwpt: hwpt, iova: iova, length: length, $0)
    }
  }

  func guestTable(format: String, at guestAddress: UInt64, room: UInt64, entries: [GuestMapping])
    throws(Errno) -> GuestTable
  {
    let table = try bench.guestTable(format: format, at: guestAddress, room: room, entries: entries)
    target.note(.device(.guestTable(format: format, guestAddress: guestAddress, room: room, entries, table)))
    return table
  }

  private func noted<Value>(
    _ body: () throws(Errno) -> Value, _ action: (Result<Value, Errno>) -> LoggedDeviceAction
  ) throws(Errno) -> Value {
    try target.noted(body) { .device(action($0)) }
  }

  // MARK: Looking

  func state(of fd: Int32) -> Fact? { bench.state(of: fd) }
  func state(of fd: Int32, object: UInt32) -> Fact? { bench.state(of: fd, object: object) }
  func machineState() -> Fact { bench.machineState() }
  var traceLevel: TraceLevel? {
    get { bench.traceLevel }
    set { bench.traceLevel = newValue }
  }
  func takeEvents() -> (events: [MachineEvent], lost: Int) { bench.takeEvents() }
  func everything() -> Fact { bench.everything() }
  func contentsDigest() -> UInt64 { bench.contentsDigest() }
  func violations() -> [Violation] { bench.violations() }
  func physicalAddress(at address: UInt64) -> UInt64? { bench.physicalAddress(at: address) }
  func pinCount(at address: UInt64) -> UInt64? { bench.pinCount(at: address) }
  func translate(_ fd: Int32, hwpt: UInt32, iova: UInt64) -> UInt64? {
    bench.translate(fd, hwpt: hwpt, iova: iova)
  }
  var iommuKinds: [IOMMUDescription] { bench.iommuKinds }
  func devicePath(of function: Int) -> String? { bench.devicePath(of: function) }
  func walk(_ function: Int, _ address: UInt64, pasid: UInt32?, writing: Bool) throws(Errno) -> Fact {
    try bench.walk(function, address, pasid: pasid, writing: writing)
  }
  func state(ofIOMMU iommu: Int) -> Fact? { bench.state(ofIOMMU: iommu) }
  func state(ofFunction function: Int) -> Fact? { bench.state(ofFunction: function) }
  func readRegister(_ iommu: Int, _ offset: UInt64, width: Int) throws(Errno) -> UInt64 {
    try bench.readRegister(iommu, offset, width: width)
  }
  var driverBugs: [(name: String, summary: String)] { bench.driverBugs }
  func readPhysical(_ address: UInt64, _ count: Int) throws(Errno) -> [UInt8] {
    try bench.readPhysical(address, count)
  }
  func leaf(_ fd: Int32, hwpt: UInt32, iova: UInt64) -> Fact? { bench.leaf(fd, hwpt: hwpt, iova: iova) }
  var guestTableFormats: [String] { bench.guestTableFormats }
  func cachedTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?) -> Fact? {
    bench.cachedTranslation(function, address, pasid: pasid)
  }
  func staleTranslations() -> [Violation] { bench.staleTranslations() }
  func table(_ fd: Int32, hwpt: UInt32) -> Fact? { bench.table(fd, hwpt: hwpt) }
}

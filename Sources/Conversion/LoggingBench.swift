// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import UAPI

/// Hands everything on to a bench, and notes in a history what was done with it; looking is not noted.
///
/// What processes are and may do has a form of its own in a history. The rest is there in words: no system call does
/// it.
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
    let child = try bench.fork()
    target.note(.fork(child))
    return child
  }

  func switchProcess(_ pid: Int32) throws(Errno) {
    try bench.switchProcess(pid)
    target.note(.switchProcess(pid))
  }

  func exit(_ pid: Int32) throws(Errno) {
    try bench.exit(pid)
    target.note(.exitProcess(pid))
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

  // MARK: Doing

  var failurePoints: [(name: String, summary: String)] { bench.failurePoints }

  func armFailure(nth: UInt64, kinds: Set<String>?) {
    bench.armFailure(nth: nth, kinds: kinds)
    note("failure point \(nth) from here fails")
  }

  var lastArming: (passes: UInt64, failure: InjectedFailure?) { bench.lastArming }
  func restingState() -> Fact { bench.restingState() }
  var framesInUse: Int { bench.framesInUse }

  func disarmFailure() -> Bool {
    note("no failure point fails any more")
    return bench.disarmFailure()
  }

  func addIOMMU(_ name: String, kind: String, numbers: [String: UInt64], words: [String: String])
    throws(Errno) -> Int
  {
    note("an IOMMU \(name) of kind \(kind) is plugged in")
    return try bench.addIOMMU(name, kind: kind, numbers: numbers, words: words)
  }

  func addFunction(_ function: FunctionDescription) throws(Errno) -> Int {
    note("a PCI function is plugged in")
    return try bench.addFunction(function)
  }

  func removeFunction(_ function: Int) throws(Errno) {
    note("function \(function) is unplugged")
    try bench.removeFunction(function)
  }

  func configure(_ function: Int, ats: Bool, pri: Bool, pasid: Bool) throws(Errno) {
    note("the control registers of function \(function) are set")
    try bench.configure(function, ats: ats, pri: pri, pasid: pasid)
  }

  func remapInterrupt(_ function: Int, vector: UInt8, destination: UInt32) throws(Errno) -> (
    address: UInt64, data: UInt32
  ) {
    note("function \(function) gets an interrupt")
    return try bench.remapInterrupt(function, vector: vector, destination: destination)
  }

  func dma(_ function: Int, _ request: DMARequest) throws(Errno) -> DMAOutcome {
    note("function \(function) does DMA")
    return try bench.dma(function, request)
  }

  func finishedDMA(_ function: Int) throws(Errno) -> DMAOutcome? { try bench.finishedDMA(function) }

  func requestTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?, writing: Bool) throws(Errno)
    -> Fact
  {
    note("function \(function) asks for a translation")
    return try bench.requestTranslation(function, address, pasid: pasid, writing: writing)
  }

  func requestPage(
    _ function: Int, _ address: UInt64, pasid: UInt32?, permissions: UInt32, last: Bool, group: UInt16
  ) throws(Errno) {
    note("function \(function) asks for a page")
    try bench.requestPage(
      function, address, pasid: pasid, permissions: permissions, last: last, group: group)
  }

  func writeRegister(_ iommu: Int, _ offset: UInt64, width: Int, _ value: UInt64) throws(Errno) {
    note("a register of IOMMU \(iommu) is written")
    try bench.writeRegister(iommu, offset, width: width, value)
  }

  func setBug(_ iommu: Int, _ name: String, _ on: Bool) throws(Errno) {
    note("the driver's mistake \(name) is switched \(on ? "on" : "off")")
    try bench.setBug(iommu, name, on)
  }

  func writePhysical(_ address: UInt64, _ bytes: [UInt8]) throws(Errno) {
    note("physical memory is written")
    try bench.writePhysical(address, bytes)
  }

  func cut(_ fd: Int32, hwpt: UInt32, iova: UInt64) throws(Errno) {
    note("a page table is cut")
    try bench.cut(fd, hwpt: hwpt, iova: iova)
  }

  func grow(_ fd: Int32, hwpt: UInt32, iova: UInt64, length: UInt64) throws(Errno) -> Int {
    note("entries of a page table are merged")
    return try bench.grow(fd, hwpt: hwpt, iova: iova, length: length)
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
  func guestTable(format: String, at guestAddress: UInt64, room: UInt64, entries: [GuestMapping])
    throws(Errno) -> GuestTable
  {
    try bench.guestTable(format: format, at: guestAddress, room: room, entries: entries)
  }
  var guestTableFormats: [String] { bench.guestTableFormats }
  func cachedTranslation(_ function: Int, _ address: UInt64, pasid: UInt32?) -> Fact? {
    bench.cachedTranslation(function, address, pasid: pasid)
  }
  func staleTranslations() -> [Violation] { bench.staleTranslations() }
  func table(_ fd: Int32, hwpt: UInt32) -> Fact? { bench.table(fd, hwpt: hwpt) }
}

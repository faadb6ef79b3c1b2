// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import HardwareSpecs
internal import Memory

// NVIDIA Tegra241's command queue virtualisation: more command queues in front of an SMMUv3, some of which a
// hypervisor gives to virtual machines. A queue belongs to a virtual interface, VINTF. One that the
// hypervisor owns may queue every command; one of a guest only a few invalidations, of its own VMID and its
// own streams:
//
//     guest's SID ── SID_MATCH(slot) ── SID_REPLACE(slot) ── StreamID
//
// Anything else stops that queue, and only that queue.

/// The Tegra241 CMDQV block of an SMMUv3.
public final class Tegra241CMDQV {
  public struct Configuration: Sendable {
    /// Base-2 logarithms: virtual queues in all, up to 7; VINTFs, up to 6; streams of a VINTF, up to 4.
    public var queuesLg2 = 7
    public var vintfsLg2 = 6
    public var streamsLg2 = 4
    public var version: UInt32 = 1
    public init() {}
  }

  /// A virtual command queue.
  struct VirtualQueue: Sendable {
    var ring: SMMUv3.Queue
    var allocation: UInt32 = 0
    var enabled = false
    var gerror: UInt32 = 0
    var gerrorN: UInt32 = 0
    var consIndexBase: UInt64 = 0
    var hasError: Bool { (gerror ^ gerrorN) & Tegra241.Queue.commandError != 0 }
  }

  struct Interface: Sendable {
    var config: UInt32 = 0
    var match: [UInt32]
    var replace: [UInt32]
    var enabled: Bool { config & Tegra241.enable != 0 }
    var trusted: Bool { config & Tegra241.VINTF.hypervisorOwned != 0 }
  }

  unowned let smmu: SMMUv3
  let configuration: Configuration
  var enabled = false
  var queues: [VirtualQueue]
  var interfaces: [Interface]
  var interruptMask: UInt64 = 0
  private var running = false
  /// A queue was to run while another one did.
  private var runsAgain = false

  init(_ configuration: Configuration, _ smmu: SMMUv3) {
    var configuration = configuration
    configuration.queuesLg2 = min(7, max(0, configuration.queuesLg2))
    configuration.vintfsLg2 = min(6, max(0, configuration.vintfsLg2))
    configuration.streamsLg2 = min(4, max(0, configuration.streamsLg2))
    self.configuration = configuration
    self.smmu = smmu
    let ring = SMMUv3.Queue(
      maximumLg2: smmu.capabilities.idr1[SMMU.IDR1.commandQueueSize],
      bytesLg2: SMMU.Queue.commandBytesLg2)
    queues = Array(repeating: VirtualQueue(ring: ring), count: 1 << configuration.queuesLg2)
    let streams = 1 << configuration.streamsLg2
    let interface = Interface(
      match: Array(repeating: 0, count: streams), replace: Array(repeating: 0, count: streams))
    interfaces = Array(repeating: interface, count: 1 << configuration.vintfsLg2)
  }

  // MARK: Consumption

  /// The VINTF of a queue that may run.
  private func owner(_ queue: Int) -> Int? {
    let candidate = queues[queue]
    guard enabled, candidate.enabled, candidate.allocation & Tegra241.Allocation.allocated != 0 else {
      return nil
    }
    let vintf = Int(candidate.allocation[Tegra241.Allocation.vintf])
    return vintf < interfaces.count && interfaces[vintf].enabled ? vintf : nil
  }

  /// Consumes what is in a queue, as long as nothing stops it.
  func run(_ queue: Int) {
    // What a command calls may write registers of this block.
    guard !running else {
      runsAgain = true
      return
    }
    running = true
    consume(queue)
    running = false
    if runsAgain {
      runsAgain = false
      runAll()
    }
  }

  private func consume(_ queue: Int) {
    while let vintf = owner(queue), !queues[queue].hasError, !queues[queue].ring.isEmpty {
      let place = queues[queue].ring.address(queues[queue].ring.cons)
      guard let word0 = smmu.memory.load64(at: PhysAddr(place)),
        let word1 = smmu.memory.load64(at: PhysAddr(place &+ 8))
      else {
        stop(queue, SMMU.CommandError.abort)
        return
      }
      var command = SMMUv3.CommandWords(word0: word0, word1: word1)
      guard interfaces[vintf].trusted || confine(&command, vintf) else {
        stop(queue, SMMU.CommandError.illegal)
        return
      }
      let error = smmu.execute(command)
      guard error == SMMU.CommandError.none else {
        stop(queue, error)
        return
      }
      queues[queue].ring.advanceCons()
    }
  }

  func runAll() {
    for queue in queues.indices where queues[queue].enabled { run(queue) }
  }

  /// Makes a guest's command one of its own VMID and streams; false when it may not have it.
  private func confine(_ command: inout SMMUv3.CommandWords, _ vintf: Int) -> Bool {
    let interface = interfaces[vintf]
    switch command.opcode {
    case SMMU.Command.tlbiNHASID, SMMU.Command.tlbiNHVA:
      command.word0[SMMU.Command.vmid] = UInt64(interface.config[Tegra241.VINTF.vmid])
      return true
    case SMMU.Command.atcInvalidate:
      let slot = interface.match.firstIndex {
        $0 & Tegra241.VINTF.matchEnable != 0 && $0[Tegra241.VINTF.matchSID] == command.source
      }
      guard let slot else { return false }
      command.word0[SMMU.Command.sid] = UInt64(interface.replace[slot])
      return true
    case SMMU.Command.sync:
      return command[SMMU.Command.completionSignal] == SMMU.Command.signalNone
    default: return false
    }
  }

  private func stop(_ queue: Int, _ error: UInt32) {
    queues[queue].ring.cons[SMMU.Queue.consError] = error
    guard !queues[queue].hasError else { return }
    queues[queue].gerror ^= Tegra241.Queue.commandError
    let vintf = UInt64(queues[queue].allocation[Tegra241.Allocation.vintf])
    if interruptMask >> vintf & 1 == 0 { smmu.fabric?.interrupt(wire: SMMU.Wire.cmdqv) }
  }

  // MARK: Error maps

  /// The queue that is a logical queue of a VINTF.
  func physical(_ vintf: Int, _ logical: Int) -> Int? {
    queues.firstIndex {
      $0.allocation & Tegra241.Allocation.allocated != 0
        && $0.allocation[Tegra241.Allocation.vintf] == UInt32(vintf)
        && $0.allocation[Tegra241.Allocation.logical] == UInt32(logical)
    }
  }

  /// Logical queues of a VINTF with an error, a bit each; 128 of them in two words.
  func logicalErrors(_ vintf: Int) -> (UInt64, UInt64) {
    var map: (UInt64, UInt64) = (0, 0)
    for queue in queues where queue.hasError && queue.allocation & Tegra241.Allocation.allocated != 0 {
      guard queue.allocation[Tegra241.Allocation.vintf] == UInt32(vintf) else { continue }
      let logical = UInt64(queue.allocation[Tegra241.Allocation.logical])
      if logical < 64 { map.0 |= 1 << logical } else { map.1 |= 1 << (logical - 64) }
    }
    return map
  }

  var vintfErrors: UInt64 {
    interfaces.indices.reduce(0) { map, vintf in
      logicalErrors(vintf) == (0, 0) ? map : map | 1 << UInt64(vintf)
    }
  }

  /// Queues with an error, 32 in a word.
  func queueErrors(_ word: Int) -> UInt32 {
    (0..<32).reduce(0) { map, bit in
      let queue = word * 32 + bit
      return queue < queues.count && queues[queue].hasError ? map | 1 << UInt32(bit) : map
    }
  }

  func facts() -> Fact {
    .record([
      ("enabled", .flag(enabled)),
      (
        "VINTFs",
        .list(
          interfaces.indices.filter { interfaces[$0].config != 0 }.map { index in
            .record([
              ("index", .number(UInt64(index))), ("enabled", .flag(interfaces[index].enabled)),
              ("VMID", .number(UInt64(interfaces[index].config[Tegra241.VINTF.vmid]))),
              ("HYP_OWN", .flag(interfaces[index].trusted)),
              ("errors", .hex(logicalErrors(index).0)),
            ])
          })
      ),
      (
        "VCMDQs",
        .list(
          queues.indices.filter { queues[$0].allocation != 0 }.map { index in
            .record([
              ("index", .number(UInt64(index))), ("allocation", .hex(UInt64(queues[index].allocation))),
              ("enabled", .flag(queues[index].enabled)), ("base", .hex(queues[index].ring.base)),
              ("PROD", .hex(UInt64(queues[index].ring.prod))),
              ("CONS", .hex(UInt64(queues[index].ring.cons))), ("error", .flag(queues[index].hasError)),
            ])
          })
      ),
    ])
  }
}

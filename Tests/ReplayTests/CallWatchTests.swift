// SPDX-License-Identifier: GPL-3.0-or-later
import Bench
import Machine
import Memory
import Runner
import Testing
import UAPI

@testable import Replay

/// When the rules are looked at.
struct CallWatchTests {
  /// A machine whose page tables can be made to look as if they had lost something.
  private let target = ModelTarget()
  private let rig: Rig

  init() { rig = Rig(target: target, bench: ModelBench(target), backend: "mock") }

  private func watched(_ checks: CallWatch.Checks) -> (watch: CallWatch, rig: Rig) {
    let watch = CallWatch(limit: 100, checks: checks, mark: nil)
    return (watch, WatchedTarget.watching(rig, watch))
  }

  private func isBroken(_ watch: CallWatch) -> Bool {
    if case .violation? = watch.stop { true } else { false }
  }

  /// A frame that is pinned and that no mapping needs breaks a rule for as long as it is.
  private func breakARule() throws -> () -> Void {
    let address = try target.userSpace.allocate(length: 4096, at: nil, mode: [.read, .write], huge: false)
    try target.memory.store(UInt32(1), at: address)
    let frame = try #require(target.process.space.frame(at: address, writing: true))
    target.machine.memory.pin(frame)
    return { [target] in target.machine.memory.unpin(frame) }
  }

  @Test func theFirstOfSeveralClosesIsLookedBefore() throws {
    let (watch, rig) = watched(.beforeItGoes)
    let files = [try rig.target.open("/dev/iommu"), try rig.target.open("/dev/iommu")]
    let mend = try breakARule()
    #expect(!isBroken(watch))
    try rig.target.close(files[0])
    #expect(isBroken(watch))
    mend()
  }

  @Test func theOthersAreNot() throws {
    let (watch, rig) = watched(.beforeItGoes)
    let files = [try rig.target.open("/dev/iommu"), try rig.target.open("/dev/iommu")]
    try rig.target.close(files[0])
    let mend = try breakARule()
    try rig.target.close(files[1])
    #expect(!isBroken(watch))
    watch.check(rig)
    #expect(isBroken(watch))
    mend()
  }

  @Test func everyCallIsLookedBehindWhereThatIsAsked() throws {
    let (watch, rig) = watched(.afterEveryCall)
    let file = try rig.target.open("/dev/iommu")
    let mend = try breakARule()
    #expect(throws: Errno.EBADF) { try rig.target.poll(99) }
    #expect(isBroken(watch))
    mend()
    try rig.target.close(file)
  }
}

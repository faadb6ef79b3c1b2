// SPDX-License-Identifier: GPL-3.0-or-later
internal import Bench
internal import Drivers
internal import Hardware
internal import HardwareTestSupport
internal import IOMMU
internal import Memory
internal import Testing
internal import UAPI

@testable internal import Machine

@Suite struct ThreadTests {
  /// Mapping, unmapping, DMA, faults and attaching at once. Each thread has a range of its own, so it must see in it
  /// what it did last, whatever the others do.
  @Test func everythingAtOnce() async throws {
    let rig = try DriverRig(["s": 0, "nl": 0])
    let (device, domain) = try rig.attached(5)
    let machine = rig.machine
    let others = try (0..<2).map { try rig.device(UInt16(8 + $0)) }
    let second = try rig.domain(for: device)
    for other in others { try rig.put(other, on: second) }
    let buffer = try rig.page(count: 64).raw
    await withTaskGroup(of: Bool.self) { group in
      for thread in 0..<3 as Range<UInt64> {
        group.addTask {
          var dice = Dice(thread)
          for _ in 0..<300 {
            let iova = thread << 21 + dice.below(64 as UInt64) << 12
            let physical = buffer + dice.below(32 as UInt64) << 12
            let pages = 1 + dice.below(4 as UInt64)
            do throws(Errno) {
              try domain.map(IOVA(iova), to: PhysAddr(physical), length: pages << 12, protection: readWrite)
            } catch { return false }
            guard device.perform(.read(iova, 8)).bytes != nil else { return false }
            guard domain.unmap(IOVA(iova), length: pages << 12) == pages << 12 else { return false }
            guard device.perform(.read(iova, 8)).fault?.code == 13 else { return false }
          }
          return true
        }
      }
      for other in others {
        group.addTask {
          guard let core = other.device.group else { return false }
          for round in 0..<200 {
            do throws(Errno) {
              if round & 1 == 0 {
                core.detach()
              } else {
                try core.replace(with: domain, handle: AttachHandle())
              }
            } catch { return false }
          }
          return true
        }
      }
      for await isRight in group { #expect(isRight) }
    }
    machine.settle()
    #expect(rig.software.complaints.isEmpty)
    #expect(rig.unit.withHardware { $0.staleStructures } == [])
  }
}

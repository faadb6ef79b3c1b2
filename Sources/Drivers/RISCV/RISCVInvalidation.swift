// SPDX-License-Identifier: GPL-3.0-or-later
internal import HardwareSpecs
internal import IOMMU
internal import Memory
internal import PageTables

/// What an unmap asks the IOMMUs of a domain to forget, in the form that suits each: `struct riscv_iommu_tlbi`,
/// `riscv_iommu_tlbi_calc`, `riscv_iommu_iotlb_inval_iommu`.
///
///     tables were freed, no NL           the whole address space
///     S, and more than a page            one aligned power of two around the range      + NL for tables
///     up to 512 strides                  one address each stride                        + NL for tables
///     more                               the whole address space
///
/// A stride is what an entry of the lowest changed level spans.
struct RISCVInvalidation {
  private let first: UInt64
  private let hasTables: Bool
  /// log2 of the aligned power of two around the range; 0 for none.
  private var sizeLg2: UInt64 = 0
  private var strideLg2: UInt64 = RISCV.pageShift
  /// Strides; 0 for the whole address space.
  private var strides: UInt64 = 0

  private static let mostStrides: UInt64 = 512

  init(_ gather: borrowing TableGather) {
    let levels = gather.leafLevels | gather.tableLevels
    hasTables = gather.tableLevels != 0
    first = gather.range?.first ?? 0
    guard levels != 0, let last = gather.range?.last else { return }
    let around = UInt64(64 - (first ^ last).leadingZeroBitCount)
    guard around < 64 else { return }
    sizeLg2 = around
    strideLg2 = 9 * UInt64(levels.trailingZeroBitCount) + RISCV.pageShift
    let count = (last - first + 1) >> strideLg2
    strides = count > Self.mostStrides ? 0 : count
  }

  /// Sends the commands to one IOMMU; the fence is the caller's.
  func send(to iommu: RISCVInstance, pscid: UInt32) {
    let whole = RISCVCommand.forget(pscid: pscid)
    guard iommu.bugs.isEmpty else { return sendWrongly(to: iommu, whole) }
    let namesTables = hasTables && iommu.has(RISCV.Capability.nl)
    guard !hasTables || namesTables else { return iommu.send(whole) }
    func narrowed(_ command: RISCVCommand) -> RISCVCommand { namesTables ? command.withTables : command }
    if iommu.has(RISCV.Capability.s), sizeLg2 > RISCV.pageShift {
      return iommu.send(narrowed(whole.at(first & ~((1 << sizeLg2) - 1), sizeLg2: sizeLg2)))
    }
    guard strides > 0 else { return iommu.send(whole) }
    for index in 0..<strides { iommu.send(narrowed(whole.at(first &+ index << strideLg2))) }
  }

  /// The same by a driver with bugs; see `DriverBug`.
  private func sendWrongly(to iommu: RISCVInstance, _ whole: RISCVCommand) {
    let bugs = iommu.bugs
    guard !bugs.has(.skipUnmapFlush) else { return }
    var command = whole
    if bugs.has(.wrongDomainFlush) { command.word0 ^= 1 << RISCV.Command.pscidShift }
    func send(_ command: RISCVCommand) {
      if bugs.has(.skipSync) { iommu.sendSilently(command) } else { iommu.send(command) }
    }
    if bugs.has(.shortFlush) { return send(command.at(first)) }
    if bugs.has(.leafOnlyFlush), hasTables {
      // The leaves of as much as one command names, or of one table.
      if iommu.has(RISCV.Capability.s), sizeLg2 > RISCV.pageShift {
        return send(command.at(first & ~((1 << sizeLg2) - 1), sizeLg2: sizeLg2))
      }
      for index in 0..<max(strides, 1) { send(command.at(first &+ index << strideLg2)) }
      return
    }
    send(command)
  }
}
